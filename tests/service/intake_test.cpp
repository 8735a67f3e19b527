// PRODUCT §6: one row, one result, and nothing that a bad one stops.
#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "service/fetching.hpp"
#include "store/meta.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;
using Words = std::vector<std::string>;

namespace {

Row person(const std::string& id, Row more = {}) {
  Row fields{{"user_id", id}, {"name", "Person " + id}};
  for (auto& field : more) fields.push_back(std::move(field));
  return fields;
}

Words results(const std::vector<model::RowResult>& rows) {
  Words texts;
  for (const auto& row : rows) texts.push_back(row.result());
  return texts;
}

}  // namespace

TEST_CASE("created, updated, unchanged: only what is present changes anything") {
  Bench b;
  CHECK(b.row(person("1", {{"department", "Sales"}, {"alias", "x"}})) == "created");
  CHECK(b.row(person("1", {{"department", "Sales"}})) == "unchanged");
  CHECK(b.row({{"user_id", "1"}, {"department", "Ops"}}) == "updated");
  CHECK(b.user("1")->department == "Ops");
  CHECK(b.user("1")->alias == "x");
  CHECK(b.row({{"user_id", "1"}, {"alias", ""}}) == "updated");
  CHECK(b.user("1")->alias.empty());
  CHECK(b.user("1")->name == "Person 1");
}

TEST_CASE("user-ids differing only in case are one user") {
  Bench b;
  b.row(person("Anna"));
  CHECK(b.row({{"user_id", "ANNA"}, {"alias", "a"}}) == "updated");
  CHECK(b.go(b.queries.counts()).users == 1);
}

TEST_CASE("an empty cell never clears a login email, and a bad one stops nothing else in its row") {
  Bench b;
  b.row(person("1", {{"login_email", "a@example.com"}}));
  CHECK(b.row({{"user_id", "1"}, {"login_email", ""}}) == "unchanged");
  CHECK(b.user("1")->login_email == "a@example.com");
  const auto bad = b.rows({{{"user_id", "1"}, {"login_email", "not an address"}, {"department", "Sales"}}}).at(0);
  CHECK(bad.result() == "ignored: invalid_email");
  CHECK(bad.column == "login_email");
  CHECK(bad.applied == model::RowOutcome::updated);
  CHECK(b.user("1")->login_email == "a@example.com");
  CHECK(b.user("1")->department == "Sales");
}

TEST_CASE("a connected user's login email is ignored, the rest of the row is not") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  b.row(person("1", {{"login_email", "a@example.com"}, {"start_date", "2026-10-20"}}));
  b.pump();
  b.connect("1");
  REQUIRE(b.connection("1") == "connected");
  CHECK(b.row({{"user_id", "1"}, {"login_email", "b@example.com"}, {"department", "Sales"}}) == "ignored: connected");
  CHECK(b.user("1")->login_email == "a@example.com");
  CHECK(b.user("1")->department == "Sales");
  CHECK(b.row({{"user_id", "1"}, {"login_email", "a@example.com"}}) == "unchanged");
}

TEST_CASE("the same user-id twice in a file: the first row counts, whatever the case") {
  Bench b;
  CHECK(results(b.rows({person("a"), person("A", {{"alias", "x"}}), person("b")})) ==
        Words{"created", "ignored: duplicate_in_file", "created"});
  CHECK(b.user("a")->alias.empty());
}

TEST_CASE("a login email that is another user's is ignored") {
  Bench b;
  CHECK(results(b.rows(
            {person("a", {{"login_email", "x@example.com"}}), person("b", {{"login_email", "X@example.com"}})})) ==
        Words{"created", "ignored: duplicate_email"});
  CHECK(b.user("b")->login_email.empty());
}

TEST_CASE("every reason for refusing a row names its column and changes nothing") {
  Bench b;
  b.row(person("1", {{"start_date", "2026-10-20"}}));
  const std::string before = b.dump();
  const auto check = [&](const Row& fields, const std::string& reason, const std::string& column) {
    CAPTURE(reason);
    const auto result = b.rows({fields}).at(0);
    CHECK(result.result() == "rejected: " + reason);
    CHECK(result.column == column);
    CHECK_FALSE(result.message.empty());
    CHECK(result.line == 2);
  };
  check({{"name", "Nobody"}}, "user_id_missing", "user_id");
  check({{"user_id", std::string(101, 'x')}, {"name", "X"}}, "too_long", "user_id");
  check({{"user_id", "2"}}, "name_missing", "name");
  check(person("2", {{"shoe_size", "44"}}), "unknown_field", "shoe_size");
  check(person("2", {{"alias", std::string(1'001, 'x')}}), "too_long", "alias");
  check(person("2", {{"alias", "a\nb"}}), "control_character", "alias");
  for (const std::string odd : {"\u009b", "\u2028", "\u202e", "\u2066"})
    check({{"user_id", "2"}, {"name", "A" + odd + "B"}}, "control_character", "name");
  check({{"user_id", "2"},
         {"name",
          "A\xC2\x85"
          "B"}},
        "control_character", "name");
  for (const char* field : {"name", "given_name", "family_name"})
    check(person("2", {{field, std::string(257, 'x')}}), "too_long", field);
  check({{"user_id", "2"}, {"given_name", std::string(128, 'x')}, {"family_name", std::string(128, 'y')}}, "too_long",
        "name");
  check(person("2", {{"company", "nowhere"}}), "unknown_company", "company");
  check(person("2", {{"locale", "fi"}}), "invalid_locale", "locale");
  check(person("2", {{"enabled", "perhaps"}}), "invalid_flag", "enabled");
  check(person("2", {{"start_date", "20261020"}}), "invalid_date", "start_date");
  check(person("2", {{"start_date", "2026-02-30"}}), "invalid_date", "start_date");
  check(person("2", {{"end_date", "2026-10-20"}}), "start_date_missing", "start_date");
  check(person("2", {{"start_date", "2026-10-20"}, {"end_date", "2026-10-19"}}), "end_before_start", "end_date");
  check(person("2", {{"login_email", "a@example.com"}, {"confirm_email", "b@example.com"}}), "confirm_mismatch",
        "confirm_email");
  check({{"user_id", "1"}, {"alias", "new"}, {"end_date", "2026-01-01"}}, "end_before_start", "end_date");
  CHECK(b.dump() == before);
}

TEST_CASE("a row the source could not read is reported and the others are applied") {
  Bench b;
  std::vector<model::SourceItem> items{model::SourceRecord{person("1"), 2},
                                       model::BadRow{3, "name", "bad_encoding", "Not UTF-8."},
                                       model::SourceRecord{person("2"), 4}};
  service::Intake::Run run(b.intake, {.source = "hr", .actor = "source:hr"}, {});
  b.go(run.sink()(std::move(items)));
  b.go(run.finish());
  CHECK(results(run.results()) == Words{"created", "rejected: bad_encoding", "created"});
  CHECK(run.results()[1].line == 3);
}

TEST_CASE("the same file again changes nothing at all") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  std::vector<Row> file;
  for (int i = 0; i < 600; ++i)
    file.push_back(person(std::to_string(i), {{"login_email", "u" + std::to_string(i) + "@example.com"},
                                              {"start_date", i % 2 ? "2026-10-20" : "2026-12-01"},
                                              {"roles", "b,a"},
                                              {"in_review", i % 3 ? "false" : "true"}}));
  for (const auto& result : b.rows(file)) REQUIRE(result.result() == "created");
  b.pump();
  const std::string before = b.dump();
  b.at("2026-10-21T08:00:00Z");
  for (const auto& result : b.rows(file)) REQUIRE(result.result() == "unchanged");
  CHECK(b.dump() == before);
}

TEST_CASE(
    "the row of a second job that was withdrawn changes nothing when it comes again, nor does the row of the first") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  const Row first =
      person("1", {{"login_email", "a@example.com"}, {"start_date", "2026-09-01"}, {"end_date", "2026-10-18"}});
  const Row second = person("1", {{"start_date", "2026-12-01"}, {"end_date", ""}, {"withdrawn", "true"}});
  CHECK(b.row(first) == "created");
  CHECK(b.row(person("1", {{"start_date", "2026-12-01"}, {"end_date", ""}})) == "updated");
  CHECK(b.row(second) == "updated");
  const std::string before = b.dump();
  CHECK(b.row(second) == "unchanged");
  CHECK(b.row(first) == "unchanged");
  CHECK(b.dump() == before);
}

TEST_CASE("a dry run gives the results of the real run and changes nothing") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  b.row(person("old", {{"login_email", "old@example.com"}}));
  std::vector<Row> file{person("a", {{"login_email", "x@example.com"}, {"start_date", "2026-10-20"}}),
                        person("b", {{"login_email", "x@example.com"}}),
                        person("old", {{"alias", "new"}}),
                        person("c", {{"start_date", "never"}}),
                        person("a"),
                        person("e", {{"login_email", "nonsense"}})};
  for (int i = 0; i < 300; ++i) file.push_back(person("n" + std::to_string(i)));
  file.push_back(
      person("late", {{"login_email", "x@example.com"}}));  // in another chunk than the first row with this address
  const std::string before = b.dump();
  const auto dry = results(b.rows(file, true));
  CHECK(b.dump() == before);
  CHECK(dry == results(b.rows(file)));
  CHECK(dry.at(1) == "ignored: duplicate_email");
  CHECK(dry.back() == "ignored: duplicate_email");
}

TEST_CASE("names are put together from their parts where a row has no name") {
  Bench b;
  b.row({{"user_id", "1"}, {"given_name", "Anna"}, {"family_name", "Berg"}});
  CHECK(b.user("1")->name == "Anna Berg");
}

namespace {

// Gives the same rows until it is told that they were taken.
class FileSource final : public model::Source {
public:
  std::vector<Row> file;
  int fetches = 0;
  std::vector<std::string> finished;
  bool broken = false;

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] const std::string& plugin() const override { return name_; }
  [[nodiscard]] bool can_fetch() const override { return true; }
  [[nodiscard]] bool takes(std::string_view kind) const override { return kind == "record"; }
  [[nodiscard]] core::Milliseconds interval() const override { return core::Milliseconds{60'000}; }
  model::awaitable<core::Result<model::Fetched>> fetch(std::string cursor, model::SourceSink sink) override {
    ++fetches;
    if (broken) co_return core::fail(core::ErrorKind::unavailable, "share_gone", "The folder is away.");
    if (cursor == "1") co_return model::Fetched{.cursor = "1"};
    std::vector<model::SourceItem> items;
    for (const auto& fields : file) items.emplace_back(model::SourceRecord{fields, 0});
    co_await sink(std::move(items));
    co_return model::Fetched{.cursor = "1", .more = true, .items = file.size()};
  }
  model::awaitable<core::Result<void>> finish(std::string cursor, std::vector<model::RowResult> given) override {
    for (const auto& row : given) finished.push_back(cursor + " " + row.result());
    co_return core::Result<void>{};
  }
  model::awaitable<core::Result<model::SourceReply>> handle(model::SourcePush push, model::SourceSink sink) override {
    std::vector<model::SourceItem> items{model::SourceRecord{{{"user_id", push.body}, {"name", push.body}}, 0}};
    co_await sink(std::move(items));
    co_return model::SourceReply{.status = 201};
  }
  void on_change(std::function<void()>) override {}

private:
  std::string name_ = "hr";
};

}  // namespace

TEST_CASE("a source is read to its end; its cursor is durable before it is told to settle its side") {
  Bench b;
  FileSource source;
  source.file = {person("1"), person("2")};
  service::Fetching fetching(*b.store, b.clock, b.io.get_executor(), b.intake, b.batches, b.gate, {&source});
  CHECK_FALSE(b.gate.open());
  int applied = 0;
  fetching.on_applied([&] { ++applied; });
  const auto rows = b.go(fetching.sync("hr", {}));
  REQUIRE(rows);
  CHECK(rows->rows == 2);
  CHECK(source.fetches == 2);
  CHECK(source.finished == Words{"1 created", "1 created"});
  CHECK(store::meta::cursor(*b.db, "hr") == "1");
  CHECK(applied == 1);
  CHECK(fetching.status().at(0).rows == 2);
  CHECK(b.go(fetching.sync("nowhere", {})).error().code == "unknown_source");
}

TEST_CASE("a source that is down opens the gate all the same and is named with its trouble") {
  Bench b;
  FileSource source;
  source.broken = true;
  service::Fetching fetching(*b.store, b.clock, b.io.get_executor(), b.intake, b.batches, b.gate, {&source});
  core::TaskScope scope(b.io.get_executor(), {});
  fetching.start(scope);
  test::settle(b.io);
  CHECK(b.gate.open());
  CHECK(fetching.status().at(0).trouble == "The folder is away.");
  source.broken = false;
  source.file = {person("1")};
  b.clock.advance(std::chrono::minutes{1});
  test::settle(b.io);
  CHECK(fetching.status().at(0).trouble.empty());
  CHECK(b.user("1"));
  scope.stop();
  test::settle(b.io);
}

TEST_CASE("a push goes through the same intake, dry or not") {
  Bench b;
  FileSource source;
  service::Fetching fetching(*b.store, b.clock, b.io.get_executor(), b.intake, b.batches, b.gate, {&source});
  CHECK(fetching.taker_of("record") == "hr");
  CHECK(fetching.taker_of("import").empty());
  service::IntakeContext dry{.source = "hr", .actor = "uid:0", .dry_run = true};
  REQUIRE(b.go(fetching.push("hr", {.kind = "record", .content_type = {}, .file_name = {}, .body = "7"}, dry, {})));
  CHECK_FALSE(b.user("7"));
  REQUIRE(b.go(fetching.push("hr", {.kind = "record", .content_type = {}, .file_name = {}, .body = "7"},
                             {.source = "hr", .actor = "uid:0"}, {})));
  CHECK(b.user("7"));
  CHECK(b.go(fetching.push("hr", {.kind = "import"}, dry, {})).error().code == "source_takes_no_push");
}

TEST_CASE("a login email outside of the allowed domains is ignored while the rest of its row counts") {
  Bench b(stockholm([](model::Policy& policy) { policy.allowed_domains = {"company.example", "*.company.example"}; }));
  b.at("2026-10-20T08:00:00Z");
  const auto save = [&](const std::string& address, const std::string& department) {
    return b.row({{"user_id", "a"}, {"name", "A"}, {"login_email", address}, {"department", department}});
  };
  CHECK(save("a@private.example", "one") == "ignored: domain_not_allowed");
  CHECK(b.user("a")->department == "one");
  CHECK(b.user("a")->login_email.empty());
  CHECK(save("a@north.company.example", "two") == "updated");
  CHECK(save("a@private.example", "three") == "ignored: domain_not_allowed");
  CHECK(b.user("a")->login_email == "a@north.company.example");
  CHECK(b.user("a")->department == "three");
}

TEST_CASE("a user-id with white space around it, or with its accent spelled apart, is the same person") {
  Bench b;
  CHECK(b.row(person("Åsa1", {{"start_date", "2026-10-20"}})) == "created");
  CHECK(b.row({{"user_id", " åsa1\xC2\xA0"}, {"name", "Åsa Öst "}}) == "updated");
  CHECK(b.row({{"user_id", "A\xCC\x8Asa1"}, {"name", "Åsa O\xCC\x88st"}}) == "unchanged");
  CHECK(b.user("Åsa1")->name == "Åsa Öst");
  const auto twice = b.rows({person("7"), person(" 7")});
  CHECK(twice.at(1).result() == "ignored: duplicate_in_file");
  CHECK(b.row(person(" \xC2\xA0")) == "rejected: user_id_missing");
}

TEST_CASE("a row that breaks a rule of the store is rejected, and the rest of the file counts") {
  Bench b;
  b.row(person("2", {{"login_email", "b@example.com"}}));
  b.refuse_rows("employments", "2");
  const auto results =
      b.rows({person("1", {{"start_date", "2026-10-20"}}), person("2", {{"start_date", "2026-10-20"}}), person("3")});
  CHECK(results.at(0).result() == "created");
  CHECK(results.at(1).result() == "rejected: internal_error");
  CHECK_FALSE(results.at(1).message.empty());
  CHECK(results.at(2).result() == "created");
  CHECK_FALSE(store::employments::latest(*b.db, b.user("2")->key));
}

TEST_CASE("one person by user-id and again by reference in one file: the first row counts") {
  Bench b;
  b.row(person("1", {{"external_ref", "R1"}}));
  const auto rows = [&] {
    return results(b.rows({person("1", {{"external_ref", "R1"}, {"login_email", "one@example.com"}}),
                           {{"external_ref", "R1"}, {"login_email", "two@example.com"}}}));
  };
  CHECK(rows() == Words{"updated", "ignored: duplicate_in_file"});
  CHECK(rows() == Words{"unchanged", "ignored: duplicate_in_file"});
}

TEST_CASE("whatever stands in the cell of the login email, the rest of the row counts") {
  Bench b;
  for (const std::string& bad :
       {std::string("a@example.com\nb@example.com"), std::string(2000, 'x') + "@example.com"}) {
    const auto result = b.rows({person("1", {{"login_email", bad}, {"alias", bad.substr(2, 3)}})}).at(0);
    CHECK(result.result() == "ignored: invalid_email");
    CHECK(b.user("1")->alias == bad.substr(2, 3));
  }
}

TEST_CASE("a dry run of a file that hands an address on says what the file will do") {
  Bench b;
  b.row(person("1", {{"login_email", "one@example.com"}}));
  b.row(person("2", {{"login_email", "two@example.com"}}));
  const std::vector<Row> file{person("1", {{"login_email", "other@example.com"}}),
                              person("2", {{"login_email", "one@example.com"}})};
  CHECK(results(b.rows(file, true)) == Words{"updated", "updated"});
  CHECK(b.user("1")->login_email == "one@example.com");
  CHECK(results(b.rows(file)) == Words{"updated", "updated"});
}

TEST_CASE("an address that a row further down frees is taken, and the same file again changes nothing") {
  Bench b;
  b.row(person("1", {{"login_email", "one@example.com"}}));
  b.row(person("2", {{"login_email", "two@example.com"}}));
  b.row(person("3", {{"login_email", "three@example.com"}}));
  // 2 waits for 1, who waits for 3; somebody new waits for 2.
  const std::vector<Row> file{person("new", {{"login_email", "two@example.com"}}),
                              person("2", {{"login_email", "one@example.com"}, {"alias", "b"}}),
                              person("1", {{"login_email", "three@example.com"}}),
                              person("3", {{"login_email", "other@example.com"}})};
  const std::string before = b.dump();
  const Words all{"created", "updated", "updated", "updated"};
  CHECK(results(b.rows(file, true)) == all);
  CHECK(b.dump() == before);
  const auto rows = b.rows(file);
  CHECK(results(rows) == all);
  CHECK(rows.at(1).line == 3);
  CHECK(b.user("new")->login_email == "two@example.com");
  CHECK(b.user("2")->login_email == "one@example.com");
  CHECK(b.user("2")->alias == "b");
  CHECK(b.user("1")->login_email == "three@example.com");
  const std::string after = b.dump();
  CHECK(results(b.rows(file)) == Words{"unchanged", "unchanged", "unchanged", "unchanged"});
  CHECK(b.dump() == after);
}

TEST_CASE("people who swap their addresses in one file both get them, with new links and new approvals") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  b.row(person("1", {{"login_email", "one@example.com"}, {"start_date", "2026-10-20"}}));
  b.row(person("2", {{"login_email", "two@example.com"}, {"start_date", "2026-10-20"}, {"in_review", "true"}}));
  b.pump();
  REQUIRE(b.state("1") == "sent");
  const std::string old_link = b.link("1");
  const std::vector<Row> file{person("1", {{"login_email", "two@example.com"}}),
                              person("2", {{"login_email", "one@example.com"}}),
                              person("late", {{"login_email", "one@example.com"}})};
  const std::string before = b.dump();
  const Words all{"updated", "updated", "ignored: duplicate_email"};
  CHECK(results(b.rows(file, true)) == all);
  CHECK(b.dump() == before);
  CHECK(results(b.rows(file)) == all);
  CHECK(b.user("1")->login_email == "two@example.com");
  CHECK(b.user("2")->login_email == "one@example.com");
  CHECK(b.confirm(old_link) == service::LinkState::superseded);
  b.pump();
  CHECK(b.state("1") == "sent");
  CHECK(b.mails_to("1") == 2);
  CHECK(b.state("2") == "draft");
  const std::string after = b.dump();
  CHECK(results(b.rows(file)) == Words{"unchanged", "unchanged", "ignored: duplicate_email"});
  CHECK(b.dump() == after);
}

TEST_CASE("a swap that one of the two cannot make is made by neither, and the rest of their rows counts") {
  Bench b;
  b.row(person("1", {{"login_email", "one@example.com"}}));
  b.row(person("2", {{"login_email", "two@example.com"}}));
  const std::vector<Row> file{person("1", {{"login_email", "two@example.com"}, {"alias", "a"}}),
                              person("2", {{"login_email", "one@example.com"}, {"locale", "fi"}})};
  const Words all{"ignored: duplicate_email", "rejected: invalid_locale"};
  CHECK(results(b.rows(file, true)) == all);
  CHECK(results(b.rows(file)) == all);
  CHECK(b.user("1")->login_email == "one@example.com");
  CHECK(b.user("1")->alias == "a");
  CHECK(b.user("2")->login_email == "two@example.com");
}

TEST_CASE("a whole column that slipped by one hands addresses on as far as they are given up") {
  Bench b;
  std::vector<Row> people;
  std::vector<Row> slipped;
  constexpr int count = 300;
  const auto address = [](int i) { return "u" + std::to_string(i) + "@example.com"; };
  for (int i = 0; i < count; ++i) {
    people.push_back(person(std::to_string(i), {{"login_email", address(i)}}));
    slipped.push_back(person(std::to_string(i), {{"login_email", address(i + 1)}}));
  }
  b.rows(people);
  for (const auto& row : b.rows(slipped)) REQUIRE(row.result() == "updated");
  CHECK(b.user("0")->login_email == address(1));
  // Back, but in a ring that is longer than any exchange: nobody moves.
  for (int i = 0; i < count; ++i)
    slipped.at(i) = person(std::to_string(i), {{"login_email", address(i == 0 ? count : i)}});
  for (const auto& row : b.rows(slipped)) REQUIRE(row.result() == "ignored: duplicate_email");
  CHECK(b.user("0")->login_email == address(1));
}

TEST_CASE("a template without a first day is not dropped in silence") {
  Bench b;
  CHECK(b.row(person("1", {{"employment_template", "Permanent"}})) == "rejected: start_date_missing");
}
