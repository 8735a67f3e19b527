#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <string>

#include "api/commands.hpp"
#include "api/openapi.hpp"

using namespace invited;
namespace json = boost::json;

namespace {

std::string text(const json::value& value) {
  return std::string(value.as_string());
}

void each_reference(const json::value& value, const std::function<void(const std::string&)>& found) {
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      if (member.key() == "$ref") {
        found(text(member.value()));
      } else {
        each_reference(member.value(), found);
      }
    }
  } else if (const auto* items = value.if_array()) {
    for (const auto& item : *items) each_reference(item, found);
  }
}

bool resolves(const json::value& document, std::string_view reference) {
  boost::system::error_code error;
  return reference.starts_with("#/") && document.find_pointer(std::string(reference.substr(1)), error) != nullptr;
}

}  // namespace

TEST_CASE("the description is OpenAPI 3.1 with every command of the table, once") {
  const auto document = api::openapi("1.2.3");
  CHECK(text(document.at("openapi")) == "3.1.0");
  CHECK(text(document.at("info").at("version")) == "1.2.3");
  std::set<std::string> operations;
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      CHECK(operations.insert(text(operation.value().at("operationId"))).second);
    }
  }
  std::set<std::string> commands;
  for (const auto& command : api::commands()) {
    if (!command.method.empty()) commands.emplace(command.id);
  }
  CHECK(operations == commands);
}

TEST_CASE("every reference of the description resolves, and every schema is used") {
  const json::value document = api::openapi("1");
  std::set<std::string> used;
  each_reference(document, [&](const std::string& reference) {
    CAPTURE(reference);
    CHECK(resolves(document, reference));
    used.insert(reference.substr(reference.rfind('/') + 1));
  });
  for (const auto& schema : document.at("components").at("schemas").as_object()) {
    CAPTURE(std::string(schema.key()));
    CHECK(used.contains(std::string(schema.key())));
  }
}

TEST_CASE("every placeholder of a path is declared as a required path parameter") {
  const auto document = api::openapi("1");
  for (const auto& path : document.at("paths").as_object()) {
    const std::string name(path.key());
    std::set<std::string> wanted;
    for (auto at = name.find('{'); at != std::string::npos; at = name.find('{', at + 1)) {
      wanted.insert(name.substr(at + 1, name.find('}', at) - at - 1));
    }
    for (const auto& operation : path.value().as_object()) {
      CAPTURE(name, std::string(operation.key()));
      std::set<std::string> declared;
      if (const auto* parameters = operation.value().as_object().if_contains("parameters")) {
        for (const auto& parameter : parameters->as_array()) {
          if (text(parameter.at("in")) != "path") continue;
          CHECK(parameter.at("required").as_bool());
          declared.insert(text(parameter.at("name")));
        }
      }
      CHECK(declared == wanted);
    }
  }
}

TEST_CASE("every operation says who may, what comes back and how it fails") {
  const auto document = api::openapi("1");
  const std::set<std::string> roles{"viewer", "operator", "admin"};
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      const auto& object = operation.value().as_object();
      CAPTURE(text(object.at("operationId")));
      CHECK(roles.contains(text(object.at("x-role"))));
      CHECK_FALSE(text(object.at("summary")).empty());
      const auto& responses = object.at("responses").as_object();
      CHECK(responses.size() >= 2);
      CHECK(text(responses.at("default").at("$ref")) == "#/components/responses/Problem");
    }
  }
}

TEST_CASE("a command that changes something takes dry_run, one that does not has no such parameter") {
  const auto document = api::openapi("1");
  for (const auto& command : api::commands()) {
    if (command.method.empty()) continue;
    CAPTURE(command.id);
    std::string method(command.method);
    for (char& c : method) c = static_cast<char>(c + 32);
    const auto& operation = document.at("paths").at(std::string(command.path)).at(method).as_object();
    bool found = false;
    if (const auto* parameters = operation.if_contains("parameters")) {
      for (const auto& parameter : parameters->as_array()) found = found || text(parameter.at("name")) == "dry_run";
    }
    CHECK(found == command.changes);
  }
}

TEST_CASE("a body is closed: it names its fields, requires what is required, allows no others") {
  const auto document = api::openapi("1");
  const auto& add = document.at("paths")
                        .at("/v1/users")
                        .at("post")
                        .at("requestBody")
                        .at("content")
                        .at("application/json")
                        .at("schema");
  CHECK_FALSE(add.at("additionalProperties").as_bool());
  CHECK_FALSE(add.as_object().contains("required"));  // a template may make the user-id
  CHECK(text(add.at("properties").at("start_date").at("format")) == "date");
  CHECK(text(add.at("properties").at("roles").at("type")) == "array");
  CHECK(text(add.at("properties").at("in_review").at("type")) == "boolean");
  const auto& plan = document.at("paths")
                         .at("/v1/plans")
                         .at("post")
                         .at("requestBody")
                         .at("content")
                         .at("application/json")
                         .at("schema");
  CHECK(plan.at("required") == json::array{"kind", "filter"});
  CHECK(plan.at("properties").at("filter").at("minProperties") == 1);
  const auto& import = document.at("paths").at("/v1/imports").at("post").at("requestBody").at("content").as_object();
  CHECK(import.contains("text/csv"));
}

TEST_CASE("the schemas know every member that the public shape shows") {
  const auto schemas = api::schemas();
  const auto has = [&](const char* schema, std::initializer_list<const char*> members) {
    for (const auto* member : members) {
      CAPTURE(schema, member);
      CHECK(schemas.at(schema).at("properties").as_object().contains(member));
    }
  };
  has("User", {"id", "key", "name", "login_email", "connection", "enabled", "company", "department", "start_date",
               "review", "sign_in_url", "invitation"});
  has("Invitation", {"id", "state", "generation", "login_email", "due_local", "due_zone", "released_at", "accepted_at",
                     "ends_at", "held", "end_reason", "delivery"});
  has("Delivery", {"state", "attempts", "next_at", "detail", "message_id"});
  has("PlanItem", {"user", "name", "action", "local", "zone", "at", "reason", "text"});
  has("Why", {"user", "next", "reasons", "if"});
  has("BulkPlan", {"plan", "matched", "send", "connect", "skipped", "examples"});
  has("RowResult", {"line", "user", "result", "reason", "applied", "column", "message"});
  has("JobEvent", {"event", "row", "state", "counts"});
  has("Status", {"version", "started_at", "ready", "counts", "held", "transports", "sources"});
  has("Problem", {"type", "title", "status", "detail", "errors"});
}
