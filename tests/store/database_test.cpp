#include "store/database.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "model/entities.hpp"
#include "model/states.hpp"
#include "store/migrations.hpp"
#include "store/rows.hpp"
#include "support/temp_folder.hpp"

using namespace invited;
using namespace invited::store;
using invited::test::open_or_throw;
using invited::test::Rows;
using invited::test::TempFolder;

namespace {

// The words in `column TEXT NOT NULL CHECK (column IN ('a', 'b'))` of a table, as SQLite keeps it.
std::set<std::string> checked_words(Db& db, const std::string& table, const std::string& column) {
  SQLite::Statement q(db.raw(), "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?");
  q.bind(1, table);
  REQUIRE(q.executeStep());
  const std::string sql = q.getColumn(0).getString();
  const std::string head = "CHECK (" + column + " IN";
  const auto from = sql.find(head);
  REQUIRE(from != std::string::npos);
  const std::string list = sql.substr(from + head.size(), sql.find("))", from) - from - head.size());
  std::set<std::string> words;
  const std::regex quoted("'([^']*)'");
  for (std::sregex_iterator it(list.begin(), list.end(), quoted), end; it != end; ++it) words.insert((*it)[1]);
  return words;
}

// Every text of an enumeration, read until its table ends.
template <class State>
std::set<std::string> all_words() {
  std::set<std::string> words;
  try {
    for (int i = 0; i < 100; ++i) words.emplace(model::to_text(static_cast<State>(i)));
  } catch (const std::out_of_range&) {
  }
  return words;
}

}  // namespace

TEST_CASE("the check constraints list exactly the states of the tables in code") {
  auto db = open_or_throw(":memory:");
  CHECK(checked_words(*db, "invitations", "state") == all_words<model::InvitationState>());
  CHECK(checked_words(*db, "deliveries", "state") == all_words<model::DeliveryState>());
  CHECK(checked_words(*db, "deliveries", "kind") == all_words<model::DeliveryKind>());
  CHECK(checked_words(*db, "users", "connection") == all_words<model::Connection>());
  CHECK(checked_words(*db, "employments", "review") == all_words<model::ReviewState>());
  CHECK(checked_words(*db, "invitations", "cause") == all_words<model::InvitationCause>());
  CHECK(checked_words(*db, "provider_tasks", "kind") == all_words<model::ProviderTaskKind>());
  CHECK(checked_words(*db, "domains", "state") == all_words<model::DomainState>());
}

TEST_CASE("the index of live invitations names exactly the states that live() names") {
  auto db = open_or_throw(":memory:");
  SQLite::Statement q(db->raw(), "SELECT sql FROM sqlite_master WHERE name = 'invitations_one_live'");
  REQUIRE(q.executeStep());
  const std::string sql = q.getColumn(0).getString();
  for (const auto& word : all_words<model::InvitationState>()) {
    CAPTURE(word);
    CHECK((sql.find("'" + word + "'") != std::string::npos) ==
          model::live(model::parse_invitation_state(word).value()));
  }
}

TEST_CASE("migrations are numbered from one without a gap and leave their number in the file") {
  int expected = 1;
  for (const auto& migration : migrations()) CHECK(migration.number == expected++);
  auto db = open_or_throw(":memory:");
  CHECK(db->created());
  CHECK(db->integer("PRAGMA user_version") == expected - 1);
}

TEST_CASE("a file opened again is not made again and keeps its rows") {
  TempFolder folder;
  const std::string path = folder / "state.db";
  {
    auto db = open_or_throw(path);
    CHECK(db->created());
    db->run("INSERT INTO meta (name, value) VALUES ('a', 'b')");
  }
  auto db = open_or_throw(path);
  CHECK_FALSE(db->created());
  CHECK(db->integer("SELECT count(*) FROM meta") == 1);
}

TEST_CASE("a state of the first schema keeps its mails and their attempts, which are all verifications") {
  TempFolder folder;
  const std::string path = folder / "state.db";
  {
    SQLite::Database old(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    old.exec(std::string(migrations().front().sql));
    old.exec(
        "PRAGMA user_version = 1;"
        "INSERT INTO users VALUES (x'01000000000000000000000000000000','a','a','A','','','a@b.example','a@b.example',"
        "'b.example','','','','','','','','','',1,'pending','hr',1,1,'');"
        "INSERT INTO invitations (key,user,generation,state,cause,login_email,login_email_canonical,end_reason,"
        "held_reason,selector,salt,key_id,created_at) VALUES (x'02000000000000000000000000000000',"
        "x'01000000000000000000000000000000',1,'released','hire','a@b.example','a@b.example','','',"
        "x'000000000000000000000001',x'00000000000000000000000000000001',0,1);"
        "INSERT INTO deliveries VALUES (x'03000000000000000000000000000000',x'02000000000000000000000000000000',"
        "x'01000000000000000000000000000000','deferred','m@b.example',20260301,2,0,1,77,NULL,NULL,'','later',1);"
        "INSERT INTO attempts VALUES (x'03000000000000000000000000000000',1,1,2,'deferred','data',451,'later'),"
        "(x'03000000000000000000000000000000',2,3,4,'deferred','data',451,'later')");
  }
  auto db = open_or_throw(path);
  core::Id invitation;
  invitation.bytes[0] = std::byte{2};
  const auto mail = deliveries::of_invitation(*db, invitation).value();
  CHECK(mail.kind == model::DeliveryKind::verification);
  CHECK(mail.state == model::DeliveryState::deferred);
  CHECK(mail.message_id == "m@b.example");
  CHECK(mail.detail == "later");
  CHECK(deliveries::attempts(*db, mail.key).size() == 2);
  CHECK_FALSE(db->integer("SELECT 1 FROM pragma_foreign_key_check"));
  CHECK(deliveries::claim(*db, mail.key, core::Instant{core::Milliseconds{100}}, core::Instant{core::Milliseconds{200}},
                          9)
            .size() == 1);
}

TEST_CASE("a state in use by another connection is refused in words for an operator") {
  TempFolder folder;
  const std::string path = folder / "state.db";
  auto first = open_or_throw(path);
  const auto second = Db::open(path);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == core::ErrorKind::unavailable);
  CHECK(second.error().code == "state_in_use");
  CHECK(second.error().message ==
        "Another daemon already uses this state: stop it first, or choose another state_dir.");
}

TEST_CASE("a state that a newer daemon wrote is refused and left as it is") {
  TempFolder folder;
  const std::string path = folder / "state.db";
  open_or_throw(path)->raw().exec("PRAGMA user_version = 999");
  const auto opened = Db::open(path);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == core::ErrorKind::conflict);
  CHECK(opened.error().code == "state_too_new");
  SQLite::Database raw(path, SQLite::OPEN_READONLY);
  CHECK(raw.execAndGet("PRAGMA user_version").getInt() == 999);
}

TEST_CASE("a file that is no database is refused as damaged") {
  TempFolder folder;
  const std::string path = folder / "state.db";
  std::ofstream(path) << std::string(4096, 'x');
  const auto opened = Db::open(path);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == "state_damaged");
}

TEST_CASE("a state file behind a symbolic link or in a missing folder is not opened") {
  TempFolder folder;
  std::filesystem::create_symlink(folder / "elsewhere.db", folder / "state.db");
  for (const std::string path : {folder / "state.db", folder / "none/state.db"}) {
    CAPTURE(path);
    const auto opened = Db::open(path);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == "state_not_openable");
  }
  CHECK_FALSE(std::filesystem::exists(folder / "elsewhere.db"));
}

TEST_CASE("why a state file cannot be opened is said in words for an operator") {
  TempFolder folder;
  const auto refusal = [](const std::filesystem::path& path) {
    const auto opened = Db::open(path.string());
    return opened ? std::string("opened") : opened.error().code + ": " + opened.error().message;
  };
  const std::string lead = "state_not_openable: The state file cannot be opened: ";
  CHECK(refusal(folder / "none/state.db") == lead + "the folder " + (folder / "none").string() + " does not exist.");
  std::ofstream(folder / "file") << "not a folder";
  CHECK(refusal(folder / "file/state.db") == lead + (folder / "file").string() + " is not a folder.");
  std::filesystem::create_symlink(folder / "elsewhere.db", folder / "link.db");
  CHECK(refusal(folder / "link.db") == lead + "it is a symbolic link, and those are not followed.");
  std::filesystem::create_directory(folder / "folder.db");
  CHECK(refusal(folder / "folder.db") == lead + "it is not a regular file.");

  // Root may do everything: it becomes somebody else for the rest, who has to be let into the folder.
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  std::filesystem::create_directory(folder / "closed");
  open_or_throw(folder / "closed/theirs.db");
  std::filesystem::permissions(folder / "closed/theirs.db", std::filesystem::perms(0444));
  std::filesystem::permissions(folder / "closed", std::filesystem::perms(0555));
  std::filesystem::create_directory(folder / "open");
  open_or_throw(folder / "open/theirs.db");
  std::filesystem::permissions(folder / "open/theirs.db", std::filesystem::perms(0444));
  std::filesystem::permissions(folder / "open", std::filesystem::perms(0777));
  struct Somebody {
    const uid_t before = ::geteuid();
    const bool other = before != 0 || ::seteuid(65534) == 0;
    ~Somebody() { (void)!::seteuid(before); }
  };
  const Somebody somebody;
  if (!somebody.other) return;
  const std::string user = "this user (uid " + std::to_string(::geteuid()) + ") may not ";
  for (const char* name : {"closed/new.db", "closed/theirs.db"})
    CHECK(refusal(folder / name) ==
          lead + user + "write into the folder " + (folder / "closed").string() + ": Permission denied.");
  CHECK(refusal(folder / "open/theirs.db") == lead + user + "read and write it: Permission denied.");
}

TEST_CASE("a savepoint that is not released undoes everything inside, also a released one") {
  Rows rows;
  Db& db = *rows.db;
  db.raw().exec("BEGIN");
  {
    Savepoint outer(db);
    db.run("INSERT INTO meta (name, value) VALUES ('outer', '')");
    {
      Savepoint inner(db);
      db.run("INSERT INTO meta (name, value) VALUES ('inner', '')");
      inner.release();
    }
    CHECK(db.integer("SELECT count(*) FROM meta") == 2);
  }
  CHECK(db.integer("SELECT count(*) FROM meta") == 0);
  {
    Savepoint kept(db);
    db.run("INSERT INTO meta (name, value) VALUES ('kept', '')");
    kept.release();
  }
  db.raw().exec("COMMIT");
  CHECK(db.integer("SELECT count(*) FROM meta") == 1);
}

TEST_CASE("run_one throws unless exactly one row changed") {
  Rows rows;
  Db& db = *rows.db;
  db.run("INSERT INTO meta (name, value) VALUES ('a', ''), ('b', '')");
  CHECK_NOTHROW(db.run_one("UPDATE meta SET value = '1' WHERE name = 'a'"));
  CHECK_THROWS_AS(db.run_one("UPDATE meta SET value = '1' WHERE name = 'c'"), Conflict);
  CHECK_THROWS_AS(db.run_one("UPDATE meta SET value = '1' WHERE name IN ('a', 'b')"), Conflict);
}
