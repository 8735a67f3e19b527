#include "model/states.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "model/entities.hpp"
#include "model/record.hpp"
#include "model/states_document.hpp"

using namespace invited::model;

namespace {

constexpr int invitation_states = 10;
constexpr int delivery_states = 7;

template <class State>
std::set<State> reachable(std::span<const Transition<State>> table) {
  std::set<State> found;
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& t : table)
      if (!t.from || found.contains(*t.from)) grown = found.insert(t.to).second || grown;
  }
  return found;
}

template <class State>
std::set<State> ways_out(std::span<const Transition<State>> table, State from) {
  std::set<State> out;
  for (const auto& t : table)
    if (t.from == from) out.insert(t.to);
  return out;
}

template <class State>
bool without_duplicates(std::span<const Transition<State>> table) {
  std::set<std::pair<int, State>> seen;
  for (const auto& t : table)
    if (!seen.emplace(t.from ? static_cast<int>(*t.from) : -1, t.to).second) return false;
  return true;
}

// `count` values give `count` different texts that read back; the next value has none.
template <class Value, class Parse>
void check_round_trip(int count, Parse parse) {
  std::set<std::string_view> texts;
  for (int i = 0; i < count; ++i) {
    const auto value = static_cast<Value>(i);
    const std::string_view text = to_text(value);
    CAPTURE(text);
    CHECK(!text.empty());
    CHECK(parse(text) == value);
    CHECK_FALSE(parse(std::string(text) + " "));
    texts.insert(text);
  }
  CHECK(texts.size() == static_cast<std::size_t>(count));
  CHECK_THROWS_AS(to_text(static_cast<Value>(count)), std::out_of_range);
  CHECK_FALSE(parse(""));
  CHECK_FALSE(parse("sent_"));
}

}  // namespace

TEST_CASE("every invitation state can be reached, and every delivery state") {
  CHECK(reachable(invitation_transitions()).size() == invitation_states);
  CHECK(reachable(delivery_transitions()).size() == delivery_states);
}

TEST_CASE("no transition stands in a table twice, and none leads to where it began") {
  CHECK(without_duplicates(invitation_transitions()));
  CHECK(without_duplicates(delivery_transitions()));
  for (const auto& t : invitation_transitions()) CHECK(t.from != t.to);
  for (const auto& t : delivery_transitions()) CHECK(t.from != t.to);
}

TEST_CASE("every transition says what causes it, in words that a table can hold") {
  const auto check = [](const auto& table) {
    for (const auto& t : table) {
      CAPTURE(t.event);
      CHECK(!t.event.empty());
      CHECK(t.event.find_first_of("|\n`") == std::string_view::npos);
    }
  };
  check(invitation_transitions());
  check(delivery_transitions());
}

TEST_CASE(
    "an ended invitation stays ended; only an expired one is superseded by the next or confirmed by a late post") {
  using I = InvitationState;
  const auto table = invitation_transitions();
  CHECK(ways_out(table, I::connected).empty());
  CHECK(ways_out(table, I::superseded).empty());
  CHECK(ways_out(table, I::revoked).empty());
  CHECK(ways_out(table, I::cancelled).empty());
  // The form may be posted up to 15 minutes after the end (PRODUCT §3), when the sweep has already been there.
  CHECK(ways_out(table, I::expired) == std::set{I::superseded, I::verified});
}

TEST_CASE("an accepted or cancelled mail stays so: it is never tried again") {
  using D = DeliveryState;
  CHECK(ways_out(delivery_transitions(), D::accepted).empty());
  CHECK(ways_out(delivery_transitions(), D::cancelled).empty());
}

TEST_CASE("a mail gets an outcome only from a claim") {
  using D = DeliveryState;
  for (const D outcome : {D::accepted, D::deferred, D::rejected, D::uncertain})
    for (const auto& t : delivery_transitions())
      if (t.to == outcome) CHECK(t.from == D::claimed);
}

TEST_CASE("an account follows a verification and nothing else; a link opens only from a released mail") {
  using I = InvitationState;
  for (const auto& t : invitation_transitions()) {
    if (t.to == I::connected) CHECK(t.from == I::verified);
    if (t.to == I::sent) CHECK(t.from == I::released);
    if (t.to == I::expired) CHECK(t.from == I::sent);
  }
}

TEST_CASE("what has gone out is not cancelled, only revoked or superseded") {
  using I = InvitationState;
  for (const auto& t : invitation_transitions())
    if (t.to == I::cancelled) CHECK((t.from && before_mail(*t.from)));
}

TEST_CASE("allowed() is the table, for all pairs") {
  int yes = 0;
  for (int from = -1; from < invitation_states; ++from)
    for (int to = 0; to < invitation_states; ++to) {
      std::optional<InvitationState> begin;
      if (from >= 0) begin = static_cast<InvitationState>(from);
      yes += allowed(begin, static_cast<InvitationState>(to)) ? 1 : 0;
    }
  CHECK(yes == static_cast<int>(invitation_transitions().size()));
  for (const auto& t : invitation_transitions()) CHECK(allowed(t.from, t.to));

  yes = 0;
  for (int from = -1; from < delivery_states; ++from)
    for (int to = 0; to < delivery_states; ++to) {
      std::optional<DeliveryState> begin;
      if (from >= 0) begin = static_cast<DeliveryState>(from);
      yes += allowed(begin, static_cast<DeliveryState>(to)) ? 1 : 0;
    }
  CHECK(yes == static_cast<int>(delivery_transitions().size()));
  for (const auto& t : delivery_transitions()) CHECK(allowed(t.from, t.to));
}

TEST_CASE("live states are those before an end, and the mail is before it in three of them") {
  using I = InvitationState;
  const std::set<I> living{I::draft, I::scheduled, I::released, I::sent, I::verified};
  const std::set<I> waiting{I::draft, I::scheduled, I::released};
  for (int i = 0; i < invitation_states; ++i) {
    const auto state = static_cast<I>(i);
    CHECK(live(state) == living.contains(state));
    CHECK(before_mail(state) == waiting.contains(state));
    if (!live(state) && state != I::expired) CHECK(ways_out(invitation_transitions(), state).empty());
  }
}

TEST_CASE("every word of the state machines reads back as what it was written from") {
  check_round_trip<Connection>(3, parse_connection);
  check_round_trip<InvitationState>(invitation_states, parse_invitation_state);
  check_round_trip<DeliveryState>(delivery_states, parse_delivery_state);
  check_round_trip<ReviewState>(4, parse_review_state);
  check_round_trip<InvitationCause>(4, parse_invitation_cause);
  check_round_trip<DomainState>(3, parse_domain_state);
  check_round_trip<ProviderTaskKind>(3, parse_provider_task_kind);
}

TEST_CASE("the words are those of the API and the database: they do not change") {
  CHECK(to_text(InvitationState::draft) == "draft");
  CHECK(to_text(InvitationState::scheduled) == "scheduled");
  CHECK(to_text(InvitationState::released) == "released");
  CHECK(to_text(InvitationState::sent) == "sent");
  CHECK(to_text(InvitationState::verified) == "verified");
  CHECK(to_text(InvitationState::connected) == "connected");
  CHECK(to_text(InvitationState::expired) == "expired");
  CHECK(to_text(InvitationState::superseded) == "superseded");
  CHECK(to_text(InvitationState::revoked) == "revoked");
  CHECK(to_text(InvitationState::cancelled) == "cancelled");
  CHECK(to_text(DeliveryState::queued) == "queued");
  CHECK(to_text(DeliveryState::claimed) == "claimed");
  CHECK(to_text(DeliveryState::accepted) == "accepted");
  CHECK(to_text(DeliveryState::deferred) == "deferred");
  CHECK(to_text(DeliveryState::rejected) == "rejected");
  CHECK(to_text(DeliveryState::uncertain) == "uncertain");
  CHECK(to_text(DeliveryState::cancelled) == "cancelled");
  CHECK(to_text(Connection::not_connected) == "not_connected");
  CHECK(to_text(Connection::pending) == "pending");
  CHECK(to_text(Connection::connected) == "connected");
  CHECK(to_text(ReviewState::none) == "none");
  CHECK(to_text(ReviewState::pending) == "pending");
  CHECK(to_text(ReviewState::approved) == "approved");
  CHECK(to_text(ReviewState::rejected) == "rejected");
}

TEST_CASE("a row's result reads as PRODUCT words: outcome, then the reason if there is one") {
  RowResult row;
  row.outcome = RowOutcome::created;
  CHECK(row.result() == "created");
  row.outcome = RowOutcome::ignored;
  row.reason = "invalid_email";
  CHECK(row.result() == "ignored: invalid_email");
  CHECK(to_text(RowOutcome::updated) == "updated");
  CHECK(to_text(RowOutcome::unchanged) == "unchanged");
  CHECK(to_text(RowOutcome::rejected) == "rejected");
}

TEST_CASE("docs/states.md shows the tables of the code") {
  std::ifstream file(INVITED_SOURCE_DIR "/docs/states.md", std::ios::binary);
  REQUIRE(file);
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  INFO("after a change of the tables: print_states > docs/states.md");
  CHECK(written == states_document());
}
