// Schemas in the words of the person who wrote the value, and schemas that are themselves wrong.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "config/config.hpp"
#include "config/schema.hpp"

using namespace invited;
using config::Schema;

namespace {

std::vector<std::string> errors(std::string_view schema_text, std::string_view yaml) {
  const auto schema = Schema::parse(schema_text);
  if (!schema) return {schema.error().message};
  const auto document = config::parse_yaml(yaml, "f");
  REQUIRE(document);
  std::vector<std::string> result;
  for (const auto& error : schema->validate(document->value, {"f", document->positions})) {
    result.push_back(config::line(error));
  }
  return result;
}

using Lines = std::vector<std::string>;

std::string filled(std::string_view schema_text, std::string_view json_text) {
  auto value = boost::json::parse({json_text.data(), json_text.size()});
  Schema::parse(schema_text).value().fill_defaults(value);
  return boost::json::serialize(value);
}

}  // namespace

TEST_CASE("types are strong: text that looks like a number is not one, and the other way round") {
  const std::string schema =
      R"({"properties": {"n": {"type": "integer"}, "t": {"type": "string"}, "b": {"type": "boolean"},
                                "f": {"type": "number"}, "m": {"type": ["string", "null"]}}})";
  CHECK(errors(schema, "{n: \"25\", t: 25, b: \"true\", f: x, m: 1}") ==
        Lines{"f:1:2: /n: expected a whole number, found the text \"25\"",
              "f:1:11: /t: expected text, found the number 25; put it in quotes",
              "f:1:18: /b: expected true or false, found the text \"true\"",
              "f:1:29: /f: expected a number, found the text \"x\"",
              "f:1:35: /m: expected text or nothing, found the number 1"});
  CHECK(errors(schema, "{n: 25, t: \"25\", b: true, f: 2, m: ~}").empty());
  CHECK(errors(schema, "{n: 2.5, t: no, f: 2.5, m: x}") ==
        Lines{"f:1:2: /n: expected a whole number, found the number 2.5"});
}

TEST_CASE("each keyword is told in words") {
  CHECK(errors(R"({"properties": {"a": {"type": "string", "pattern": "^x+$"}}})", "a: y") ==
        Lines{"f:1:1: /a: the text \"y\" does not have the right form; allowed: ^x+$"});
  CHECK(errors(R"({"properties": {"a": {"type": "string", "pattern": "^x+$", "x-allowed": "only x"}}})", "a: y") ==
        Lines{"f:1:1: /a: the text \"y\" does not have the right form; allowed: only x"});
  CHECK(errors(R"({"properties": {"a": {"const": 1}}})", "a: 2") ==
        Lines{"f:1:1: /a: the number 2 is not one of the choices; allowed: 1"});
  CHECK(errors(R"({"properties": {"a": {"type": "number", "exclusiveMinimum": 0}}})", "a: 0") ==
        Lines{"f:1:1: /a: the number 0 is out of range; allowed: a number"});
  CHECK(errors(R"({"properties": {"a": {"type": "integer", "maximum": 5}}})", "a: 6") ==
        Lines{"f:1:1: /a: the number 6 is out of range; allowed: a whole number, at most 5"});
  CHECK(errors(R"({"properties": {"a": {"type": "array", "maxItems": 1, "items": {"type": "string"}}}})",
               "a: [x, 1]") == Lines{"f:1:1: /a: the list has 2 elements; allowed: at most 1 elements",
                                     "f:1:8: /a/1: expected text, found the number 1; put it in quotes"});
  CHECK(errors(R"({"properties": {"a": {"type": "array", "uniqueItems": true}}})", "a: [x, x]").size() == 1);
  CHECK(errors(R"({"properties": {"a": {"type": "object", "minProperties": 1}}})", "a: {}") ==
        Lines{"f:1:1: /a: the mapping has the wrong number of keys; allowed: 1 or more"});
  CHECK(errors(R"({"additionalProperties": {"type": "integer"}})", "{x: 1, y: a}") ==
        Lines{"f:1:8: /y: expected a whole number, found the text \"a\""});
  CHECK(errors(R"({"type": "object", "additionalProperties": false})", "x: 1") ==
        Lines{"f:1:1: /x: unknown key; no keys are allowed here"});
  CHECK_FALSE(errors(R"({"properties": {"a": {"anyOf": [{"type": "integer"}, {"const": "auto"}]}}})", "a: x").empty());
  CHECK(errors(R"({"properties": {"a": {"anyOf": [{"type": "integer"}, {"const": "auto"}]}}})", "a: auto").empty());
  CHECK_FALSE(errors(R"({"properties": {"a": {"oneOf": [{"type": "integer"}, {"type": "number"}]}}})", "a: 1").empty());
  CHECK_FALSE(errors(R"({"properties": {"a": {"not": {"type": "integer"}}}})", "a: 1").empty());
  CHECK_FALSE(errors(R"({"if": {"required": ["a"]}, "then": {"required": ["b"]}})", "a: 1").empty());
  CHECK_FALSE(errors(R"({"dependencies": {"a": ["b"]}})", "a: 1").empty());
  CHECK_FALSE(errors(R"(false)", "a: 1").empty());
}

TEST_CASE("references inside the schema are followed, also for the explanation") {
  const std::string schema = R"({"properties": {"list": {"type": "array", "items": {"$ref": "#/definitions/one"}}},
      "definitions": {"one": {"type": "object", "additionalProperties": false, "properties": {"port": {"type": "integer",
      "default": 25}, "next": {"$ref": "#/definitions/one"}}}}})";
  CHECK(errors(schema, "list: [{prot: 1}, {next: {port: x}}]") ==
        Lines{"f:1:9: /list/0/prot: unknown key; did you mean \"port\"? Allowed here: next, port",
              "f:1:27: /list/1/next/port: expected a whole number, found the text \"x\""});
  CHECK(filled(schema, R"({"list": [{}, {"next": {}}]})") ==
        R"({"list":[{"port":25},{"next":{"port":25},"port":25}]})");
}

TEST_CASE("a default is filled in once, inside defaults as well, and never over a value") {
  const std::string schema = R"({"properties": {
      "a": {"type": "object", "default": {}, "properties": {"b": {"default": 1}, "c": {"default": [2]}}},
      "d": {"type": "string"}, "e": {"type": "object", "properties": {"f": {"default": true}}},
      "n": {"default": 5}}})";
  CHECK(filled(schema, "{}") == R"({"a":{"b":1,"c":[2]},"n":5})");
  CHECK(filled(schema, R"({"a":{"b":7},"e":{},"n":null})") == R"({"a":{"b":7,"c":[2]},"e":{"f":true},"n":null})");
}

TEST_CASE("names in a schema or a value cannot mislead the explanation") {
  CHECK(
      errors(
          R"({"additionalProperties": false, "properties": {"a": {"type": "object", "additionalProperties": false}}})",
          "{a: {\"it's: 'x'\": 1}, \"[0]\": 2}") == Lines{"f:1:6: /a/it's: 'x': unknown key; no keys are allowed here",
                                                          "f:1:23: /[0]: unknown key; allowed here: a"});
  CHECK(errors(R"({"properties": {"a/b~c": {"type": "integer"}}})", "\"a/b~c\": x") ==
        Lines{"f:1:1: /a~1b~0c: expected a whole number, found the text \"x\""});
  CHECK(errors(R"({"required": ["it's"]})", "a: 1") == Lines{"f:1:1: /: the key \"it's\" is missing"});
}

TEST_CASE("a text longer than a pattern can bear is refused before the pattern sees it") {
  const std::string schema = R"({"properties": {"a": {"type": "string", "pattern": "^(.|x)*$"}}})";
  CHECK(errors(schema, "a: " + std::string(2048, 'x')).empty());
  CHECK(errors(schema, "a: " + std::string(500'000, 'x')) ==
        Lines{"f:1:1: /a: the text has 500000 bytes; allowed: at most 2048"});
}

TEST_CASE("a schema that is wrong is refused with its reason and never ends the process") {
  const auto reason = [](std::string_view text) {
    const auto schema = Schema::parse(text);
    if (schema) return std::string("accepted");
    CHECK(schema.error().code == "bad_schema");
    return schema.error().message;
  };
  CHECK(reason("") == "the configuration schema is not usable: incomplete JSON");
  CHECK(reason("{") == "the configuration schema is not usable: incomplete JSON");
  CHECK(reason("[]") == "the configuration schema is not usable: it is not a JSON object");
  CHECK(reason(R"({"type": 5})").starts_with("the configuration schema is not usable: "));
  CHECK(reason(R"({"type": "strin"})").starts_with("the configuration schema is not usable: "));
  CHECK(reason(R"({"properties": {"a": {"pattern": "("}}})").starts_with("the configuration schema is not usable: "));
  CHECK(reason(R"({"properties": []})").starts_with("the configuration schema is not usable: "));
  CHECK(reason(R"({"minimum": "x"})").starts_with("the configuration schema is not usable: "));
  const std::string circle =
      "the configuration schema is not usable: a $ref leads nowhere, to another document, or back to itself";
  CHECK(reason(R"({"$ref": "#"})") == circle);
  CHECK(reason(R"({"properties": {"a": {"$ref": "#/definitions/none"}}})") == circle);
  CHECK(reason(R"({"properties": {"a": {"$ref": "https://example.com/schema"}}})") == circle);
  CHECK(reason(R"({"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}})") == circle);
  CHECK(reason(R"({"allOf": [{"$ref": "#"}]})") ==
        "the configuration schema is not usable: it is nested too deeply, or a $ref leads back to itself");
  CHECK(reason(R"({"properties": {"next": {"$ref": "#"}}})") == "accepted");
  CHECK(reason("{}") == "accepted");
}

TEST_CASE("paths are made absolute where the schema says so, and nowhere else") {
  const auto schema =
      Schema::parse(R"({"properties": {"p": {"type": "string", "format": "path"}, "t": {"type": "string"},
      "l": {"type": "array", "items": {"format": "path"}}}})");
  REQUIRE(schema);
  auto value = boost::json::parse(R"({"p": "a/../b", "t": "a", "l": ["/x", "y", ""], "u": "z"})");
  schema->resolve_paths(value, "/base");
  CHECK(boost::json::serialize(value) == R"({"p":"/base/b","t":"a","l":["/x","/base/y",""],"u":"z"})");
}

TEST_CASE("the file's own schema accepts what it fills in") {
  const auto schema = Schema::parse(config::schema_text());
  REQUIRE(schema);
  auto value = boost::json::parse(
      R"({"organisation": {"name": "A", "time_zone": "UTC"}, "web": {"base_url": "x"}, "mail": {"from": "a"},
          "sources": [{"name": "a", "plugin": "b"}]})");
  schema->fill_defaults(value);
  const config::Positions nowhere;
  CHECK(schema->validate(value, {"f", nowhere}).empty());
  const auto before = boost::json::serialize(value);
  schema->fill_defaults(value);
  CHECK(boost::json::serialize(value) == before);
}

TEST_CASE("a suggestion is near and ignores case, or is not made") {
  CHECK(config::suggest("form", {"from", "transport"}) == "; did you mean \"from\"?");
  CHECK(config::suggest("Live", {"preparation", "live"}) == "; did you mean \"live\"?");
  CHECK(config::suggest("entra", {"directory"}).empty());
  CHECK(config::suggest("x", {}).empty());
  CHECK(config::suggest("", {"a"}) == "; did you mean \"a\"?");
}
