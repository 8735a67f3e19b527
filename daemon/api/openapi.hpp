// The OpenAPI 3.1 description of the control socket, made from the command table; served at /openapi.json.
//
//   std::string document = boost::json::serialize(api::openapi("0.1.0"));
//
// Each operation carries x-role (who may) and, where invitectl has a verb for it, x-invitectl ("user add"). Every error
// is application/problem+json with the schema Problem.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

namespace invited::api {

[[nodiscard]] boost::json::object openapi(std::string_view version);  // [any-thread]

// The schemas of everything the API answers, by name: components/schemas of the description. [any-thread]
[[nodiscard]] boost::json::object schemas();

}  // namespace invited::api
