// JSON Schema (draft-07) as a person meets it: every error says where, what is wrong and what is allowed.
//
// valijson decides, with strong types (the text "25" is not the number 25); this file explains, fills in defaults, and
// makes paths absolute. Used for invited.yaml itself and for the schema that each plugin carries. Beyond draft-07 three
// keywords are understood: "format": "path" (a relative path counts from the file it stands in), "x-allowed" (the
// words after "allowed:" where a pattern alone would not help a reader) and, for plugins, "x-default-in-state-dir" (a
// default that is a path in the daemon's state folder).
//
//   auto schema = config::Schema::parse(R"({"properties": {"port": {"default": 25}}, "additionalProperties": false})");
//   Errors errors = schema->validate(value, {"invited.yaml", document.positions, "/transports/0/config"});
//   // errors[0].location: "invited.yaml:12:5"
//   // errors[0].message: "/transports/0/config/prt: unknown key; did you mean \"port\"? …"
#pragma once

#include <boost/json/value.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml_json.hpp"

namespace invited::config {

// Where a value came from: the name of the file, its positions, and the pointer of the value in that file. Borrows all
// three.
struct Origin {
  std::string_view file;
  const Positions& positions;
  std::string_view base_pointer = {};
};

class Schema {
public:
  // Fails (ErrorKind::invalid, "bad_schema") for text that is not JSON, not a schema, or refers to other documents.
  [[nodiscard]] static core::Result<Schema> parse(std::string_view json_text);

  // Every error of `value`; empty if it is good. Reads only. [any-thread, one call at a time per Schema]
  [[nodiscard]] Errors validate(const boost::json::value& value, const Origin& origin) const;
  // Adds each absent member that has a "default", or, where `state_dir` is given, an "x-default-in-state-dir"; also
  // inside what was added. A value that is there is never changed.
  void fill_defaults(boost::json::value& value, const std::filesystem::path& state_dir = {}) const;
  // Makes every text at a "format": "path" absolute, counted from `folder`. Touches no disk.
  void resolve_paths(boost::json::value& value, const std::filesystem::path& folder) const;

private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

// An error at `pointer` (relative to the origin's base) in the shape all configuration errors have.
[[nodiscard]] core::Error error_at(const Origin& origin, std::string_view pointer, std::string code,
                                   std::string message);

// In the order of the file.
void sort_by_place(Errors& errors);

// "; did you mean \"port\"?" for the candidate nearest to `word`, or nothing if none is near.
[[nodiscard]] std::string suggest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace invited::config
