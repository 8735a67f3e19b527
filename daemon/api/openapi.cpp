#include "api/openapi.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "api/commands.hpp"

namespace invited::api {

namespace {

namespace json = boost::json;

json::string text_of(std::string_view text) {
  return json::string(text.data(), text.size());
}

json::object reference(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

json::object schema_of(const Argument& argument) {
  json::object schema;
  switch (argument.type) {
    case Type::string:
      schema["type"] = "string";
      break;
    case Type::file:
      schema["type"] = "string";
      break;
    case Type::date:
      schema["type"] = "string";
      if (!argument.clearable) schema["format"] = "date";
      break;
    case Type::integer:
      schema["type"] = "integer";
      schema["minimum"] = 0;
      break;
    case Type::boolean:
      schema["type"] = "boolean";
      break;
    case Type::strings:
      schema["type"] = "array";
      schema["items"] = json::object{{"type", "string"}};
      break;
  }
  if (!argument.clearable && schema["type"] == "string") schema["minLength"] = 1;
  if (!argument.clearable && schema["type"] == "array") schema["minItems"] = 1;
  if (!argument.choices.empty()) {
    auto& values = schema["enum"].emplace_array();
    for (const auto choice : argument.choices) values.emplace_back(text_of(choice));
  }
  if (!argument.fallback.empty()) {
    if (argument.type == Type::integer) {
      schema["default"] = std::stoll(std::string(argument.fallback));
    } else {
      schema["default"] = text_of(argument.fallback);
    }
  }
  return schema;
}

json::array parameters_of(const Command& command) {
  json::array parameters;
  for (const auto& argument : command.arguments) {
    if (argument.in != In::path && argument.in != In::query) continue;
    parameters.push_back(json::object{{"name", text_of(argument.field)},
                                      {"in", argument.in == In::path ? "path" : "query"},
                                      {"required", argument.required},
                                      {"description", text_of(argument.help)},
                                      {"schema", schema_of(argument)}});
  }
  if (command.changes) {
    parameters.push_back(json::object{{"name", "dry_run"},
                                      {"in", "query"},
                                      {"required", false},
                                      {"description", "The same answer, without effect"},
                                      {"schema", {{"type", "boolean"}, {"default", false}}}});
  }
  return parameters;
}

json::object object_schema(const Command& command, In in) {
  json::object properties;
  json::array required;
  for (const auto& argument : command.arguments) {
    if (argument.in != in) continue;
    auto schema = schema_of(argument);
    schema["description"] = text_of(argument.help);
    properties[json::string_view(argument.field.data(), argument.field.size())] = std::move(schema);
    if (argument.required) required.emplace_back(text_of(argument.field));
  }
  json::object schema{{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

// Nothing for a command without a body.
json::object body_of(const Command& command) {
  const auto takes = [&](In in) {
    return std::ranges::find(command.arguments, in, &Argument::in) != command.arguments.end();
  };
  if (takes(In::raw)) {
    json::object content;
    for (const auto* type : {"text/csv", "text/tab-separated-values", "text/plain", "application/octet-stream"}) {
      content[type] = json::object{{"schema", {{"type", "string"}}}};
    }
    return {{"required", true}, {"content", std::move(content)}};
  }
  if (!takes(In::body) && !takes(In::filter)) return {};
  auto schema = object_schema(command, In::body);
  bool required = schema.contains("required");
  if (takes(In::filter)) {
    auto filter = object_schema(command, In::filter);
    filter["minProperties"] = 1;
    schema["properties"].as_object()["filter"] = std::move(filter);
    if (!required) schema["required"].emplace_array();
    schema["required"].as_array().emplace_back("filter");
    required = true;
  }
  return {{"required", required}, {"content", {{"application/json", {{"schema", std::move(schema)}}}}}};
}

json::object answer_of(const Command& command) {
  switch (command.answer) {
    case Answer::none:
      return {{"description", "Done"}};
    case Answer::object:
    case Answer::job:
      return {{"description", command.answer == Answer::job ? "Started; follow the job's events" : "Done"},
              {"content", {{"application/json", {{"schema", reference(command.schema)}}}}}};
    case Answer::list:
      return {{"description", "One page"},
              {"content",
               {{"application/json",
                 {{"schema",
                   {{"type", "object"},
                    {"required", json::array{"items", "next_cursor"}},
                    {"properties",
                     {{"items", {{"type", "array"}, {"items", reference(command.schema)}}},
                      {"next_cursor", {{"type", json::array{"string", "null"}}}},
                      {"total", {{"type", "integer"}}}}}}}}}}}};
    case Answer::text: {
      json::object content;
      for (const auto* type : {"text/csv", "text/tab-separated-values"})
        content[type] = json::object{{"schema", {{"type", "string"}}}};
      return {{"description", "A file; cut short if something fails on the way"}, {"content", std::move(content)}};
    }
    case Answer::stream:
      return {{"description", "One document a line, as it happens"},
              {"content", {{"application/x-ndjson", {{"schema", reference(command.schema)}}}}}};
  }
  return {};
}

json::object operation_of(const Command& command) {
  json::object responses;
  for (const auto status : command.statuses) responses[std::to_string(status)] = answer_of(command);
  responses["default"] = json::object{{"$ref", "#/components/responses/Problem"}};
  json::object operation{{"operationId", text_of(command.id)},
                         {"summary", text_of(command.help)},
                         {"tags", json::array{text_of(command.noun.empty() ? "daemon" : command.noun)}},
                         {"x-role", text_of(to_text(command.role))},
                         {"responses", std::move(responses)}};
  if (!command.description.empty()) operation["description"] = text_of(command.description);
  if (command.in_cli) {
    operation["x-invitectl"] = text_of(
        command.noun.empty() ? std::string(command.verb) : std::string(command.noun) + " " + std::string(command.verb));
  }
  if (command.confirm)
    operation["x-confirm"] = command.confirm_only.empty() ? json::value(true) : json::value(command.confirm_only);
  if (auto parameters = parameters_of(command); !parameters.empty()) operation["parameters"] = std::move(parameters);
  if (auto body = body_of(command); !body.empty()) operation["requestBody"] = std::move(body);
  return operation;
}

std::string lower(std::string_view method) {
  std::string out(method);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

constexpr const char* about =
    "HTTP/1.1 over a Unix socket. Who asks is known by the kernel's word about the peer; x-role says which role an "
    "operation needs (viewer < operator < admin). Lists are paged with limit and cursor. Unknown fields in a request "
    "are "
    "an error; new fields in an answer are not a break. Long work answers 202 with a job, whose events are followed as "
    "newline-delimited JSON. Instants are UTC; the header Invited-Time-Zone of an answer names the organisation's "
    "zone.";

}  // namespace

json::object openapi(std::string_view version) {
  json::object paths;
  std::vector<std::string_view> tags;
  for (const auto& command : commands()) {
    if (command.method.empty()) continue;
    auto& path = paths[json::string_view(command.path.data(), command.path.size())];
    if (!path.is_object()) path.emplace_object();
    path.get_object()[lower(command.method)] = operation_of(command);
    const auto tag = command.noun.empty() ? std::string_view("daemon") : command.noun;
    if (std::ranges::find(tags, tag) == tags.end()) tags.push_back(tag);
  }
  json::array tag_objects;
  for (const auto tag : tags) tag_objects.push_back(json::object{{"name", text_of(tag)}});
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "invited"},
            {"version", text_of(version)},
            {"summary", "Control socket of the invitation daemon"},
            {"description", about},
            {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
          {"servers", json::array{json::object{{"url", "http://localhost"},
                                               {"description", "curl --unix-socket /run/invited/control.sock"}}}},
          {"tags", std::move(tag_objects)},
          {"paths", std::move(paths)},
          {"components",
           {{"schemas", schemas()},
            {"responses",
             {{"Problem",
               {{"description", "What went wrong and what to do"},
                {"content", {{"application/problem+json", {{"schema", reference("Problem")}}}}}}}}}}}};
}

}  // namespace invited::api
