#include "config/schema.hpp"

#define VALIJSON_USE_EXCEPTIONS 1  // without it a bad schema ends the process

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <regex>
#include <set>
#include <stdexcept>
#include <utility>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace invited::config {

namespace json = boost::json;

namespace {

// std::regex recurses once per character; a longer text could end the stack.
constexpr std::size_t max_text_bytes = 2048;
constexpr int max_depth = 64;
constexpr std::size_t shown_characters = 60;

struct BadSchema : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const json::value* member(const json::value& object, std::string_view name) {
  const auto* const fields = object.if_object();
  return fields == nullptr ? nullptr : fields->if_contains(name);
}

// Follows "$ref": "#/…" as far as it goes; nullptr if it leads nowhere, out of the document or round in a circle.
const json::value* resolve(const json::value& root, const json::value& schema) {
  const json::value* at = &schema;
  for (int hops = 0; hops < max_depth; ++hops) {
    const auto* const reference = member(*at, "$ref");
    if (reference == nullptr || !reference->is_string()) return at;
    const std::string_view text = reference->get_string();
    if (!text.starts_with('#')) return nullptr;
    json::error_code error;
    at = root.find_pointer(text.substr(1), error);
    if (error || at == nullptr) return nullptr;
  }
  return nullptr;
}

// A reference that is reached again without taking a step into the value would never end. So only properties, items and
// the like may lead back; allOf, anyOf, oneOf, not, if, then and else may not.
void check_references(const json::value& root, const json::value& schema, int depth) {
  if (depth > max_depth) throw BadSchema("it is nested too deeply, or a $ref leads back to itself");
  const auto* const at = resolve(root, schema);
  if (at == nullptr) throw BadSchema("a $ref leads nowhere, to another document, or back to itself");
  for (const auto* const keyword : {"allOf", "anyOf", "oneOf"}) {
    const auto* const branches = member(*at, keyword);
    if (branches == nullptr || !branches->is_array()) continue;
    for (const auto& branch : branches->get_array()) check_references(root, branch, depth + 1);
  }
  for (const auto* const keyword : {"not", "if", "then", "else"}) {
    if (const auto* const branch = member(*at, keyword)) check_references(root, *branch, depth + 1);
  }
}

void check_tree(const json::value& root, const json::value& node) {
  if (node.is_object()) {
    check_references(root, node, 0);
    if (const auto* const pattern = member(node, "pattern"); pattern != nullptr && pattern->is_string()) {
      static_cast<void>(std::regex(std::string(pattern->get_string())));
    }
    for (const auto& [name, inner] : node.get_object()) {
      if (name != "default" && name != "enum" && name != "const" && name != "examples") check_tree(root, inner);
    }
  } else if (node.is_array()) {
    for (const auto& inner : node.get_array()) check_tree(root, inner);
  }
}

// The schema that describes member or element `token`, as far as properties, items and additionalProperties tell.
const json::value* child(const json::value& root, const json::value* schema, std::string_view token, bool of_list) {
  if (schema == nullptr) return nullptr;
  schema = resolve(root, *schema);
  if (schema == nullptr) return nullptr;
  const json::value* found = nullptr;
  if (of_list) {
    found = member(*schema, "items");
    if (found != nullptr && found->is_array()) {
      const auto index = static_cast<std::size_t>(std::strtoull(std::string(token).c_str(), nullptr, 10));
      found = index < found->get_array().size() ? &found->get_array()[index] : member(*schema, "additionalItems");
    }
  } else {
    if (const auto* const properties = member(*schema, "properties")) found = member(*properties, token);
    if (found == nullptr) found = member(*schema, "additionalProperties");
  }
  if (found == nullptr || !found->is_object()) return nullptr;
  return resolve(root, *found);
}

std::string quoted(std::string_view text) {
  std::size_t at = 0;
  for (std::size_t characters = 0; at < text.size() && characters < shown_characters; ++characters) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) ++at;
  }
  std::string shown = "\"";
  for (const char c : text.substr(0, at)) {
    if (c == '\n') {
      shown += "\\n";
    } else if (c == '"' || c == '\\') {
      shown += '\\';
      shown += c;
    } else {
      shown += c;
    }
  }
  return shown + (at < text.size() ? "…\"" : "\"");
}

std::string show(const json::value& value) {
  if (value.is_string()) return "the text " + quoted(value.get_string());
  if (value.is_double()) return fmt::format("the number {}", value.get_double());
  if (value.is_number()) return "the number " + json::serialize(value);
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_null()) return "nothing";
  return value.is_array() ? "a list" : "a mapping";
}

std::string bare(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// A suggestion ends in a question mark, so what follows is a sentence of its own.
std::string followed_by(const std::string& suggestion, const std::string& clause) {
  if (clause.empty()) return suggestion;
  if (suggestion.empty()) return "; " + clause;
  auto sentence = suggestion + " " + clause;
  sentence[suggestion.size() + 1] = static_cast<char>(std::toupper(static_cast<unsigned char>(clause.front())));
  return sentence;
}

std::vector<std::string> names(const json::object& object) {
  std::vector<std::string> found;
  for (const auto& [name, inner] : object) found.emplace_back(name);
  std::sort(found.begin(), found.end());
  return found;
}

std::string range_words(const json::value& schema, const char* low, const char* high, const char* unit) {
  const auto* const least = member(schema, low);
  const auto* const most = member(schema, high);
  if (least != nullptr && most != nullptr) {
    return fmt::format(" {} to {}{}", json::serialize(*least), json::serialize(*most), unit);
  }
  if (least != nullptr) return fmt::format(" {} or more{}", json::serialize(*least), unit);
  if (most != nullptr) return fmt::format(" at most {}{}", json::serialize(*most), unit);
  return {};
}

std::string type_words(std::string_view type, const json::value& schema) {
  if (type == "string") return "text";
  if (type == "integer" || type == "number") {
    const auto range = range_words(schema, "minimum", "maximum", "");
    std::string words = type == "integer" ? "a whole number" : "a number";
    if (range.empty()) return words;
    return words + (range.find(" to ") == std::string::npos ? "," : " from") + range;
  }
  if (type == "boolean") return "true or false";
  if (type == "array") return "a list";
  if (type == "object") return "a mapping of keys to values";
  return "nothing";
}

std::string types(const json::value& schema) {
  const auto* const type = member(schema, "type");
  if (type == nullptr) return {};
  if (type->is_string()) return type_words(type->get_string(), schema);
  std::string words;
  if (type->is_array()) {
    for (const auto& one : type->get_array()) {
      if (one.is_string()) words += (words.empty() ? "" : " or ") + type_words(one.get_string(), schema);
    }
  }
  return words;
}

std::vector<std::string> choices(const json::value& schema) {
  std::vector<std::string> words;
  if (const auto* const listed = member(schema, "enum"); listed != nullptr && listed->is_array()) {
    for (const auto& choice : listed->get_array()) words.push_back(bare(choice));
  }
  if (const auto* const fixed = member(schema, "const")) words.push_back(bare(*fixed));
  return words;
}

// What may stand at a place, in words; empty if the schema does not say.
std::string allowed(const json::value& schema) {
  if (const auto* const words = member(schema, "x-allowed"); words != nullptr && words->is_string()) {
    return std::string(words->get_string());
  }
  const auto listed = choices(schema);
  return listed.empty() ? types(schema) : joined(listed);
}

bool wants_text(const json::value& schema) {
  const auto* const type = member(schema, "type");
  return type != nullptr && type->is_string() && type->get_string() == "string";
}

std::string first_sentence(const json::value* schema) {
  const auto* const text = schema == nullptr ? nullptr : member(*schema, "description");
  if (text == nullptr || !text->is_string()) return {};
  const std::string_view whole = text->get_string();
  return std::string(whole.substr(0, whole.find(". ")));
}

std::size_t distance(std::string_view a, std::string_view b) {
  // Optimal string alignment: exchanged neighbours count once, as they do for a typing hand.
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// One of valijson's findings, with its path as a pointer and the value and schema that stand there.
struct Finding {
  std::string pointer;
  const json::value* value = nullptr;
  const json::value* schema = nullptr;
  std::string text;
};

// The name that valijson puts last in its sentence: … 'name'.
std::string name_after(std::string_view text, std::string_view lead) {
  const auto from = text.find(lead) + lead.size() + 1;
  const auto to = text.rfind('\'');
  return to == std::string_view::npos || to < from ? std::string{} : std::string(text.substr(from, to - from));
}

bool is_wrapper(std::string_view text) {
  return text.starts_with("Failed to validate against schema associated with") ||
         text.starts_with("Failed to validate item #") ||
         text.starts_with("Failed to validate against child schema #") ||
         text.starts_with("Failed to validate against additional properties") ||
         text.starts_with("Failed to validate against dependent schema");
}

}  // namespace

struct Schema::Impl {
  json::value root;
  valijson::Schema compiled;

  Finding locate(const valijson::ValidationResults::Error& error, const json::value& value) const {
    Finding finding{.pointer = {}, .value = &value, .schema = resolve(root, root), .text = error.description};
    for (std::size_t i = 1; i < error.context.size(); ++i) {  // the first is "<root>"
      std::string_view token = error.context[i];
      if (token.size() >= 2) token = token.substr(1, token.size() - 2);
      const bool of_list = finding.value != nullptr && finding.value->is_array();
      if (!of_list && token.size() >= 2 && token.starts_with('"')) token = token.substr(1, token.size() - 2);
      finding.schema = child(root, finding.schema, token, of_list);
      finding.pointer = pointer_append(finding.pointer, token);
      json::error_code ignored;
      finding.value = value.find_pointer(finding.pointer, ignored);
    }
    return finding;
  }

  void find_long_texts(const json::value& value, const std::string& pointer, const Origin& origin,
                       Errors& errors) const {
    if (value.is_string()) {
      if (value.get_string().size() > max_text_bytes) {
        errors.push_back(error_at(
            origin, pointer, "config_too_long",
            fmt::format("the text has {} bytes; allowed: at most {}", value.get_string().size(), max_text_bytes)));
      }
    } else if (value.is_array()) {
      std::size_t index = 0;
      for (const auto& inner : value.get_array()) {
        find_long_texts(inner, pointer_append(pointer, std::to_string(index++)), origin, errors);
      }
    } else if (value.is_object()) {
      for (const auto& [name, inner] : value.get_object()) {
        find_long_texts(inner, pointer_append(pointer, name), origin, errors);
      }
    }
  }

  core::Error explain(const Finding& finding, const Origin& origin) const;
  Errors explain_unknown_keys(const Finding& finding, const Origin& origin) const;
  void fill(json::value& value, const json::value* schema, const std::filesystem::path& state_dir, int depth) const;
  void resolve_inside(json::value& value, const json::value* schema, const std::filesystem::path& folder,
                      int depth) const;
};

// valijson names the first unknown key only; a person wants all of them at once.
Errors Schema::Impl::explain_unknown_keys(const Finding& finding, const Origin& origin) const {
  std::vector<std::string> known;
  const auto* const properties = finding.schema == nullptr ? nullptr : member(*finding.schema, "properties");
  if (properties != nullptr && properties->is_object()) known = names(properties->get_object());
  std::vector<std::string> unknown{name_after(finding.text, "constraints: ")};
  if (finding.schema != nullptr && member(*finding.schema, "patternProperties") == nullptr &&
      finding.value != nullptr && finding.value->is_object()) {
    unknown.clear();
    for (const auto& [name, inner] : finding.value->get_object()) {
      if (!std::binary_search(known.begin(), known.end(), std::string(name))) unknown.emplace_back(name);
    }
  }
  Errors errors;
  for (const auto& name : unknown) {
    // "level:info" is one word to YAML.
    const auto colon = name.find(':');
    const bool glued =
        colon != std::string::npos && std::binary_search(known.begin(), known.end(), name.substr(0, colon));
    const auto hint =
        glued ? fmt::format("; did you mean \"{}: {}\", with a space?", name.substr(0, colon), name.substr(colon + 1))
              : suggest(name, known);
    errors.push_back(error_at(origin, pointer_append(finding.pointer, name), "config_unknown_key",
                              "unknown key" + followed_by(hint, known.empty() ? "no keys are allowed here"
                                                                              : "allowed here: " + joined(known))));
  }
  return errors;
}

core::Error Schema::Impl::explain(const Finding& finding, const Origin& origin) const {
  static const json::value unknown_schema(json::object{});
  const auto& schema = finding.schema == nullptr ? unknown_schema : *finding.schema;
  const auto words = allowed(schema);
  const auto tail = words.empty() ? std::string{} : "; allowed: " + words;
  const std::string_view text = finding.text;
  const auto make = [&](std::string code, std::string message) {
    return error_at(origin, finding.pointer, std::move(code), std::move(message));
  };
  const auto shown = finding.value == nullptr ? std::string("this value") : show(*finding.value);

  if (text.starts_with("Value type not permitted")) {
    const auto listed = choices(schema);
    if (!listed.empty()) return make("config_type", fmt::format("expected one of {}; found {}", joined(listed), shown));
    const bool quotes_help =
        finding.value != nullptr && wants_text(schema) && (finding.value->is_number() || finding.value->is_bool());
    return make("config_type",
                fmt::format("expected {}, found {}{}", types(schema), shown, quotes_help ? "; put it in quotes" : ""));
  }
  if (text.starts_with("Missing required property")) {
    const auto name = name_after(text, "property ");
    const auto about = first_sentence(child(root, finding.schema, name, false));
    return make("config_missing_key",
                fmt::format("the key \"{}\" is missing{}{}", name, about.empty() ? "" : ": ", about));
  }
  if (text.starts_with("Failed to match against any enum") || text.starts_with("Failed to match expected value")) {
    const auto listed = choices(schema);
    const auto hint = finding.value != nullptr && finding.value->is_string()
                          ? suggest(finding.value->get_string(), listed)
                          : std::string{};
    return make("config_not_allowed",
                fmt::format("{} is not one of the choices{}", shown, followed_by(hint, "allowed: " + joined(listed))));
  }
  if (text.starts_with("Expected number")) {
    return make("config_range", fmt::format("{} is out of range{}", shown, tail));
  }
  if (text.starts_with("String should be no")) {
    const bool empty = finding.value != nullptr && finding.value->is_string() && finding.value->get_string().empty();
    return make("config_length",
                fmt::format("{}; allowed:{}", empty ? "the text is empty" : shown + " has the wrong length",
                            range_words(schema, "minLength", "maxLength", " characters")));
  }
  if (text.starts_with("Failed to match regex")) {
    const auto* const pattern = member(schema, "pattern");
    const bool helped = member(schema, "x-allowed") != nullptr;
    return make("config_form", fmt::format("{} does not have the right form; allowed: {}", shown,
                                           helped || pattern == nullptr ? words : bare(*pattern)));
  }
  if (text.starts_with("Array should contain")) {
    const auto count = finding.value != nullptr && finding.value->is_array() ? finding.value->get_array().size() : 0;
    return make("config_length",
                fmt::format("the list {}; allowed:{}", count == 0 ? "is empty" : fmt::format("has {} elements", count),
                            range_words(schema, "minItems", "maxItems", " elements")));
  }
  if (text.starts_with("Elements at indexes")) {
    return make("config_duplicate", fmt::format("the list holds the same element twice ({})", text));
  }
  if (text.starts_with("Object should have")) {
    return make("config_length", fmt::format("the mapping has the wrong number of keys; allowed:{}",
                                             range_words(schema, "minProperties", "maxProperties", "")));
  }
  const auto about = first_sentence(&schema);
  return make("config_invalid",
              fmt::format("{} is not allowed here ({}){}{}", shown, text, about.empty() ? "" : "; ", about));
}

core::Result<Schema> Schema::parse(std::string_view json_text) {
  const auto refuse = [](std::string_view why) {
    return core::fail(core::ErrorKind::invalid, "bad_schema",
                      fmt::format("the configuration schema is not usable: {}", why));
  };
  json::error_code error;
  auto impl = std::make_shared<Impl>();
  impl->root = json::parse(json_text, error);
  if (error) return refuse(error.message());
  if (!impl->root.is_object()) return refuse("it is not a JSON object");
  try {
    check_tree(impl->root, impl->root);
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    const valijson::adapters::BoostJsonAdapter adapter(impl->root);
    parser.populateSchema(adapter, impl->compiled);
  } catch (const std::exception& exception) {
    return refuse(exception.what());
  }
  Schema schema;
  schema.impl_ = std::move(impl);
  return schema;
}

Errors Schema::validate(const json::value& value, const Origin& origin) const {
  Errors errors;
  impl_->find_long_texts(value, {}, origin, errors);
  if (!errors.empty()) return errors;

  valijson::ValidationResults results;
  bool good = false;
  try {
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    const valijson::adapters::BoostJsonAdapter adapter(value);
    good = validator.validate(impl_->compiled, adapter, &results);
  } catch (const std::exception& exception) {
    errors.push_back(
        error_at(origin, {}, "bad_schema", fmt::format("the schema cannot be applied: {}", exception.what())));
    return errors;
  }
  if (good) return errors;

  std::vector<Finding> findings;
  std::set<std::string> wrong_type;
  for (const auto& error : results) {
    if (is_wrapper(error.description)) continue;
    findings.push_back(impl_->locate(error, value));
    if (error.description.starts_with("Value type not permitted")) wrong_type.insert(findings.back().pointer);
  }
  std::set<std::string> said;
  for (const auto& finding : findings) {
    // A value of the wrong type breaks its other rules as well; the type is what the reader has to know.
    if (wrong_type.contains(finding.pointer) && !finding.text.starts_with("Value type not permitted")) continue;
    auto found = finding.text.starts_with("Object contains a property") ? impl_->explain_unknown_keys(finding, origin)
                                                                        : Errors{impl_->explain(finding, origin)};
    for (auto& error : found) {
      if (said.insert(error.location + error.message).second) errors.push_back(std::move(error));
    }
  }
  sort_by_place(errors);
  if (errors.empty()) errors.push_back(error_at(origin, {}, "config_invalid", "the value does not match its schema"));
  return errors;
}

void Schema::Impl::fill(json::value& value, const json::value* schema, const std::filesystem::path& state_dir,
                        int depth) const {
  if (schema == nullptr || depth > max_depth) return;
  schema = resolve(root, *schema);
  if (schema == nullptr) return;
  if (auto* const object = value.if_object()) {
    if (const auto* const properties = member(*schema, "properties");
        properties != nullptr && properties->is_object()) {
      for (const auto& [name, inner] : properties->get_object()) {
        const auto* const resolved = resolve(root, inner);
        const auto* const preset = resolved == nullptr ? nullptr : member(*resolved, "default");
        if (preset != nullptr) object->emplace(name, *preset);  // does nothing if the member is there
        const auto* const placed = resolved == nullptr ? nullptr : member(*resolved, "x-default-in-state-dir");
        if (placed != nullptr && placed->is_string() && !state_dir.empty())
          object->emplace(name, (state_dir / std::string(placed->get_string())).string());
      }
    }
    for (auto& [name, inner] : *object) fill(inner, child(root, schema, name, false), state_dir, depth + 1);
  } else if (auto* const list = value.if_array()) {
    for (std::size_t i = 0; i < list->size(); ++i)
      fill((*list)[i], child(root, schema, std::to_string(i), true), state_dir, depth + 1);
  }
}

void Schema::fill_defaults(json::value& value, const std::filesystem::path& state_dir) const {
  impl_->fill(value, &impl_->root, state_dir, 0);
}

void Schema::Impl::resolve_inside(json::value& value, const json::value* schema, const std::filesystem::path& folder,
                                  int depth) const {
  if (schema == nullptr || depth > max_depth) return;
  schema = resolve(root, *schema);
  if (schema == nullptr) return;
  if (value.is_string()) {
    const auto* const format = member(*schema, "format");
    if (format == nullptr || !format->is_string() || format->get_string() != "path") return;
    const std::filesystem::path path{std::string(value.get_string())};
    if (!path.empty() && path.is_relative()) value = (folder / path).lexically_normal().string();
  } else if (auto* const object = value.if_object()) {
    for (auto& [name, inner] : *object) resolve_inside(inner, child(root, schema, name, false), folder, depth + 1);
  } else if (auto* const list = value.if_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      resolve_inside((*list)[i], child(root, schema, std::to_string(i), true), folder, depth + 1);
    }
  }
}

void Schema::resolve_paths(json::value& value, const std::filesystem::path& folder) const {
  impl_->resolve_inside(value, &impl_->root, folder, 0);
}

core::Error error_at(const Origin& origin, std::string_view pointer, std::string code, std::string message) {
  const auto whole = std::string(origin.base_pointer) + std::string(pointer);
  auto location =
      origin.positions.empty() ? std::string(origin.file) : place(origin.file, origin.positions.find(whole));
  return {core::ErrorKind::invalid, std::move(code), fmt::format("{}: {}", whole.empty() ? "/" : whole, message),
          std::move(location)};
}

void sort_by_place(Errors& errors) {
  const auto key = [](const core::Error& error) {
    std::pair<long, long> line_column{0, 0};
    const auto column = error.location.rfind(':');
    if (column == std::string::npos || column == 0) return line_column;
    const auto line = error.location.rfind(':', column - 1);
    if (line == std::string::npos) return line_column;
    return std::pair{std::strtol(error.location.c_str() + line + 1, nullptr, 10),
                     std::strtol(error.location.c_str() + column + 1, nullptr, 10)};
  };
  std::stable_sort(errors.begin(), errors.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
}

std::string suggest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::size_t reach = std::max<std::size_t>(1, word.size() / 3);
  std::size_t best = reach + 1;
  const std::string* nearest = nullptr;
  for (const auto& candidate : candidates) {
    const auto apart = distance(word, candidate);
    if (apart < best) {
      best = apart;
      nearest = &candidate;
    }
  }
  return nearest == nullptr ? std::string{} : fmt::format("; did you mean \"{}\"?", *nearest);
}

}  // namespace invited::config
