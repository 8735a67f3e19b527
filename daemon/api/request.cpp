#include "api/request.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "core/encoding.hpp"

namespace invited::api {

namespace {

namespace json = boost::json;

constexpr std::string_view dry_run = "dry_run";

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty() && path.front() == '/') {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

bool placeholder(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return out;
}

bool fits(std::span<const std::string_view> pattern, std::span<const std::string_view> actual,
          std::vector<std::pair<std::string, std::string>>& values) {
  if (pattern.size() != actual.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (!placeholder(pattern[i])) {
      if (pattern[i] != actual[i]) return false;
      continue;
    }
    auto decoded = percent_decode(actual[i]);
    if (!decoded || decoded->empty() || !core::is_utf8(*decoded)) return false;
    values.emplace_back(pattern[i].substr(1, pattern[i].size() - 2), *std::move(decoded));
  }
  return true;
}

// As model::parse_date takes them.
bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  const auto number = [&](std::size_t at, std::size_t length, auto& out) {
    const char* end = text.data() + at + length;
    return std::all_of(text.data() + at, end, [](char c) { return c >= '0' && c <= '9'; }) &&
           std::from_chars(text.data() + at, end, out).ec == std::errc();
  };
  return number(0, 4, year) && year >= 1900 && number(5, 2, month) && number(8, 2, day) &&
         std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)).ok();
}

std::string where_of(const Argument& argument) {
  switch (argument.in) {
    case In::path:
      return "path:" + std::string(argument.field);
    case In::query:
      return "query:" + std::string(argument.field);
    case In::filter:
      return "/filter/" + std::string(argument.field);
    default:
      return "/" + std::string(argument.field);
  }
}

tl::unexpected<ArgumentError> wrong(const Argument& argument, std::string code, std::string message) {
  return tl::unexpected(
      ArgumentError{where_of(argument), std::move(code), std::string(argument.field) + " " + std::move(message)});
}

std::string list_of(const std::vector<std::string_view>& choices) {
  std::string text;
  for (const auto choice : choices) {
    if (!text.empty()) text += ", ";
    text += choice;
  }
  return text;
}

constexpr std::size_t longest_condition = 1'000;
constexpr std::size_t most_errors = 20;

// What is wrong with a value that already has the right JSON type.
tl::expected<json::value, ArgumentError> checked(const Argument& argument, json::value value) {
  if (const auto* text = value.if_string()) {
    if (text->empty()) {
      if (argument.clearable) return value;
      return wrong(argument, "empty", "must not be empty");
    }
    // What selects people must say something: a blank that is looked for would be found in everybody.
    if (argument.in == In::filter || argument.in == In::query) {
      const std::string_view plain(text->data(), text->size());
      if (plain.size() > longest_condition)
        return wrong(argument, "too_long", "has at most " + std::to_string(longest_condition) + " octets");
      if (std::ranges::any_of(plain, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        return wrong(argument, "control_character", "must not hold control characters");
      if (plain.find_first_not_of(' ') == std::string_view::npos) return wrong(argument, "empty", "must not be blank");
    }
    if (argument.type == Type::date && !is_date({text->data(), text->size()})) {
      return wrong(argument, "not_a_date", "must be a day of the calendar, written as 2026-12-01");
    }
    if (argument.type == Type::file && text->front() != '/') {
      return wrong(argument, "not_absolute", "must be an absolute path");
    }
    if (!argument.choices.empty() &&
        std::ranges::find(argument.choices, std::string_view(text->data(), text->size())) == argument.choices.end()) {
      return wrong(argument, "not_a_choice", "must be one of: " + list_of(argument.choices));
    }
  }
  if (const auto* items = value.if_array()) {
    if (items->empty() && !argument.clearable) return wrong(argument, "empty", "must not be empty");
  }
  return value;
}

tl::expected<json::value, ArgumentError> typed(const Argument& argument, const json::value& value) {
  switch (argument.type) {
    case Type::string:
    case Type::date:
    case Type::file:
      if (!value.is_string()) return wrong(argument, "wrong_type", "must be a string");
      break;
    case Type::boolean:
      if (!value.is_bool()) return wrong(argument, "wrong_type", "must be true or false");
      break;
    case Type::integer:
      if (!value.is_int64() || value.get_int64() < 0) {
        return wrong(argument, "wrong_type", "must be a whole number, not negative");
      }
      break;
    case Type::strings:
      if (!value.is_array() || !std::ranges::all_of(value.get_array(), [](const auto& v) { return v.is_string(); })) {
        return wrong(argument, "wrong_type", "must be an array of strings");
      }
      break;
  }
  return checked(argument, value);
}

// Reads one object of the body: its members are the arguments of `command` that travel in `in`.
void read_members(const Command& command, In in, const std::string& prefix, const json::object& object,
                  json::object& values, std::vector<ArgumentError>& errors) {
  for (const auto& member : object) {
    if (errors.size() >= most_errors) return;
    if (in == In::body && member.key() == "filter") continue;
    const auto* argument = command.argument({member.key().data(), member.key().size()});
    if (argument == nullptr || argument->in != in) {
      errors.push_back({prefix + std::string(member.key()), "unknown",
                        "there is no field \"" + std::string(member.key()) + "\" here"});
      continue;
    }
    auto value = typed(*argument, member.value());
    if (value) {
      values.insert_or_assign(member.key(), *std::move(value));
    } else {
      errors.push_back(std::move(value).error());
    }
  }
}

// Finds the first key that an object has twice. A document would keep the last one: two readers of the same body could
// take it for two different commands.
struct KeyWatch {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;
  using Error = boost::system::error_code;
  using Text = json::string_view;

  struct Open {
    std::string pointer;
    std::set<std::string> keys;
  };
  std::vector<Open> open;
  std::string key;
  bool key_is_whole = true;
  std::optional<ArgumentError> repeated;

  bool take_key(Text piece, bool whole) {
    if (key_is_whole) key.clear();
    key.append(piece.data(), piece.size());
    key_is_whole = whole;
    if (!whole || open.back().keys.insert(key).second) return true;
    repeated = ArgumentError{open.back().pointer + "/" + key, "repeated", key + " is given twice"};
    return false;
  }

  bool on_object_begin(Error&) {
    open.push_back({open.empty() ? std::string() : open.back().pointer + "/" + key, {}});
    return true;
  }
  bool on_object_end(std::size_t, Error&) {
    open.pop_back();
    return true;
  }
  bool on_key_part(Text piece, std::size_t, Error&) { return take_key(piece, false); }
  bool on_key(Text piece, std::size_t, Error&) { return take_key(piece, true); }
  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_string_part(Text, std::size_t, Error&) { return true; }
  bool on_string(Text, std::size_t, Error&) { return true; }
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(std::int64_t, Text, Error&) { return true; }
  bool on_uint64(std::uint64_t, Text, Error&) { return true; }
  bool on_double(double, Text, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }
};

// `body` is JSON.
std::optional<ArgumentError> repeated_key(std::string_view body) {
  json::basic_parser<KeyWatch> parser{json::parse_options()};
  boost::system::error_code error;
  parser.write_some(false, body.data(), body.size(), error);
  return parser.handler().repeated;
}

void read_body(const Command& command, std::string_view body, json::object& values,
               std::vector<ArgumentError>& errors) {
  const auto takes = [&](In in) {
    return std::ranges::find(command.arguments, in, &Argument::in) != command.arguments.end();
  };
  if (takes(In::raw)) return;
  json::value document = json::object();
  if (!body.empty()) {
    boost::system::error_code error;
    document = json::parse({body.data(), body.size()}, error);
    if (error || !document.is_object()) {
      errors.push_back({"", "bad_json", "the body must be one JSON object"});
      return;
    }
    if (auto repeated = repeated_key(body)) errors.push_back(*std::move(repeated));
  }
  const auto& object = document.get_object();
  read_members(command, In::body, "/", object, values, errors);
  const auto* filter = object.if_contains("filter");
  if (!takes(In::filter)) {
    if (filter != nullptr) errors.push_back({"/filter", "unknown", "there is no field \"filter\" here"});
    return;
  }
  if (filter == nullptr || !filter->is_object()) {
    errors.push_back({"/filter", filter == nullptr ? "missing" : "wrong_type", "filter must be an object"});
    return;
  }
  json::object selected;
  read_members(command, In::filter, "/filter/", filter->get_object(), selected, errors);
  const auto* all = selected.if_contains("all");
  if (all != nullptr && !all->get_bool()) {
    selected.erase("all");
    all = nullptr;
  }
  if (filter->get_object().empty() || (selected.empty() && errors.empty())) {
    errors.push_back({"/filter", "empty", "filter must name at least one field; {\"all\": true} selects everyone"});
  }
  if (all != nullptr && selected.size() > 1) {
    errors.push_back({"/filter/all", "not_a_choice", "all selects everyone and goes with no other field"});
  }
  values["filter"] = std::move(selected);
}

}  // namespace

tl::expected<Routed, NoRoute> route(std::string_view method, std::string_view path) {
  const auto actual = segments_of(path);
  NoRoute none;
  for (const auto& command : commands()) {
    if (command.method.empty()) continue;
    std::vector<std::pair<std::string, std::string>> values;
    if (!fits(segments_of(command.path), actual, values)) continue;
    if (command.method == method) return Routed{&command, std::move(values)};
    none.allowed.push_back(command.method);
  }
  return tl::unexpected(std::move(none));
}

tl::expected<json::value, ArgumentError> value_of(const Argument& argument, std::string_view text) {
  switch (argument.type) {
    case Type::boolean:
      if (text == "true") return json::value(true);
      if (text == "false") return json::value(false);
      return wrong(argument, "wrong_type", "must be true or false");
    case Type::integer: {
      std::int64_t number = 0;
      const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (code != std::errc() || end != text.data() + text.size() || number < 0) {
        return wrong(argument, "wrong_type", "must be a whole number, not negative");
      }
      return json::value(number);
    }
    case Type::strings: {
      json::array items;
      while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        if (end > 0) items.emplace_back(json::string_view(text.data(), end));
        text.remove_prefix(std::min(end + 1, text.size()));
      }
      return checked(argument, std::move(items));
    }
    default:
      return checked(argument, json::string(json::string_view(text.data(), text.size())));
  }
}

tl::expected<Input, std::vector<ArgumentError>> read_arguments(
    const Command& command, const std::vector<std::pair<std::string, std::string>>& path,
    const std::vector<std::pair<std::string, std::string>>& query, std::string_view body) {
  Input input;
  std::vector<ArgumentError> errors;
  const auto take = [&](const Argument& argument, const std::string& text) {
    auto value = value_of(argument, text);
    if (value) {
      input.values.insert_or_assign(json::string_view(argument.field.data(), argument.field.size()), *std::move(value));
    } else {
      errors.push_back(std::move(value).error());
    }
  };
  for (const auto& [name, value] : path) {
    if (const auto* argument = command.argument(name)) take(*argument, value);
  }
  bool dry_run_said = false;
  for (const auto& [name, value] : query) {
    if (command.changes && name == dry_run) {
      if (std::exchange(dry_run_said, true)) {
        errors.push_back({"query:dry_run", "repeated", "dry_run is given twice"});
      }
      if (value != "true" && value != "false") {
        errors.push_back({"query:dry_run", "wrong_type", "dry_run must be true or false"});
      }
      input.dry_run = value == "true";
      continue;
    }
    if (!core::is_utf8(name) || !core::is_utf8(value)) {
      errors.push_back({"query", "not_utf8", "a parameter is not UTF-8"});
      continue;
    }
    const auto* argument = command.argument(name);
    if (argument == nullptr || argument->in != In::query) {
      errors.push_back({"query:" + name, "unknown", "there is no parameter \"" + name + "\" here"});
    } else if (input.values.contains(name)) {
      errors.push_back({"query:" + name, "repeated", name + " is given twice"});
    } else {
      take(*argument, value);
    }
  }
  read_body(command, body, input.values, errors);
  for (const auto& argument : command.arguments) {
    if (!argument.required || argument.in == In::raw || argument.in == In::local) continue;
    const std::string where = where_of(argument);
    // A field that is already complained about, or a body that could not be read, is not also missing.
    const bool mentioned = std::ranges::any_of(errors, [&](const auto& error) {
      return error.where == where || (error.where.empty() && where.starts_with('/'));
    });
    if (!mentioned && !input.values.contains({argument.field.data(), argument.field.size()})) {
      errors.push_back({where, "missing", std::string(argument.field) + " is missing"});
    }
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return input;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
        c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

}  // namespace invited::api
