// Reads one YAML document into JSON, with the place of everything in it.
//
// yaml-cpp finds the structure; what a plain scalar means is decided here, by one short rule: `true` and `false` are
// booleans, `null`, `~` and nothing are null, a number written as JSON writes it is a number, everything else is text.
// So `no`, `0123`, `+46`, `12:30` and `2026-10-01` stay what a person meant. Whatever makes YAML surprising or
// dangerous is refused with line and column: duplicate keys, anchors, aliases, merge keys, tags, keys that are not
// text, tabs, a second document, control characters, invalid UTF-8, more than 32 levels, more than 1 MiB.
//
//   auto document = config::parse_yaml("mail: {transport: no}", "invited.yaml");
//   document->value.at("mail").at("transport");      // "no", a string
//   document->positions.find("/mail/transport");     // {1, 8}
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace invited::config {

using Errors = std::vector<core::Error>;

inline constexpr std::size_t max_yaml_bytes = std::size_t{1} << 20;
inline constexpr int max_yaml_depth = 32;

// Both count from 1; the column counts characters, not bytes, as editors do.
struct Position {
  int line = 1;
  int column = 1;
};

// JSON pointer → place. A member of a mapping stands where its key stands, an element of a list where it begins.
class Positions {
public:
  void set(std::string pointer, Position position);
  // The place of the value, or of the nearest thing around it that is known; {1, 1} if nothing is. [any-thread]
  [[nodiscard]] Position find(std::string_view pointer) const;
  [[nodiscard]] bool empty() const { return by_pointer_.empty(); }

private:
  std::map<std::string, Position, std::less<>> by_pointer_;
};

struct YamlDocument {
  boost::json::value value;  // null if the text holds nothing but comments
  Positions positions;
};

// `file` is only the name that errors carry. All errors of the document are collected, up to 50; one that leaves the
// structure in doubt ends the reading. Never throws for bad text. Pure. [any-thread]
[[nodiscard]] tl::expected<YamlDocument, Errors> parse_yaml(std::string_view text, std::string_view file);

// "invited.yaml:12:3"
[[nodiscard]] std::string place(std::string_view file, Position position);
// `token` escaped and appended: ("/a", "b/c") → "/a/b~1c" (RFC 6901).
[[nodiscard]] std::string pointer_append(std::string_view pointer, std::string_view token);

}  // namespace invited::config
