// What a function of this daemon gives back when failing is part of its job.
//
// An expected failure is a value; a broken assumption is an exception. An Error is named by what the
// caller does next, carries one sentence an operator can act on, and may point at the place it is about.
//
//   Result<Config> config = load(path);
//   if (!config) return fail(config.error());
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace invited::core {

enum class ErrorKind : std::uint8_t {
  invalid,      // the input is wrong: correct it (HTTP 400/422, exit 2 or 78)
  not_found,    // the thing named does not exist (404, exit 5)
  conflict,     // the thing is in a state that forbids this (409)
  forbidden,    // the actor may not (403, exit 4)
  unavailable,  // try again later: provider, disk or peer is away (503)
  too_large,    // over a stated limit (413)
  internal,     // a bug or a broken installation (500)
};

struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string code;      // stable, snake_case, part of the API: "unknown_user"
  std::string message;   // one sentence for a person: what happened and what to do
  std::string location;  // where: "invited.yaml:12:3", "people.csv:7", JSON pointer; may be empty
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string code, std::string message,
                                                std::string location = {}) {
  return tl::unexpected<Error>(Error{kind, std::move(code), std::move(message), std::move(location)});
}

}  // namespace invited::core
