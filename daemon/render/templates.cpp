#include "render/templates.hpp"

#include <ctemplate/template.h>
#include <fmt/format.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "core/file.hpp"
#include "render/banner.hpp"

namespace invited::render {

namespace {

using core::ErrorKind;
using core::fail;
using core::Result;
using Names = std::vector<std::string_view>;

constexpr std::string_view html_pragma = R"({{%AUTOESCAPE context="HTML"}})";
constexpr std::size_t max_file_bytes = 256 * 1024;

// What a template may name: the whole vocabulary, so that a slip of the pen is an error at start and not a hole in a
// mail.
struct Kind {
  TemplateId id;
  std::string_view stem;  // "mail/verification"
  std::string_view extension;
  bool html;
  Names values;
  Names sections;
  Names required;
};

// Each state of a page has a section and a text STATE_HEADING.
const Names& page_states() {
  static const Names all{"ADDRESS_FORM", "ADDRESS_SAVED", "ADDRESS_SENT", "CONFIRM",   "CONNECTED", "CONNECTING",
                         "EXPIRED",      "LIMITED",       "NOT_ALLOWED",  "NOT_FOUND", "PAGE_OVER", "REQUESTED",
                         "REVOKED",      "SUPERSEDED",    "UNAVAILABLE",  "UNKNOWN",   "USED"};
  return all;
}

Names page_sections() {
  Names all{"SIGN_DONE",     "SIGN_MAIL",     "SIGN_NOTE",         "SIGN_WAIT",      "TRY_AGAIN",
            "WITH_FAULT",    "WITH_HELP",     "WITH_INVALID",      "WITH_LAST_DAY",  "WITH_MAIL_BACK",
            "WITH_MAIL_OUT", "WITH_MISMATCH", "WITH_ORGANISATION", "WITH_RESEND",    "WITH_SAVED",
            "WITH_SENT",     "WITH_SIGN_IN",  "WITH_UNUSABLE",     "WITHOUT_RESEND", "WITHOUT_SENT"};
  all.insert(all.end(), page_states().begin(), page_states().end());
  return all;
}

const std::vector<Kind>& kinds() {
  static const Names mail_values{"ADDRESS", "LANG", "LAST_DAY", "LINK", "NAME", "ORGANISATION", "PLACE"};
  static const Names mail_sections{"WITH_NAME", "WITHOUT_NAME"};
  static const Names sign_in_values{"ADDRESS", "HELP", "LANG", "NAME", "ORGANISATION", "SIGN_IN_URL"};
  static const Names sign_in_sections{"WITH_HELP", "WITH_NAME", "WITH_SIGN_IN", "WITHOUT_NAME"};
  static const std::vector<Kind> all{
      {TemplateId::verification_subject,
       "mail/verification.subject",
       ".txt.tpl",
       false,
       {"LANG", "NAME", "ORGANISATION"},
       mail_sections,
       {}},
      {TemplateId::verification_text,
       "mail/verification",
       ".txt.tpl",
       false,
       mail_values,
       mail_sections,
       {"LINK", "LAST_DAY"}},
      {TemplateId::verification_html,
       "mail/verification",
       ".html.tpl",
       true,
       mail_values,
       mail_sections,
       {"LINK", "LAST_DAY"}},
      {TemplateId::sign_in_subject,
       "mail/sign-in-ready.subject",
       ".txt.tpl",
       false,
       {"LANG", "NAME", "ORGANISATION"},
       sign_in_sections,
       {}},
      {TemplateId::sign_in_text,
       "mail/sign-in-ready",
       ".txt.tpl",
       false,
       sign_in_values,
       sign_in_sections,
       {"SIGN_IN_URL"}},
      {TemplateId::sign_in_html,
       "mail/sign-in-ready",
       ".html.tpl",
       true,
       sign_in_values,
       sign_in_sections,
       {"SIGN_IN_URL"}},
      {TemplateId::page,
       "page/page",
       ".html.tpl",
       true,
       {"ADDRESS", "FORM_ACTION", "HEADING", "HELP", "LANG", "LAST_DAY", "NONCE", "ORGANISATION", "OTHER_LANG",
        "OTHER_LANGUAGE", "PLACE", "SENT_DAY", "SENT_TIME", "SIGN_IN_URL", "STYLESHEET", "TYPED", "TYPED_AGAIN"},
       page_sections(),
       {"FORM_ACTION", "HEADING", "NONCE"}},
  };
  return all;
}

bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string cache_key(std::string_view stem, std::string_view extension, Locale locale) {
  return fmt::format("{}:{}{}", tag(locale), stem, extension);
}

bool valid_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::int32_t i = 0, n = static_cast<std::int32_t>(text.size()); i < n;) {
    UChar32 c = 0;
    U8_NEXT(bytes, i, n, c);
    if (c <= 0) return false;
  }
  return true;
}

tl::unexpected<core::Error> bad(const std::filesystem::path& file, std::size_t line, std::string_view why) {
  const std::string place = line == 0 ? file.string() : fmt::format("{}:{}", file.string(), line);
  return fail(ErrorKind::invalid, "bad_template", fmt::format("{}: {}", place, why), place);
}

Result<std::string> read(const std::filesystem::path& file) {
  auto text = core::read_file(file, max_file_bytes);
  if (!text) return bad(file, 0, text.error().message);
  if (!valid_utf8(*text)) return bad(file, 0, "the file is not UTF-8 text");
  text->erase(std::remove(text->begin(), text->end(), '\r'), text->end());
  return text;
}

std::optional<std::filesystem::path> find_file(const std::vector<std::filesystem::path>& folders, const Names& names) {
  for (const auto& folder : folders)
    for (const auto name : names) {
      std::error_code ignored;
      if (auto file = folder / name; std::filesystem::is_regular_file(file, ignored)) return file;
    }
  return std::nullopt;
}

void append_html(std::string& out, char c) {
  switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      out += c;
  }
}

// One file on its way to the engine: its own markers checked, its texts put in.
class Preparation {
public:
  Preparation(const Kind& kind, Locale locale, const Translations& translations, const std::filesystem::path& file)
      : kind_(kind), locale_(locale), translations_(translations), file_(file) {}

  Result<std::string> run(std::string_view text) {
    if (kind_.html && text.substr(0, text.find('\n')) != html_pragma)
      return bad(file_, 1, fmt::format("an HTML template starts with the line {}", html_pragma));
    while (!text.empty()) {
      const auto open = text.find("{{");
      copy(text.substr(0, open));
      if (open == std::string_view::npos) break;
      text.remove_prefix(open);
      const auto close = text.find("}}");
      if (close == std::string_view::npos || text.substr(0, close).find('\n') != std::string_view::npos)
        return bad(file_, line_, "a marker {{ is not closed in its line");
      if (auto done = marker(text.substr(2, close - 2)); !done) return fail(done.error());
      text.remove_prefix(close + 2);
    }
    for (const auto name : kind_.required)
      if (!contains(used_, name)) return bad(file_, 0, fmt::format("the template never uses {{{{{}}}}}", name));
    return std::move(out_);
  }

private:
  void copy(std::string_view text) {
    line_ += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    out_ += text;
  }

  Result<void> marker(std::string_view body) {
    const char first = body.empty() ? '\0' : body.front();
    if (first == '!') return {};
    if (first == '%') {
      const bool the_pragma = kind_.html && out_.empty() && fmt::format("{{{{{}}}}}", body) == html_pragma;
      if (!the_pragma) return bad(file_, line_, fmt::format("{{{{{}}}}} may not stand here", body));
    } else if (first == '#' || first == '/') {
      if (!contains(kind_.sections, body.substr(1)))
        return bad(
            file_, line_,
            fmt::format("there is no section {}; known are {}", body.substr(1), fmt::join(kind_.sections, ", ")));
    } else if (body.starts_with("T_")) {
      return translated(body.substr(2));
    } else {
      const auto colon = body.find(':');
      const std::string_view name = body.substr(0, colon);
      // A modifier of the template's own could switch the escaping off.
      if (colon != std::string_view::npos)
        return bad(file_, line_, fmt::format("\"{}\": modifiers are not allowed, escaping is automatic", body));
      if (!contains(kind_.values, name))
        return bad(file_, line_,
                   fmt::format("there is no value {}; known are {}", name, fmt::join(kind_.values, ", ")));
      used_.push_back(*std::find(kind_.values.begin(), kind_.values.end(), name));
    }
    out_ += "{{";
    out_ += body;
    out_ += "}}";
    return {};
  }

  // The text becomes part of the template, so that the engine escapes its values by the place they stand in.
  Result<void> translated(std::string_view key) {
    const auto found = translations_.find(locale_, key);
    if (!found) return bad(file_, line_, fmt::format("there is no text {} in the language {}", key, tag(locale_)));
    std::string_view text = *found;
    while (!text.empty()) {
      if (text.front() != '{') {
        kind_.html ? append_html(out_, text.front()) : out_.push_back(text.front());
        text.remove_prefix(1);
        continue;
      }
      const auto close = text.find('}');
      std::string name(text.substr(1, close == std::string_view::npos ? 0 : close - 1));
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
      if (!contains(kind_.values, name))
        return bad(file_, line_,
                   fmt::format("the text {} in the language {} names the unknown value {{{}}}", key, tag(locale_),
                               text.substr(1, close == std::string_view::npos ? close : close - 1)));
      used_.push_back(*std::find(kind_.values.begin(), kind_.values.end(), name));
      out_ += "{{" + name + "}}";
      text.remove_prefix(close + 1);
    }
    return {};
  }

  const Kind& kind_;
  Locale locale_;
  const Translations& translations_;
  const std::filesystem::path& file_;
  std::string out_;
  Names used_;
  std::size_t line_ = 1;
};

// A mail's own rules, on the file as written.
Result<void> check_mail_rules(const Kind& kind, const std::filesystem::path& file, std::string_view text) {
  if (kind.id == TemplateId::verification_text &&
      ("\n" + std::string(text) + "\n").find("\n{{LINK}}\n") == std::string::npos)
    return bad(file, 0, "{{LINK}} stands on no line of its own, so mail programs may break the link");
  const bool subject = kind.id == TemplateId::verification_subject || kind.id == TemplateId::sign_in_subject;
  if (subject && std::count(text.begin(), text.end(), '\n') > (text.ends_with('\n') ? 1 : 0))
    return bad(file, 2, "a subject is one line");
  return {};
}

// ctemplate says why it refuses a template on std::cerr and nowhere else.
class CerrReader {
public:
  CerrReader() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  ~CerrReader() { std::cerr.rdbuf(before_); }
  CerrReader(const CerrReader&) = delete;
  CerrReader& operator=(const CerrReader&) = delete;
  [[nodiscard]] std::string reason() const {
    std::string line = text_.str();
    line.resize(std::min(line.size(), line.find('\n')));
    if (const auto at = line.rfind("ERROR: "); at != std::string::npos) line.erase(0, at + 7);
    return line.empty() ? "the template engine refuses it" : line;
  }

private:
  std::ostringstream text_;
  std::streambuf* before_;
};

constexpr auto strip_of(bool html) {
  return html ? ctemplate::STRIP_BLANK_LINES : ctemplate::DO_NOT_STRIP;
}

}  // namespace

struct Templates::Loaded {
  explicit Loaded(Translations texts) : translations(std::move(texts)) {}
  struct Entry {
    std::string key;
    bool html = false;
  };
  const Entry& entry(TemplateId id, Locale locale) const {
    return entries[static_cast<std::size_t>(id)][static_cast<std::size_t>(locale)];
  }

  Translations translations;
  ctemplate::TemplateCache cache;
  std::array<std::array<Entry, all_locales.size()>, template_count> entries;
  std::string stylesheet;
};

Templates::Templates(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
Templates::Templates(Templates&&) noexcept = default;
Templates& Templates::operator=(Templates&&) noexcept = default;
Templates::~Templates() = default;

Result<Templates> Templates::load(const TemplateFolders& folders) {
  auto translations = Translations::load(folders.translations);
  if (!translations) return fail(translations.error());
  auto loaded = std::make_unique<Loaded>(std::move(*translations));

  const auto missing = [&](std::string_view name) {
    Names tried;
    std::vector<std::string> texts;
    for (const auto& folder : folders.templates) texts.push_back(folder.string());
    return fail(ErrorKind::invalid, "bad_template", fmt::format("{}: not found in {}", name, fmt::join(texts, ", ")),
                std::string(name));
  };

  for (const Kind& kind : kinds()) {
    const std::string general = fmt::format("{}{}", kind.stem, kind.extension);
    for (const Locale locale : all_locales) {
      const std::string localised = fmt::format("{}.{}{}", kind.stem, tag(locale), kind.extension);
      const auto file = find_file(folders.templates, {localised, general});
      if (!file) return missing(general);
      auto text = read(*file);
      if (!text) return fail(text.error());
      if (auto ok = check_mail_rules(kind, *file, *text); !ok) return fail(ok.error());
      auto prepared = Preparation(kind, locale, loaded->translations, *file).run(*text);
      if (!prepared) return fail(prepared.error());
      auto key = cache_key(kind.stem, kind.extension, locale);
      const CerrReader cerr;
      if (!loaded->cache.StringToTemplateCache(key, *prepared, strip_of(kind.html)))
        return bad(*file, 0, cerr.reason());
      loaded->entries[static_cast<std::size_t>(kind.id)][static_cast<std::size_t>(locale)] = {std::move(key),
                                                                                              kind.html};
    }
  }
  loaded->cache.Freeze();
  std::vector<std::string> needed;
  needed.reserve(page_states().size() + banner_reasons().size());
  for (const auto state : page_states()) needed.push_back(fmt::format("{}_HEADING", state));
  for (const auto reason : banner_reasons()) needed.push_back(banner_key(reason));
  for (const auto& key : needed)
    for (const Locale locale : all_locales)
      if (!loaded->translations.find(locale, key))
        return fail(ErrorKind::invalid, "bad_translation",
                    fmt::format("there is no text {} in the language {}", key, tag(locale)),
                    folders.translations.string());

  const auto css = find_file(folders.templates, {"page/style.css"});
  if (!css) return missing("page/style.css");
  auto text = read(*css);
  if (!text) return fail(text.error());
  loaded->stylesheet = std::move(*text);
  return Templates(std::move(loaded));
}

const Translations& Templates::translations() const {
  return loaded_->translations;
}

std::string_view Templates::stylesheet() const {
  return loaded_->stylesheet;
}

std::vector<std::string> Templates::expand(std::initializer_list<TemplateId> ids, Locale locale,
                                           std::span<const TemplateValue> values,
                                           std::span<const std::string_view> sections) const {
  ctemplate::TemplateDictionary dictionary("");
  const auto view = [](std::string_view text) { return ctemplate::TemplateString(text.data(), text.size()); };
  for (const auto& [name, value] : values) dictionary.SetValueWithoutCopy(view(name), view(value));
  for (const auto section : sections) dictionary.ShowSection(view(section));
  std::vector<std::string> filled;
  filled.reserve(ids.size());
  for (const TemplateId id : ids) {
    const auto& entry = loaded_->entry(id, locale);
    std::string out;
    out.reserve(entry.html ? 4096 : 1024);
    if (!loaded_->cache.ExpandNoLoad(view(entry.key), strip_of(entry.html), &dictionary, nullptr, &out))
      throw std::logic_error("the template " + entry.key + " cannot be filled");
    filled.push_back(std::move(out));
  }
  return filled;
}

}  // namespace invited::render
