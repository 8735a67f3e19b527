// Through the real Unix socket, with the client that invitectl uses.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/parse.hpp>

#include "control/office.hpp"
#include "core/http_client.hpp"
#include "core/http_fixture.hpp"
#include "support/temp_folder.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;

TEST_CASE("over the socket the kernel says who it is, and requests, errors and streams arrive as they were meant") {
  Office office;
  office.hire("14");
  const TempFolder folder;
  REQUIRE(office.server.listen(folder / "control.sock", 0660));
  struct stat entry{};
  REQUIRE(::stat((folder / "control.sock").c_str(), &entry) == 0);
  CHECK((entry.st_mode & 0777) == 0660);
  std::string actor;
  {
    const Running loop(office.io);
    core::UnixHttpClient client(folder / "control.sock");
    const auto status = client.send({.target = "/v1/status"});
    REQUIRE(status);
    CHECK(status->status == 200);
    CHECK(against_schema("Status", json::parse(status->body)).empty());

    core::ClientRequest add{.method = "POST",
                            .target = "/v1/users",
                            .headers = {{"content-type", "application/json"}},
                            .body = R"({"user_id":"15","name":"Åsa"})"};
    const auto added = client.send(add);
    REQUIRE(added);
    CHECK(added->status == 201);
    CHECK(json::parse(added->body).at("user").at("name") == "Åsa");
    const auto again = client.send(add);
    REQUIRE(again);
    CHECK(again->status == 409);
    CHECK(json::parse(again->body).at("code") == "user_exists");

    const auto none = client.send({.target = "/v1/users/a%2Fb%20c"});
    REQUIRE(none);
    CHECK(none->status == 404);
    CHECK_THAT(none->body, Catch::Contains("a/b c"));

    core::ClientRequest import{.method = "POST", .target = "/v1/imports", .body = "user_id;name\n"};
    for (int i = 0; i < 20'000; ++i)
      import.body += std::to_string(1'000 + i) + ";Somebody with a name that makes the file large enough to matter\n";
    CHECK(import.body.size() > 1'048'576);  // more than any other request may be
    const auto started = client.send(import);
    REQUIRE(started);
    REQUIRE(started->status == 202);
    std::string events;
    const auto watched =
        client.send({.target = "/v1/jobs/" + std::string(json::parse(started->body).at("job").as_string()) + "/events"},
                    [&](std::string_view piece) {
                      events += piece;
                      return true;
                    });
    REQUIRE(watched);
    CHECK(watched->status == 200);
    CHECK(std::count(events.begin(), events.end(), '\n') == 20'002);
    const auto last = json::parse(events.substr(events.rfind('\n', events.size() - 2) + 1));
    CHECK(last.at("event") == "done");
    CHECK(last.at("counts").at("created") == 20'000);

    RawClient large(folder / "control.sock");
    large.say(
        "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1100000\r\n\r\n");
    const RawAnswer refused = large.answer();
    CHECK(refused.status == 413);
    CHECK(json::parse(refused.body).at("code") == "too_large");
  }
  CHECK(office.audit("user:15").front().actor == control::actor_of(peer(::getuid(), {})));
}

TEST_CASE("the socket is removed when the server stops, and nobody answers after that") {
  Office office;
  const TempFolder folder;
  REQUIRE(office.server.listen(folder / "control.sock", 0600));
  office.call(office.server.stop(0ms));
  CHECK_FALSE(std::filesystem::exists(folder / "control.sock"));
  core::UnixHttpClient client(folder / "control.sock");
  CHECK_FALSE(client.send({.target = "/v1/status"}));
}
