// Rehearsals: the real services on a copy, deterministic, with outages on demand; the state they began with is
// untouched.
#include <catch2/catch.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <sstream>

#include "rehearsal/rehearsal.hpp"
#include "service/bench.hpp"
#include "store/copy.hpp"

using namespace invited;
using namespace invited::test;
namespace json = boost::json;
using Words = std::vector<std::string>;

namespace {

core::Instant utc(const std::string& text) {
  const auto date = model::parse_date(text.substr(0, 10)).value();
  const int hour = std::stoi(text.substr(11, 2));
  const int minute = std::stoi(text.substr(14, 2));
  return core::Instant{std::chrono::sys_days{date}} + std::chrono::hours{hour} + std::chrono::minutes{minute};
}

struct Files final : rehearsal::Output {
  std::map<std::string, std::string> files;
  std::vector<std::int64_t> days;
  void write(const std::string& name, std::string_view bytes) override { files[name] += bytes; }
  void progress(std::int64_t over, std::int64_t) override { days.push_back(over); }

  // "2026-11-30T09:00 14 invitation.sent start_later", in order.
  [[nodiscard]] Words acts(const std::string& only = "") const {
    Words all;
    std::istringstream in(files.at("acts.ndjson"));
    for (std::string line; std::getline(in, line);) {
      const auto act = json::parse(line);
      const auto text = [&](const char* field) { return std::string(act.at(field).as_string()); };
      const std::string one = text("local") + " " + text("user") + " " + text("action") + " " + text("reason");
      if (one.find(only) != std::string::npos) all.push_back(one);
    }
    return all;
  }
  [[nodiscard]] json::value summary() const { return json::parse(files.at("summary.json")); }
  [[nodiscard]] std::size_t mails() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(files, [](const auto& file) { return file.first.starts_with("mails/"); }));
  }
};

struct Office : Bench {
  explicit Office(model::Policies policies = stockholm()) : Bench(std::move(policies)) { at("2026-10-20T08:00:00Z"); }
  void hire(const std::string& id, const std::string& start, const Row& more = {}) {
    Row fields{{"user_id", id}, {"name", "Person " + id}, {"login_email", id + "@example.com"}, {"start_date", start}};
    fields.insert(fields.end(), more.begin(), more.end());
    REQUIRE(row(fields) == "created");
  }
  std::unique_ptr<store::Db> copy() {
    file = std::filesystem::temp_directory_path() / ("rehearsal-" + planner->new_id().text() + ".db");
    {
      store::Copy target(*db, file.string());
      while (target.step(3) != store::Copy::Step::whole) {
      }
    }
    auto opened = store::Db::open(file.string());
    REQUIRE(opened);
    return std::move(*opened);
  }
  Files rehearse(const rehearsal::Settings& settings) {
    Files files;
    auto scratch = copy();
    const auto done =
        rehearsal::rehearse(*scratch, std::make_shared<model::Policies>(planner->policies()), writer, settings, files);
    INFO((done ? "" : done.error().message));
    REQUIRE(done);
    scratch.reset();
    std::filesystem::remove(file);
    return files;
  }
  std::filesystem::path file;
};

rehearsal::Settings from_to(const std::string& from, const std::string& to) {
  rehearsal::Settings settings;
  settings.from = utc(from);
  settings.to = utc(to);
  settings.base_url = "https://invite.example.com";
  settings.message_id_domain = "example.com";
  return settings;
}

}  // namespace

TEST_CASE("a rehearsal plays what the daemon will do: mails at their hour, links that end, leavers that are disabled") {
  Office b;
  b.hire("14", "2026-12-01");
  b.hire("leaver", "2026-10-25", {{"end_date", "2026-11-02"}});
  const Files files = b.rehearse(from_to("2026-10-21T00:00Z", "2026-12-31T00:00Z"));
  CHECK(files.acts("14 ") == Words{"2026-11-30T09:00 14 invitation.released start_later",
                                   "2026-11-30T09:00 14 invitation.sent ",
                                   "2026-12-05T00:00 14 invitation.expired link_expired"});
  const auto left = files.acts("leaver ");
  REQUIRE(left.size() == 5);
  CHECK(left[0] == "2026-10-24T09:00 leaver invitation.released start_later");
  CHECK(left[2] == "2026-10-29T00:00 leaver invitation.expired link_expired");
  CHECK(left[3] == "2026-11-08T00:00 leaver user.disconnected employment_ended");
  CHECK(left[4] == "2026-11-08T00:00 leaver user.disabled employment_ended");
  CHECK(files.mails() == 2);
  CHECK(files.files.at("mails/000002.eml").starts_with("14\nhttps://invite.example.com/v/"));
  CHECK(files.summary().at("acts").at("invitation.sent") == 2);
  CHECK(files.summary().at("end").at("invitations").at("expired") == 2);
  CHECK(files.files.at("summary.txt").find("2  invitation.sent") != std::string::npos);
  CHECK(std::ranges::is_sorted(files.days));
  CHECK(files.days.size() > 2);
}

TEST_CASE("the same copy and settings give the same bytes, and the state is as it was") {
  Office b;
  for (int n = 0; n < 40; ++n)
    b.hire("p" + std::to_string(n), model::to_text(model::add_days(model::parse_date("2026-10-22").value(), n % 9)));
  const std::string before = b.dump();
  auto settings = from_to("2026-10-20T00:00Z", "2026-11-20T00:00Z");
  settings.transport_down = {{utc("2026-10-22T06:00Z"), utc("2026-10-22T09:30Z")}};
  settings.confirm_after = std::chrono::hours{30};
  const Files first = b.rehearse(settings);
  b.clock.advance(std::chrono::minutes{90});  // the time of day is no input
  const Files second = b.rehearse(settings);
  CHECK(first.files == second.files);
  CHECK(first.mails() == 40);
  CHECK(b.dump() == before);
  settings.seed = 2;
  const Files other = b.rehearse(settings);
  CHECK(other.files.at("mails/000001.eml") != first.files.at("mails/000001.eml"));
}

TEST_CASE("an outage on demand: nothing goes out while it lasts, everything after it, and the delay is told") {
  Office b;
  b.hire("14", "2026-10-26");
  b.hire("15", "2026-10-28");
  auto settings = from_to("2026-10-21T00:00Z", "2026-11-10T00:00Z");
  settings.transport_down = {{utc("2026-10-25T07:00Z"), utc("2026-10-25T10:00Z")}};
  const Files files = b.rehearse(settings);
  const auto acts = files.acts();
  const auto place = [&](const std::string& begin) {
    return std::ranges::find_if(acts, [&](const std::string& act) { return act.starts_with(begin); }) - acts.begin();
  };
  CHECK(files.acts("14 invitation.released") == Words{"2026-10-25T09:00 14 invitation.released start_later"});
  const auto sent = files.acts("14 invitation.sent");
  REQUIRE(sent.size() == 1);
  CHECK(sent.front() >= "2026-10-25T11:00");
  CHECK(sent.front() < "2026-10-25T11:20");  // the pause between two tries grows to a quarter of an hour
  CHECK(place("2026-10-25T08:00  transport.down") < place("2026-10-25T11:00  transport.up"));
  CHECK(place("2026-10-25T11:00  transport.up") < place(sent.front()));
  CHECK(files.summary().at("late").at("mails") == 1);
  CHECK(files.summary().at("late").at("first").at(0).at("user") == "14");
  CHECK(files.files.at("summary.txt").find("1 mail late, the longest by 2 h") != std::string::npos);
}

TEST_CASE("what falls due before the first day of a rehearsal has happened by then, silently") {
  Office b;
  b.hire("early", "2026-11-02");  // mailed on 1 November, over on 6 November
  const Files files = b.rehearse(from_to("2026-11-03T00:00Z", "2026-11-30T00:00Z"));
  CHECK(files.acts() == Words{"2026-11-06T00:00 early invitation.expired link_expired"});
  CHECK(files.mails() == 0);
}

TEST_CASE("people who click become connected, and their links are used") {
  Office b;
  b.hire("14", "2026-12-01");
  b.hire("open", "2026-10-21");
  b.pump();  // this one's link is out when the rehearsal begins
  auto settings = from_to("2026-10-20T08:00Z", "2026-12-31T00:00Z");
  settings.confirm_after = std::chrono::hours{48};
  settings.write_mails = false;
  const Files files = b.rehearse(settings);
  CHECK(files.acts("user.connected") ==
        Words{"2026-10-22T10:00 open user.connected hire", "2026-12-02T09:00 14 user.connected hire"});
  CHECK(files.acts("expired").empty());
  CHECK(files.mails() == 0);
}

TEST_CASE("each act is told in the zone of its company, also in the night in which the clock goes back") {
  auto policies = [] {
    model::Policy home;
    model::Policy away;
    away.company = "south";
    away.zone = "America/Santiago";
    return model::Policies(home, {{"south", away}});
  }();
  Office b(std::move(policies));
  b.hire("here", "2026-10-26");
  b.hire("there", "2026-10-26", {{"company", "south"}});
  const Files files = b.rehearse(from_to("2026-10-21T00:00Z", "2026-10-28T00:00Z"));
  CHECK(files.acts("released") == Words{"2026-10-25T09:00 here invitation.released start_later",
                                        "2026-10-25T09:00 there invitation.released start_later"});
  CHECK(files.files.at("acts.ndjson").find("\"zone\":\"America/Santiago\",\"user\":\"there\"") != std::string::npos);
}

TEST_CASE("employments that follow each other are rehearsed: handed over without a gap, away and back with one") {
  Office b;
  for (const std::string who : {"stays", "gap"}) {
    b.hire(who, "2026-10-19", {{"end_date", "2026-10-31"}});
    b.pump();
    b.connect(who);
  }
  REQUIRE(b.row({{"user_id", "stays"}, {"start_date", "2026-11-01"}}) == "updated");
  REQUIRE(b.row({{"user_id", "gap"}, {"start_date", "2026-12-01"}}) == "updated");
  const Files files = b.rehearse(from_to("2026-10-21T00:00Z", "2026-12-31T00:00Z"));
  CHECK(files.acts("stays ").empty());
  CHECK(files.acts("gap ") ==
        Words{"2026-11-06T00:00 gap user.disconnected between_employments",
              "2026-11-06T00:00 gap user.disabled between_employments",
              "2026-11-06T00:00 gap invitation.scheduled start_later", "2026-11-06T00:00 gap account.removed ",
              "2026-11-30T09:00 gap user.enabled between_employments",
              "2026-11-30T09:00 gap invitation.released start_later", "2026-11-30T09:00 gap invitation.sent ",
              "2026-12-05T00:00 gap invitation.expired link_expired"});
}
