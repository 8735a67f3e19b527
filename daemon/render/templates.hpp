// The templates of mails and pages, found, checked and parsed once, in every language.
//
// Folders are asked in order, so that an administrator's file stands before the shipped one; within a folder
// `mail/verification.sv.html.tpl` stands before `mail/verification.html.tpl`. In a template, {{T_KEY}} is the
// translated text of KEY, whose {name} places become {{NAME}}. The loader refuses what could go wrong later: an
// HTML template without {{%AUTOESCAPE context="HTML"}} in its first line, an unknown name, :none, an include, a
// verification mail without its link. New files on disk count after loading a new object.
//
//   auto templates = Templates::load({{"/etc/invited/templates", "/usr/share/invited/templates"},
//                                     "/usr/share/invited/locale"});
//   if (!templates) return fail(templates.error());   // names the file, the line and the reason
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "render/locale.hpp"

namespace invited::render {

struct TemplateFolders {
  std::vector<std::filesystem::path> templates;  // first match wins; a folder that does not exist is passed over
  std::filesystem::path translations;            // holds <locale>/LC_MESSAGES/invited.mo
};

enum class TemplateId : std::uint8_t {
  verification_subject,
  verification_text,
  verification_html,
  sign_in_subject,
  sign_in_text,
  sign_in_html,
  page,
};
inline constexpr std::size_t template_count = 7;

struct TemplateValue {
  std::string_view name;
  std::string_view value;
};

// Immutable after load. [any-thread]
class Templates {
public:
  // Reads files; about 10 ms. Error code `bad_template` or `bad_translation`, location "file:line".
  [[nodiscard]] static core::Result<Templates> load(const TemplateFolders& folders);

  Templates(Templates&&) noexcept;
  Templates& operator=(Templates&&) noexcept;
  ~Templates();

  [[nodiscard]] const Translations& translations() const;
  // The bytes of page/style.css, text/css in UTF-8. Valid as long as this object lives.
  [[nodiscard]] std::string_view stylesheet() const;

  // Fills templates with the same values, in the order asked for. HTML is escaped by the place each value stands in;
  // text is not escaped. Sections not named stay hidden, values not given are empty. Throws std::logic_error if the
  // engine fails, which a loaded template does not let happen.
  [[nodiscard]] std::vector<std::string> expand(std::initializer_list<TemplateId> ids, Locale locale,
                                                std::span<const TemplateValue> values,
                                                std::span<const std::string_view> sections) const;

private:
  struct Loaded;
  explicit Templates(std::unique_ptr<Loaded> loaded);
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace invited::render
