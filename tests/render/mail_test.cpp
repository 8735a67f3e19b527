#include "render/mail.hpp"

#include <gmime/gmime.h>

#include <catch2/catch.hpp>
#include <memory>
#include <regex>
#include <set>

#include "core/clock.hpp"
#include "render/sample.hpp"

using namespace invited::render;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using invited::core::ErrorKind;

namespace {

template <class AnyMail>
RenderedMail rendered(const AnyMail& mail) {
  auto result = render_mail(sample::templates(), mail);
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

template <class AnyMail>
std::string refusal(const AnyMail& mail) {
  const auto result = render_mail(sample::templates(), mail);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::invalid);
  CHECK(result.error().code == "bad_mail_field");
  return result.error().message;
}

// A mail as GMime's own parser reads it.
struct Parsed {
  explicit Parsed(const std::string& bytes) {
    GMimeStream* stream = g_mime_stream_mem_new_with_buffer(bytes.data(), bytes.size());
    GMimeParser* parser = g_mime_parser_new_with_stream(stream);
    message.reset(g_mime_parser_construct_message(parser, nullptr));
    g_object_unref(parser);
    g_object_unref(stream);
    REQUIRE(message);
  }
  [[nodiscard]] std::string part(int index) const {
    auto* multipart = GMIME_MULTIPART(g_mime_message_get_mime_part(message.get()));
    auto* content = g_mime_part_get_content(GMIME_PART(g_mime_multipart_get_part(multipart, index)));
    GMimeStream* out = g_mime_stream_mem_new();
    g_mime_data_wrapper_write_to_stream(content, out);
    const GByteArray* array = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(out));
    std::string text(reinterpret_cast<const char*>(array->data), array->len);
    g_object_unref(out);
    return std::regex_replace(text, std::regex("\r\n"), "\n");
  }
  [[nodiscard]] std::string text() const { return part(0); }
  [[nodiscard]] std::string html() const { return part(1); }
  [[nodiscard]] std::string to_name() const {
    auto* list = g_mime_message_get_to(message.get());
    REQUIRE(internet_address_list_length(list) == 1);
    const char* name = internet_address_get_name(internet_address_list_get_address(list, 0));
    return name == nullptr ? "" : name;
  }
  [[nodiscard]] std::string header(const char* name) const {
    const char* value = g_mime_object_get_header(GMIME_OBJECT(message.get()), name);
    return value == nullptr ? "" : value;
  }
  struct Unref {
    void operator()(GMimeMessage* object) const { g_object_unref(object); }
  };
  std::unique_ptr<GMimeMessage, Unref> message;
};

std::multiset<std::string> header_names(const std::string& bytes) {
  std::multiset<std::string> names;
  const std::string head = bytes.substr(0, bytes.find("\r\n\r\n") + 2);
  for (std::size_t at = 0; at < head.size();) {
    const auto end = head.find("\r\n", at);
    if (head[at] != ' ' && head[at] != '\t') names.insert(head.substr(at, head.find(':', at) - at));
    at = end + 2;
  }
  return names;
}

const std::multiset<std::string> usual_headers{"Auto-Submitted", "Content-Language", "Content-Type", "Date", "From",
                                               "MIME-Version",   "Message-ID",       "Subject",      "To"};

}  // namespace

TEST_CASE("the mail says who invites, which link and through which day, in Swedish") {
  const Parsed mail(rendered(sample::mail()).bytes);
  CHECK(mail.to_name() == "Åsa Öberg");
  CHECK(std::string(g_mime_message_get_subject(mail.message.get())) == "Bekräfta din e-postadress för Example AB");
  CHECK(mail.text() == std::string("Hej Åsa Öberg!\n\n"
                                   "Example AB har bjudit in dig att logga in med den här e-postadressen.\n"
                                   "Öppna länken och tryck på knappen på sidan för att bekräfta att\n"
                                   "adressen är din.\n\n") +
                           sample::link() +
                           "\n\nLänken fungerar till och med tisdag 27 oktober 2026 (tidszon\n"
                           "Stockholm). När adressen är bekräftad visar sidan hur du väljer ett\n"
                           "lösenord och loggar in.\n\n"
                           "Väntade du dig inte det här? Då kan du bortse från mejlet. Ingenting\n"
                           "händer förrän någon trycker på knappen.\n\n"
                           "Det här mejlet skickades automatiskt på uppdrag av Example AB till\n"
                           "asa.oberg@example.com.\n");
}

TEST_CASE("the mail says the same in English") {
  auto input = sample::mail();
  input.locale = Locale::en;
  input.to.name = "Anna Berg";
  const Parsed mail(rendered(input).bytes);
  CHECK(std::string(g_mime_message_get_subject(mail.message.get())) == "Confirm your email address for Example AB");
  CHECK_THAT(mail.text(), Contains("Hello Anna Berg,\n"));
  CHECK_THAT(std::regex_replace(mail.text(), std::regex("\n"), " "),
             Contains("The link works until the end of Tuesday 27 October 2026 (Stockholm time)."));
  CHECK_THAT(mail.html(), Contains("The link works until the end of Tuesday 27 October 2026 (Stockholm time)."));
  CHECK_THAT(mail.html(), Contains("<html lang=\"en\">"));
}

TEST_CASE("a mail without a name greets without one") {
  auto input = sample::mail();
  input.to.name.clear();
  const auto bytes = rendered(input).bytes;
  CHECK(Parsed(bytes).text().starts_with("Hej!\n\n"));
  CHECK_THAT(bytes, Contains("\r\nTo: asa.oberg@example.com\r\n"));
}

TEST_CASE("a mail has exactly the headers that were meant") {
  const auto mail = rendered(sample::mail());
  CHECK(header_names(mail.bytes) == usual_headers);
  const Parsed parsed(mail.bytes);
  CHECK(parsed.header("Auto-Submitted") == "auto-generated");
  CHECK_THAT(mail.bytes, Contains("\r\nContent-Language: sv\r\n"));
  CHECK(parsed.header("Message-ID") == "<01997b3c-58f1-7aaa-9c1d-2b8f6f1c0e11.1@example.com>");
  CHECK(parsed.header("Date") == "Fri, 23 Oct 2026 09:00:05 +0200");
  CHECK(parsed.header("From") == "Example AB <no-reply@example.com>");
  CHECK_FALSE(mail.needs_smtputf8);
  CHECK_FALSE(mail.eight_bit);
  CHECK(mail.envelope_from == "no-reply@example.com");
  CHECK(mail.envelope_to == "asa.oberg@example.com");
}

TEST_CASE("the Date header follows the zone, also across a change of clocks") {
  auto input = sample::mail();
  const auto date = [&] { return Parsed(rendered(input).bytes).header("Date"); };
  input.date = std::chrono::sys_days(2026y / 10 / 25) + 0h + 59min + 59s + 999ms;
  CHECK(date() == "Sun, 25 Oct 2026 02:59:59 +0200");
  input.date += 1ms;
  CHECK(date() == "Sun, 25 Oct 2026 02:00:00 +0100");
  input.zone = "America/St_Johns";
  CHECK(date() == "Sat, 24 Oct 2026 22:30:00 -0230");
  input.zone = "Asia/Kathmandu";
  CHECK(date() == "Sun, 25 Oct 2026 06:45:00 +0545");
}

TEST_CASE("the same mail twice is the same bytes; another Message-ID is another boundary") {
  auto input = sample::mail();
  const auto first = rendered(input).bytes;
  CHECK(first == rendered(input).bytes);
  const auto boundary = [](const std::string& bytes) {
    std::smatch found;
    REQUIRE(std::regex_search(bytes, found, std::regex("boundary=\"([^\"]+)\"")));
    return found[1].str();
  };
  input.message_id = "<other.1@example.com>";
  CHECK(boundary(first) != boundary(rendered(input).bytes));
}

TEST_CASE("the link stands alone on one line, and whole on the wire wherever no transfer encoding is needed") {
  auto input = sample::mail();
  input.link += "?a=1&b=" + std::string(300, 'x');
  for (const Locale locale : all_locales) {
    input.locale = locale;
    input.to.name = locale == Locale::sv ? "Åsa" : "Anna";
    const auto bytes = rendered(input).bytes;
    CHECK_THAT(Parsed(bytes).text(), Contains("\n\n" + input.link + "\n\n"));
    const auto escaped = std::regex_replace(input.link, std::regex("&"), "&amp;");
    CHECK_THAT(Parsed(bytes).html(), Contains("<a href=\"" + escaped + "\""));
    CHECK_THAT(bytes, Contains("<a href=\"" + escaped + "\""));
    if (locale == Locale::en) CHECK_THAT(bytes, Contains("\r\n" + input.link + "\r\n"));
  }
}

TEST_CASE("only the given link occurs as a URL") {
  const Parsed mail(rendered(sample::mail()).bytes);
  const std::regex url("https?://[^\\s\"<]+");
  for (const auto& text : {mail.text(), mail.html()}) {
    int count = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), url), end; at != end; ++at, ++count)
      CHECK(at->str() == sample::link());
    CHECK(count >= 1);
  }
}

TEST_CASE("a name that could end a header, hide or turn text is refused, with its place") {
  auto input = sample::mail();
  const std::vector<std::pair<std::string, std::string>> corpus{
      {"Anna\r\nBcc: evil@example.net", "to.name has U+000D at octet 5, which may not stand in a mail"},
      {"Anna\nBcc: evil@example.net", "to.name has U+000A at octet 5, which may not stand in a mail"},
      {"Anna\rBcc: evil@example.net", "to.name has U+000D at octet 5, which may not stand in a mail"},
      {std::string("An\0na", 5), "to.name has U+0000 at octet 3, which may not stand in a mail"},
      {"An\tna", "to.name has U+0009 at octet 3, which may not stand in a mail"},
      {"An\x7Fna", "to.name has U+007F at octet 3, which may not stand in a mail"},
      {"An\xC2\x85na", "to.name has U+0085 at octet 3, which may not stand in a mail"},
      {"An\xE2\x80\xA8na", "to.name has U+2028 at octet 3, which may not stand in a mail"},
      {"An\xE2\x80\xAEna", "to.name has U+202E at octet 3, which may not stand in a mail"},
      {"An\xE2\x81\xA6na", "to.name has U+2066 at octet 3, which may not stand in a mail"},
      {"An\xEF\xBB\xBFna", "to.name has U+FEFF at octet 3, which may not stand in a mail"},
      {"An\xF3\xA0\x81\x81na", "to.name has U+E0041 at octet 3, which may not stand in a mail"},
      {"An\xC0\x8Ana", "to.name is not valid UTF-8 at octet 3, which may not stand in a mail"},
      {"An\xED\xA0\x80na", "to.name is not valid UTF-8 at octet 3, which may not stand in a mail"},
      {"An\xE5", "to.name is not valid UTF-8 at octet 3, which may not stand in a mail"},
      {std::string(257, 'x'), "to.name is 257 octets long; 256 are allowed"},
  };
  for (const auto& [name, message] : corpus) {
    input.to.name = name;
    CHECK(refusal(input) == message);
  }
  input = sample::mail();
  input.organisation = "Example\r\n\r\n<h1>";
  CHECK(refusal(input) == "organisation has U+000D at octet 8, which may not stand in a mail");
  input = sample::mail();
  input.from.name = "Example\nX: y";
  CHECK(refusal(input) == "from.name has U+000A at octet 8, which may not stand in a mail");
  input = sample::mail();
  input.reply_to = Mailbox{"a\rb", "a@example.com"};
  CHECK(refusal(input) == "reply_to.name has U+000D at octet 2, which may not stand in a mail");
}

TEST_CASE("awkward names arrive as they are and add nothing to the header") {
  auto input = sample::mail();
  for (const std::string name : {"Berg, Anna",
                                 "Anna \"Ann\" Berg",
                                 "Anna\\Berg\\",
                                 "Anna (HR) Berg",
                                 "Anna <evil@example.net>",
                                 "a@b, c@d;",
                                 "'Anna'",
                                 "\"",
                                 "\\\"",
                                 ":;,<>()[]",
                                 "Åsa, \"Öberg\" <x@y>",
                                 "山田太郎",
                                 "Влади́мир",
                                 "\xD9\x85\xD8\xAD\xD9\x85\xD8\xAF",
                                 "👩🏽‍💻 Anna",
                                 "<script>alert(1)</script>",
                                 "Group: a, b;",
                                 "a  b",
                                 ".",
                                 "Anna =",
                                 "?=",
                                 "{{LINK}}",
                                 "%0d%0aBcc:x"}) {
    input.to.name = name;
    input.organisation = name;
    const auto bytes = rendered(input).bytes;
    INFO(bytes.substr(0, 600));
    CHECK(header_names(bytes) == usual_headers);
    const Parsed mail(bytes);
    CHECK(mail.to_name() == name);
    CHECK(std::string(g_mime_message_get_subject(mail.message.get())) == "Bekräfta din e-postadress för " + name);
    CHECK_THAT(mail.text(), Contains("Hej " + name + "!\n"));
  }
}

TEST_CASE("a name written as an encoded word is not decoded by anybody") {
  auto input = sample::mail();
  for (const std::string name :
       {"=?utf-8?q?evil=0D=0ABcc:_x?=", "=?utf-8?b?DQpCY2M6IHg=?=", "=?=?utf-8?q?x?=?=", "Å =?utf-8?q?x?="}) {
    input.to.name = name;
    input.organisation = name;
    const auto bytes = rendered(input).bytes;
    CHECK(header_names(bytes) == usual_headers);
    const Parsed mail(bytes);
    const auto shown = std::regex_replace(name, std::regex("=\\?"), "= ?");
    CHECK(mail.to_name() == shown);
    CHECK(std::string(g_mime_message_get_subject(mail.message.get())) == "Bekräfta din e-postadress för " + shown);
  }
}

TEST_CASE("the longest names and links allowed make no line over 998 octets") {
  auto input = sample::mail();
  std::string wide;
  while (wide.size() + 2 <= 256) wide += "å";
  for (const auto& name :
       {std::string(256, 'x'), std::string(256, '<'), std::string(256, '"'), std::string(256, '&'), wide}) {
    for (const Locale locale : all_locales) {
      input.locale = locale;
      input.to.name = input.from.name = input.organisation = name;
      input.link = std::string(sample::link()) + "?" + std::string(800, 'a');
      const auto mail = rendered(input);
      for (std::size_t at = 0; at < mail.bytes.size();) {
        const auto end = mail.bytes.find("\r\n", at);
        REQUIRE(end != std::string::npos);
        REQUIRE(end - at <= 998);
        at = end + 2;
      }
      const Parsed parsed(mail.bytes);
      CHECK(parsed.to_name() == name);
      CHECK_THAT(parsed.text(), Contains("\n" + input.link + "\n"));
    }
  }
}

TEST_CASE("every byte is ASCII, every line ends in CRLF, whatever the language") {
  for (const Locale locale : all_locales) {
    auto input = sample::mail();
    input.locale = locale;
    const auto bytes = rendered(input).bytes;
    CHECK(bytes.ends_with("\r\n"));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      REQUIRE(static_cast<unsigned char>(bytes[i]) < 128);
      if (bytes[i] == '\n') REQUIRE((i > 0 && bytes[i - 1] == '\r'));
      if (bytes[i] == '\r') REQUIRE((i + 1 < bytes.size() && bytes[i + 1] == '\n'));
    }
  }
}

TEST_CASE("names stand escaped in the HTML part") {
  auto input = sample::mail();
  input.to.name = "<script>alert(1)</script>";
  input.organisation = "A & B \"C\" <img src=x onerror=y>";
  const auto html = Parsed(rendered(input).bytes).html();
  CHECK_THAT(html, !Contains("<script"));
  CHECK_THAT(html, !Contains("<img"));
  CHECK_THAT(html, Contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
  CHECK_THAT(html, Contains("A &amp; B &quot;C&quot; &lt;img"));
}

TEST_CASE("an international domain travels in its ASCII form, an international mailbox asks for SMTPUTF8") {
  auto input = sample::mail();
  input.to.address = "Anna.Berg@exämple.com";
  auto mail = rendered(input);
  CHECK(mail.envelope_to == "Anna.Berg@xn--exmple-cua.com");
  CHECK_THAT(mail.bytes, Contains("<Anna.Berg@xn--exmple-cua.com>"));
  CHECK_FALSE(mail.needs_smtputf8);
  CHECK_FALSE(mail.eight_bit);

  input.to.address = "åsa@exämple.com";
  mail = rendered(input);
  CHECK(mail.envelope_to == "åsa@xn--exmple-cua.com");
  CHECK_THAT(mail.bytes, Contains("<åsa@xn--exmple-cua.com>"));
  CHECK(mail.needs_smtputf8);
  CHECK(mail.eight_bit);

  input = sample::mail();
  input.reply_to = Mailbox{"HR", "hr.å@example.com"};
  mail = rendered(input);
  CHECK(mail.needs_smtputf8);
  CHECK(header_names(mail.bytes).count("Reply-To") == 1);
}

TEST_CASE("what is no address, link, Message-ID, day or zone is refused by name") {
  const auto with = [](auto change) {
    auto input = sample::mail();
    change(input);
    return refusal(input);
  };
  CHECK_THAT(with([](auto& m) { m.to.address = "anna@example.com\r\nBcc: x@example.net"; }),
             Contains("to.address is no mail address: "));
  CHECK_THAT(with([](auto& m) { m.to.address = "a@example.com, b@example.com"; }),
             Contains("to.address is no mail address: "));
  CHECK_THAT(with([](auto& m) { m.to.address = "<a@example.com>"; }), Contains("to.address is no mail address: "));
  CHECK_THAT(with([](auto& m) { m.from.address = ""; }), Contains("from.address is no mail address: "));
  CHECK_THAT(with([](auto& m) { m.reply_to = Mailbox{"", "x"}; }), Contains("reply_to.address is no mail address: "));
  CHECK(with([](auto& m) { m.organisation = ""; }) == "organisation is empty");
  CHECK(with([](auto& m) { m.link = "javascript:alert(1)"; }) == "link does not start with https://");
  CHECK(with([](auto& m) { m.link = "https://a.example/x y"; }) == "link has a character that URLs may not have");
  CHECK(with([](auto& m) { m.link = "https://a.example/x\r\ny"; }) == "link has a character that URLs may not have");
  CHECK(with([](auto& m) { m.link = "https://a.example/å1"; }) == "link has a character that URLs may not have");
  CHECK(with([](auto& m) { m.link = "https://a.example/x."; }) == "link does not end in a letter or digit");
  CHECK(with([](auto& m) { m.link = "https://a.example/" + std::string(900, 'x'); }) ==
        "link is longer than 900 octets");
  for (const auto* id : {"", "<>", "x", "@x", "x@", "a@b@c", "a b@c", "<a@b>\r\nX: y", "<<a@b>>"})
    CHECK(with([&](auto& m) { m.message_id = id; }) == "message_id is not of the form left@right");
  CHECK(with([](auto& m) { m.zone = "Europe/Nowhere"; }) == "zone \"Europe/Nowhere\" is not a time zone");
  CHECK(with([](auto& m) { m.last_valid_day = 2026y / 2 / 30; }) == "last_valid_day is not a date");
}

TEST_CASE("how long a mail takes to make", "[.speed]") {
  const invited::core::SystemClock clock;
  auto input = sample::mail();
  constexpr int count = 20'000;
  std::size_t octets = 0;
  static_cast<void>(rendered(input));
  const auto start = clock.monotonic();
  for (int i = 0; i < count; ++i) octets += rendered(input).bytes.size();
  const auto took = clock.monotonic() - start;
  WARN("one mail of " << octets / count << " octets: " << 1000.0 * static_cast<double>(took.count()) / count << " us");
}

TEST_CASE("\"your sign-in is ready\" says where, how and in whose words, and has no link to confirm") {
  const Parsed mail(rendered(sample::sign_in_mail()).bytes);
  CHECK(std::string(g_mime_message_get_subject(mail.message.get())) == "Din inloggning till Example AB är klar");
  CHECK(mail.text() ==
        "Hej Åsa Öberg!\n\n"
        "Example AB har ordnat en inloggning åt dig med den här e-postadressen.\n"
        "Du behöver inte bekräfta något.\n\n"
        "Så väljer du ditt lösenord: gå till inloggningssidan, välj ”Glömt\n"
        "lösenordet?” och skriv in asa.oberg@example.com.\n\n"
        "https://login.example.com/start?a=1&b=2\n\n"
        "Ring växeln om du inte kommer in.\n\n"
        "Väntade du dig inte det här? Fråga din HR-kontakt på Example AB.\n\n"
        "Det här mejlet skickades automatiskt på uppdrag av Example AB till\n"
        "asa.oberg@example.com.\n");
  CHECK_THAT(mail.html(), Contains("href=\"https://login.example.com/start?a=1&amp;b=2\""));
  CHECK(header_names(rendered(sample::sign_in_mail()).bytes) == usual_headers);
  auto english = sample::sign_in_mail();
  english.locale = Locale::en;
  english.to.name.clear();
  const Parsed other(rendered(english).bytes);
  CHECK(std::string(g_mime_message_get_subject(other.message.get())) == "Your sign-in to Example AB is ready");
  CHECK(other.text().starts_with("Hello,\n\nExample AB has set up a sign-in for you"));
}

TEST_CASE("\"your sign-in is ready\" leaves out what there is not, and what is no address of a page") {
  auto input = sample::sign_in_mail();
  input.help.clear();
  for (const std::string url :
       {"", "javascript:alert(1)", "https://login.example.com/\"><b>", "https://login example.com"}) {
    CAPTURE(url);
    input.sign_in_url = url;
    const Parsed mail(rendered(input).bytes);
    CHECK_THAT(mail.text(), !Contains("http"));
    CHECK_THAT(mail.html(), !Contains("href"));
    CHECK_THAT(mail.text(), !Contains("\n\n\n"));
  }
}

TEST_CASE("\"your sign-in is ready\" is held to the same rules as every mail") {
  auto input = sample::sign_in_mail();
  input.help = "<b>bold</b> & more";
  CHECK_THAT(Parsed(rendered(input).bytes).html(), Contains("&lt;b&gt;bold&lt;/b&gt; &amp; more"));
  input.help = "one\nBcc: x";
  CHECK_THAT(refusal(input), Contains("help has U+000A"));
  input.help = std::string(2'001, 'x');
  CHECK_THAT(refusal(input), Contains("help is 2001 octets long"));
  input = sample::sign_in_mail();
  input.to.address = "no address";
  CHECK_THAT(refusal(input), Contains("to.address"));
  input = sample::sign_in_mail();
  input.organisation.clear();
  CHECK_THAT(refusal(input), Contains("organisation is empty"));
}
