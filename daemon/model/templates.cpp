#include "model/templates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/text.hpp"

namespace invited::model {

namespace {

struct Part {
  std::string_view literal;
  std::string_view field;  // "given" or "family"; empty: literal only
  std::size_t letters = std::string_view::npos;
};

core::Result<std::vector<Part>> parts_of(std::string_view pattern) {
  const auto bad = [&](std::string_view why) {
    return core::fail(
        core::ErrorKind::invalid, "invalid_pattern",
        fmt::format("\"{}\" {}; allowed: text with {{given}}, {{family}}, {{given:N}} or {{family:N}}", pattern, why));
  };
  std::vector<Part> parts;
  std::string_view rest = pattern;
  bool has_field = false;
  while (!rest.empty()) {
    const auto open = rest.find('{');
    Part part;
    part.literal = rest.substr(0, open);
    if (part.literal.find('}') != std::string_view::npos) return bad("has a } without its {");
    if (open == std::string_view::npos) {
      parts.push_back(part);
      break;
    }
    const auto close = rest.find('}', open);
    if (close == std::string_view::npos) return bad("has a { without its }");
    part.field = rest.substr(open + 1, close - open - 1);
    if (const auto colon = part.field.find(':'); colon != std::string_view::npos) {
      const std::string_view digits = part.field.substr(colon + 1);
      part.field = part.field.substr(0, colon);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), part.letters);
      if (error != std::errc{} || end != digits.data() + digits.size() || part.letters == 0 || part.letters > 99)
        return bad("has no number from 1 to 99 after its colon");
    }
    if (part.field != "given" && part.field != "family") return bad("names something else than given and family");
    has_field = true;
    parts.push_back(part);
    rest.remove_prefix(close + 1);
  }
  if (!has_field) return bad("would be the same for everybody");
  return parts;
}

template <class Named>
const Named* by_name(const std::vector<Named>& all, std::string_view name) {
  if (name.empty()) return nullptr;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Named& one) { return equal_folded(one.name, name); });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

const EmploymentTemplate* Templates::employment(std::string_view name) const {
  return by_name(employments, name);
}

const UserTemplate* Templates::user(std::string_view name) const {
  return by_name(users, name);
}

const UserTemplate* Templates::user_of_employment(std::string_view employment_template) const {
  const EmploymentTemplate* found = employment(employment_template);
  return found == nullptr ? nullptr : user(found->user_template);
}

core::Result<void> check_pattern(std::string_view pattern) {
  const auto parts = parts_of(pattern);
  if (!parts) return core::fail(parts.error());
  return {};
}

std::string spell(std::string_view pattern, const PersonName& name) {
  const auto parts = parts_of(pattern);
  if (!parts) return {};
  std::string out;
  for (const Part& part : *parts) {
    out += part.literal;
    if (part.field.empty()) continue;
    const std::string letters = plain_letters(part.field == "given" ? name.given : name.family);
    if (letters.empty()) return {};
    out += letters.substr(0, part.letters);
  }
  return out;
}

std::string numbered(const std::string& spelled, int n) {
  if (n <= 1) return spelled;
  const auto at = spelled.rfind('@');
  if (at == std::string::npos) return fmt::format("{}{}", spelled, n);
  return fmt::format("{}{}{}", spelled.substr(0, at), n, spelled.substr(at));
}

}  // namespace invited::model
