// Do the answers keep the API's schemas (api/schemas.cpp)? Stricter than a client: a field the description does not
// name is a finding, too.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace invited::test {

// What is wrong with `value` as the schema `name`; empty: nothing.
[[nodiscard]] std::vector<std::string> against_schema(std::string_view name, const boost::json::value& value);

}  // namespace invited::test
