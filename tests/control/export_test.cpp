// The list of users as a file, and what an import says of its own.
#include "control/office.hpp"

#include <boost/json/parse.hpp>

using namespace invited;
using namespace invited::test;
using Catch::Matchers::Contains;

namespace {

// What the stream gives, piece by piece.
std::vector<std::string> pieces(Office& office, const Answer& answer) {
  std::vector<std::string> all;
  while (auto piece = office.call(answer.raw.stream())) all.push_back(*std::move(piece));
  return all;
}
std::string joined(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& piece : all) text += piece;
  return text;
}
void add_many(Office& office, int count) {
  std::string file = "user_id;name\n";
  for (int i = 0; i < count; ++i) file += std::to_string(i) + ";Person\n";
  const auto started = office.ask("POST", "/v1/imports", file);
  const auto events = office.ask("GET", "/v1/jobs/" + started.text("/job") + "/events");
  CHECK(office.lines(events, "JobEvent", 10'000).back().at("counts").at("created") == count);
}
std::string header(const Answer& answer, std::string_view name) {
  for (const auto& [key, value] : answer.raw.headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

TEST_CASE("an export has every field of a user, with what people call the companies") {
  Office office;
  office.add(
      R"({"user_id":"14","name":"Anna Berg","given_name":"Anna","family_name":"Berg","login_email":"anna@example.com",
    "company":"fi","department":"Sales","roles":["planner","boss"],"locale":"sv","start_date":"2027-02-01",
    "end_date":"2027-12-31","employment_template":"T1","alias":"ab","signature":"AB","card_id":"77","external_ref":"x-1",
    "authorised_companies":["fi","se","elsewhere"],"enabled":false})");
  office.add(R"({"user_id":"15","name":"Bo Ek"})");
  const auto answer = office.ask("GET", "/v1/exports", "", viewer());
  CHECK(answer.status == 200);
  CHECK(header(answer, "Content-Type") == "text/csv; charset=utf-8");
  CHECK(header(answer, "Content-Disposition") == "attachment; filename=\"users.csv\"");
  CHECK(
      joined(pieces(office, answer)) ==
      "first flex-employees-users language=sv\n"
      "user_id=14;name=Anna Berg;given_name=Anna;family_name=Berg;login_email=anna@example.com;company=fi;"
      "company_name=Example Oy;department=Sales;roles=boss,planner;locale=sv;start_date=2027-02-01;end_date=2027-12-31;"
      "employment_template=T1;alias=ab;signature=AB;card_id=77;external_ref=x-1;authorised_companies=elsewhere,fi,se;"
      "authorised_company_names=elsewhere,Example Oy,se;enabled=false;\n"
      "user_id=15;name=Bo Ek;given_name=;family_name=;login_email=;company=;company_name=;department=;roles=;locale=;"
      "start_date=;end_date=;employment_template=;alias=;signature=;card_id=;external_ref=;authorised_companies=;"
      "authorised_company_names=;enabled=true;\n"
      "last");
}

TEST_CASE("an export has the users of its filter and the form that was asked for") {
  Office office;
  office.add(R"({"user_id":"14","name":"Anna Berg","department":"Sales"})");
  office.add(R"({"user_id":"15","name":"Bo Ek"})");
  const auto answer = office.ask("GET", "/v1/exports?department=Sales&profile=api&language=en&delimiter=tab");
  const auto text = joined(pieces(office, answer));
  CHECK(header(answer, "Content-Type") == "text/tab-separated-values; charset=utf-8");
  CHECK_THAT(text, Catch::StartsWith("first api language=en delimiter=tab\nuser_id=14;") && Catch::EndsWith("\nlast"));
  CHECK_THAT(text, !Contains("user_id=15"));
  const auto none = office.ask("GET", "/v1/exports?search=nobody");
  CHECK(joined(pieces(office, none)) == "first flex-employees-users language=sv\nlast");
  CHECK(office.ask("GET", "/v1/exports?profile=excel").status == 422);
  CHECK(office.ask("GET", "/v1/exports?delimiter=pipe").status == 422);
  CHECK(office.ask("GET", "/v1/exports?connection=maybe").status == 422);
}

TEST_CASE("a big export comes in pieces, each asked for when the one before it is sent") {
  Office office;
  add_many(office, 5'000);
  office.add(R"({"user_id":"last","name":"Zo Öst","department":"Rare"})");
  const auto answer = office.ask("GET", "/v1/exports");
  CHECK(office.files.parts_written == 1);
  const auto first = office.call(answer.raw.stream());
  CHECK(office.files.parts_written == 1);
  REQUIRE(first);
  const std::string text = *first + joined(pieces(office, answer));
  CHECK(office.files.parts_written == 20);
  std::set<std::string> seen;
  for (std::size_t at = text.find("\nuser_id="); at != std::string::npos; at = text.find("\nuser_id=", at + 1))
    seen.insert(text.substr(at + 9, text.find(';', at) - at - 9));
  CHECK(seen.size() == 5'001);
  // A filter that few pass is looked for a few thousand users at a time.
  const auto rare = pieces(office, office.ask("GET", "/v1/exports?department=Rare"));
  CHECK(rare.size() == 3);
  CHECK_THAT(joined(rare), Contains("user_id=last"));
}

TEST_CASE("one export at a time; the next may begin when it is over or whoever asked for it has left") {
  Office office;
  add_many(office, 300);
  {
    const auto running = office.ask("GET", "/v1/exports");
    const auto refused = office.ask("GET", "/v1/exports");
    CHECK(refused.status == 409);
    CHECK(refused.code() == "export_running");
  }
  const auto next = office.ask("GET", "/v1/exports");
  CHECK(next.status == 200);
  CHECK(pieces(office, next).size() == 2);
  CHECK(office.ask("GET", "/v1/exports").status == 200);
}

TEST_CASE("an export that cannot begin is refused; one that fails on the way is cut short") {
  Office office;
  add_many(office, 300);
  office.files.export_fails_at = 0;
  const auto refused = office.ask("GET", "/v1/exports");
  CHECK(refused.status == 503);
  CHECK(refused.text("/detail") == "the file source cannot write now");
  office.files.export_fails_at = 1;
  const auto answer = office.ask("GET", "/v1/exports");
  REQUIRE(answer.status == 200);
  CHECK(office.call(answer.raw.stream()).has_value());
  CHECK_THROWS_WITH(office.call(answer.raw.stream()), "an export was cut short: the file source cannot write now");
  office.files.exports = false;
  CHECK(office.ask("GET", "/v1/exports").code() == "no_export_source");
}

TEST_CASE("an import names columns as its file does, keeps the API's name beside it, and says how many rows come") {
  Office office;
  office.files.called = {{"login_email", "E-post Visma Connect"}, {"start_date", "Startdatum"}};
  office.files.remark = "This column is not used: \"Kön\".";
  const auto started = office.ask("POST", "/v1/imports",
                                  "user_id;name;login_email;start_date\n1;Anna;nowhere;2026-11-30\n2;Bo;;soon\n;;;\n");
  const auto events = office.lines(office.ask("GET", "/v1/jobs/" + started.text("/job") + "/events"), "JobEvent");
  REQUIRE(events.size() == 7);
  CHECK(events[1].at("event") == "progress");
  CHECK(events[1].at("total") == 3);
  CHECK(events[2].at("row").at("result") == "noted: columns_not_used");
  CHECK(events[2].at("row").at("line") == 1);
  CHECK(events[3].at("row").at("result") == "ignored: invalid_email");
  CHECK(events[3].at("row").at("column") == "E-post Visma Connect");
  CHECK(events[3].at("row").at("field") == "login_email");
  CHECK(events[4].at("row").at("column") == "Startdatum");
  CHECK(events[5].at("row").at("column") == "name");  // the file calls it so, too
  // The remark is no row.
  CHECK(events[6].at("counts") == json::parse(R"({"created":0,"updated":0,"unchanged":0,"ignored":1,"rejected":2})"));
  const auto job = office.ask("GET", "/v1/jobs/" + started.text("/job"));
  CHECK(job.text("/done") == "3");
  CHECK(job.text("/total") == "3");
}

TEST_CASE("companies are known by key and by name, whatever the case; one that two are called by is none") {
  Office office;
  office.add(R"({"user_id":"1","name":"A","company":"FI"})");
  CHECK(office.user("1").company == "fi");
  office.add(R"({"user_id":"2","name":"B","company":"example oy"})");
  CHECK(office.user("2").company == "fi");
  office.add(
      R"({"user_id":"3","name":"C","company":"EXAMPLE AB","authorised_companies":["FI","elsewhere","Example Oy"]})");
  CHECK(office.user("3").company == "");
  CHECK(office.user("3").authorised_companies == std::vector<std::string>{"elsewhere", "fi"});
  const auto unknown = office.ask("POST", "/v1/users", R"({"user_id":"4","name":"D","company":"none"})");
  CHECK(unknown.code() == "unknown_company");

  model::Policy organisation;
  organisation.name = "Example AB";
  std::map<std::string, model::Policy> companies;
  for (const auto& [key, called] : std::vector<std::pair<std::string, std::string>>{
           {"a", "Twin"}, {"b", "twin"}, {"c", "A"}, {"d", "Åkeri"}, {"e", "Example AB"}, {"K", ""}, {"k", ""}}) {
    companies[key].company = key;
    companies[key].name = called;
  }
  const model::Policies policies(organisation, companies);
  CHECK(policies.company_meant("") == "");
  CHECK(policies.company_meant("åkeri") == "d");
  CHECK_FALSE(policies.company_meant("Twin"));
  CHECK_FALSE(policies.company_meant("Example AB"));
  CHECK(policies.company_meant("A") == "a");  // a key goes before a name
  CHECK(policies.company_meant("K") == "K");  // exactly so
  CHECK(policies.company_called("a") == "a");
  CHECK(policies.company_called("c") == "c");
  CHECK(policies.company_called("d") == "Åkeri");
  CHECK(policies.company_called("gone") == "gone");
  const model::Policies plain(organisation, {});
  CHECK(plain.company_meant("EXAMPLE AB") == "");
}

TEST_CASE("a name that is made of given and family name follows them; one that was written stays") {
  Office office;
  office.add(R"({"user_id":"1","given_name":"Anna","family_name":"Berg"})");
  (void)office.ask("PATCH", "/v1/users/1", R"({"family_name":"Ek"})");
  CHECK(office.user("1").name == "Anna Ek");
  office.add(R"({"user_id":"2","name":"Dr. Anna Berg","given_name":"Anna","family_name":"Berg"})");
  (void)office.ask("PATCH", "/v1/users/2", R"({"family_name":"Ek"})");
  CHECK(office.user("2").name == "Dr. Anna Berg");
}
