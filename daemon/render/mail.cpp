#include "render/mail.hpp"

#include <fmt/format.h>
#include <gmime/gmime.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "model/civil_time.hpp"
#include "model/email.hpp"
#include "model/text.hpp"

namespace invited::render {

namespace {

using core::ErrorKind;
using core::fail;
using core::Result;

constexpr std::size_t max_link_octets = 900;
constexpr std::size_t max_line_octets = 998;
constexpr std::size_t text_columns = 70;

tl::unexpected<core::Error> bad_field(std::string_view field, std::string_view why) {
  return fail(ErrorKind::invalid, "bad_mail_field", fmt::format("{} {}", field, why), std::string(field));
}

// GMime keeps a table of settings of its own; one for the process, ended with it.
struct Gmime {
  Gmime() {
    g_mime_init();
    format = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
  }
  ~Gmime() {
    g_mime_format_options_free(format);
    g_mime_shutdown();
  }
  Gmime(const Gmime&) = delete;
  Gmime& operator=(const Gmime&) = delete;
  GMimeFormatOptions* format;
};

const Gmime& gmime() {
  static const Gmime instance;
  return instance;
}

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
template <class T>
using Ref = std::unique_ptr<T, Unref>;

Result<void> check_text(std::string_view field, std::string_view text, std::size_t max_octets) {
  if (text.size() > max_octets)
    return bad_field(field, fmt::format("is {} octets long; {} are allowed", text.size(), max_octets));
  if (const auto wrong = model::unprintable(text)) return bad_field(field, *wrong + ", which may not stand in a mail");
  return {};
}

bool is_ascii(std::string_view text) {
  unsigned char seen = 0;
  for (const char c : text) seen |= static_cast<unsigned char>(c);  // no early end: this way it is vectorised
  return seen < 0x80;
}

struct WireAddress {
  std::string text;
  bool ascii = true;
};

Result<WireAddress> wire_address(std::string_view field, std::string_view address) {
  auto parsed = model::parse_email(address);
  if (!parsed) return bad_field(field, fmt::format("is no mail address: {}", parsed.error().message));
  WireAddress wire{parsed->typed.substr(0, parsed->typed.rfind('@') + 1)};
  wire.ascii = is_ascii(wire.text);
  wire.text += parsed->domain;
  return wire;
}

bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool web_address(std::string_view url) {
  return url.starts_with("https://") || url.starts_with("http://");
}

bool url_characters(std::string_view url) {
  constexpr std::string_view unsafe = "\"<>\\^`{|}";
  return std::none_of(url.begin(), url.end(),
                      [&](char c) { return c <= 0x20 || c >= 0x7F || unsafe.find(c) != std::string_view::npos; });
}

Result<void> check_link(std::string_view link) {
  if (!web_address(link)) return bad_field("link", "does not start with https://");
  if (link.size() > max_link_octets) return bad_field("link", fmt::format("is longer than {} octets", max_link_octets));
  if (!url_characters(link)) return bad_field("link", "has a character that URLs may not have");
  // Mail programs leave trailing punctuation out of what they make clickable.
  if (!alphanumeric(link.back())) return bad_field("link", "does not end in a letter or digit");
  return {};
}

Result<std::string> bare_message_id(std::string_view id) {
  if (id.size() > 2 && id.front() == '<' && id.back() == '>') id = id.substr(1, id.size() - 2);
  const auto at = id.find('@');
  const bool shape =
      at != std::string_view::npos && at > 0 && at + 1 < id.size() && id.find('@', at + 1) == std::string_view::npos;
  constexpr std::string_view also = "@.!#$%&'*+-/=?^_`{|}~";
  const bool characters = std::all_of(
      id.begin(), id.end(), [&](char c) { return alphanumeric(c) || also.find(c) != std::string_view::npos; });
  if (!shape || !characters || id.size() > 200) return bad_field("message_id", "is not of the form left@right");
  return std::string(id);
}

Result<std::string> date_header(core::Instant at, const std::string& zone) {
  static constexpr std::array weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (!model::zone_exists(zone)) return bad_field("zone", fmt::format("\"{}\" is not a time zone", zone));
  const auto second = std::chrono::floor<std::chrono::seconds>(at);
  const auto civil = model::local_date(at, zone);
  const auto day = std::chrono::sys_days(civil);
  const std::string minutes_text = model::local_text(at, zone).substr(14, 2);
  const auto local =
      day + std::chrono::hours(model::local_hour(at, zone)) + std::chrono::minutes(std::stoi(minutes_text));
  const auto offset = (local - std::chrono::floor<std::chrono::minutes>(second)).count();  // minutes
  const std::chrono::hh_mm_ss time(second - std::chrono::floor<std::chrono::days>(second));
  return fmt::format("{}, {} {} {} {:02}:{}:{:02} {}{:02}{:02}", weekdays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(civil.day()), months[static_cast<unsigned>(civil.month()) - 1],
                     static_cast<int>(civil.year()), model::local_hour(at, zone), minutes_text, time.seconds().count(),
                     offset < 0 ? '-' : '+', std::abs(offset) / 60, std::abs(offset) % 60);
}

// "=?" in a name would start an encoded word in lenient readers, or be decoded by the composer itself.
std::string without_encoded_words(std::string_view text) {
  std::string out(text);
  for (std::size_t at = 0; (at = out.find("=?", at)) != std::string::npos;) out.insert(at + 1, 1, ' ');
  return out;
}

Ref<InternetAddress> mailbox(const Mailbox& box, const WireAddress& wire) {
  const std::string name = without_encoded_words(box.name);
  Ref<InternetAddress> made(internet_address_mailbox_new(name.empty() ? nullptr : name.c_str(), wire.text.c_str()));
  internet_address_set_charset(made.get(), "utf-8");
  // The domain is in its ASCII form already, by stricter rules than those GMime would look it up by again.
  INTERNET_ADDRESS_MAILBOX(made.get())->idn_addr = g_strdup(wire.text.c_str());
  return made;
}

// Breaks at blanks; a word that is too long, the link above all, keeps its line whole. Columns are code points.
std::string wrapped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 32);
  std::size_t column = 0;
  std::size_t blank = std::string::npos;  // last place in `out` where this line may break
  std::size_t column_after_blank = 0;
  for (const char c : text) {
    if (c == '\n') {
      while (!out.empty() && out.back() == ' ') out.pop_back();
      out += c;
      column = 0;
      blank = std::string::npos;
      continue;
    }
    if (c == ' ' && column > 0) {
      blank = out.size();
      column_after_blank = column + 1;
    }
    out += c;
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++column;
    if (column > text_columns && blank != std::string::npos) {
      out[blank] = '\n';
      column -= column_after_blank;
      blank = std::string::npos;
    }
  }
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out + '\n';
}

// Characters beyond ASCII as numbers: such HTML needs no transfer encoding, so that links stay whole on the wire.
std::string ascii_html(std::string_view html) {
  std::string out;
  out.reserve(html.size() + 256);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(html.data());
  const auto n = static_cast<std::int32_t>(html.size());
  for (std::int32_t i = 0; i < n;) {
    const std::int32_t from = i;
    while (i < n && bytes[i] < 0x80) ++i;
    out.append(html, static_cast<std::size_t>(from), static_cast<std::size_t>(i - from));
    if (i == n) break;
    UChar32 c = 0;
    U8_NEXT_OR_FFFD(bytes, i, n, c);
    out += "&#";
    out += std::to_string(static_cast<unsigned>(c));
    out += ';';
  }
  return out;
}

bool fits_7bit(std::string_view text) {
  if (!is_ascii(text)) return false;
  while (text.size() > max_line_octets) {
    const auto end = text.substr(0, max_line_octets).rfind('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  return true;
}

Ref<GMimePart> part(const char* subtype, const std::string& text) {
  Ref<GMimePart> made(g_mime_part_new_with_type("text", subtype));
  g_mime_object_set_content_type_parameter(GMIME_OBJECT(made.get()), "charset", "utf-8");
  const Ref<GMimeStream> stream(g_mime_stream_mem_new_with_buffer(text.data(), text.size()));
  const Ref<GMimeDataWrapper> content(
      g_mime_data_wrapper_new_with_stream(stream.get(), GMIME_CONTENT_ENCODING_DEFAULT));
  g_mime_part_set_content(made.get(), content.get());
  g_mime_part_set_content_encoding(
      made.get(), fits_7bit(text) ? GMIME_CONTENT_ENCODING_7BIT : GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
  return made;
}

std::string boundary_of(const std::string& message_id) {
  const std::unique_ptr<char, decltype(&g_free)> digest(
      g_compute_checksum_for_data(G_CHECKSUM_SHA256, reinterpret_cast<const guchar*>(message_id.data()),
                                  message_id.size()),
      &g_free);
  return "=_" + std::string(digest.get(), 32);
}

std::string bytes_of(GMimeObject* message, GMimeFormatOptions* format) {
  GByteArray* array = g_byte_array_sized_new(8192);
  const Ref<GMimeStream> stream(g_mime_stream_mem_new_with_byte_array(array));
  g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream.get()), TRUE);
  if (g_mime_object_write_to_stream(message, format, stream.get()) < 0)
    throw std::runtime_error("a mail cannot be written to memory");
  return {reinterpret_cast<const char*>(array->data), array->len};
}

// The last word on PRODUCT's form of a mail, whatever the library made of it.
bool well_formed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos || end == 0 || bytes[end - 1] != '\r' || end - 1 > max_line_octets) return false;
    const std::string_view line = bytes.substr(0, end - 1);
    if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) return false;
    bytes.remove_prefix(end + 1);
  }
  return true;
}

// What the two mails have in common.
struct Envelope {
  const Mailbox& from;
  const Mailbox& to;
  const std::optional<Mailbox>& reply_to;
  const std::string& organisation;
  Locale locale;
  const std::string& message_id;
  core::Instant date;
  const std::string& zone;
};

Result<RenderedMail> compose(const Templates& templates, const Envelope& mail, std::initializer_list<TemplateId> ids,
                             std::span<const TemplateValue> values, std::span<const std::string_view> sections) {
  if (mail.organisation.empty()) return bad_field("organisation", "is empty");
  for (const auto& [field, text] : {std::pair<std::string_view, std::string_view>{"from.name", mail.from.name},
                                    {"to.name", mail.to.name},
                                    {"organisation", mail.organisation},
                                    {"reply_to.name", mail.reply_to ? mail.reply_to->name : std::string_view{}}})
    if (auto ok = check_text(field, text, model::max_name_octets); !ok) return fail(ok.error());
  auto message_id = bare_message_id(mail.message_id);
  if (!message_id) return fail(message_id.error());
  auto date = date_header(mail.date, mail.zone);
  if (!date) return fail(date.error());
  auto from = wire_address("from.address", mail.from.address);
  if (!from) return fail(from.error());
  auto to = wire_address("to.address", mail.to.address);
  if (!to) return fail(to.error());
  Result<WireAddress> reply_to = WireAddress{};
  if (mail.reply_to) reply_to = wire_address("reply_to.address", mail.reply_to->address);
  if (!reply_to) return fail(reply_to.error());

  auto filled = templates.expand(ids, mail.locale, values, sections);
  std::string& subject = filled[0];
  std::replace(subject.begin(), subject.end(), '\n', ' ');
  subject.resize(subject.find_last_not_of(' ') + 1);
  const std::string text = wrapped(filled[1]);
  const std::string html = ascii_html(filled[2]);

  const Gmime& library = gmime();
  const Ref<GMimeMessage> message(g_mime_message_new(FALSE));
  auto* object = GMIME_OBJECT(message.get());
  const auto add = [&](GMimeAddressType type, const Mailbox& box, const WireAddress& wire) {
    internet_address_list_add(g_mime_message_get_addresses(message.get(), type), mailbox(box, wire).get());
  };
  const auto set = [&](const char* name, const std::string& value) {
    g_mime_object_set_header(object, name, value.c_str(), nullptr);
  };
  set("Date", *date);
  add(GMIME_ADDRESS_TYPE_FROM, mail.from, *from);
  add(GMIME_ADDRESS_TYPE_TO, mail.to, *to);
  if (mail.reply_to) add(GMIME_ADDRESS_TYPE_REPLY_TO, *mail.reply_to, *reply_to);
  g_mime_message_set_subject(message.get(), without_encoded_words(subject).c_str(), "utf-8");
  set("Message-ID", "<" + *message_id + ">");
  set("Auto-Submitted", "auto-generated");
  set("Content-Language", std::string(tag(mail.locale)));

  const Ref<GMimeMultipart> alternative(g_mime_multipart_new_with_subtype("alternative"));
  g_mime_multipart_set_boundary(alternative.get(), boundary_of(*message_id).c_str());
  g_mime_multipart_add(alternative.get(), GMIME_OBJECT(part("plain", text).get()));
  g_mime_multipart_add(alternative.get(), GMIME_OBJECT(part("html", html).get()));
  g_mime_message_set_mime_part(message.get(), GMIME_OBJECT(alternative.get()));

  RenderedMail rendered;
  rendered.bytes = bytes_of(object, library.format);
  if (!well_formed(rendered.bytes))
    return fail(ErrorKind::internal, "malformed_mail",
                "the mail came out with a bad line; this is a fault of the program");
  rendered.needs_smtputf8 = !from->ascii || !to->ascii || !reply_to->ascii;
  rendered.eight_bit = !is_ascii(rendered.bytes);
  rendered.envelope_from = std::move(from->text);
  rendered.envelope_to = std::move(to->text);
  return rendered;
}

}  // namespace

Result<RenderedMail> render_mail(const Templates& templates, const VerificationMail& mail) {
  if (!mail.last_valid_day.ok()) return bad_field("last_valid_day", "is not a date");
  if (auto ok = check_link(mail.link); !ok) return fail(ok.error());
  const std::string last_day = templates.translations().date(mail.locale, mail.last_valid_day);
  const std::string place = zone_place(mail.zone);
  const std::array values{TemplateValue{"ADDRESS", mail.to.address},
                          TemplateValue{"LANG", tag(mail.locale)},
                          TemplateValue{"LAST_DAY", last_day},
                          TemplateValue{"LINK", mail.link},
                          TemplateValue{"NAME", mail.to.name},
                          TemplateValue{"ORGANISATION", mail.organisation},
                          TemplateValue{"PLACE", place}};
  const std::array<std::string_view, 1> sections{mail.to.name.empty() ? "WITHOUT_NAME" : "WITH_NAME"};
  return compose(
      templates,
      {mail.from, mail.to, mail.reply_to, mail.organisation, mail.locale, mail.message_id, mail.date, mail.zone},
      {TemplateId::verification_subject, TemplateId::verification_text, TemplateId::verification_html}, values,
      sections);
}

Result<RenderedMail> render_mail(const Templates& templates, const SignInReadyMail& mail) {
  if (auto ok = check_text("help", mail.help, model::max_help_octets); !ok) return fail(ok.error());
  const bool with_url =
      web_address(mail.sign_in_url) && url_characters(mail.sign_in_url) && mail.sign_in_url.size() <= max_link_octets;
  const std::array values{
      TemplateValue{"ADDRESS", mail.to.address},        TemplateValue{"HELP", mail.help},
      TemplateValue{"LANG", tag(mail.locale)},          TemplateValue{"NAME", mail.to.name},
      TemplateValue{"ORGANISATION", mail.organisation}, TemplateValue{"SIGN_IN_URL", mail.sign_in_url}};
  std::vector<std::string_view> sections{mail.to.name.empty() ? "WITHOUT_NAME" : "WITH_NAME"};
  if (with_url) sections.emplace_back("WITH_SIGN_IN");
  if (!mail.help.empty()) sections.emplace_back("WITH_HELP");
  return compose(
      templates,
      {mail.from, mail.to, mail.reply_to, mail.organisation, mail.locale, mail.message_id, mail.date, mail.zone},
      {TemplateId::sign_in_subject, TemplateId::sign_in_text, TemplateId::sign_in_html}, values, sections);
}

}  // namespace invited::render
