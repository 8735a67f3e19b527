#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "api/request.hpp"

using namespace invited;
namespace json = boost::json;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

const api::Command& command(std::string_view id) {
  const auto* found = api::find(id);
  REQUIRE(found != nullptr);
  return *found;
}

// "where code; where code", in the order found; "" when all is well.
std::string problems(std::string_view id, const Pairs& query, std::string_view body) {
  Pairs path;
  for (const auto& argument : command(id).arguments) {
    if (argument.in == api::In::path) path.emplace_back(argument.field, "14");
  }
  const auto input = api::read_arguments(command(id), path, query, body);
  if (input) return {};
  std::string text;
  for (const auto& error : input.error()) {
    CHECK_FALSE(error.message.empty());
    text += (text.empty() ? "" : "; ") + error.where + " " + error.code;
  }
  return text;
}

}  // namespace

TEST_CASE("a path finds its command and its decoded placeholders") {
  const auto routed = api::route("POST", "/v1/users/a%2Fb%20%C3%A5/send-verification");
  REQUIRE(routed);
  CHECK(routed->command->id == "user.send-verification");
  CHECK(routed->path == Pairs{{"id", "a/b å"}});
}

TEST_CASE("every command of the table is found by its own method and path") {
  for (const auto& each : api::commands()) {
    if (each.method.empty()) continue;
    CAPTURE(each.id);
    std::string path(each.path);
    for (auto at = path.find('{'); at != std::string::npos; at = path.find('{')) {
      path.replace(at, path.find('}') - at + 1, "x");
    }
    const auto routed = api::route(each.method, path);
    REQUIRE(routed);
    CHECK(routed->command->id == each.id);
  }
}

TEST_CASE("an unknown path is not found, a known path with another method says which it takes") {
  for (const auto* path :
       {"/", "/v1", "/v2/users", "/v1/users/14/explode", "/v1/users//why", "/v1/users/%zz", "v1/users"}) {
    CAPTURE(path);
    const auto routed = api::route("GET", path);
    REQUIRE_FALSE(routed);
    CHECK(routed.error().allowed.empty());
  }
  const auto wrong_method = api::route("DELETE", "/v1/users");
  REQUIRE_FALSE(wrong_method);
  CHECK(wrong_method.error().allowed == std::vector<std::string_view>{"GET", "POST"});
}

TEST_CASE("what percent_encode writes, route reads back") {
  const std::string name = "a/b?c#d %&=+åäö~";
  const auto encoded = api::percent_encode(name);
  CHECK(encoded.find_first_of("/?#& =+") == std::string::npos);
  const auto routed = api::route("GET", "/v1/users/" + encoded);
  REQUIRE(routed);
  CHECK(routed->path.front().second == name);
}

TEST_CASE("good arguments arrive with the table's types") {
  const auto list =
      api::read_arguments(command("user.list"), {}, {{"limit", "7"}, {"enabled", "true"}, {"search", "å"}}, "");
  REQUIRE(list);
  CHECK(list->values == json::object{{"limit", 7}, {"enabled", true}, {"search", "å"}});
  CHECK_FALSE(list->dry_run);
  const auto add =
      api::read_arguments(command("user.add"), {}, {{"dry_run", "true"}},
                          R"({"user_id":"14","roles":["a","b"],"start_date":"2026-12-01","in_review":true})");
  REQUIRE(add);
  CHECK(add->dry_run);
  CHECK(add->values.at("roles").as_array().size() == 2);
  CHECK(add->values.at("in_review").as_bool());
  const auto plan =
      api::read_arguments(command("plan.create"), {}, {},
                          R"({"kind":"send-verification","filter":{"company":"north"},"include_recent":true})");
  REQUIRE(plan);
  CHECK(plan->values.at("filter") == json::object{{"company", "north"}});
}

TEST_CASE("a condition that says nothing, or cannot be read, is refused and never left out") {
  const auto filter = [](const std::string& fields) {
    return problems("plan.create", {}, R"({"kind":"send-verification","filter":{)" + fields + "}}");
  };
  CHECK(filter(R"("start_before":"1026-12-01")") == "/filter/start_before not_a_date");
  CHECK(filter(R"("start_after":"1899-12-31")") == "/filter/start_after not_a_date");
  CHECK(filter(R"("start_before":"1900-01-01")").empty());
  CHECK(filter(R"("search":" ")") == "/filter/search empty");
  CHECK(filter(R"("search":"\t")") == "/filter/search control_character");
  CHECK(filter(R"("search":"a\u0000b")") == "/filter/search control_character");
  CHECK(filter("\"role\":\"" + std::string(1'001, 'x') + "\"") == "/filter/role too_long");
  CHECK(problems("user.list", {{"start_before", "1026-12-01"}}, "") == "query:start_before not_a_date");
  CHECK(problems("user.list", {{"search", " "}}, "") == "query:search empty");
}

TEST_CASE("a body of nonsense is answered with some of what is wrong, not with all of it") {
  std::string body = "{\"user_id\":\"14\"";
  for (int i = 0; i < 1'000; ++i) body += ",\"x" + std::to_string(i) + "\":1";
  const auto answer = problems("user.add", {}, body + "}");
  CHECK(std::count(answer.begin(), answer.end(), ';') < 25);
}

TEST_CASE("each way to be wrong is named with its place") {
  CHECK(problems("user.add", {}, R"({"user_id":"14"})").empty());
  CHECK(problems("review.reject", {}, "") == "/reason missing");
  CHECK(problems("user.add", {}, "[]") == " bad_json");
  CHECK(problems("user.add", {}, R"({"user_id":"14")") == " bad_json");
  CHECK(problems("user.add", {}, R"({"user_id":14})") == "/user_id wrong_type");
  CHECK(problems("user.add", {}, R"({"user_id":""})") == "/user_id empty");
  CHECK(problems("user.add", {}, R"({"user_id":"14","shoe_size":"44"})") == "/shoe_size unknown");
  CHECK(problems("user.add", {}, R"({"user_id":"14","filter":{}})") == "/filter unknown");
  CHECK(problems("user.add", {}, R"({"user_id":"14","start_date":"2026-02-30"})") == "/start_date not_a_date");
  CHECK(problems("user.add", {}, R"({"user_id":"14","start_date":"1/12/2026"})") == "/start_date not_a_date");
  CHECK(problems("user.add", {}, R"({"user_id":"14","roles":"boss"})") == "/roles wrong_type");
  CHECK(problems("user.add", {}, R"({"user_id":"14","roles":[1]})") == "/roles wrong_type");
  CHECK(problems("user.add", {}, R"({"user_id":"14","enabled":"yes"})") == "/enabled wrong_type");
  CHECK(problems("user.add", {{"dry_run", "maybe"}}, R"({"user_id":"14"})") == "query:dry_run wrong_type");
  CHECK(problems("user.add", {{"user_id", "14"}}, R"({"user_id":"14"})") == "query:user_id unknown");
  CHECK(problems("user.list", {{"dry_run", "true"}}, "") == "query:dry_run unknown");
  CHECK(problems("user.list", {{"limit", "-1"}}, "") == "query:limit wrong_type");
  CHECK(problems("user.list", {{"limit", "ten"}}, "") == "query:limit wrong_type");
  CHECK(problems("user.list", {{"limit", "5"}, {"limit", "6"}}, "") == "query:limit repeated");
  CHECK(problems("user.list", {{"connection", "maybe"}}, "") == "query:connection not_a_choice");
  CHECK(problems("plugin.check", {}, R"({"path":"a.so"})") == "/path not_absolute");
  CHECK(problems("domain.add", {}, R"({"name":"a.example","method":"mail"})") == "/method not_a_choice");
}

TEST_CASE("what is said twice is refused, not guessed") {
  for (const auto* second : {"true", "false"})
    CHECK(problems("user.disable", {{"dry_run", "true"}, {"dry_run", second}}, "") == "query:dry_run repeated");
  CHECK(problems("user.add", {}, R"({"user_id":"14","user_id":"15"})") == "/user_id repeated");
  CHECK(problems("user.add", {}, R"({"user_id":"14","\u0075ser_id":"14"})") == "/user_id repeated");
  CHECK(problems("plan.create", {}, R"({"kind":"send-verification","filter":{"company":"a","company":"b"}})") ==
        "/filter/company repeated");
  CHECK(problems("plan.create", {}, R"({"filter":{"all":true},"kind":"send-verification","filter":{"company":"b"}})") ==
        "/filter repeated");
  // The same name at another depth, and the same value, are nothing twice.
  CHECK(problems("plan.create", {}, R"({"filter":{"company":"kind"},"kind":"send-verification"})").empty());
  CHECK(problems("user.add", {}, R"({"user_id":"14","roles":["a","a"]})").empty());
}

TEST_CASE("all mistakes are told at once") {
  CHECK(problems("user.add", {{"x", "1"}}, R"({"start_date":"soon","enabled":1})") ==
        "query:x unknown; /start_date not_a_date; /enabled wrong_type");
}

TEST_CASE("a login email is never cleared, other fields may be") {
  CHECK(problems("user.set", {}, R"({"login_email":""})") == "/login_email empty");
  CHECK(problems("user.set", {}, R"({"start_date":""})") == "/start_date empty");
  CHECK(problems("user.set", {}, R"({"alias":"","end_date":"","roles":[]})").empty());
}

TEST_CASE("a bulk plan never selects everyone by saying nothing") {
  CHECK(problems("plan.create", {}, R"({"kind":"send-verification"})") == "/filter missing");
  CHECK(problems("plan.create", {}, R"({"kind":"send-verification","filter":{}})") == "/filter empty");
  CHECK(problems("plan.create", {}, R"({"kind":"send-verification","filter":[]})") == "/filter wrong_type");
  CHECK(problems("plan.create", {}, R"({"kind":"send-verification","filter":{"all":false}})") == "/filter empty");
  CHECK(problems("plan.create", {}, R"({"kind":"send-verification","filter":{"all":true}})").empty());
  CHECK(problems("plan.create", {}, R"({"kind":"send-verification","filter":{"all":true,"company":"x"}})") ==
        "/filter/all not_a_choice");
  CHECK(problems("plan.create", {}, R"({"kind":"send-verification","filter":{"compny":"x"}})") ==
        "/filter/compny unknown");
}

TEST_CASE("hostile bodies are refused, not suffered") {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "[";
  CHECK(problems("user.add", {}, deep) == " bad_json");
  CHECK(problems("user.add", {}, "{\"user_id\":\"\xff\xfe\"}") == " bad_json");
}
