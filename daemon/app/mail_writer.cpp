#include "app/mail_writer.hpp"

namespace invited::app {

namespace {

// What both mails say about sender and receiver.
template <class Mail>
Mail addressed(const config::Mail& settings, const service::MailFacts& facts, const model::Policy& policy,
               core::Instant now) {
  Mail mail;
  mail.from = {settings.from.name, settings.from.address};
  mail.to = {facts.user.name, facts.invitation.login_email};
  if (settings.reply_to) mail.reply_to = render::Mailbox{settings.reply_to->name, settings.reply_to->address};
  mail.organisation = policy.name;
  mail.locale =
      render::choose_locale({.query = {}, .user = facts.user.locale, .company = policy.locale, .accept_language = {}});
  mail.zone = policy.zone;
  mail.message_id = facts.delivery.message_id;
  mail.date = now;
  return mail;
}

core::Result<render::RenderedMail> rendered(const render::Templates& templates, const config::Mail& settings,
                                            const service::MailFacts& facts, const std::string& link,
                                            const model::Policy& policy, core::Instant now) {
  if (facts.delivery.kind == model::DeliveryKind::sign_in_ready) {
    auto mail = addressed<render::SignInReadyMail>(settings, facts, policy, now);
    mail.sign_in_url = policy.sign_in.address(facts.provider_url);
    mail.help = policy.sign_in.help(render::tag(mail.locale));
    return render::render_mail(templates, mail);
  }
  auto mail = addressed<render::VerificationMail>(settings, facts, policy, now);
  mail.link = link;
  // The shortest promise: as if the mail were accepted now. Accepted later, the link only lives longer (PRODUCT §3).
  mail.last_valid_day = model::link_last_day(now, policy.zone, policy.valid_days);
  return render::render_mail(templates, mail);
}

}  // namespace

core::Result<model::OutgoingMail> TemplateMailWriter::write(const service::MailFacts& facts, const std::string& link,
                                                            const model::Policy& policy, core::Instant now) {
  auto made = rendered(*templates_, mail_, facts, link, policy, now);
  if (!made) return core::fail(made.error());
  model::OutgoingMail out;
  out.envelope_from = std::move(made->envelope_from);
  out.envelope_to = std::move(made->envelope_to);
  out.bytes = std::move(made->bytes);
  out.needs_smtputf8 = made->needs_smtputf8;
  out.eight_bit = made->eight_bit;
  return out;
}

}  // namespace invited::app
