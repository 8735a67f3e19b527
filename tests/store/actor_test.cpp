#include "store/store.hpp"

#include <sqlite3.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <future>

#include "store/meta.hpp"
#include "store/rows.hpp"
#include "support/run.hpp"
#include "support/temp_folder.hpp"

using namespace invited;
using namespace invited::store;
using invited::test::open_or_throw;
namespace asio = boost::asio;

namespace {

void put(Db& db, const std::string& name, const std::string& value = "") {
  db.run("INSERT INTO meta (name, value) VALUES (?, ?)", name, value);
}
std::int64_t rows_in(Db& db) {
  return db.integer("SELECT count(*) FROM meta").value();
}

// A store on a database of its own, with its commits counted.
struct Bench {
  asio::io_context io;
  std::unique_ptr<Db> db;
  int commits = 0;
  std::vector<std::string> fatal;
  std::vector<std::string> ended;  // what each started closure came to, in the order of their ends
  std::optional<Store> store;

  explicit Bench(Store::Mode mode = Store::Mode::inline_, const std::string& path = ":memory:")
      : db(open_or_throw(path)) {
    sqlite3_commit_hook(
        db->raw().getHandle(),
        [](void* count) {
          ++*static_cast<int*>(count);
          return 0;
        },
        &commits);
    store.emplace(*db, io.get_executor(), mode, [this](const std::string& what) { fatal.push_back(what); });
  }

  // Starts a closure without waiting for it.
  void start(std::string name, std::function<void(Db&)> work, bool writes = true) {
    const auto run = [](Store& actor, std::function<void(Db&)> closure, bool write) -> asio::awaitable<void> {
      if (write) {
        co_await actor.write(std::move(closure));
      } else {
        co_await actor.read(std::move(closure));
      }
    };
    asio::co_spawn(io, run(*store, std::move(work), writes), [this, name](std::exception_ptr error) {
      std::string word = "done";
      try {
        if (error) std::rethrow_exception(error);
      } catch (const Unavailable&) {
        word = "unavailable";
      } catch (const std::exception&) {
        word = "failed";
      }
      ended.push_back(name + " " + word);
    });
  }
  void settle() { test::settle(io); }
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("closures that wait together share one commit, run in order and end in order") {
  Bench bench;
  Words ran;
  for (const std::string name : {"a", "b", "c"})
    bench.start(name, [&ran, name](Db& db) {
      put(db, name);
      ran.push_back(name);
    });
  bench.settle();
  CHECK(ran == Words{"a", "b", "c"});
  CHECK(bench.ended == Words{"a done", "b done", "c done"});
  CHECK(bench.commits == 1);
}

TEST_CASE("a closure that throws undoes itself and nobody else") {
  Bench bench;
  bench.start("a", [](Db& db) { put(db, "a"); });
  bench.start("b", [](Db& db) {
    put(db, "b");
    throw std::runtime_error("changed its mind");
  });
  bench.start("c", [](Db& db) { put(db, "a"); });  // a unique index refuses it
  bench.start("d", [](Db& db) { put(db, "d"); });
  bench.settle();
  CHECK(bench.ended == Words{"a done", "b failed", "c failed", "d done"});
  CHECK(meta::get(*bench.db, "a"));
  CHECK(meta::get(*bench.db, "d"));
  CHECK(rows_in(*bench.db) == 2);
  CHECK(bench.fatal.empty());
}

TEST_CASE("when SQLite ends the whole transaction, all its writers hear of it and readers still read") {
  Bench bench;
  std::int64_t seen = -1;
  bench.start("a", [](Db& db) { put(db, "a"); });
  bench.start("b", [](Db& db) { db.raw().exec("INSERT OR ROLLBACK INTO meta (name, value) VALUES ('a', '')"); });
  bench.start("c", [](Db& db) { put(db, "c"); });
  bench.start("reader", [&seen](Db& db) { seen = rows_in(db); }, false);
  bench.settle();
  CHECK(bench.ended == Words{"reader done", "a failed", "b failed", "c failed"});
  CHECK(seen == 0);
  CHECK(rows_in(*bench.db) == 0);
  bench.start("later", [](Db& db) { put(db, "later"); });
  bench.settle();
  CHECK(bench.ended.back() == "later done");
}

TEST_CASE("a full disk is Unavailable, nothing of the closure happened, and the next one may succeed") {
  Bench bench;
  const auto pages = bench.db->integer("PRAGMA page_count").value();
  bench.db->raw().exec("PRAGMA max_page_count = " + std::to_string(pages));
  bench.start("big", [](Db& db) {
    put(db, "small");
    put(db, "big", std::string(1'000'000, 'x'));
  });
  bench.settle();
  CHECK(bench.ended == Words{"big unavailable"});
  CHECK(rows_in(*bench.db) == 0);
  bench.db->raw().exec("PRAGMA max_page_count = 1000000");
  bench.start("again", [](Db& db) { put(db, "big", std::string(1'000'000, 'x')); });
  bench.settle();
  CHECK(bench.ended.back() == "again done");
  CHECK(bench.fatal.empty());
}

TEST_CASE("a commit that fails for another reason than space is fatal and nobody is told done") {
  Bench bench;
  bench.start("a", [](Db& db) { put(db, "a"); });
  bench.start("orphan", [](Db& db) {
    db.raw().exec("PRAGMA defer_foreign_keys = ON");
    db.run(
        "INSERT INTO accounts (user, identity, provider_id, login_email, sign_in_url, created_at) VALUES (?, '', '', "
        "'', '', 0)",
        core::Id{});
  });
  bench.settle();
  CHECK(bench.ended == Words{"a failed", "orphan failed"});
  CHECK(bench.fatal.size() == 1);
  CHECK(rows_in(*bench.db) == 0);
}

TEST_CASE("a reader makes no commit and returns what the closure returns") {
  Bench bench;
  put(*bench.db, "a");
  const int before = bench.commits;
  const auto ask = [](Store& store) -> asio::awaitable<std::int64_t> { co_return co_await store.read(rows_in); };
  CHECK(test::run(bench.io, ask(*bench.store)) == 1);
  CHECK(bench.commits == before);
}

TEST_CASE("what a write returned is in the file before its coroutine goes on") {
  test::TempFolder folder;
  Bench bench(Store::Mode::threaded, folder / "state.db");
  const auto write = [](Store& store) -> asio::awaitable<void> {
    co_await store.write([](Db& db) { put(db, "kept"); });
  };
  test::run(bench.io, write(*bench.store));
  // A copy of the files at this moment is what a power cut would leave.
  std::filesystem::copy_file(folder / "state.db", folder / "copy.db");
  std::filesystem::copy_file(folder / "state.db-wal", folder / "copy.db-wal");
  auto copy = open_or_throw(folder / "copy.db");
  CHECK(meta::get(*copy, "kept"));
}

TEST_CASE("with a thread of its own, closures that arrive during a commit share the next one") {
  test::TempFolder folder;
  Bench bench(Store::Mode::threaded, folder / "state.db");
  std::promise<void> started;
  std::promise<void> go;
  bench.start("first", [&](Db& db) {
    put(db, "first");
    started.set_value();
    go.get_future().wait();
  });
  bench.settle();
  started.get_future().wait();
  for (int i = 0; i < 20; ++i) bench.start(std::to_string(i), [i](Db& db) { put(db, std::to_string(i)); });
  bench.settle();
  CHECK(bench.store->waiting() == 20);
  go.set_value();
  const auto all = [](Store& store) -> asio::awaitable<void> { co_await store.write([](Db& db) { put(db, "last"); }); };
  test::run(bench.io, all(*bench.store));
  test::settle(bench.io);
  CHECK(bench.ended.size() == 21);
  CHECK(bench.commits <= 3);
  bench.store.reset();
  CHECK(rows_in(*bench.db) == 22);
}

TEST_CASE("a store that ends finishes what was queued") {
  test::TempFolder folder;
  {
    Bench bench(Store::Mode::threaded, folder / "state.db");
    for (int i = 0; i < 50; ++i) bench.start(std::to_string(i), [i](Db& db) { put(db, std::to_string(i)); });
    bench.settle();
    bench.store.reset();
    CHECK(rows_in(*bench.db) == 50);
  }
}

TEST_CASE("who reads is answered before those who write, from what is durable, and changes nothing") {
  Bench bench;
  std::int64_t seen = -1;
  bench.start("a", [](Db& db) { put(db, "a"); });
  bench.start("reader", [&seen](Db& db) { seen = rows_in(db); }, false);
  bench.start("b", [](Db& db) { put(db, "b"); });
  bench.start("failing reader", [](Db&) { throw std::runtime_error("cannot"); }, false);
  bench.start("careless reader", [](Db& db) { put(db, "not meant"); }, false);
  bench.settle();
  CHECK(bench.ended == Words{"reader done", "failing reader failed", "careless reader done", "a done", "b done"});
  CHECK(seen == 0);
  CHECK(rows_in(*bench.db) == 2);
  CHECK(bench.commits == 1);
}
