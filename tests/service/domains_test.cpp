// A domain from "add" to "lapsed" and back, with a scripted DNS and a clock that moves when told (PRODUCT §5, W4, W7,
// W8).
#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/audit.hpp"
#include "store/domains.hpp"

using namespace invited;
using namespace invited::test;
using Catch::Matchers::Contains;
using model::DomainState;
using service::Finding;
using Words = std::vector<std::string>;

namespace {

const std::string name = "example.com";
const std::string record_name = "_invited-challenge.example.com";

struct Registry : Bench {
  Registry() { at("2026-10-20T08:00:00Z"); }

  model::Domain add(const std::string& domain = name) { return go(domains.add(domain, by_admin)).value(); }
  service::DomainCheck verify(const std::string& domain = name) { return go(domains.verify(domain, by_admin)).value(); }
  model::Domain row(const std::string& domain = name) { return store::domains::get(*db, domain).value(); }
  using Bench::row;
  DomainState state_of(const std::string& domain = name) { return row(domain).state; }
  std::size_t looks() { return go(domains.check_due()); }

  void publish(const std::string& domain = name) {
    const auto record = service::proof_record(row(domain)).value();
    dns.records[record.name] = {record.value};
  }
  void prove(const std::string& domain = name) {
    add(domain);
    publish(domain);
    REQUIRE(verify(domain).found == Finding::right);
    go(domains.pass());
  }
  // The daemon's loop through a stretch of time: it looks each minute.
  void pass_time(core::Milliseconds length) {
    for (const auto end = clock.now() + length; clock.now() < end;) {
      clock.advance(std::min(core::Milliseconds{std::chrono::minutes{1}}, end - clock.now()));
      (void)looks();
    }
  }
  Words events(const std::string& domain = name) {
    Words all;
    for (const auto& event : store::audit::page(*db, {.after = 0}, "domain:" + domain, 1'000))
      all.push_back(event.action + " " + event.reason + " by " + event.actor);
    return all;
  }
  std::string hire(const std::string& id, const std::string& start = "2026-10-21", Row more = {}) {
    Row fields{{"user_id", id}, {"name", "Person"}, {"login_email", id + "@example.com"}, {"start_date", start}};
    for (auto& field : more) fields.push_back(std::move(field));
    return row(fields);
  }
};

}  // namespace

TEST_CASE("a domain that is added is pending, with a record of its own to publish") {
  Registry b;
  const auto domain = b.add("Example.COM");
  CHECK(domain.name == name);
  CHECK(domain.state == DomainState::pending);
  CHECK(domain.method == "dns");
  CHECK(domain.actor == by_admin.actor);
  const auto record = service::proof_record(domain).value();
  CHECK(record.name == record_name);
  CHECK_THAT(record.value, Catch::Matches("invited-verification=[a-z2-7]{32}"));
  CHECK(service::proof_record(b.add("other.example"))->value != record.value);
  CHECK(service::proof_record(b.add("*.example.com"))->name == record_name);
  CHECK(service::proof_record(b.row("*.example.com"))->value != record.value);
  CHECK(b.dns.asked.empty());  // "no such name" would be remembered on the way
  CHECK(b.events() == Words{"domain.added dns by uid:0 (root)"});

  b.hire("a");
  b.pump();
  CHECK(b.mails_to("a") == 1);

  // Adding it again keeps the record: it may stand in the DNS already.
  b.clock.advance(std::chrono::minutes{5});
  CHECK(service::proof_record(b.add())->value == record.value);
  CHECK(b.events().size() == 1);
}

TEST_CASE("a domain becomes verified when its record is seen, and connects who waits") {
  Registry b;
  b.add();
  b.hire("a", "2026-12-01");
  CHECK(b.state("a") == "scheduled");
  b.publish();
  const auto check = b.verify();
  CHECK(check.found == Finding::right);
  CHECK(check.domain.state == DomainState::verified);
  CHECK(b.row().next_check_at == b.clock.now() + std::chrono::hours{24});
  CHECK(b.events() == Words{"domain.added dns by uid:0 (root)", "domain.verified dns by uid:0 (root)"});
  b.go(b.domains.pass());
  b.pump();
  CHECK(b.connection("a") == "connected");
  CHECK(b.transport.mails.empty());
}

TEST_CASE("the record counts only as it is: among others, with blanks around it, and never nearly") {
  struct Specimen {
    const char* what;
    std::function<Words(const std::string&)> records;
    Finding found;
  };
  const Specimen specimens[] = {
      {"alone", [](const std::string& v) { return Words{v}; }, Finding::right},
      {"among others", [](const std::string& v) { return Words{"v=spf1 -all", v, "x"}; }, Finding::right},
      {"blanks around it", [](const std::string& v) { return Words{" \t" + v + " \r\n"}; }, Finding::right},
      {"none", [](const std::string&) { return Words{}; }, Finding::missing},
      {"empty", [](const std::string&) { return Words{""}; }, Finding::wrong},
      {"cut", [](const std::string& v) { return Words{v.substr(0, v.size() - 1)}; }, Finding::wrong},
      {"longer", [](const std::string& v) { return Words{v + "a"}; }, Finding::wrong},
      {"without its name", [](const std::string& v) { return Words{v.substr(v.find('=') + 1)}; }, Finding::wrong},
      {"in capitals",
       [](std::string v) {
         std::transform(v.begin(), v.end(), v.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
         return Words{v};
       },
       Finding::wrong},
      {"in two records", [](const std::string& v) { return Words{v.substr(0, 9), v.substr(9)}; }, Finding::wrong},
      {"quoted", [](const std::string& v) { return Words{"\"" + v + "\""}; }, Finding::wrong},
  };
  for (const auto& specimen : specimens) {
    CAPTURE(specimen.what);
    Registry b;
    b.dns.records[record_name] = specimen.records(service::proof_record(b.add())->value);
    const auto check = b.verify();
    CHECK(check.found == specimen.found);
    CHECK((b.state_of() == DomainState::verified) == (specimen.found == Finding::right));
    CHECK(check.seen.empty() == (specimen.found != Finding::wrong));
  }
}

TEST_CASE("what stands there instead is told, shortened and printable") {
  Registry b;
  b.add();
  b.dns.records[record_name] = Words(40, std::string(100'000, 'x'));
  b.dns.records[record_name][0] = "\x1b[2J\r\nforged";
  const auto check = b.verify();
  REQUIRE(check.seen.size() == 6);
  CHECK(check.seen[0] == "\\u{1b}[2J\\u{d}\\u{a}forged");
  CHECK(check.seen[1].size() < 200);
  CHECK(check.seen[5] == "and 35 more");
}

TEST_CASE("pending domains are looked up each hour by themselves, verified ones each day") {
  Registry b;
  b.add();
  b.pass_time(std::chrono::minutes{59});
  CHECK(b.dns.asked.empty());
  b.pass_time(std::chrono::minutes{1});
  CHECK(b.dns.asked == Words{record_name});
  CHECK(b.row().detail == "There is no TXT record of that name.");
  b.pass_time(std::chrono::hours{9});
  CHECK(b.dns.asked.size() == 10);
  b.publish();
  b.pass_time(std::chrono::hours{1});
  CHECK(b.state_of() == DomainState::verified);
  CHECK(b.events().back() == "domain.verified dns by daemon");
  b.dns.asked.clear();
  b.pass_time(std::chrono::hours{72});
  CHECK(b.dns.asked.size() == 3);
}

TEST_CASE("a domain lapses after three days in a row without its record, not before, and comes back by itself") {
  Registry b;
  b.prove();
  const auto proven_at = b.clock.now();
  const Words wrong{"v=spf1 -all"};
  for (const bool other_records : {false, true}) {
    CAPTURE(other_records);
    REQUIRE(b.state_of() == DomainState::verified);
    other_records ? void(b.dns.records[record_name] = wrong) : void(b.dns.records.erase(record_name));
    b.pass_time(std::chrono::hours{24});
    const auto failing_since = b.row().failing_since;
    REQUIRE(failing_since);
    CHECK(b.domains.lapses_at(b.row()) == *failing_since + std::chrono::hours{72});
    b.pass_time(*failing_since + std::chrono::hours{72} - b.clock.now() - std::chrono::minutes{1});
    CHECK(b.state_of() == DomainState::verified);
    b.pass_time(std::chrono::minutes{1});
    CHECK(b.state_of() == DomainState::lapsed);
    CHECK(b.row().since == b.clock.now());
    CHECK_FALSE(b.domains.lapses_at(b.row()));
    CHECK(b.events().back() == (other_records ? "domain.lapsed wrong by daemon" : "domain.lapsed missing by daemon"));
    const auto count = b.events().size();
    b.pass_time(std::chrono::hours{30});
    CHECK(b.events().size() == count);
    CHECK(b.state_of() == DomainState::lapsed);
    b.publish();
    b.pass_time(std::chrono::hours{1});
    CHECK(b.state_of() == DomainState::verified);
    CHECK(b.events().back() == "domain.verified dns by daemon");
    CHECK_FALSE(b.row().failing_since);
  }
  CHECK(b.row().since > proven_at);
}

TEST_CASE("a record that comes back before the days are over starts the count anew") {
  Registry b;
  b.prove();
  for (int i = 0; i < 3; ++i) {
    b.dns.records.clear();
    b.pass_time(std::chrono::hours{24 + 71});
    CHECK(b.state_of() == DomainState::verified);
    b.publish();
    b.verify();
    CHECK_FALSE(b.row().failing_since);
  }
  CHECK(b.events().size() == 2);
}

TEST_CASE("a DNS without a word never lapses a domain and is asked again") {
  Registry b;
  b.prove();
  b.pass_time(std::chrono::hours{23});
  b.dns.trouble = "No DNS server answered in time.";
  b.dns.asked.clear();
  b.pass_time(std::chrono::hours{24} * 30);
  CHECK(b.state_of() == DomainState::verified);
  CHECK_FALSE(b.row().failing_since);
  CHECK(b.row().detail == "No DNS server answered in time. Nothing changes.");
  CHECK(b.dns.asked.size() > 29 * 24 * 6);

  // Nor does silence count as days without the record, or end them.
  b.dns.trouble.clear();
  b.dns.records.clear();
  b.pass_time(std::chrono::minutes{10});
  REQUIRE(b.row().failing_since);
  b.dns.trouble = "No DNS server can be reached.";
  b.pass_time(std::chrono::hours{24} * 10);
  CHECK(b.state_of() == DomainState::verified);
  b.dns.trouble.clear();
  b.pass_time(std::chrono::minutes{10});
  CHECK(b.state_of() == DomainState::lapsed);

  // A pending one stays pending.
  b.dns.trouble = "No DNS server can be reached.";
  b.add("other.example");
  CHECK(b.verify("other.example").found == Finding::no_answer);
  CHECK(b.state_of("other.example") == DomainState::pending);
}

TEST_CASE("an assertion is never looked up, takes the place of a pending domain, and gives way to a proof") {
  Registry b;
  const auto record = service::proof_record(b.add()).value();
  REQUIRE(b.go(b.domains.assert_verified(name, by_admin)));
  CHECK(b.state_of() == DomainState::verified);
  CHECK(b.row().method == "assertion");
  b.pass_time(std::chrono::hours{24} * 10);
  CHECK(b.dns.asked.empty());
  // Its record may still be published: looking for it in vain changes nothing.
  CHECK(b.verify().found == Finding::missing);
  CHECK(b.state_of() == DomainState::verified);
  CHECK_FALSE(b.row().failing_since);
  b.dns.trouble = "No DNS server can be reached.";
  CHECK(b.verify().found == Finding::no_answer);
  b.dns.trouble.clear();
  b.dns.asked.clear();
  b.pass_time(std::chrono::hours{24} * 10);
  CHECK(b.dns.asked.empty());
  CHECK(service::proof_record(b.row())->value == record.value);
  b.publish();
  const auto since = b.row().since;
  CHECK(b.verify().found == Finding::right);
  CHECK(b.row().method == "dns");
  CHECK(b.row().since == since);
  CHECK(b.events() == Words{"domain.added dns by uid:0 (root)", "domain.verified assertion by uid:0 (root)",
                            "domain.verified dns by uid:0 (root)"});
  const auto again = b.go(b.domains.assert_verified(name, by_admin));
  REQUIRE_FALSE(again);
  CHECK(again.error().code == "already_proven");
  CHECK(b.row().method == "dns");
}

TEST_CASE("an asserted domain stays verified while it waits for its proof") {
  Registry b;
  REQUIRE(b.go(b.domains.assert_verified(name, by_admin)));
  CHECK(b.go(b.domains.verify(name, by_admin)).error().code == "nothing_to_check");
  const auto domain = b.add();
  CHECK(domain.state == DomainState::verified);
  CHECK(service::proof_record(domain));
  CHECK_FALSE(domain.next_check_at);
  b.publish();
  CHECK(b.verify().domain.method == "dns");
  CHECK(b.row().next_check_at);
}

TEST_CASE("a lapsed domain can be asserted") {
  Registry b;
  b.prove();
  b.dns.records.clear();
  b.pass_time(std::chrono::hours{24 * 5});
  REQUIRE(b.state_of() == DomainState::lapsed);
  REQUIRE(b.go(b.domains.assert_verified(name, by_admin)));
  CHECK(b.state_of() == DomainState::verified);
  b.pass_time(std::chrono::hours{24 * 5});
  CHECK(b.state_of() == DomainState::verified);
}

TEST_CASE("a domain that changes while the DNS is asked is left as it then is") {
  Registry b;
  b.add();
  b.publish();
  b.dns.while_asked = [&] {
    b.dns.while_asked = nullptr;
    REQUIRE(store::domains::remove(*b.db, name));
  };
  CHECK(b.go(b.domains.verify(name, by_admin)).error().code == "domain_changed");
  CHECK(b.go(b.domains.show(name)).error().code == "unknown_domain");

  // Removed and added anew: the older record proves nothing any more.
  b.add();
  b.publish();
  b.dns.while_asked = [&] {
    b.dns.while_asked = nullptr;
    auto fresh = b.row();
    fresh.challenge = "another";
    store::domains::put(*b.db, fresh);
  };
  CHECK(b.go(b.domains.verify(name, by_admin)).error().code == "domain_changed");
  CHECK(b.state_of() == DomainState::pending);
}

TEST_CASE("a dry run says what would be, and changes nothing") {
  Registry b;
  const service::Act dry{.actor = "uid:0 (root)", .dry_run = true};
  const auto before = b.dump();
  const auto added = b.go(b.domains.add(name, dry));
  REQUIRE(added);
  CHECK(added->state == DomainState::pending);
  CHECK_FALSE(service::proof_record(*added));  // it is not the one that would have to be published
  CHECK(b.dump() == before);
  b.add();
  b.publish();
  const auto pending = b.dump();
  CHECK(b.go(b.domains.verify(name, dry))->domain.state == DomainState::verified);
  CHECK(b.go(b.domains.assert_verified(name, dry))->state == DomainState::verified);
  CHECK(b.go(b.domains.remove(name, dry)));
  CHECK(b.dump() == pending);
}

TEST_CASE("names: what cannot be a domain, and what is too long to stand in the DNS") {
  Registry b;
  for (const char* bad : {"", "co.uk", "*.com", "*.github.io", "localhost", "a b.example", "192.0.2.1"}) {
    CAPTURE(bad);
    CHECK(b.go(b.domains.add(bad, by_admin)).error().code == "invalid_domain");
  }
  std::string longest = "example.com";
  while (longest.size() + 50 <= 253) longest = std::string(49, 'd') + "." + longest;
  longest = std::string(40, 'e') + "." + longest;
  REQUIRE(longest.size() == 252);
  const auto added = b.go(b.domains.add(longest, by_admin));
  REQUIRE_FALSE(added);
  CHECK(added.error().code == "domain_too_long_for_dns");
  CHECK(b.go(b.domains.assert_verified(longest, by_admin)));
  CHECK(b.go(b.domains.verify("unknown.example", by_admin)).error().code == "unknown_domain");
  CHECK(b.go(b.domains.show("unknown.example")).error().code == "unknown_domain");
}

TEST_CASE(
    "W8: a lapse changes nobody who is connected; new users get mails, and are connected when it is proven again") {
  Registry b;
  b.prove();
  b.hire("before");
  b.pump();
  CHECK(b.connection("before") == "connected");
  b.dns.records.clear();
  b.pass_time(std::chrono::hours{24 * 5});
  REQUIRE(b.state_of() == DomainState::lapsed);
  b.hire("after", "2026-10-26");
  b.row({{"user_id", "clerk"}, {"name", "Clerk"}, {"login_email", "clerk@example.com"}});
  b.pump();
  CHECK(b.connection("before") == "connected");
  CHECK(b.connection("after") == "pending");
  CHECK(b.mails_to("after") == 1);
  CHECK(b.state("clerk").empty());
  b.publish();
  b.pass_time(std::chrono::hours{1});
  b.go(b.domains.pass());
  b.pump();
  CHECK(b.connection("after") == "connected");
  CHECK(b.connection("clerk") == "connected");
  CHECK(b.mails_to("before") == 0);
}

TEST_CASE("W8: who was being connected when the domain went is connected all the same, and nobody is lost") {
  for (const bool removed : {false, true}) {
    CAPTURE(removed);
    Registry b;
    b.prove();
    b.identity.script = [](const std::string&, const std::string&) {
      return model::ProviderAnswer{.status = model::ProviderStatus::retry, .detail = "down"};
    };
    b.hire("waits");                                            // W4, the provider is down
    b.hire("reviewed", "2026-12-01", {{"in_review", "true"}});  // decided after the domain went
    b.pump();
    CHECK(b.state("waits") == "verified");
    CHECK(b.connection("waits") == "pending");
    CHECK(b.state("reviewed") == "draft");
    b.dns.records.clear();
    if (removed) {
      REQUIRE(b.go(b.domains.remove(name, by_admin)));
    } else {
      b.pass_time(std::chrono::hours{24 * 5});
      REQUIRE(b.state_of() == DomainState::lapsed);
    }
    b.clock.advance(std::chrono::hours{24});
    b.identity.script = nullptr;
    REQUIRE(b.go(b.reviews.approve("reviewed", "", by_admin)));
    b.go(b.domains.pass());
    b.pump();
    CHECK(b.connection("waits") == "connected");
    CHECK(b.identity.accounts.size() == 1);
    CHECK(b.mails_to("waits") == 0);
    CHECK(b.state("reviewed") == "scheduled");
    b.at("2026-11-30T08:00:00Z");
    b.pump();
    CHECK(b.mails_to("reviewed") == 1);
  }
}

TEST_CASE("what a row says survives the store") {
  Registry b;
  b.prove();
  b.dns.records.clear();
  b.pass_time(std::chrono::hours{24});
  const auto kept = b.row();
  CHECK(kept.checked_at == b.clock.now());
  CHECK(kept.failing_since == b.clock.now());
  CHECK(kept.next_check_at == b.clock.now() + std::chrono::hours{24});
  CHECK_FALSE(kept.challenge.empty());
  CHECK(kept.detail == "There is no TXT record of that name.");
  CHECK(store::domains::all(*b.db).size() == 1);
  CHECK(store::domains::due(*b.db, b.clock.now(), 10).empty());
  CHECK(store::domains::due(*b.db, b.clock.now() + std::chrono::hours{24}, 10).size() == 1);
}

TEST_CASE("W7 a wildcard connects those who wait in every domain below it, and nobody beside it") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  const auto hire = [&](const std::string& id, const std::string& domain) {
    b.row({{"user_id", id}, {"name", id}, {"login_email", id + "@" + domain}, {"start_date", "2026-12-01"}});
  };
  hire("a", "mail.company.example");
  hire("b", "deep.mail.company.example");
  hire("c", "company.example");
  hire("d", "othercompany.example");
  REQUIRE(b.go(b.domains.assert_verified("*.company.example", by_admin)));
  b.go(b.domains.pass());
  b.pump();
  CHECK(b.connection("a") == "connected");
  CHECK(b.connection("b") == "connected");
  CHECK(b.connection("c") == "not_connected");
  CHECK(b.connection("d") == "not_connected");
}
