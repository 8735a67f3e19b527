// Templates (PRODUCT §5): a hire by hand, by file and a re-hire get their user from the same templates.
#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;

namespace {

model::Policies templated() {
  const auto base = stockholm();
  auto companies = base.companies();
  model::Policy north = base.organisation();
  north.company = "north";
  companies.emplace("north", north);
  model::UserTemplate office;
  office.name = "office";
  office.company = "north";
  office.department = "Sales";
  office.roles = {"employee", "reader"};
  office.locale = "en";
  office.leaver_days = 30;
  office.user_id = "{given:1}{family}";
  office.login_email = "{given}.{family}@north.example.com";
  model::Templates templates;
  templates.users = {office};
  templates.employments = {{"permanent", "office", ""}};
  return {base.organisation(), companies, model::ReviewFlows(), templates};
}

Row person(const std::string& given, const std::string& family, const std::string& reference = "") {
  Row row{{"given_name", given},
          {"family_name", family},
          {"start_date", "2026-12-01"},
          {"employment_template", "Permanent"}};
  if (!reference.empty()) row.emplace_back("external_ref", reference);
  return row;
}

}  // namespace

TEST_CASE("a hire gets company, department, roles, language, user-id and login email from its template") {
  Bench b(templated());
  b.at("2026-10-20T08:00:00Z");
  const auto results = b.rows({person("Åsa", "Öberg", "e1")});
  REQUIRE(results.front().result() == "created");
  CHECK(results.front().user == "aoberg");
  const auto user = b.user("aoberg");
  REQUIRE(user);
  CHECK(user->name == "Åsa Öberg");
  CHECK(user->company == "north");
  CHECK(user->department == "Sales");
  CHECK(user->roles == std::vector<std::string>{"employee", "reader"});
  CHECK(user->locale == "en");
  CHECK(user->login_email == "asa.oberg@north.example.com");
  CHECK(b.state("aoberg") == "scheduled");
}

TEST_CASE("what the row says goes before the template") {
  Bench b(templated());
  b.at("2026-10-20T08:00:00Z");
  auto row = person("Bo", "Ek", "e2");
  row.insert(row.end(),
             {{"user_id", "77"}, {"department", "Lab"}, {"locale", "sv"}, {"login_email", "bo@other.example.com"}});
  CHECK(b.row(row) == "created");
  const auto user = b.user("77");
  REQUIRE(user);
  CHECK(user->department == "Lab");
  CHECK(user->locale == "sv");
  CHECK(user->login_email == "bo@other.example.com");
  CHECK(user->company == "north");
}

TEST_CASE("made user-ids and addresses are unique, and the same row again finds the same person") {
  Bench b(templated());
  b.at("2026-10-20T08:00:00Z");
  const std::vector<Row> file{person("Anna", "Berg", "r1"), person("Arne", "Berg", "r2"), person("Anna", "Berg", "r3")};
  for (const bool dry_run : {true, false}) {
    const auto results = b.rows(file, dry_run);
    CHECK(results.at(0).user == "aberg");
    CHECK(results.at(1).user == "aberg2");
    CHECK(results.at(2).user == "aberg3");
    for (const auto& result : results) CHECK(result.result() == "created");
  }
  CHECK(b.user("aberg")->login_email == "anna.berg@north.example.com");
  CHECK(b.user("aberg3")->login_email == "anna.berg2@north.example.com");
  for (const auto& result : b.rows(file)) CHECK(result.result() == "unchanged");
}

TEST_CASE("a row that cannot make its user-id is rejected with what is missing") {
  Bench b(templated());
  b.at("2026-10-20T08:00:00Z");
  const auto reason = [&](const Row& row) {
    const auto result = b.rows({row}).front();
    return result.result() + ": " + result.message;
  };
  CHECK(reason({{"name", "X"}, {"start_date", "2026-12-01"}}).starts_with("rejected: user_id_missing"));
  CHECK(reason(person("Bo", "Ek")).find("needs an external_ref") != std::string::npos);
  CHECK(
      reason(
          {{"name", "Solo"}, {"external_ref", "s"}, {"start_date", "2026-12-01"}, {"employment_template", "permanent"}})
          .find("lacks a part") != std::string::npos);
  CHECK(reason({{"user_id", "9"}, {"name", "X"}, {"start_date", "2026-12-01"}, {"employment_template", "unheard"}})
            .find("those are: permanent") != std::string::npos);
}

TEST_CASE("a reference that two users share names neither") {
  Bench b(templated());
  b.at("2026-10-20T08:00:00Z");
  CHECK(b.row({{"user_id", "1"}, {"name", "A"}, {"external_ref", "same"}}) == "created");
  CHECK(b.row({{"user_id", "2"}, {"name", "B"}, {"external_ref", "same"}}) == "created");
  CHECK(b.row({{"external_ref", "same"}, {"department", "X"}}) == "rejected: external_ref_ambiguous");
}

TEST_CASE("the template's days count for leavers, and a re-hire gets what its template says") {
  Bench b(templated());
  b.at("2026-10-20T08:00:00Z");
  auto row = person("Bo", "Ek", "e2");
  row.emplace_back("end_date", "2026-12-31");
  CHECK(b.row(row) == "created");
  b.at("2027-01-30T08:00:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 0);
  b.at("2027-01-31T08:00:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 1);
  CHECK_FALSE(b.user("bek")->enabled);

  CHECK(b.row({{"user_id", "bek"}, {"department", "Lab"}}) == "updated");
  CHECK(b.row({{"user_id", "bek"}, {"start_date", "2027-03-01"}, {"employment_template", "permanent"}}) == "updated");
  CHECK(b.user("bek")->enabled);
  CHECK(b.user("bek")->department == "Sales");
}
