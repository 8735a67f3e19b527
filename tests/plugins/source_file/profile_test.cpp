// The HR system's template: its names in both languages, its words, and the way out and in again.
#include "profile.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "csv.hpp"
#include "sdk/fake_host.hpp"
#include "source_file.hpp"
#include "text.hpp"

using namespace invited::file;

namespace {

using Lines = std::vector<std::string>;
using Names = std::vector<std::string>;

struct Taken final : Rows {
  void header(std::int64_t line, const Header& header) override {
    CHECK(lines.empty());
    profile = header.profile;
    for (const Column& column : header.columns) columns.push_back(column.key + "=" + column.name);
    for (const Note& note : header.notes)
      notes.push_back(std::to_string(line) + "/" + note.reason + "/" + note.message);
  }
  bool row(std::int64_t line, std::span<const Cell> cells) override {
    std::string text = std::to_string(line) + ":";
    for (const Cell& cell : cells) {
      text += " " + std::string(cell.key) + "=" + std::string(cell.value);
      last[std::string(cell.key)] = cell.value;
    }
    lines.push_back(text);
    return true;
  }
  bool bad_row(std::int64_t line, std::string_view column, std::string_view reason, std::string_view) override {
    lines.push_back(std::to_string(line) + "! " + std::string(column) + "/" + std::string(reason));
    return true;
  }
  Profile profile = Profile::automatic;
  Names columns;
  Lines lines, notes;
  std::map<std::string, std::string> last;
};

Taken read(std::string_view text, const Layout& layout = {}) {
  FileCheck check;
  check.feed(text);
  check.finish();
  Taken taken;
  CsvReader reader(layout, taken, check.looks_like_windows_1252());
  const bool to_the_end = reader.feed(text) && reader.finish();
  CHECK(to_the_end);
  return taken;
}

std::string refused(std::string_view text, const Layout& layout = {}) {
  try {
    read(text, layout);
  } catch (const Problem& problem) {
    return problem.reason() + ": " + problem.text();
  }
  return "none";
}

// One value under one name of the template.
std::string value(const std::string& name, const std::string& text, const Layout& layout = {}) {
  const Taken taken = read("User-ID;" + name + "\n14;" + text + "\n", layout);
  REQUIRE(taken.columns.size() == 2);
  const std::string key = taken.columns[1].substr(0, taken.columns[1].find('='));
  return taken.last.at(key);
}

Layout by_profile(Profile profile) {
  Layout layout;
  layout.profile = profile;
  return layout;
}
Layout by_encoding(Encoding encoding) {
  Layout layout;
  layout.encoding = encoding;
  return layout;
}
Layout by_dates(DateOrder order) {
  Layout layout;
  layout.date_order = order;
  return layout;
}

}  // namespace

TEST_CASE("template: the Swedish and the English names mean the same columns") {
  const std::vector<std::array<std::string, 3>> names{
      {"user_id", "Användar-id", "User-ID"},
      {"given_name", "Förnamn", "First name"},
      {"family_name", "Efternamn", "Last name"},
      {"name", "Namn", "Name"},
      {"login_email", "E-post Visma Connect", "Email Visma Connect"},
      {"enabled", "Användaren är aktiverad", "User is enabled"},
      {"company", "Företag", "Company"},
      {"authorised_companies", "Behöriga företag", "Authorised companies"},
      {"department", "Avdelning", "Department"},
      {"roles", "Roller", "Roles"},
      {"alias", "Alias användar-id", "Alias user-ID"},
      {"signature", "Signatur", "Signature"},
      {"card_id", "Kort-/Brick-ID", "Card-/Tag-ID"},
      {"external_ref", "Extern referens", "External reference"},
      {"locale", "Språk", "Language"},
      {"start_date", "Startdatum", "Start date"},
      {"end_date", "Slutdatum", "End date"},
      {"employment_template", "Anställningsmall", "Employment template"},
  };
  for (const std::size_t language : {std::size_t{1}, std::size_t{2}}) {
    std::string line;
    Names wanted;
    for (const auto& name : names) {
      line += (line.empty() ? "" : ";") + name.at(language);
      wanted.push_back(name[0] + "=" + name.at(language));
    }
    const Taken taken = read(line + "\n");
    CHECK(taken.profile == Profile::flex_employees_users);
    CHECK(taken.columns == wanted);
    CHECK(taken.notes.empty());
  }
}

TEST_CASE("template: names are known in any case, order and punctuation, in blanks, and in both languages at once") {
  const Taken taken = read(
      "  E-POST VISMA CONNECT ;\"kort / brick id\";ANVÄNDAR-ID *;Last name;User is enabled/activated\n"
      "a@b.example;7;14;Åberg;Ja\n");
  CHECK(taken.columns == Names{"login_email=E-POST VISMA CONNECT", "card_id=kort / brick id", "user_id=ANVÄNDAR-ID *",
                               "family_name=Last name", "enabled=User is enabled/activated"});
  CHECK(taken.lines == Lines{"2: login_email=a@b.example card_id=7 user_id=14 family_name=Åberg enabled=true"});
  CHECK(read("E-mail Visma Connect;User ID\na;1\n").columns ==
        Names{"login_email=E-mail Visma Connect", "user_id=User ID"});
  CHECK(read("Anställd fr.o.m.;Anställd t.o.m.;Användar-id\n;;1\n").columns ==
        Names{"start_date=Anställd fr.o.m.", "end_date=Anställd t.o.m.", "user_id=Användar-id"});
}

TEST_CASE("template: every delimiter is found by the names") {
  const Lines wanted{"2: user_id=14 login_email=a@b.example"};
  CHECK(read("Användar-id;E-post Visma Connect\n14;a@b.example\n").lines == wanted);
  CHECK(read("Användar-id,E-post Visma Connect\n14,a@b.example\n").lines == wanted);
  CHECK(read("Användar-id\tE-post Visma Connect\n14\ta@b.example\n").lines == wanted);
}

TEST_CASE("template: columns that are not used are left aside with one note for the file") {
  const Taken taken = read("Kön;User-ID;Adress;;Name\nK;14;Gatan 1;x;Åsa\n\xC5;15;;;Bo\n");
  CHECK(taken.lines == Lines{"2: user_id=14 name=Åsa", "3: user_id=15 name=Bo"});
  CHECK(taken.notes == Lines{"1/columns_not_used/These columns are not used: \"Kön\", \"Adress\", no. 4."});
  CHECK(read("User-ID;Kön\n1;K\n").notes == Lines{"1/columns_not_used/This column is not used: \"Kön\"."});
  std::string many = "User-ID";
  for (int i = 0; i < 20; ++i) many += ";Field " + std::to_string(i);
  CHECK(read(many + "\n").notes.at(0).ends_with("\"Field 11\" and 8 more."));
}

TEST_CASE("template: the ordinary address is not the sign-in's, and a file that has only that one is told so") {
  const Taken only = read("User-ID;Email\n1;a@b.example\n");
  CHECK(only.lines == Lines{"2: user_id=1"});
  CHECK(
      only.notes.at(0) ==
      "1/columns_not_used/This column is not used: \"Email\". \"Email\" is the ordinary address; sign-ins are tied to "
      "\"E-post Visma Connect\" (\"Email Visma Connect\").");
  const Taken both = read("Användar-id;E-post;E-post Visma Connect\n1;a@b.example;c@d.example\n");
  CHECK(both.lines == Lines{"2: user_id=1 login_email=c@d.example"});
  CHECK(both.notes.at(0) == "1/columns_not_used/This column is not used: \"E-post\".");
}

TEST_CASE("template: the employment number is the user-id or the reference, by what else the file has") {
  CHECK(read("Anställningsnummer;Namn\n7;Åsa\n").lines == Lines{"2: user_id=7 name=Åsa"});
  CHECK(read("Anställningsnummer;Användar-id\n7;asa\n").lines == Lines{"2: external_ref=7 user_id=asa"});
  const Taken third = read("Employment number;User-ID;External reference\n7;asa;x\n");
  CHECK(third.lines == Lines{"2: user_id=asa external_ref=x"});
  CHECK(third.notes.size() == 1);
  Layout layout;
  layout.number_is_reference = true;
  CHECK(read("Anställningsnummer;Namn\n7;Åsa\n", layout).lines == Lines{"2: external_ref=7 name=Åsa"});
}

TEST_CASE("template: which profile a file has is seen from its first line, or said") {
  const Layout api = by_profile(Profile::api);
  const Layout flex = by_profile(Profile::flex_employees_users);
  CHECK(read("user_id,name,alias\n").profile == Profile::api);
  CHECK(read("External_Ref,name\n").profile == Profile::api);
  CHECK(read("User-ID,Name,Alias\n").profile == Profile::flex_employees_users);
  CHECK(read("UserID,Name\n").profile == Profile::flex_employees_users);
  CHECK(refused("user_id,E-post Visma Connect\n1,a\n") ==
        "unknown_column: line 1, column 2: \"e-post visma connect\" is no field of a user");
  CHECK_THAT(refused("User-ID;signature\n", api),
             Catch::StartsWith("unknown_column: line 1, column 1: \"user-id\" is no field of a user"));
  CHECK(read("user_id;Name\n", flex).columns == Names{"user_id=user_id", "name=Name"});
  CHECK(
      refused("14;Åsa\n", flex) ==
      "no_header: line 1, column 1: the first line has to name the columns as the HR system does, such as Användar-id "
      "or User-ID; it begins with \"14\"");
  CHECK(refused("Namn;E-post Visma Connect\n") ==
        "no_user_id: line 1: there is no column \"Användar-id\" (\"User-ID\") or \"Anställningsnummer\" (\"Employment "
        "number\"), so nobody can be told apart");
  CHECK(refused("User-ID;Namn;Name\n") == "duplicate_column: line 1, column 3: \"name\" is column 2 already");
  CHECK(refused("User-ID;Name;Namn\n") == "duplicate_column: line 1, column 3: \"Namn\" (name) is column 2 already");
}

TEST_CASE("template: every yes and no word") {
  for (const auto* yes : {"Ja", "ja", "JA", "J", "Yes", "y", "1", "True", "sant", "Aktiv", "Active"})
    CHECK(value("Användaren är aktiverad", yes) == "true");
  for (const auto* no : {"Nej", "nej", "N", "No", "0", "False", "Falskt", "Inaktiv", "inactive"})
    CHECK(value("User is enabled", no) == "false");
  CHECK(value("User is enabled", "kanske") == "kanske");  // refused where values are judged, with line and column
  CHECK(value("User is enabled", "") == "");
}

TEST_CASE("template: dates in the forms that the HR system writes") {
  for (const auto* text : {"2026-11-30", "20261130", "2026/11/30", "2026.11.30", "2026-11-30 00:00:00",
                           "2026-11-30T08:00:00.000", "2026-11-30 00:00"})
    CHECK(value("Startdatum", text) == "2026-11-30");
  CHECK(value("Startdatum", "2026-1-5") == "2026-01-05");
  CHECK(value("Startdatum", "2026-02-30") == "2026-02-30");  // refused where dates are judged
  // Which number is the month is never guessed.
  for (const auto* text : {"30.11.2026", "11/30/2026", "30112026x", "26-11-30", "2026-11-30 noon", "2026-11", "soon"})
    CHECK(value("Startdatum", text) == text);
  for (const auto* text : {"30.11.2026", "30/11/2026", "30-11-2026", "30112026", "2026-11-30"})
    CHECK(value("End date", text, by_dates(DateOrder::dmy)) == "2026-11-30");
  for (const auto* text : {"11/30/2026", "11302026", "2026-11-30"})
    CHECK(value("End date", text, by_dates(DateOrder::mdy)) == "2026-11-30");
}

TEST_CASE("template: languages by their names in both") {
  for (const auto* text : {"Svenska", "swedish", "SV", "sv-SE"}) CHECK(value("Språk", text) == "sv");
  for (const auto* text : {"Engelska", "English", "en", "en-GB"}) CHECK(value("Language", text) == "en");
  CHECK(value("Språk", "Norska") == "Norska");
}

TEST_CASE("template: a file of an older Windows is read as that, and said") {
  const std::string text =
      "Anv\xE4ndar-id;F\xF6rnamn;E-post Visma Connect\r\n14;\xC5sa \x80;a@b.example\r\n15;\x81;\r\n";
  const Taken taken = read(text);
  CHECK(taken.columns == Names{"user_id=Användar-id", "given_name=Förnamn", "login_email=E-post Visma Connect"});
  CHECK(taken.lines == Lines{"2: user_id=14 given_name=Åsa € login_email=a@b.example", "3! given_name/not_text"});
  REQUIRE(taken.notes.size() == 1);
  CHECK_THAT(taken.notes[0], Catch::StartsWith("1/read_as_windows_1252/The file is not UTF-8"));
  // Names in ASCII: only the rows tell.
  CHECK(read("User-ID;Name\n14;\xC5sa\n").lines == Lines{"2: user_id=14 name=Åsa"});
  // UTF-8 with a damaged place is not taken for it: the place is told.
  CHECK(read("User-ID;Name\n14;Åsa\n15;\xC5sa\n").lines == Lines{"2: user_id=14 name=Åsa", "3! name/not_utf8"});
  CHECK(read("\xEF\xBB\xBFUser-ID;Name\n14;\xC5sa\n").lines == Lines{"2! name/not_utf8"});
  // Nor is a file with the API's names.
  CHECK(read("user_id;name\n14;\xC5sa\n").lines == Lines{"2! name/not_utf8"});
  CHECK(read("user_id;name\n14;\xC5sa\n", by_encoding(Encoding::windows_1252)).lines ==
        Lines{"2: user_id=14 name=Åsa"});
  CHECK(read("User-ID;Name\n14;\xC5sa\n", by_encoding(Encoding::utf8)).lines == Lines{"2! name/not_utf8"});
}

TEST_CASE("template: a cut-off character at the end of a file is no UTF-8") {
  EncodingScan scan;
  scan.feed("abc\xC3");
  CHECK(scan.looks_like_windows_1252());
  scan.feed("\xA5");
  CHECK_FALSE(scan.looks_like_windows_1252());
}

TEST_CASE("template: what a spreadsheet would run is written behind an apostrophe, and comes back as it was") {
  const std::vector<std::array<std::string, 2>> pairs{
      {"=1+1", "'=1+1"}, {"+46701", "'+46701"}, {"-", "'-"},    {"@x", "'@x"}, {"'=x", "''=x"}, {"''-", "'''-"},
      {"'", "'"},        {"'a", "'a"},          {"a=b", "a=b"}, {"", ""},      {"007", "007"}};
  for (const auto& [plain, written] : pairs) {
    CHECK(guarded(plain) == written);
    CHECK(unguarded(guarded(plain)) == plain);
  }
}

namespace {

using Person = std::vector<std::pair<std::string, std::string>>;

struct Exporting {
  Exporting() {
    host.offer_all();
    instance.emplace(host);
    REQUIRE(instance->status() == INVITED_OK);
  }
  fake::Call& write(const std::vector<Person>& people, std::string_view format, const Person& options,
                    bool first = true, bool last = true) {
    std::vector<std::vector<invited_pair>> fields;
    for (const Person& person : people) {
      auto& list = fields.emplace_back();
      for (const auto& [key, text] : person) list.push_back({invited::borrow(key), invited::borrow(text)});
    }
    std::vector<invited_record> records;
    for (const auto& list : fields) records.push_back({sizeof(invited_record), 0, 0, list.data(), list.size()});
    std::vector<const invited_record*> pointers;
    for (const auto& record : records) pointers.push_back(&record);
    std::vector<invited_pair> pairs;
    for (const auto& [key, text] : options) pairs.push_back({invited::borrow(key), invited::borrow(text)});
    invited_export part{};
    part.struct_size = sizeof part;
    part.first = first ? 1 : 0;
    part.last = last ? 1 : 0;
    part.format = invited::borrow(format);
    part.records = pointers.data();
    part.record_count = pointers.size();
    part.options = pairs.data();
    part.option_count = pairs.size();
    return host.operation(
        [&](invited_call* call) { instance->operations().export_records(instance->self(), call, &part); });
  }
  fake::Host host;
  std::optional<fake::Instance<FileSource, invited_source>> instance;
};

const Person anna{{"user_id", "0014"},
                  {"name", "Anna Berg"},
                  {"given_name", "Anna"},
                  {"family_name", "Berg"},
                  {"login_email", "anna@company.example"},
                  {"company", "north"},
                  {"company_name", "Example North"},
                  {"department", "=Sales; \"A\""},
                  {"roles", "boss,planner"},
                  {"locale", "sv"},
                  {"start_date", "2026-12-01"},
                  {"end_date", ""},
                  {"employment_template", "Tillsvidare"},
                  {"alias", " ab "},
                  {"signature", ""},
                  {"card_id", "007"},
                  {"external_ref", "-7"},
                  {"authorised_companies", "early,north"},
                  {"authorised_company_names", "Example Early,Example North"},
                  {"enabled", "true"}};

}  // namespace

TEST_CASE("template: an export has the names and words of its language") {
  Exporting source;
  CHECK(source.write({anna}, "flex-employees-users", {{"language", "sv"}}).written ==
        "\xEF\xBB\xBF"
        "Användar-id;Förnamn;Efternamn;Namn;E-post Visma Connect;Användaren är aktiverad;Företag;Behöriga "
        "företag;Avdelning;Roller;Alias användar-id;Signatur;Kort-/Brick-ID;Extern "
        "referens;Språk;Startdatum;Slutdatum;Anställningsmall\r\n"
        "0014;Anna;Berg;Anna Berg;anna@company.example;Ja;Example North;\"Example Early,Example North\";\"'=Sales; "
        "\"\"A\"\"\";\"boss,planner\";\" ab \";;007;'-7;Svenska;2026-12-01;;Tillsvidare\r\n");
  const auto& english = source.write({anna}, "flex-employees-users", {{"language", "en"}, {"delimiter", "tab"}});
  CHECK_THAT(english.written,
             Catch::StartsWith("\xEF\xBB\xBFUser-ID\tFirst name\tLast name\tName\tEmail Visma Connect\t"));
  CHECK_THAT(english.written, Catch::Contains("\tYes\tExample North\t") && Catch::Contains("\tSwedish\t"));
  const auto& api = source.write({anna}, "api", {});
  CHECK_THAT(api.written, Catch::StartsWith("user_id,given_name,family_name,name,login_email,enabled,company,") &&
                              Catch::Contains(",true,north,\"early,north\","));
}

TEST_CASE("template: a big export comes in parts that fit together") {
  Exporting source;
  const Person options{{"language", "en"}, {"delimiter", "comma"}};
  const std::string whole = source.write({anna, anna}, "flex-employees-users", options).written;
  const std::string first = source.write({anna}, "flex-employees-users", options, true, false).written;
  const std::string second = source.write({anna}, "flex-employees-users", options, false, true).written;
  CHECK(first + second == whole);
  CHECK(source.write({}, "flex-employees-users", options).written == first.substr(0, first.find('\n') + 1));
}

TEST_CASE("template: an export in a form that is not ours is refused with a sentence") {
  Exporting source;
  CHECK(source.write({}, "xlsx", {}).status == INVITED_REJECTED);
  CHECK(source.write({}, "xlsx", {}).message == "exports have the profile flex-employees-users or api, not \"xlsx\"");
  CHECK(source.write({}, "api", {{"delimiter", "pipe"}}).status == INVITED_REJECTED);
  CHECK(source.write({}, "api", {{"language", "fi"}}).status == INVITED_REJECTED);
}

TEST_CASE("template: out and in again gives every value back, in each form") {
  std::mt19937 random(20261130);
  const std::vector<std::string> pieces{"a", "Å", "=", "+", "-", "@", "'", "\"", ";", ",", " ", "0", "€", "|", "."};
  const auto any = [&] {
    std::string text;
    for (std::size_t n = random() % 6; n > 0; --n) text += pieces[random() % pieces.size()];
    return text;
  };
  const std::vector<std::string> free_texts{"name",    "given_name",   "department", "alias",
                                            "card_id", "external_ref", "signature",  "login_email"};
  Exporting source;
  for (std::size_t round = 0; round < 300; ++round) {
    Person person = anna;
    for (auto& [key, text] : person) {
      if (std::find(free_texts.begin(), free_texts.end(), key) != free_texts.end()) text = any();
    }
    const bool by_name = round % 2 == 1;
    const Person options{{"language", round % 4 < 2 ? "sv" : "en"},
                         {"delimiter", std::array{"comma", "semicolon", "tab"}.at(round % 3)}};
    const std::string text = source.write({person}, by_name ? "flex-employees-users" : "api", options).written;
    CAPTURE(text);
    const Taken taken = read(text);
    CHECK(taken.notes.empty());
    for (const auto& [key, plain] : person) {
      if (key == "company_name" || key == "authorised_company_names") continue;
      CAPTURE(key);
      const std::string wanted = by_name && key == "company"                ? "Example North"
                                 : by_name && key == "authorised_companies" ? "Example Early,Example North"
                                                                            : plain;
      CHECK(taken.last.at(key) == wanted);
    }
  }
}

TEST_CASE("template: the source says how many rows come and what the file calls its columns; results name those") {
  fake::Host host;
  host.offer_all();
  const fake::Instance<FileSource, invited_source> source(host);
  const std::string text = "Användar-id;Kön;E-post Visma Connect\n14;K;a@b.example\n\n15;M;\n16;M\n";
  const auto& call = host.operation([&](invited_call* raw) {
    invited_request request{};
    request.struct_size = sizeof request;
    request.kind = INVITED_REQUEST_IMPORT;
    request.body = invited::borrow(text);
    request.format = invited::borrow("csv");
    source.operations().handle(source.self(), raw, &request);
  });
  CHECK(call.status == INVITED_OK);
  CHECK(call.announced_rows == 3);
  CHECK(call.announced ==
        std::map<std::string, std::string>{{"user_id", "Användar-id"}, {"login_email", "E-post Visma Connect"}});
  CHECK(call.noted == Lines{"1//columns_not_used/This column is not used: \"Kön\"."});
  CHECK(call.rows.size() == 2);
  CHECK(call.rejected.size() == 1);

  invited::Report report;
  report.results.push_back(
      {invited::Outcome::noted, 1, "", "columns_not_used", "", "This column is not used: \"Kön\"."});
  report.results.push_back(
      {invited::Outcome::ignored, 2, "14", "invalid_email", "E-post Visma Connect", "It has no domain."});
  CHECK(result_table(report) ==
        "line,user_id,result,column,message\r\n"
        "1,,noted: columns_not_used,,\"This column is not used: \"\"Kön\"\".\"\r\n"
        "2,14,ignored: invalid_email,E-post Visma Connect,It has no domain.\r\n");
}

TEST_CASE("template: the profile of a push goes before that of the instance") {
  fake::Host host;
  host.offer_all();
  const fake::Instance<FileSource, invited_source> source(host, R"({"profile": "api"})");
  const auto import = [&](std::string_view format) -> fake::Call& {
    return host.operation([&](invited_call* raw) {
      invited_request request{};
      request.struct_size = sizeof request;
      request.kind = INVITED_REQUEST_IMPORT;
      request.body = invited::borrow("User-ID;Name\n14;A\n");
      request.format = invited::borrow(format);
      source.operations().handle(source.self(), raw, &request);
    });
  };
  CHECK(import("csv").status == INVITED_REJECTED);
  CHECK(import("flex-employees-users").rows.size() == 1);
}
