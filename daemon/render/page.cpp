#include "render/page.hpp"

#include <fmt/format.h>
#include <unicode/utf8.h>

#include <deque>
#include <vector>

#include "model/civil_time.hpp"

namespace invited::render {

namespace {

// One line of visible text: what could break the line, the direction or the encoding is shown as a replacement.
std::string clean(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::int32_t i = 0, n = static_cast<std::int32_t>(text.size()); i < n;) {
    const std::int32_t at = i;
    UChar32 c = 0;
    U8_NEXT(bytes, i, n, c);
    const bool hidden = c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x2028 && c <= 0x202E) ||
                        (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF || (c & 0xFFFE) == 0xFFFE;
    hidden ? out += "\xEF\xBF\xBD" : out += text.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(i - at));
  }
  return out;
}

class Filling {
public:
  Filling(const Templates& templates, const Page& page) : templates_(templates), locale_(page.locale) {
    set("LANG", std::string(tag(locale_)));
    const Locale other = locale_ == Locale::sv ? Locale::en : Locale::sv;
    set("OTHER_LANG", std::string(tag(other)));
    set("OTHER_LANGUAGE", std::string(own_name(other)));
    set("STYLESHEET", page.stylesheet);
    set("ORGANISATION", page.organisation);
    if (!page.organisation.empty()) show("WITH_ORGANISATION");
  }

  std::string result() const {
    return std::move(templates_.expand({TemplateId::page}, locale_, values_, sections_).front());
  }

  void operator()(const ConfirmPage& page) {
    state("CONFIRM", "SIGN_MAIL");
    set("ADDRESS", page.masked_address);
    day(page.last_day);
    form(page.form);
    if (page.try_again) show("TRY_AGAIN");
  }
  void operator()(const ConnectedPage& page) {
    state("CONNECTED", "SIGN_DONE");
    sign_in(page.sign_in_url, page.help);
  }
  void operator()(const UsedPage& page) {
    state("USED", "SIGN_DONE");
    sign_in(page.sign_in_url, page.help);
  }
  void operator()(const ConnectingPage&) { state("CONNECTING", "SIGN_WAIT"); }
  void operator()(const ExpiredPage& page) {
    state("EXPIRED", "SIGN_WAIT");
    if (page.last_day) {
      show("WITH_LAST_DAY");
      day(*page.last_day);
    }
    show(page.resend ? "WITH_RESEND" : "WITHOUT_RESEND");
    if (page.resend) form(*page.resend);
  }
  void operator()(const RequestedPage& page) {
    state("REQUESTED", "SIGN_MAIL");
    set("ADDRESS", page.masked_address);
  }
  void operator()(const SupersededPage& page) {
    state("SUPERSEDED", "SIGN_MAIL");
    show(page.newer ? "WITH_SENT" : "WITHOUT_SENT");
    if (!page.newer) return;
    const std::string zone = model::zone_exists(page.newer->zone) ? page.newer->zone : "UTC";
    const std::string local = model::local_text(page.newer->at, zone);  // "2026-11-30T09:00"
    set("SENT_DAY", templates_.translations().date(locale_, model::local_date(page.newer->at, zone)));
    set("SENT_TIME", local.substr(local.find('T') + 1));
    set("PLACE", zone_place(zone));
  }
  void operator()(const RevokedPage&) { state("REVOKED", "SIGN_NOTE"); }
  void operator()(const UnknownPage&) { state("UNKNOWN", "SIGN_NOTE"); }
  void operator()(const AddressFormPage& page) {
    using Fault = AddressFormPage::Fault;
    state("ADDRESS_FORM", "SIGN_MAIL");
    form(page.form);
    set("TYPED", page.typed);
    set("TYPED_AGAIN", page.typed_again);
    set("ADDRESS", page.masked_address);
    if (page.try_again) show("TRY_AGAIN");
    // What was wrong just now stands alone: what was saved before would only be read past it.
    if (page.fault == Fault::none && !page.try_again && !page.masked_address.empty())
      show(page.mail_is_out ? "WITH_MAIL_OUT" : page.mail_came_back ? "WITH_MAIL_BACK" : "WITH_SAVED");
    if (page.fault == Fault::invalid || page.fault == Fault::unusable) show("WITH_FAULT");
    if (page.fault == Fault::invalid) show("WITH_INVALID");
    if (page.fault == Fault::unusable) show("WITH_UNUSABLE");
    if (page.fault == Fault::mismatch) show("WITH_MISMATCH");
  }
  void operator()(const AddressSentPage& page) {
    state("ADDRESS_SENT", "SIGN_MAIL");
    set("ADDRESS", page.masked_address);
  }
  void operator()(const AddressSavedPage& page) {
    state("ADDRESS_SAVED", "SIGN_WAIT");
    set("ADDRESS", page.masked_address);
  }
  void operator()(const PageOverPage&) { state("PAGE_OVER", "SIGN_NOTE"); }
  void operator()(const TooManyRequestsPage&) { state("LIMITED", "SIGN_WAIT"); }
  void operator()(const UnavailablePage&) { state("UNAVAILABLE", "SIGN_WAIT"); }
  void operator()(const NotFoundPage&) { state("NOT_FOUND", "SIGN_NOTE"); }
  void operator()(const MethodNotAllowedPage&) { state("NOT_ALLOWED", "SIGN_NOTE"); }

private:
  void set(std::string_view name, std::string value) {
    kept_.push_back(clean(value));
    values_.push_back({name, kept_.back()});
  }
  void show(std::string_view section) { sections_.push_back(section); }

  void state(std::string_view section, std::string_view sign) {
    show(section);
    show(sign);
    set("HEADING", std::string(templates_.translations().text(locale_, fmt::format("{}_HEADING", section))));
  }
  void form(const Form& form) {
    set("FORM_ACTION", form.action);
    set("NONCE", form.nonce);
  }
  void day(const LocalDay& day) {
    set("LAST_DAY", day.date.ok() ? templates_.translations().date(locale_, day.date) : std::string());
    set("PLACE", zone_place(day.zone));
  }
  void sign_in(const std::string& url, const std::string& help) {
    if (!help.empty()) {
      show("WITH_HELP");
      set("HELP", help);
    }
    if (!url.starts_with("https://") && !url.starts_with("http://")) return;
    show("WITH_SIGN_IN");
    set("SIGN_IN_URL", url);
  }

  const Templates& templates_;
  Locale locale_;
  std::deque<std::string> kept_;  // a deque: values_ points into it
  std::vector<TemplateValue> values_;
  std::vector<std::string_view> sections_;
};

}  // namespace

std::string render_page(const Templates& templates, const Page& page) {
  Filling filling(templates, page);
  std::visit(filling, page.state);
  return filling.result();
}

}  // namespace invited::render
