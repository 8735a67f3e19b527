#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

#include "api/commands.hpp"

using namespace invited;

namespace {

std::set<std::string> placeholders(std::string_view path) {
  std::set<std::string> found;
  for (auto at = path.find('{'); at != std::string_view::npos; at = path.find('{', at + 1)) {
    found.emplace(path.substr(at + 1, path.find('}', at) - at - 1));
  }
  return found;
}

bool word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

bool sentence(std::string_view text) {
  return text.size() > 2 && text.front() >= 'A' && text.front() <= 'Z' && text.back() != '.' && text.back() != ' ';
}

}  // namespace

TEST_CASE("each command has its own id, made of its noun and verb") {
  std::set<std::string_view> ids;
  for (const auto& command : api::commands()) {
    CAPTURE(command.id);
    CHECK(ids.insert(command.id).second);
    CHECK(word(command.verb));
    const std::string expected =
        command.noun.empty() ? std::string(command.verb) : std::string(command.noun) + "." + std::string(command.verb);
    CHECK(command.id == expected);
    CHECK(api::find(command.id) == &command);
  }
  CHECK(api::find("user.explode") == nullptr);
}

TEST_CASE("no two commands share method and path, also when placeholders are taken for equal") {
  std::set<std::string> seen;
  for (const auto& command : api::commands()) {
    if (command.method.empty()) continue;
    CAPTURE(command.id);
    std::string shape = std::string(command.method) + " ";
    bool inside = false;
    for (const char c : command.path) {
      if (c == '{') inside = true;
      if (!inside || c == '{') shape += c;
      if (c == '}') inside = false;
    }
    CHECK(seen.insert(shape).second);
    CHECK((command.path.starts_with("/v1/") || command.path == "/openapi.json"));
  }
}

TEST_CASE("the placeholders of a path are exactly its required path arguments") {
  for (const auto& command : api::commands()) {
    CAPTURE(command.id);
    std::set<std::string> arguments;
    for (const auto& argument : command.arguments) {
      if (argument.in != api::In::path) continue;
      CHECK(argument.required);
      // A bulk step that an option of another verb stands for names its id there.
      CHECK((argument.kind == api::Kind::positional || !command.in_cli));
      arguments.emplace(argument.field);
    }
    CHECK(arguments == placeholders(command.path));
  }
}

TEST_CASE("every command and argument is documented in one plain line") {
  for (const auto& command : api::commands()) {
    CAPTURE(command.id);
    CHECK(sentence(command.help));
    for (const auto& argument : command.arguments) {
      CAPTURE(argument.field);
      CHECK(argument.help.size() > 2);
      CHECK(argument.help.back() != '.');
      CHECK(word(argument.name));
    }
  }
}

TEST_CASE("no command names an argument twice, on the command line or on the wire") {
  for (const auto& command : api::commands()) {
    CAPTURE(command.id);
    std::set<std::string_view> names;
    std::set<std::string_view> fields;
    for (const auto& argument : command.arguments) {
      CAPTURE(argument.field);
      CHECK(names.insert(argument.name).second);
      CHECK(fields.insert(argument.field).second);
    }
  }
}

TEST_CASE("whoever may only look cannot change anything") {
  for (const auto& command : api::commands()) {
    CAPTURE(command.id);
    if (command.changes) CHECK(command.role >= api::Role::operator_);
    if (command.changes) CHECK(command.method != "GET");
    if (command.method == "GET") CHECK_FALSE(command.changes);
    if (command.confirm) CHECK(command.changes);
    CHECK_FALSE(api::to_text(command.role).empty());
  }
}

TEST_CASE("the roles are as ARCHITECTURE 8 wants them for the verbs that matter most") {
  const std::map<std::string_view, api::Role> roles{
      {"user.list", api::Role::viewer},
      {"user.show", api::Role::viewer},
      {"why", api::Role::viewer},
      {"user.add", api::Role::operator_},
      {"user.import", api::Role::operator_},
      {"user.export", api::Role::viewer},
      {"review.approve", api::Role::operator_},
      {"plan.run", api::Role::operator_},
      {"domain.add", api::Role::admin},
      {"domain.show", api::Role::viewer},
      {"domain.verify", api::Role::admin},
      {"domain.remove", api::Role::admin},
      {"plugin.check", api::Role::admin},
      {"user.disconnect", api::Role::operator_},
  };
  for (const auto& [id, role] : roles) {
    CAPTURE(id);
    REQUIRE(api::find(id) != nullptr);
    CHECK(api::find(id)->role == role);
  }
}

TEST_CASE("every verb that the public shape names is there") {
  for (const auto id : {"user.list",
                        "user.show",
                        "user.add",
                        "user.set",
                        "user.import",
                        "user.export",
                        "user.send-verification",
                        "user.disconnect",
                        "user.reset-password",
                        "user.enable",
                        "user.disable",
                        "invitation.list",
                        "invitation.show",
                        "invitation.release",
                        "invitation.discard",
                        "invitation.revoke",
                        "review.list",
                        "review.approve",
                        "review.reject",
                        "domain.list",
                        "domain.show",
                        "domain.add",
                        "domain.verify",
                        "domain.remove",
                        "source.list",
                        "source.sync",
                        "transport.list",
                        "transport.test",
                        "transport.resume",
                        "plugin.list",
                        "plugin.describe",
                        "plugin.check",
                        "plan.show",
                        "job.list",
                        "job.show",
                        "job.watch",
                        "audit.list",
                        "audit.verify",
                        "why",
                        "status",
                        "events",
                        "state.confirm",
                        "completion",
                        "version"}) {
    CAPTURE(id);
    const auto* command = api::find(id);
    REQUIRE(command != nullptr);
    CHECK(command->in_cli);
  }
}

TEST_CASE("the filter of a list and of a bulk plan is the same") {
  const auto fields = [](std::string_view id, api::In in) {
    std::set<std::string_view> found;
    for (const auto& argument : api::find(id)->arguments) {
      if (argument.in == in) found.insert(argument.field);
    }
    return found;
  };
  auto list = fields("user.list", api::In::query);
  list.erase("limit");
  list.erase("cursor");
  auto bulk = fields("plan.create", api::In::filter);
  CHECK(bulk.erase("all") == 1);
  CHECK(list == bulk);
  CHECK(list.size() == 11);
}

TEST_CASE("an answer's form fits its statuses") {
  for (const auto& command : api::commands()) {
    if (command.method.empty()) continue;
    CAPTURE(command.id);
    CHECK_FALSE(command.statuses.empty());
    for (const auto status : command.statuses) CHECK(status / 100 == 2);
    if (command.answer == api::Answer::job) CHECK(command.statuses == std::vector<unsigned>{202});
    if (command.answer != api::Answer::none && command.answer != api::Answer::text) CHECK_FALSE(command.schema.empty());
    if (command.answer == api::Answer::list) CHECK_FALSE(command.columns.empty());
    if (!command.bulk.empty()) CHECK(api::find(command.bulk) != nullptr);
  }
}
