#include "control/schema_check.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "api/openapi.hpp"

namespace json = boost::json;

namespace invited::test {

namespace {

void close_objects(json::value& schema) {
  if (auto* object = schema.if_object()) {
    if (object->contains("properties") && !object->contains("additionalProperties"))
      (*object)["additionalProperties"] = false;
    // valijson looks for the format of null, too.
    if (const auto* type = object->if_contains("type"); type != nullptr && type->is_array()) object->erase("format");
    for (auto& member : *object) close_objects(member.value());
  } else if (auto* items = schema.if_array()) {
    for (auto& item : *items) close_objects(item);
  }
}

const valijson::Schema& compiled(const std::string& name) {
  static std::map<std::string, valijson::Schema> all;
  const auto known = all.find(name);
  if (known != all.end()) return known->second;
  json::value schemas = api::schemas();
  if (!schemas.as_object().contains(name)) throw std::logic_error("no schema " + name);
  close_objects(schemas);
  const json::value document{{"$ref", "#/components/schemas/" + name},
                             {"components", json::object{{"schemas", schemas}}}};
  valijson::SchemaParser parser;
  const valijson::adapters::BoostJsonAdapter adapter(document);
  valijson::Schema& schema = all[name];
  parser.populateSchema(adapter, schema);
  return schema;
}

}  // namespace

std::vector<std::string> against_schema(std::string_view name, const json::value& value) {
  valijson::Validator validator;
  valijson::ValidationResults results;
  const valijson::adapters::BoostJsonAdapter adapter(value);
  std::vector<std::string> wrong;
  if (validator.validate(compiled(std::string(name)), adapter, &results)) return wrong;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    std::string at;
    for (const auto& part : error.context) at += part;
    wrong.push_back(at + ": " + error.description);
  }
  if (wrong.empty()) wrong.emplace_back("not valid");
  return wrong;
}

}  // namespace invited::test

TEST_CASE("the check of answers finds a missing field, a wrong type, another word and a field nobody documented") {
  using invited::test::against_schema;
  const json::value good =
      json::parse(R"({"user":"14","state":"pending","next":{"user":"14","action":"send","at":null,"reason":"asked"}})");
  CHECK(against_schema("Review", good).empty());
  CHECK_FALSE(against_schema("Review", json::parse(R"({"user":"14"})")).empty());
  CHECK_FALSE(against_schema("Review", json::parse(R"({"user":14,"state":"pending"})")).empty());
  CHECK_FALSE(against_schema("Review", json::parse(R"({"user":"14","state":"maybe"})")).empty());
  CHECK_FALSE(against_schema("Review", json::parse(R"({"user":"14","state":"pending","colour":"red"})")).empty());
  CHECK_FALSE(against_schema("Review", json::parse(R"({"user":"14","state":"pending","next":{"user":"14"}})")).empty());
}
