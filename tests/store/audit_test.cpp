#include "store/audit.hpp"

#include <catch2/catch.hpp>

#include "store/rows.hpp"

using namespace invited;
using namespace invited::store;
using invited::test::Rows;

namespace {

// Ten events; the sixth's hash can be played with.
struct Chain : Rows {
  Chain() {
    for (int i = 1; i <= 10; ++i) {
      audit::append(*db, random,
                    {0, clock.now(), "uid:0 (root)", "user.created", "user:" + std::to_string(i), i % 2 ? "hire" : "",
                     "address of " + std::to_string(i)});
      clock.advance(core::Milliseconds{10});
    }
  }
  audit::Verification all() { return audit::verify(*db, 1, 1'000); }
  void change(const std::string& sql) { db->raw().exec(sql); }
};

}  // namespace

TEST_CASE("an untouched record verifies, whole and in pieces") {
  Chain chain;
  CHECK(chain.all().checked == 10);
  CHECK_FALSE(chain.all().broken);
  CHECK(chain.all().next == 0);
  std::int64_t from = 1;
  std::int64_t checked = 0;
  do {
    const auto part = audit::verify(*chain.db, from, 3);
    CHECK_FALSE(part.broken);
    checked += part.checked;
    from = part.next;
  } while (from != 0);
  CHECK(checked == 10);
  CHECK(audit::last_seq(*chain.db) == 10);
}

TEST_CASE("an event that was changed in any covered column is found") {
  for (const std::string column :
       {"at = at + 1", "actor = 'uid:1 (eve)'", "action = 'user.updated'", "subject = 'user:7'", "reason = 'asked'",
        "detail = 'other'", "commitment = zeroblob(32)", "hash = zeroblob(32)", "salt = zeroblob(16)"}) {
    CAPTURE(column);
    Chain chain;
    chain.change("UPDATE audit_events SET " + column + " WHERE seq = 6");
    CHECK(chain.all().broken == 6);
  }
}

TEST_CASE("an event that was removed, moved or exchanged is found") {
  SECTION("removed from the middle") {
    Chain chain;
    chain.change("DELETE FROM audit_events WHERE seq = 6");
    CHECK(chain.all().broken == 6);
  }
  SECTION("removed and the rest moved up") {
    Chain chain;
    chain.change("DELETE FROM audit_events WHERE seq = 6");
    for (int i = 7; i <= 10; ++i)
      chain.change("UPDATE audit_events SET seq = " + std::to_string(i - 1) + " WHERE seq = " + std::to_string(i));
    CHECK(chain.all().broken == 6);
  }
  SECTION("two exchanged") {
    Chain chain;
    chain.change("UPDATE audit_events SET seq = 100 WHERE seq = 4");
    chain.change("UPDATE audit_events SET seq = 4 WHERE seq = 7");
    chain.change("UPDATE audit_events SET seq = 7 WHERE seq = 100");
    CHECK(chain.all().broken == 4);
  }
  SECTION("the first removed") {
    Chain chain;
    chain.change("DELETE FROM audit_events WHERE seq = 1");
    CHECK(chain.all().broken == 1);
  }
}

TEST_CASE("personal detail can be erased and the record still verifies") {
  Chain chain;
  chain.change("UPDATE audit_events SET detail = NULL, salt = NULL WHERE seq IN (3, 6)");
  CHECK(chain.all().checked == 10);
  CHECK_FALSE(chain.all().broken);
}

TEST_CASE("pages go forwards and backwards and by subject") {
  Chain chain;
  const auto seqs = [&](const audit::Range& range, const std::string& subject = {}) {
    std::vector<std::int64_t> found;
    for (const auto& event : audit::page(*chain.db, range, subject, 3)) found.push_back(event.seq);
    return found;
  };
  CHECK(seqs({}) == std::vector<std::int64_t>{10, 9, 8});
  CHECK(seqs({.before = 8}) == std::vector<std::int64_t>{7, 6, 5});
  CHECK(seqs({.after = 8}) == std::vector<std::int64_t>{9, 10});
  CHECK(seqs({.after = 0}, "user:5") == std::vector<std::int64_t>{5});
  CHECK(seqs({}, "user:50").empty());
}
