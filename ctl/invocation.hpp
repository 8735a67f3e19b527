// What one call of invitectl asks for, after its command line has been read and checked.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "api/commands.hpp"

namespace invited::ctl {

enum class Format : std::uint8_t { table, json, ndjson, csv, name };

struct Settings {
  std::string socket;
  Format format = Format::table;
  bool utc = false;
  bool no_color = false;
  bool quiet = false;
  bool dry_run = false;
  bool yes = false;
  std::optional<std::int64_t> expect;
};

struct Invocation {
  const api::Command* command = nullptr;  // for a bulk call: the bulk command, with `asked` the verb that was typed
  const api::Command* asked = nullptr;
  boost::json::object values;  // by field; a filter's fields are in the object "filter"
  Settings settings;

  // Nothing given: an empty string, false, or the fallback.
  [[nodiscard]] std::string text(std::string_view field) const;
  [[nodiscard]] bool flag(std::string_view field) const;
  [[nodiscard]] std::int64_t number(std::string_view field, std::int64_t fallback) const;
};

// "user add", or "why": as the command line says it.
[[nodiscard]] std::string spoken(const api::Command& command);

}  // namespace invited::ctl
