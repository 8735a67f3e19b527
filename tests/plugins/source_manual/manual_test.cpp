// The source "manual" through its C table, as the daemon calls it.
#include "source_manual.hpp"

#include <catch2/catch.hpp>

#include "sdk/fake_host.hpp"

using Instance = fake::Instance<invited::manual::Manual, invited_source>;

namespace {

fake::Call& push(fake::Host& host, Instance& source, std::string_view body) {
  return host.operation([&](invited_call* call) {
    invited_request request{};
    request.struct_size = sizeof request;
    request.kind = INVITED_REQUEST_RECORD;
    request.body = invited::borrow(body);
    source.operations().handle(source.self(), call, &request);
  });
}

}  // namespace

TEST_CASE("manual: a pushed object becomes one record with exactly its fields") {
  fake::Host host;
  Instance source(host);
  REQUIRE(source.status() == INVITED_OK);
  const auto& call = push(host, source, R"({"user_id": "14", "name": "Åsa", "roles": "a,b", "end_date": ""})");
  CHECK(call.status == INVITED_OK);
  CHECK(call.completions == 1);
  REQUIRE(call.rows.size() == 1);
  CHECK(call.rows[0].line == 0);
  CHECK(call.rows[0].fields ==
        std::map<std::string, std::string>{{"user_id", "14"}, {"name", "Åsa"}, {"roles", "a,b"}, {"end_date", ""}});
}

TEST_CASE("manual: it takes records and nothing else") {
  fake::Host host;
  const Instance source(host);
  CHECK(source.plugin().capabilities == INVITED_SOURCE_HANDLE_RECORD);
  CHECK(source.operations().fetch == nullptr);
}

TEST_CASE("manual: what is no object of texts is rejected with a sentence, and nothing comes of it") {
  fake::Host host;
  Instance source(host);
  const auto [body, message, field] = GENERATE(table<std::string, std::string, std::string>({
      {"", "the record is not JSON: line 1, column 1: the text ends where a value is expected", ""},
      {"[]", R"(the record must be a JSON object such as {"user_id": "14", "name": "A. Example"})", ""},
      {"{}", "the record has no fields", ""},
      {R"({"user_id": 14})", R"("user_id" must be text; numbers and switches are written in quotes)", "user_id"},
      {R"({"user_id": "14", "roles": ["a"]})", R"("roles" must be text; numbers and switches are written in quotes)",
       "roles"},
      {R"({"name": "A", "name": "B"})", "the record is not JSON: line 1, column 1: a key stands twice in this object",
       ""},
  }));
  const auto& call = push(host, source, body);
  CHECK(call.status == INVITED_REJECTED);
  CHECK(call.message == message);
  CHECK(call.field == field);
  CHECK(call.rows.empty());
}

TEST_CASE("manual: a daemon that wants to stop gets its call back as cancelled") {
  fake::Host host;
  host.stop_after_rows = 0;
  Instance source(host);
  CHECK(push(host, source, R"({"user_id": "14"})").status == INVITED_CANCELLED);
}
