// The control socket's server over the scripted world, and the four kinds of people who may come to it.
//
//   Office office;
//   const Answer answer = office.ask("POST", "/v1/users/14/disable?dry_run=true");      // as an operator
//   office.ask("GET", "/v1/status", "", nobody()).status == 403;
//
// Every answer is checked on its way: a success against the schema and statuses of its command, an error as a problem
// document.
#pragma once

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "api/commands.hpp"
#include "api/request.hpp"
#include "control/schema_check.hpp"
#include "control/server.hpp"
#include "web/world.hpp"

namespace invited::test {

namespace json = boost::json;

// Groups of every Debian stand for the three roles.
inline control::RoleGroups debian_groups() {
  return {.viewer = "games", .operator_ = "mail", .admin = "adm"};
}

inline core::HttpPeer peer(std::uint32_t uid, std::vector<std::uint32_t> groups) {
  core::HttpPeer who;
  who.local = true;
  who.uid = uid;
  who.gid = uid;
  who.groups = std::move(groups);
  return who;
}
inline core::HttpPeer nobody() {
  return peer(60'001, {60'001, 100});
}
inline core::HttpPeer viewer() {
  return peer(60'002, {60'002, 60});
}
inline core::HttpPeer an_operator() {
  return peer(60'003, {60'003, 8});
}
inline core::HttpPeer an_admin() {
  return peer(60'004, {60'004, 4});
}

struct Answer {
  unsigned status = 0;
  json::value body;
  core::HttpResponse raw;

  [[nodiscard]] std::string text(std::string_view pointer) const {
    boost::system::error_code error;
    const auto* value = body.find_pointer(pointer, error);
    if (value == nullptr) return "(nothing)";
    return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
  }
  [[nodiscard]] std::string code() const { return text("/code"); }
  [[nodiscard]] const json::array& items() const { return body.at("items").as_array(); }
  [[nodiscard]] std::vector<std::string> each(std::string_view field) const {
    std::vector<std::string> all;
    for (const auto& item : items()) all.emplace_back(item.at(field).as_string());
    return all;
  }
};

struct Office : World {
  control::Jobs jobs{clock, ids, io.get_executor()};
  std::vector<std::string> confirmations;
  std::vector<control::RehearsalRequest> rehearsals;
  control::Desk desk{
      .clock = clock,
      .scope = scope,
      .policies = *policies,
      .queries = queries,
      .users = users,
      .self_service = self_service,
      .reviews = reviews,
      .domains = domains,
      .bulk = bulk,
      .batches = batches,
      .fetching = fetching,
      .delivery = delivery,
      .gate = gate,
      .store = store,
      .jobs = jobs,
      .transports = {{"post", "smtp", &postbox, true}, {"spare", "maildir", &spare, false}},
      .plugins = plugin_desk(),
      .identity = "directory",
      .identity_plugin = "directory",
      .version = "1.2.3",
      .started_at = clock.now(),
      .banner_text =
          [](std::string_view reason, std::string_view locale, const std::string& organisation) {
            return fmt::format("{} {} {}", organisation, reason, locale);
          },
      .rehearse = [this](control::RehearsalRequest request) { return rehearse(std::move(request)); },
      .confirm_state = [this](std::string actor) { return confirmed(std::move(actor)); },
      .note = [this](std::string actor, std::string action,
                     std::string subject) { return note(std::move(actor), std::move(action), std::move(subject)); }};
  PostBox spare;
  control::Server server{io.get_executor(), desk, debian_groups()};

  Answer ask(const std::string& method, const std::string& target, const std::string& body = "",
             core::HttpPeer who = an_operator()) {
    core::HttpRequest request;
    request.method = method;
    const auto mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = core::parse_form(target.substr(mark + 1)).value();
    request.body = body;
    request.peer = std::move(who);
    const auto routed = api::route(request.method, request.path);
    CAPTURE(method, target);
    Answer answer;
    answer.raw = call(server.handle(std::move(request)));
    answer.status = answer.raw.status;
    if (!answer.raw.stream) answer.body = json::parse(answer.raw.body);
    check(answer, routed ? routed->command : nullptr);
    return answer;
  }
  // The lines of a stream to its end, each checked.
  std::vector<json::value> lines(const Answer& answer, std::string_view schema, std::size_t most = 1'000) {
    std::vector<json::value> all;
    while (all.size() < most) {
      const auto piece = call(answer.raw.stream());
      if (!piece) break;
      std::istringstream in(*piece);
      for (std::string line; std::getline(in, line);) {
        all.push_back(json::parse(line));
        if (all.back().as_object().contains("event") && all.back().at("event") == "ping") continue;
        CAPTURE(line);
        CHECK(against_schema(schema, all.back()) == std::vector<std::string>{});
      }
    }
    return all;
  }
  // What the job came to, by its summary.
  json::value end_of(const Answer& started) {
    CHECK(started.status == 202);
    return lines(ask("GET", "/v1/jobs/" + started.text("/job") + "/events"), "JobEvent").back();
  }
  void add(const std::string& body) { REQUIRE(ask("POST", "/v1/users", body).status == 201); }

private:
  static std::string header(const Answer& answer, std::string_view name) {
    for (const auto& [key, value] : answer.raw.headers) {
      if (key == name) return value;
    }
    return {};
  }
  static void check(const Answer& answer, const api::Command* command) {
    CAPTURE(answer.status, json::serialize(answer.body));
    CHECK(header(answer, "Cache-Control") == "no-store");
    CHECK(header(answer, "Invited-Time-Zone") == "Europe/Stockholm");
    if (answer.status >= 400) {
      CHECK(header(answer, "Content-Type") == "application/problem+json");
      CHECK(against_schema("Problem", answer.body) == std::vector<std::string>{});
      CHECK(answer.body.at("status") == answer.status);
      CHECK(answer.text("/type") == "urn:invited:problem:" + answer.code());
      CHECK_FALSE(answer.text("/detail").empty());
      return;
    }
    REQUIRE(command != nullptr);
    CHECK(std::count(command->statuses.begin(), command->statuses.end(), answer.status) == 1);
    const bool text = command->answer == api::Answer::text;
    if (!text)
      CHECK(header(answer, "Content-Type") == (answer.raw.stream ? "application/x-ndjson" : "application/json"));
    CHECK(static_cast<bool>(answer.raw.stream) == (text || command->answer == api::Answer::stream));
    if (command->answer == api::Answer::object || command->answer == api::Answer::job)
      CHECK(against_schema(command->schema, answer.body) == std::vector<std::string>{});
    if (command->answer == api::Answer::list) {
      CHECK(answer.body.as_object().contains("next_cursor"));
      for (const auto& item : answer.items())
        CHECK(against_schema(command->schema, item) == std::vector<std::string>{});
    }
  }
  control::PluginDesk plugin_desk() {
    control::PluginDesk plugins;
    plugins.list = [] {
      return json::array{json::object{{"name", "smtp"},
                                      {"version", "1"},
                                      {"roles", json::array{"transport"}},
                                      {"instances", json::array{"post"}},
                                      {"file", "/x"}}};
    };
    plugins.describe = [](const std::string& name) -> core::Result<json::object> {
      if (name != "smtp")
        return core::fail(core::ErrorKind::not_found, "unknown_plugin", "There is no plugin of that name.");
      return json::object{
          {"name", "smtp"}, {"version", "1"}, {"roles", json::array{"transport"}}, {"config_schema", json::object{}}};
    };
    plugins.check = [](const std::string& path) {
      return json::object{{"ok", path == "/good.so"}, {"message", path}, {"plugin", nullptr}};
    };
    return plugins;
  }
  // Three events and the end; what was asked for is kept.
  core::Result<core::HttpBodyStream> rehearse(control::RehearsalRequest request) {
    if (request.from == "2000-01-01")
      return core::fail(core::ErrorKind::conflict, "rehearsal_running", "Another rehearsal is being played.");
    rehearsals.push_back(std::move(request));
    auto left = std::make_shared<std::vector<std::string>>(std::vector<std::string>{
        R"({"event":"done","state":"done","detail":""})", R"({"event":"ping"})",
        R"({"event":"file","name":"acts.ndjson","text":"{}\n"})", R"({"event":"progress","done":0,"total":3})"});
    return core::HttpBodyStream([left]() -> awaitable<std::optional<std::string>> {
      std::optional<std::string> next;
      if (!left->empty()) {
        next = left->back() + "\n";
        left->pop_back();
      }
      co_return next;
    });
  }
  awaitable<void> note(std::string actor, std::string action, std::string subject) {
    const auto write = [planner = planner, actor, action, subject, now = clock.now()](store::Db& d) {
      planner->audit(d, now, actor, action, subject);
    };
    co_await store.write(write);
  }
  awaitable<void> confirmed(std::string actor) {
    confirmations.push_back(actor);
    const auto write = [planner = planner, actor, now = clock.now()](store::Db& d) {
      planner->audit(d, now, actor, "state.confirmed", "state");
    };
    co_await store.write(write);
  }
};

}  // namespace invited::test
