#include "service/bench.hpp"

#include <cctz/time_zone.h>

#include <stdexcept>

#include "core/encoding.hpp"
#include "store/accounts.hpp"
#include "store/audit.hpp"
#include "store/deliveries.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"

namespace invited::test {

namespace {

core::Instant instant(const std::string& utc) {
  core::Instant at;
  if (!cctz::parse("%Y-%m-%dT%H:%M:%E*SZ", utc, cctz::utc_time_zone(), &at))
    throw std::invalid_argument("not a time: " + utc);
  return at;
}

core::TokenRing ring() {
  std::array<std::byte, 32> master{};
  master.fill(std::byte{42});
  return core::TokenRing({core::TokenKey::from_master(0, master)});
}

std::unique_ptr<store::Db> watched_database() {
  auto db = store::Db::open(":memory:").value();
  db->raw().exec("CREATE TEMP TABLE seen (machine TEXT, was TEXT, became TEXT)");
  for (const std::string table : {"invitations", "deliveries"}) {
    const std::string machine = "'" + table.substr(0, 3) + "'";
    db->raw().exec("CREATE TEMP TRIGGER " + table + "_made AFTER INSERT ON main." + table +
                   " BEGIN INSERT INTO seen VALUES (" + machine + ", '', new.state); END");
    db->raw().exec("CREATE TEMP TRIGGER " + table + "_moved AFTER UPDATE OF state ON main." + table +
                   " WHEN old.state <> new.state BEGIN INSERT INTO seen VALUES (" + machine +
                   ", old.state, new.state); END");
  }
  return db;
}

}  // namespace

ScriptedTransport::ScriptedTransport() {
  script = [](const model::OutgoingMail&) { return verdict(model::VerdictStatus::accepted); };
}

void ScriptedTransport::send(std::vector<model::OutgoingMail> batch, std::function<void(model::Verdict)> on_verdict) {
  on_verdict_ = std::move(on_verdict);
  for (auto& mail : batch) {
    mails.push_back(mail);
    if (auto said = script(mail)) answer(mail.delivery, std::move(*said));
  }
}

void ScriptedTransport::answer(const core::Id& delivery, model::Verdict said) {
  said.delivery = delivery;
  on_verdict_(std::move(said));
}

std::optional<model::ProviderAnswer> ScriptedIdentity::scripted(const std::string& what,
                                                                const std::string& external_id) {
  calls.push_back(what);
  if (!script) return std::nullopt;
  auto answer = script(what, external_id);
  if (answer) answer->external_id = external_id;
  return answer;
}

model::awaitable<model::ProviderAnswer> ScriptedIdentity::ensure_account(model::AccountRequest request) {
  const std::string external_id = request.external_id;
  ++open;
  most_open = std::max(most_open, open);
  if (takes_time) co_await takes_time(external_id);
  --open;
  if (auto said = scripted("ensure", request.external_id)) co_return *said;
  // As the contract says: an account that exists stays as it is.
  accounts.emplace(request.external_id, request.login_email);
  co_return model::ProviderAnswer{.status = model::ProviderStatus::done,
                                  .external_id = request.external_id,
                                  .provider_id = "p-" + request.external_id,
                                  .sign_in_url = "https://login.example.com"};
}

model::awaitable<model::ProviderAnswer> ScriptedIdentity::remove_connection(std::string external_id) {
  if (auto said = scripted("remove", external_id)) co_return *said;
  accounts.erase(external_id);
  co_return model::ProviderAnswer{.status = model::ProviderStatus::done, .external_id = external_id};
}

model::awaitable<model::ProviderAnswer> ScriptedIdentity::reset_password(std::string external_id) {
  if (auto said = scripted("reset", external_id)) co_return *said;
  co_return model::ProviderAnswer{.status = model::ProviderStatus::done, .external_id = external_id};
}

model::awaitable<model::ProviderAnswer> ScriptedIdentity::lookup(std::string external_id) {
  if (auto said = scripted("lookup", external_id)) co_return *said;
  co_return model::ProviderAnswer{.status = model::ProviderStatus::done,
                                  .external_id = external_id,
                                  .provider_id = "p-" + external_id,
                                  .sign_in_url = "https://login.example.com",
                                  .found = accounts.contains(external_id)};
}

core::Result<model::OutgoingMail> PlainWriter::write(const service::MailFacts& facts, const std::string& link,
                                                     const model::Policy& policy, core::Instant now) {
  if (!broken.empty()) return core::fail(core::ErrorKind::internal, "template", broken);
  if (facts.user.user_id == throws_for) throw std::runtime_error("planted");
  model::OutgoingMail mail;
  mail.envelope_to = facts.invitation.login_email_canonical;
  if (facts.delivery.kind == model::DeliveryKind::sign_in_ready) {
    mail.bytes = facts.user.user_id + "\nsign in\n" + policy.sign_in.address(facts.provider_url) + link + "\n";
    return mail;
  }
  mail.bytes = facts.user.user_id + "\n" + link + "\n" +
               model::to_text(model::link_last_day(now, policy.zone, policy.valid_days)) + "\n";
  return mail;
}

model::Verdict verdict(model::VerdictStatus status, const std::string& detail) {
  model::Verdict v;
  v.status = status;
  v.phase = "data_end";
  v.detail = detail;
  return v;
}

model::Policies stockholm(const std::function<void(model::Policy&)>& change) {
  model::Policy policy;
  policy.name = "Example AB";
  if (change) change(policy);
  model::Policy north = policy;
  north.company = "north";
  north.name = "Example North";
  return {policy, {{"north", north}}};
}

Bench::Bench(model::Policies policies, core::Milliseconds cooldown, int renewals_per_hour, model::Brakes brakes)
    : db(watched_database()),
      store(std::in_place, *db, io.get_executor(), store::Store::Mode::inline_,
            [](const std::string& what) { throw std::runtime_error("the store gave up: " + what); }),
      planner(std::make_shared<service::Planner>(std::make_shared<const model::Policies>(std::move(policies)), clock,
                                                 random, "mail.example.com", 0)),
      tokens(ring()),
      scope(std::in_place, io.get_executor(),
            [this](std::string_view name, std::exception_ptr error) {
              try {
                std::rethrow_exception(error);
              } catch (const std::exception& e) {
                scope_errors.push_back(std::string(name) + ": " + e.what());
              }
            }),
      batches(*store, clock, planner, brakes),
      intake(*store, clock, planner),
      users(*store, clock, planner),
      reviews(*store, clock, planner),
      links(*store, clock, planner, tokens, renewals_per_hour),
      domains(*store, clock, io.get_executor(), planner, dns),
      bulk(*store, clock, planner, cooldown),
      sweep(*store, clock, planner, gate),
      scheduler(*store, clock, io.get_executor(), planner, batches, gate),
      connecting(*store, clock, random, io.get_executor(), planner, gate, identity, *scope),
      self_service(*store, clock, planner, tokens, "https://invite.example.com", std::chrono::minutes{30}),
      queries(*store, clock, planner) {
  restart();
}

Bench::~Bench() {
  settle(io);
}

void Bench::restart() {
  outbox.emplace(*store, clock, random, io.get_executor(), planner, tokens, writer, transport, gate, *scope,
                 planner->new_id(), service::DeliverySettings{.base_url = "https://invite.example.com"});
}

void Bench::at(const std::string& utc) {
  const auto to = instant(utc);
  if (to > clock.now()) {
    clock.advance(to - clock.now());
  } else {
    clock.set_wall(to);
  }
}

std::vector<model::RowResult> Bench::rows(const std::vector<Row>& all, bool dry_run, const std::string& source) {
  std::vector<model::SourceItem> items;
  std::int64_t line = 1;
  for (const Row& fields : all) items.emplace_back(model::SourceRecord{fields, ++line});
  service::Intake::Run run(intake, {.source = source, .actor = "source:" + source, .dry_run = dry_run}, {});
  go(run.sink()(std::move(items)));
  go(run.finish());
  return run.results();
}

std::string Bench::row(const Row& fields, bool dry_run) {
  return rows({fields}, dry_run).at(0).result();
}

void Bench::mails_only() {
  while (go(scheduler.pass()) > 0) {
  }
  do settle(io);
  while (go(outbox->pass()) > 0);
  settle(io);
}

void Bench::ask_provider() {
  while (go(connecting.pass()) > 0) settle(io);
}

void Bench::pump() {
  mails_only();
  ask_provider();
}

void Bench::refuse_rows(const std::string& table, const std::string& id) {
  const auto key = user(id).value().key;
  db->raw().exec("CREATE TEMP TRIGGER refused BEFORE INSERT ON main." + table + " WHEN NEW.user = x'" +
                 core::to_hex(key.bytes) + "' BEGIN SELECT RAISE(ABORT, 'planted'); END");
}

std::optional<model::User> Bench::user(const std::string& id) {
  return store::users::find(*db, id);
}

model::Invitation Bench::invitation(const std::string& id) {
  return store::invitations::newest(*db, user(id).value().key).value();
}

model::Delivery Bench::delivery(const std::string& id) {
  return store::deliveries::of_invitation(*db, invitation(id).key).value();
}

std::string Bench::state(const std::string& id) {
  const auto found = store::invitations::newest(*db, user(id).value().key);
  return found ? std::string(model::to_text(found->state)) : "";
}

std::vector<std::string> Bench::states(const std::string& id) {
  std::vector<std::string> all;
  for (const auto& row : store::invitations::page(*db, {.user = user(id).value().key}, std::nullopt, 100))
    all.emplace(all.begin(), model::to_text(row.state));
  return all;
}

std::string Bench::connection(const std::string& id) {
  return std::string(model::to_text(user(id).value().connection));
}

std::vector<std::string> Bench::audit(const std::string& id) {
  std::vector<std::string> all;
  for (const auto& event : store::audit::page(*db, {.after = 0}, "user:" + id, 1'000))
    all.push_back(event.action + (event.reason.empty() ? "" : " " + event.reason));
  return all;
}

std::string Bench::send(const std::string& id) {
  const auto sent = go(users.send_verification(id, by_admin));
  return sent ? "ok" : sent.error().code;
}

std::size_t Bench::mails_to(const std::string& id) {
  std::size_t count = 0;
  for (const auto& mail : transport.mails) count += mail.bytes.starts_with(id + "\n") ? 1 : 0;
  return count;
}

std::string Bench::link(const std::string& id) {
  for (auto mail = transport.mails.rbegin(); mail != transport.mails.rend(); ++mail) {
    if (!mail->bytes.starts_with(id + "\n")) continue;
    const auto from = mail->bytes.find("/v/") + 3;
    return mail->bytes.substr(from, mail->bytes.find('\n', from) - from);
  }
  throw std::runtime_error("no mail went to " + id);
}

service::LinkState Bench::confirm(const std::string& token) {
  const auto view = go(links.open(token));
  return go(links.confirm(token, view.form_proof)).state;
}

void Bench::connect(const std::string& id) {
  confirm(link(id));
  pump();
}

bool Bench::saw(const std::string& machine, const std::string& from, const std::string& to) {
  return db->integer("SELECT 1 FROM temp.seen WHERE machine = ? AND was = ? AND became = ?", machine, from, to)
      .has_value();
}

std::string Bench::dump() {
  std::string text;
  std::vector<std::string> tables;
  SQLite::Statement names(db->raw(), "SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY name");
  while (names.executeStep()) tables.push_back(names.getColumn(0).getString());
  for (const auto& table : tables) {
    text += "== " + table + "\n";
    SQLite::Statement rows(db->raw(), "SELECT * FROM main." + table + " ORDER BY 1, 2");
    while (rows.executeStep()) {
      for (int i = 0; i < rows.getColumnCount(); ++i) text += rows.getColumn(i).getString() + "|";
      text += "\n";
    }
  }
  return text;
}

}  // namespace invited::test
