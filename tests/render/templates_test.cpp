#include "render/templates.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "render/page.hpp"
#include "render/sample.hpp"

using namespace invited::render;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

// A folder of an administrator's own templates, gone at the end.
class Override {
public:
  Override() {
    std::string pattern = (fs::temp_directory_path() / "invited-templates-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Override() { fs::remove_all(folder_); }
  Override(const Override&) = delete;
  Override& operator=(const Override&) = delete;

  Override& with(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return *this;
  }
  [[nodiscard]] invited::core::Result<Templates> load() const {
    auto folders = sample::folders();
    folders.templates.insert(folders.templates.begin(), folder_);
    return Templates::load(folders);
  }
  [[nodiscard]] std::string refusal() const {
    const auto result = load();
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == invited::core::ErrorKind::invalid);
    std::string message = result.error().message;
    const auto at = message.find(folder_.string() + "/");
    REQUIRE(at != std::string::npos);
    return message.replace(at, folder_.string().size() + 1, "");
  }

  [[nodiscard]] const fs::path& folder() const { return folder_; }

private:
  fs::path folder_;
};

const std::string pragma = "{{%AUTOESCAPE context=\"HTML\"}}\n";
const std::string html_mail = "mail/verification.html.tpl";
const std::string text_mail = "mail/verification.txt.tpl";

}  // namespace

TEST_CASE("an administrator's template stands before the shipped one, one for a language before one for all") {
  Override own;
  own.with(text_mail, "Own words for {{NAME}}\n\n{{LINK}}\n\n{{LAST_DAY}}\n")
      .with("mail/verification.sv.txt.tpl", "Egna ord till {{NAME}}\n\n{{LINK}}\n\n{{LAST_DAY}}\n");
  const auto loaded = own.load();
  REQUIRE(loaded);
  auto mail = sample::mail();
  mail.locale = Locale::en;
  CHECK_THAT(render_mail(*loaded, mail)->bytes, Contains("Own words for "));
  mail.locale = Locale::sv;
  CHECK_THAT(render_mail(*loaded, mail)->bytes, Contains("Egna ord till "));
}

TEST_CASE("an HTML template that does not ask for escaping is refused by its name") {
  Override own;
  own.with(html_mail, "<p>{{LINK}} {{LAST_DAY}}</p>");
  CHECK(own.refusal() ==
        "mail/verification.html.tpl:1: an HTML template starts with the line {{%AUTOESCAPE context=\"HTML\"}}");
  own.with(html_mail, "{{%AUTOESCAPE context=\"XML\"}}\n<p>{{LINK}} {{LAST_DAY}}</p>");
  CHECK_THAT(own.refusal(), Contains(":1: an HTML template starts with the line"));
  own.with(html_mail, "{{%AUTOESCAPE context=\"HTML\" state=\"IN_TAG\"}}\n<p>{{LINK}} {{LAST_DAY}}</p>");
  CHECK_THAT(own.refusal(), Contains(":1: an HTML template starts with the line"));
}

TEST_CASE("what a template may not do is refused with file, line and reason") {
  Override own;
  own.with(html_mail, pragma + "<p>\n{{LINK:none}}</p>");
  CHECK(own.refusal() ==
        "mail/verification.html.tpl:3: \"LINK:none\": modifiers are not allowed, escaping is automatic");
  own.with(html_mail, pragma + "<p>{{NAMN}}</p>");
  CHECK(own.refusal() ==
        "mail/verification.html.tpl:2: there is no value NAMN; known are ADDRESS, LANG, LAST_DAY, LINK, NAME, "
        "ORGANISATION, "
        "PLACE");
  own.with(html_mail, pragma + "{{#IF_NAME}}x{{/IF_NAME}}");
  CHECK(own.refusal() ==
        "mail/verification.html.tpl:2: there is no section IF_NAME; known are WITH_NAME, WITHOUT_NAME");
  own.with(html_mail, pragma + "{{T_MAIL_HELLO}}");
  CHECK(own.refusal() == "mail/verification.html.tpl:2: there is no text MAIL_HELLO in the language en");
  own.with(html_mail, pragma + "{{>/etc/passwd}}");
  CHECK_THAT(own.refusal(), Contains("mail/verification.html.tpl:2: there is no value >/etc/passwd"));
  own.with(html_mail, pragma + "{{=| |=}}");
  CHECK_THAT(own.refusal(), Contains("mail/verification.html.tpl:2: there is no value =| |="));
  own.with(html_mail, pragma + "{{%AUTOESCAPE context=\"CSS\"}}");
  CHECK_THAT(own.refusal(),
             Contains("mail/verification.html.tpl:2: {{%AUTOESCAPE context=\"CSS\"}} may not stand here"));
  own.with(html_mail, pragma + "{{LINK} {{LAST_DAY}}\n");
  CHECK_THAT(own.refusal(), Contains("mail/verification.html.tpl:2: "));
  own.with(html_mail, pragma + "<p>\n{{LINK\n}}");
  CHECK(own.refusal() == "mail/verification.html.tpl:3: a marker {{ is not closed in its line");
}

TEST_CASE("the engine's own reason reaches the operator") {
  Override own;
  own.with(html_mail, pragma + "<a href={{LINK}}>{{LAST_DAY}}</a>");
  CHECK(own.refusal() ==
        "mail/verification.html.tpl: Auto-Escape: Value of URL attribute \"href\" must be enclosed in quotes.");
  own.with(html_mail, pragma + "{{#WITH_NAME}}{{LINK}} {{LAST_DAY}}");
  CHECK(own.refusal() == "mail/verification.html.tpl: File ended before all sections were closed");
  const auto* buffer = std::cerr.rdbuf();
  static_cast<void>(own.load());
  CHECK(std::cerr.rdbuf() == buffer);
}

TEST_CASE("a mail template without its link or its last day is refused") {
  Override own;
  own.with(html_mail, pragma + "<p>{{LAST_DAY}}</p>");
  CHECK(own.refusal() == "mail/verification.html.tpl: the template never uses {{LINK}}");
  own.with(html_mail, pragma + "<p>{{LINK}}</p>");
  CHECK(own.refusal() == "mail/verification.html.tpl: the template never uses {{LAST_DAY}}");
}

TEST_CASE("a text template must give the link a line of its own") {
  Override own;
  own.with(text_mail, "Open {{LINK}} before {{LAST_DAY}}\n");
  CHECK_THAT(own.refusal(), Contains("mail/verification.txt.tpl: {{LINK}} stands on no line of its own"));
}

TEST_CASE("a subject is one line") {
  Override own;
  own.with("mail/verification.subject.txt.tpl", "Hello\nBcc: x\n");
  CHECK(own.refusal() == "mail/verification.subject.txt.tpl:2: a subject is one line");
}

TEST_CASE("bytes that are no text are refused") {
  Override own;
  own.with(text_mail, "\xFF\xFE{{LINK}}");
  CHECK(own.refusal() == "mail/verification.txt.tpl: the file is not UTF-8 text");
  own.with(text_mail, std::string("a\0b", 3));
  CHECK(own.refusal() == "mail/verification.txt.tpl: the file is not UTF-8 text");
  own.with(text_mail, std::string(300'000, 'x'));
  CHECK_THAT(own.refusal(), Contains("mail/verification.txt.tpl: "));
}

TEST_CASE("a missing template or translation is named with where it was looked for") {
  auto folders = sample::folders();
  folders.templates = {"/nonexistent/a", "/nonexistent/b"};
  auto result = Templates::load(folders);
  REQUIRE_FALSE(result);
  CHECK(result.error().message == "mail/verification.subject.txt.tpl: not found in /nonexistent/a, /nonexistent/b");
  folders = sample::folders();
  folders.translations = "/nonexistent";
  result = Templates::load(folders);
  REQUIRE_FALSE(result);
  CHECK(result.error().message == "/nonexistent/en/LC_MESSAGES/invited.mo: the translation is missing");
}

TEST_CASE("a broken translation file is an error with its name, never a crash") {
  const std::string magic = "\xde\x12\x04\x95";
  for (const auto& text :
       {std::string(), std::string("garbage"), magic, magic + std::string(24, '\xff'), magic + std::string(24, '\0')}) {
    Override broken;
    broken.with("en/LC_MESSAGES/invited.mo", text);
    const auto result = Translations::load(broken.folder());
    REQUIRE_FALSE(result);
    CHECK_THAT(result.error().message, Contains("en/LC_MESSAGES/invited.mo: the t"));
  }
}

namespace {

// The shipped texts with one replaced in English, compiled as the build does it.
invited::core::Result<Templates> load_with_text(const std::string& entry, const std::string& replacement) {
  Override folder;
  for (const auto* locale : {"en", "sv"}) {
    std::ifstream in(fs::path(INVITED_SOURCE_DIR) / "config/translations" / (std::string(locale) + ".po"));
    std::string po(std::istreambuf_iterator<char>(in), {});
    if (std::string_view(locale) == "en") {
      const auto at = po.find("msgid \"" + entry + "\"\n");
      REQUIRE(at != std::string::npos);
      po.replace(at, po.find("\n\n", at) - at, replacement);
    }
    folder.with(std::string(locale) + "/LC_MESSAGES/invited.po", po);
    const auto stem = (folder.folder() / locale / "LC_MESSAGES/invited").string();
    REQUIRE(std::system((INVITED_MSGFMT " -o '" + stem + ".mo' '" + stem + ".po'").c_str()) == 0);
  }
  auto folders = sample::folders();
  folders.translations = folder.folder();
  return Templates::load(folders);
}

std::string text_refusal(const std::string& entry, const std::string& replacement) {
  const auto result = load_with_text(entry, replacement);
  REQUIRE_FALSE(result);
  return result.error().message;
}

}  // namespace

TEST_CASE("a translated text is text: its own characters are escaped in HTML and nowhere else") {
  const auto loaded = load_with_text("MAIL_INTRO", R"(msgid "MAIL_INTRO"
msgstr "Tom & \"Jerry's\" <b> of {organisation}")");
  REQUIRE(loaded);
  const std::array values{TemplateValue{"ORGANISATION", "A & B"}};
  const auto filled =
      loaded->expand({TemplateId::verification_text, TemplateId::verification_html}, Locale::en, values, {});
  CHECK_THAT(filled[0], Contains("Tom & \"Jerry's\" <b> of A & B\n"));
  CHECK_THAT(filled[1], Contains(">Tom &amp; &quot;Jerry&#39;s&quot; &lt;b&gt; of A &amp; B</p>"));
}

TEST_CASE("a translation that names what does not exist, or lacks what is needed, is refused by key and language") {
  CHECK_THAT(text_refusal("MAIL_INTRO", "msgid \"MAIL_INTRO\"\nmsgstr \"Hi {organization}\""),
             Contains("the text MAIL_INTRO in the language en names the unknown value {organization}"));
  CHECK_THAT(text_refusal("MAIL_INTRO", "msgid \"MAIL_INTRO\"\nmsgstr \"Hi {organisation\""),
             Contains("the text MAIL_INTRO in the language en names the unknown value {"));
  CHECK_THAT(text_refusal("MAIL_INTRO", "msgid \"MAIL_INTRO\"\nmsgstr \"{{LINK}}\""),
             Contains("the text MAIL_INTRO in the language en names the unknown value {"));
  CHECK_THAT(text_refusal("MAIL_INTRO", "msgid \"MAIL_INTRO\"\nmsgstr \"\""),
             Contains("there is no text MAIL_INTRO in the language en"));
  CHECK_THAT(text_refusal("USED_HEADING", "msgid \"USED_HEADING\"\nmsgstr \"\""),
             Contains("there is no text USED_HEADING in the language en"));
  CHECK_THAT(text_refusal("MONTH_10", "msgid \"MONTH_10\"\nmsgstr \"\""),
             Contains("en/LC_MESSAGES/invited.mo: the text MONTH_10 is missing"));
}

TEST_CASE("Windows line ends in a template make no difference") {
  Override own;
  own.with(text_mail, "Hi\r\n\r\n{{LINK}}\r\n\r\n{{LAST_DAY}}\r\n");
  const auto loaded = own.load();
  REQUIRE(loaded);
  CHECK(render_mail(*loaded, sample::mail()));
}

TEST_CASE("values are escaped by the place they stand in") {
  Override own;
  own.with(html_mail, pragma + "<a href=\"{{NAME}}\" title=\"{{NAME}}\">{{NAME}}</a>{{LINK}}{{LAST_DAY}}");
  const auto loaded = own.load();
  REQUIRE(loaded);
  const auto filled = [&](std::string_view name) {
    const std::array values{TemplateValue{"NAME", name}};
    return loaded->expand({TemplateId::verification_html}, Locale::en, values, {}).front();
  };
  CHECK(filled("<script>alert(1)</script>") ==
        "<a href=\"&lt;script&gt;alert(1)&lt;/script&gt;\" "
        "title=\"&lt;script&gt;alert(1)&lt;/script&gt;\">&lt;script&gt;alert(1)&lt;/script&gt;</a>");
  CHECK_THAT(filled("javascript:alert(1)"), Contains("href=\"#\""));
  CHECK_THAT(filled("\" onmouseover=\"x"), !Contains("\" onmouseover"));
  CHECK_THAT(filled("{{LINK}}{{%AUTOESCAPE}}"), Contains("{{LINK}}"));
}
