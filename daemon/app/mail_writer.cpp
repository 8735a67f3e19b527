#include "app/mail_writer.hpp"

namespace invited::app {

core::Result<model::OutgoingMail> TemplateMailWriter::write(const service::MailFacts& facts, const std::string& link,
                                                            const model::Policy& policy, core::Instant now) {
  render::VerificationMail mail;
  mail.from = {mail_.from.name, mail_.from.address};
  mail.to = {facts.user.name, facts.invitation.login_email};
  if (mail_.reply_to) mail.reply_to = render::Mailbox{mail_.reply_to->name, mail_.reply_to->address};
  mail.organisation = policy.name;
  mail.locale =
      render::choose_locale({.query = {}, .user = facts.user.locale, .company = policy.locale, .accept_language = {}});
  mail.link = link;
  // The shortest promise: as if the mail were accepted now. Accepted later, the link only lives longer (PRODUCT §3).
  mail.last_valid_day = model::link_last_day(now, policy.zone, policy.valid_days);
  mail.zone = policy.zone;
  mail.message_id = facts.delivery.message_id;
  mail.date = now;
  auto rendered = render::render_mail(*templates_, mail);
  if (!rendered) return core::fail(rendered.error());
  model::OutgoingMail out;
  out.envelope_from = std::move(rendered->envelope_from);
  out.envelope_to = std::move(rendered->envelope_to);
  out.bytes = std::move(rendered->bytes);
  out.needs_smtputf8 = rendered->needs_smtputf8;
  out.eight_bit = rendered->eight_bit;
  return out;
}

}  // namespace invited::app
