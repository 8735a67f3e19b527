#include "sim/simulation.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>

#include "sim/running.hpp"
#include "store/accounts.hpp"
#include "store/audit.hpp"
#include "store/batches.hpp"
#include "store/deliveries.hpp"
#include "store/domains.hpp"
#include "store/invitations.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::sim {

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using service::LinkState;

constexpr Milliseconds longest_idle = 30min;
constexpr int healing_days = 8;

core::TokenRing ring() {
  std::array<std::byte, 32> master{};
  master.fill(std::byte{7});
  return core::TokenRing({core::TokenKey::from_master(3, master)});
}

const char* text_of(LinkState state) {
  constexpr std::array<const char*, 7> names{"unknown", "open",       "connecting", "connected",
                                             "expired", "superseded", "revoked"};
  return names.at(static_cast<std::size_t>(state));
}

class Simulation {
public:
  explicit Simulation(const Settings& settings)
      : settings_(settings),
        world_(settings.seed, settings.people, settings.days),
        daemon_random_(settings.seed ^ 0x5eedULL),
        tokens_(ring()),
        db_(store::Db::open(":memory:").value()),
        relay_(world_, [this] { crash_requested_ = true; }),
        provider_(world_),
        dns_(world_),
        hr_(world_, [this] { crash_requested_ = true; }) {
    world_.print = settings.print;
    relay_.on_handed = [this](const Id& mail) { check_not_held(mail); };
    relay_.on_arrival = [this](const Id& mail) { plan_visits(mail); };
  }

  Outcome run() {
    boot();
    plan_the_days();
    const Instant heal_at = world_.now() + std::chrono::days{settings_.days};
    go_until(heal_at);
    heal();
    go_until(heal_at + std::chrono::days{healing_days});
    settle();
    running_.reset();
    if (world_.violation().empty()) check_end();
    Outcome outcome;
    outcome.violation = world_.violation();
    outcome.hash = world_.hash();
    outcome.tail = world_.tail();
    outcome.mails = static_cast<int>(world_.mails.size());
    outcome.copies = world_.copies;
    outcome.crashes = world_.crashes;
    outcome.connected = static_cast<int>(world_.accounts.size());
    outcome.judged = judged_;
    return outcome;
  }

private:
  // ---- the daemon's lives

  void boot() {
    ++life_;
    world_.unread_since = world_.now();
    running_.emplace(*db_, world_, daemon_random_, tokens_, writer_, relay_, provider_, dns_, hr_);
    world_.log("daemon: started");
    // An operator's act that the last life left unanswered may or may not have happened; what was in the air with the
    // relay is uncertain.
    for (auto& [key, mail] : world_.mails) {
      if (!mail.taken) mail.basis = world_.now();
    }
  }

  void crash() {
    crash_requested_ = false;
    crash_after_handlers_ = 0;
    world_.log("daemon: crashed");
    relay_.daemon_gone();
    hr_.daemon_gone();
    world_.daemon_crashed();
    running_.reset();
    if (const auto checked = store::audit::verify(*db_, 1, 1'000'000); checked.broken)
      world_.violate("I6", "the record is broken after a crash");
    world_.after(world_.between(1s, world_.chance(100) ? Milliseconds{30h} : Milliseconds{10min}), [this] { boot(); });
  }

  // Whatever can happen without time; a crash may come between any two steps.
  void settle() {
    while (running_ && world_.violation().empty()) {
      if (running_->io().stopped()) running_->io().restart();
      if (running_->io().poll_one() == 0) break;
      if (crash_after_handlers_ > 0 && --crash_after_handlers_ == 0) crash_requested_ = true;
      if (crash_requested_) crash();
    }
    if (crash_requested_ && running_) crash();
  }

  void go_until(Instant end) {
    Milliseconds idle = 1s;
    settle();
    while (world_.now() < end && world_.violation().empty()) {
      Milliseconds pause = std::min(idle, end - world_.now());
      const auto event = world_.next_event();
      const bool next = event && *event <= world_.now() + pause;
      if (next) pause = std::max(*event - world_.now(), Milliseconds{0});
      world_.clock.advance(pause);
      settle();
      if (next) {
        world_.run_event();
        if (world_.chance(world_.faults.crash_anywhere)) crash_after_handlers_ = 1 + static_cast<int>(world_.below(60));
        settle();
        check_rows();
        check_domain();
      }
      idle = next ? Milliseconds{1s} : std::min(idle * 2, longest_idle);
    }
  }

  // A coroutine of the outside in the daemon's executor; what follows happens only if the daemon lives to say it.
  template <class T>
  void call(asio::awaitable<T> task, std::function<void(const T&)> then) {
    asio::co_spawn(running_->io(), std::move(task),
                   [this, then = std::move(then), life = life_](std::exception_ptr error, const T& value) {
                     if (life != life_) return;
                     if (error) {
                       world_.log("a call failed");
                       return;
                     }
                     then(value);
                   });
  }

  // ---- what HR, the operator and the readers do

  void plan_the_days() {
    const Milliseconds whole = std::chrono::days{settings_.days};
    for (Person& person : world_.people) {
      world_.after(world_.between(0ms, whole / 2), [this, &person] { publish(person); });
      for (std::uint64_t i = world_.below(4); i > 0; --i)
        world_.after(world_.between(whole / 8, whole), [this, &person] { change(person); });
      if (person.in_review) {
        for (int i = person.job == senior ? 8 : 4; i > 0; --i)
          world_.after(world_.between(0ms, whole), [this, &person] { review(person); });
      }
      for (std::uint64_t i = world_.below(5); i > 0; --i)
        world_.after(world_.between(0ms, whole), [this, &person] { administrate(person); });
    }
    for (std::uint64_t i = world_.below(3); i > 0; --i)
      world_.after(world_.between(0ms, whole), [this] { bulk_send(); });
    for (Person& person : world_.people) {
      if (world_.chance(person.preparation ? 700 : 50))
        world_.after(world_.between(0ms, whole), [this, &person] { ask_for_page(person); });
    }
    for (int i = 0; i < 3; ++i) world_.after(world_.between(0ms, whole), [this] { export_and_import(); });
    if (world_.chance(500)) world_.after(world_.between(0ms, whole), [this] { hire_many(); });
    if (world_.chance(300)) world_.after(world_.between(0ms, whole), [this] { break_the_file(); });
    for (int i = 0; i < 4; ++i) world_.after(world_.between(0ms, whole), [this] { decide_batch(world_.chance(600)); });
    if (world_.chance(400)) world_.after(world_.between(0ms, whole), [this] { verify_domain(); });
    if (world_.chance(200)) world_.after(world_.between(0ms, whole), [this] { forget_domain(); });
    if (world_.chance(600)) {
      world_.after(world_.between(0ms, whole / 4), [this] { prove_domain(); });
      for (std::uint64_t i = 1 + world_.below(3); i > 0; --i)
        world_.after(world_.between(0ms, whole), [this] { publish_record(!world_.proof.published); });
      for (std::uint64_t i = world_.below(6); i > 0; --i)
        world_.after(world_.between(0ms, whole), [this] { look_at_domain(); });
    }
  }

  // HR tells it by its interface, or by a letter to eva.
  void publish(Person& person) {
    if (person.by_hand) {
      enter(person);
    } else {
      hr_.publish(person);
    }
  }

  void enter(Person& person) {
    if (!running_) {
      world_.after(10min, [this, &person] { enter(person); });
      return;
    }
    const Version version = person.truth;
    const std::size_t index = world_.told(person, version);
    world_.log(fmt::format("eva: enters {} {} starts {}{}{}", person.id, version.email, model::to_text(version.start),
                           version.end ? " ends " + model::to_text(*version.end) : "",
                           version.withdrawn ? " withdrawn" : ""));
    call<model::RowResult>(running_->enter(HrSystem::record_of(person, version)),
                           [this, &person, index, at = world_.now()](const model::RowResult& row) {
                             world_.log(fmt::format("eva: {} is {}", person.id, row.result()));
                             if (row.outcome == model::RowOutcome::rejected)
                               world_.violate("I9",
                                              fmt::format("a good row of {} is rejected: {}", person.id, row.message));
                             world_.finished(person, index, at);
                           });
    // Without an answer she looks, and types it again.
    world_.after(10min, [this, &person, index] {
      if (person.handed.size() == index + 1 && !(person.read_once && person.finished == index)) enter(person);
    });
  }

  // This employment ends, and another one follows it.
  void follow(Person& person) {
    Version& truth = person.truth;
    const CivilDate last =
        model::add_days(World::date_at(world_.now(), person.zone), static_cast<int>(world_.below(6)) - 1);
    if (truth.withdrawn || truth.end || last < truth.start) return;
    truth.end = last;
    publish(person);
    world_.after(world_.between(1h, 30h), [this, &person, last, gap = static_cast<int>(world_.below(14))] {
      if (person.truth.end != last || person.truth.withdrawn) return;
      person.truth.start = model::add_days(last, 1 + gap);
      person.truth.end.reset();
      publish(person);
    });
  }

  // Leaves soon or has left; who has, comes back.
  void leave_or_return(Person& person) {
    Version& truth = person.truth;
    const CivilDate today = World::date_at(world_.now(), person.zone);
    if (truth.end) {
      truth.start = model::add_days(std::max(*truth.end, today), 1 + static_cast<int>(world_.below(6)));
      truth.end.reset();
    } else {
      truth.end = std::max(truth.start, model::add_days(today, static_cast<int>(world_.below(9)) - 6));
    }
    publish(person);
  }

  void change(Person& person) {
    Version& truth = person.truth;
    switch (world_.below(11)) {
      case 7:
      case 8:
        return follow(person);
      case 9:
        return leave_or_return(person);
      case 0:
      case 1:
        truth.start = model::add_days(World::date_at(world_.now(), person.zone), static_cast<int>(world_.below(8)) - 2);
        if (truth.end && *truth.end < truth.start) truth.end.reset();
        break;
      case 2:
      case 3:
        truth.email = fmt::format("p{:02}.{}@{}", person.number, world_.below(1'000),
                                  world_.chance(200)   ? "verified.example"
                                  : world_.chance(150) ? "proven.example"
                                                       : "mail.example");
        break;
      case 4:
        truth.withdrawn = !truth.withdrawn;
        break;
      case 5:
        if (truth.withdrawn) {
          truth.withdrawn = false;
          truth.start = model::add_days(truth.start, 1);
        }
        break;
      default:
        break;  // told once more, unchanged
    }
    publish(person);
  }

  void review(Person& person) {
    if (!running_) return;
    world_.touched(person);
    if (world_.chance(800)) {
      approve(person);
    } else if (world_.chance(600)) {
      take_back(person, running_->reviews->reject(person.id, "no", by_operator_), "rejects", true);
    } else {
      take_back(person, running_->reviews->reopen(person.id, by_operator_), "reopens the review of", false);
    }
  }

  // Four eyes: eva may not approve whom she entered.
  void approve(Person& person) {
    const bool steps = person.job == senior;
    const std::string step = steps ? (world_.chance(500) ? "manager" : "hr") : "";
    const std::string actor = world_.chance(400) ? eva : olof;
    const bool may = !(steps && person.by_hand && actor == eva);
    if (may && (step != "hr" || person.steps_asked.contains("manager"))) person.steps_asked.insert(step);
    person.approval_asked = person.steps_asked.size() == (steps ? 2 : 1);
    person.approval_asked_at = world_.now();
    call<core::Result<service::Applied>>(running_->reviews->approve(person.id, step, {.actor = actor}),
                                         [this, &person, step, actor, may](const auto& result) {
                                           world_.log(fmt::format("{}: approves {} {}: {}", actor, person.id, step,
                                                                  result ? "ok" : result.error().code));
                                           if (result && !may)
                                             world_.violate("I8", person.id + " is approved by who entered the hire");
                                         });
  }

  void take_back(Person& person, asio::awaitable<core::Result<void>> task, const char* what, bool ends) {
    call<core::Result<void>>(std::move(task), [this, &person, what, ends](const auto& result) {
      world_.log(fmt::format("operator: {} {}: {}", what, person.id, result ? "ok" : result.error().code));
      // Of several employments another one may be meant.
      const bool one_only = std::none_of(person.handed.begin(), person.handed.end(),
                                         [](const Version& version) { return version.end.has_value(); });
      if (!result || !one_only) return;
      person.approval_asked = false;
      person.steps_asked.clear();
      if (ends) world_.all_over(person);
    });
  }

  void set_enabled(Person& person, bool enabled) {
    world_.touched(person);
    person.wanted_enabled = enabled;
    person.ever_disabled = person.ever_disabled || !enabled;
    if (enabled) person.disabled = false;
    call<core::Result<void>>(running_->users->set_enabled(person.id, enabled, by_operator_),
                             [this, &person, enabled](const auto& result) {
                               world_.log(fmt::format("operator: {} {}: {}", enabled ? "enables" : "disables",
                                                      person.id, result ? "ok" : result.error().code));
                               if (!result || enabled || person.wanted_enabled) return;
                               person.disabled = true;
                               world_.all_over(person);
                             });
  }

  void ask(Person& person) {
    world_.touched(person);
    person.asked = true;
    if (Mail* mail = world_.newest_mail(person)) ++mail->let_go;
    call<core::Result<service::Applied>>(
        running_->users->send_verification(person.id, by_operator_), [this, &person](const auto& result) {
          world_.log(fmt::format("operator: sends to {}: {}", person.id, result ? "ok" : result.error().code));
        });
  }

  // By hand, on the newest invitation of a person.
  void on_invitation(Person& person, bool release) {
    const auto user = store::users::find(*db_, person.id);
    const auto invitation = user ? store::invitations::newest(*db_, user->key) : std::nullopt;
    if (!invitation) return;
    world_.touched(person);
    if (release) {
      if (Mail* mail = world_.newest_mail(person)) ++mail->let_go;
      call<core::Result<void>>(
          running_->users->release(invitation->key, by_operator_), [this, &person](const auto& result) {
            world_.log(fmt::format("operator: lets {} go: {}", person.id, result ? "ok" : result.error().code));
          });
      return;
    }
    person.ended_by_operator = true;
    const bool revoke = world_.chance(500);
    auto task = revoke ? running_->users->revoke(invitation->key, by_operator_)
                       : running_->users->discard(invitation->key, by_operator_);
    call<core::Result<void>>(std::move(task), [this, &person, revoke](const auto& result) {
      world_.log(fmt::format("operator: {} {}: {}", revoke ? "revokes" : "discards", person.id,
                             result ? "ok" : result.error().code));
      if (result) world_.all_over(person);
    });
  }

  void administrate(Person& person) {
    if (!running_) return;
    switch (world_.below(12)) {
      case 0:
      case 1:
      case 2:
        ask(person);
        break;
      case 3:
        set_enabled(person, false);
        break;
      case 4:
      case 5:
        set_enabled(person, true);
        break;
      case 6:
        world_.touched(person);
        person.ended_by_operator = true;
        call<core::Result<void>>(
            running_->users->disconnect(person.id, by_operator_), [this, &person](const auto& result) {
              world_.log(fmt::format("operator: disconnects {}: {}", person.id, result ? "ok" : result.error().code));
              if (result) world_.all_over(person);
            });
        break;
      case 7:
        call<core::Result<void>>(running_->users->reset_password(person.id, by_operator_),
                                 [this, &person](const auto& result) {
                                   world_.log(fmt::format("operator: resets the password of {}: {}", person.id,
                                                          result ? "ok" : result.error().code));
                                 });
        break;
      case 8:
        on_invitation(person, false);
        break;
      default:
        on_invitation(person, true);
        break;
    }
  }

  void bulk_send() {
    if (!running_) return;
    // Nobody but those whom the filter selects may get anything by it.
    std::optional<std::string> company;
    if (world_.chance(500)) company = places.at(world_.below(places.size())).company;
    const bool unconnected = world_.chance(500);
    for (Person& person : world_.people) {
      if (company && person.company != *company) continue;
      world_.touched(person);
      person.asked = true;
      if (Mail* mail = world_.newest_mail(person)) ++mail->let_go;
    }
    const auto both = [](service::Bulk* bulk, service::BulkRequest request) -> asio::awaitable<Id> {
      const auto plan = co_await bulk->plan(std::move(request), "operator");
      const auto started = co_await bulk->start(plan.key);
      co_return started ? plan.key : Id{};
    };
    service::BulkRequest request;
    request.filter.company = company;
    if (unconnected) request.filter.connection = model::Connection::not_connected;
    request.include_scheduled = world_.chance(300);
    request.include_recent = world_.chance(300);
    call<Id>(both(&*running_->bulk, std::move(request)), [this](const Id& plan) {
      world_.log("operator: starts a bulk send");
      if (!plan.is_nil()) running_->go_on(plan);
    });
  }

  // A whole team starts at once: above the brake where it is small.
  void hire_many() {
    world_.log("hr: hires many");
    for (Person& person : world_.people) {
      if (!world_.chance(700)) continue;
      if (person.by_hand) continue;
      person.truth.withdrawn = false;
      person.truth.end.reset();
      person.truth.start = World::date_at(world_.now(), person.zone);
      publish(person);
    }
  }

  // HR's export has everybody withdrawn, and is put right some time later.
  void break_the_file() {
    world_.log("hr: the file is broken");
    std::vector<Person*> hit;
    for (Person& person : world_.people) {
      if (person.by_hand || person.truth.withdrawn || !world_.chance(900)) continue;
      person.truth.withdrawn = true;
      hit.push_back(&person);
      hr_.publish(person);
    }
    world_.after(world_.between(1min, 40h), [this, hit] {
      world_.log("hr: the file is put right");
      for (Person* person : hit) {
        person->truth.withdrawn = false;
        hr_.publish(*person);
      }
    });
  }

  // A person looks at what is held and decides about the oldest.
  void decide_batch(bool release) {
    if (!running_) return;
    const auto held = store::batches::in_state(*db_, model::BatchState::held, 1);
    if (held.empty()) return;
    const Id batch = held.front().key;
    for (const auto& item : store::batches::items(*db_, batch, 0, 1'000)) {
      if (!item.outcome.empty()) continue;
      for (Person& person : world_.people) {
        const auto user = store::users::find(*db_, person.id);
        if (!user || user->key != item.user) continue;
        if (Mail* mail = world_.newest_mail(person)) ++mail->let_go;
        world_.touched(person);
        if (release) continue;
        if (item.act == model::BatchAct::release) {
          person.ended_by_operator = true;
        } else {
          person.kept_against_hr = true;
        }
      }
    }
    call<core::Result<void>>(running_->batches->start(batch, release, "operator"),
                             [this, batch, release](const auto& result) {
                               world_.log(fmt::format("operator: {} a batch: {}", release ? "releases" : "discards",
                                                      result ? "ok" : result.error().code));
                               if (result && running_) running_->work_off(batch);
                             });
  }

  // ---- preparation: the HR system asks for a page, and the person types her address there

  void ask_for_page(Person& person) {
    if (!running_) return;
    call<core::Result<service::SelfServiceUrl>>(
        running_->self_service->make_page(person.id, {.actor = "hr system"}), [this, &person](const auto& result) {
          world_.log(fmt::format("hr: asks for a page for {}: {}", person.id, result ? "ok" : result.error().code));
          if (!result) return;
          if (!person.preparation) world_.violate("I9", person.id + " gets a page, and the company is live");
          const std::string token = result->url.substr(result->url.rfind('/') + 1);
          for (int i = 0; i < 2; ++i)
            world_.after(world_.between(1s, 45min),
                         [this, &person, token, ends = result->ends_at] { open_page(person, token, ends); });
        });
  }

  void open_page(Person& person, const std::string& token, Instant ends) {
    if (!running_) return;
    call<service::SelfServiceView>(
        running_->self_service->open(token), [this, &person, token, ends](const service::SelfServiceView& view) {
          world_.log(fmt::format("person: the page of {} is {}", person.id, static_cast<int>(view.state)));
          if (view.state != service::SelfServiceState::form) return;
          if (world_.now() >= ends) world_.violate("I9", person.id + " is shown a page after its end");
          if (person.disabled) world_.violate("I9", person.id + " is disabled and is shown a page");
          world_.after(world_.between(1s, 20min), [this, &person, token, ends, proof = view.form_proof] {
            type_address(person, token, ends, proof);
          });
        });
  }

  void type_address(Person& person, const std::string& token, Instant ends, const std::string& proof) {
    if (!running_ || person.handed.empty() || person.truth.email.empty()) return;
    Version typed = person.handed.back();
    typed.email = fmt::format("p{:02}.self.{}@mail.example", person.number, world_.below(100));
    const bool slip = world_.chance(150);
    service::TypedAddress form{typed.email, slip ? "p@mail.example" : typed.email, proof};
    std::size_t index = 0;
    if (!slip) {
      index = world_.told(person, typed);
      world_.touched(person);
      person.asked = true;
      if (Mail* mail = world_.newest_mail(person)) ++mail->let_go;
    }
    call<service::SelfServiceView>(
        running_->self_service->save(token, std::move(form)),
        [this, &person, index, slip, ends, typed, at = world_.now()](const service::SelfServiceView& view) {
          using State = service::SelfServiceState;
          world_.log(fmt::format("person: {} types {}: {}, {}", person.id, typed.email, static_cast<int>(view.state),
                                 static_cast<int>(view.fault)));
          const bool taken =
              view.state == State::sent || view.state == State::in_review || view.state == State::connecting;
          if (taken && slip) world_.violate("I9", "two different addresses are taken for one");
          if (taken && at >= ends + 15min) world_.violate("I9", "a page takes an address long after its end");
          if (!taken) return;
          if (world_.chance(500)) person.truth.email = typed.email;
          if (!hr_.in_the_air(person) && person.handed.size() == index + 1) world_.finished(person, index, at);
        });
  }

  // Nothing else happens meanwhile: what goes out as a file and in again changes nothing.
  void export_and_import() {
    if (!running_) return;
    crash_after_handlers_ = 0;
    settle();
    if (!running_) return;
    const auto before = store::audit::last_seq(*db_);
    call<std::vector<model::RowResult>>(running_->export_and_import(), [this, before](
                                                                           const std::vector<model::RowResult>& rows) {
      world_.log(fmt::format("operator: takes {} users out and in again", rows.size()));
      for (const model::RowResult& row : rows) {
        if (row.outcome != model::RowOutcome::unchanged)
          world_.violate("I9", fmt::format("a file that goes round: {} is {} {}", row.user, row.result(), row.message));
      }
      if (store::audit::last_seq(*db_) != before) world_.violate("I9", "a file that goes round leaves a trace");
    });
    settle();
  }

  void verify_domain() {
    if (!running_) return;
    world_.touched_all();
    world_.domains_asked.insert("verified.example");
    call<core::Result<model::Domain>>(running_->domains->assert_verified("verified.example", by_operator_),
                                      [this](const auto& result) {
                                        world_.log("operator: verifies a domain");
                                        if (result) world_.domains["verified.example"] = world_.now();
                                      });
  }

  void forget_domain() {
    if (!running_) return;
    world_.touched_all();
    world_.domains.erase("verified.example");
    call<core::Result<model::Domain>>(
        running_->domains->remove("verified.example", by_operator_), [this](const auto& result) {
          world_.log(fmt::format("operator: removes a domain: {}", result ? "ok" : result.error().code));
        });
  }

  void prove_domain() {
    if (!running_) return;
    world_.touched_all();
    world_.domains_asked.insert("proven.example");
    call<core::Result<model::Domain>>(running_->domains->add("proven.example", by_operator_),
                                      [this](const auto& result) {
                                        if (!result) return;
                                        world_.log("operator: wants to prove a domain");
                                        const auto record = service::proof_record(*result).value();
                                        world_.proof.name = record.name;
                                        world_.proof.value = record.value;
                                        world_.after(world_.between(0ms, 10h), [this] { publish_record(true); });
                                      });
  }

  void publish_record(bool published) {
    if (world_.proof.name.empty()) return;
    world_.touched_all();
    world_.log(published ? "dns: the record is published" : "dns: the record is withdrawn");
    world_.proof.published = published;
    world_.proof.changed = world_.now();
    world_.domains.erase("proven.example");  // it may lapse from here on
  }

  void look_at_domain() {
    if (!running_) return;
    world_.touched_all();
    call<core::Result<service::DomainCheck>>(
        running_->domains->verify("proven.example", by_operator_),
        [this, changed = world_.proof.changed](const auto& result) {
          world_.log(fmt::format("operator: looks at a domain: {}",
                                 result ? service::to_text(result->found) : result.error().code));
          if (result && result->found == service::Finding::right && changed == world_.proof.changed)
            world_.domains["proven.example"] = world_.now();
        });
  }

  void plan_visits(const Id& key) {
    const Mail& mail = world_.mails.at(key);
    if (mail.sign_in) return;
    if (world_.chance(600)) world_.after(world_.between(1s, 20s), [this, key] { scan(key); });
    if (world_.chance(850)) world_.after(world_.between(1min, 40h), [this, key] { visit(key); });
    // The interesting hours: around the end, and the night after it.
    const Instant end = world_.end_of(mail, world_.now());
    for (int i = 0; i < 2; ++i)
      world_.after(end - world_.now() - 40min + world_.between(0ms, 80min), [this, key] { visit(key); });
    world_.after(end - world_.now() + world_.between(0ms, 9h), [this, key] { visit(key); });
    if (world_.chance(300)) world_.after(world_.between(1min, 200h), [this, key] { forge(key); });
  }

  // ---- links

  Person& owner(const Mail& mail) { return world_.people.at(static_cast<std::size_t>(mail.person)); }

  // I5, one way: what is shown as open, or accepted, must be current and in time.
  void check_may_be_open(const Mail& mail, const char* what, Instant opened) {
    const Person& person = world_.people.at(static_cast<std::size_t>(mail.person));
    if (mail.over) world_.violate("I5", fmt::format("{} a link of {} that is over", what, person.id));
    if (person.disabled) world_.violate("I5", fmt::format("{} a link of {}, who is disabled", what, person.id));
    const bool may_be_final = mail.taken || mail.answers_lost + mail.crashes >= 3;
    if (may_be_final && !mail.with_relay && opened >= world_.end_of(mail, mail.basis))
      world_.violate("I5", fmt::format("{} a link of {} after its end", what, person.id));
  }

  // The other way: nothing speaks against it, so it must work.
  bool must_be_open(const Mail& mail) {
    return !world_.perhaps_left(owner(mail)) && mail.taken && mail.accepted_answers == 1 &&
           mail.answers_lost + mail.crashes == 0 && !mail.doubt && !mail.over && !mail.confirmed &&
           world_.newest_mail(owner(mail)) == &mail && world_.now() < world_.end_of(mail, *mail.accepted_at);
  }

  // A program opens the link: nothing may change.
  void scan(const Id& key) {
    if (!running_) return;
    const Mail& mail = world_.mails.at(key);
    crash_after_handlers_ = 0;
    settle();
    if (!running_) return;
    const int before = sqlite3_total_changes(db_->raw().getHandle());
    call<service::LinkView>(running_->links->open(mail.link), [this, key, before](const service::LinkView& view) {
      world_.log(fmt::format("scanner: {} is {}", world_.mails.at(key).message_id.substr(0, 8), text_of(view.state)));
      if (sqlite3_total_changes(db_->raw().getHandle()) != before) world_.violate("I5", "a GET changed something");
    });
    settle();
  }

  void visit(const Id& key) {
    if (!running_) return;
    const bool must = must_be_open(world_.mails.at(key));
    call<service::LinkView>(
        running_->links->open(world_.mails.at(key).link), [this, key, must](const service::LinkView& view) {
          Mail& mail = world_.mails.at(key);
          world_.log(fmt::format("reader: {} is {}", mail.message_id.substr(0, 8), text_of(view.state)));
          if (view.state == LinkState::unknown) world_.violate("I5", "an issued link is unknown");
          if (must && view.state != LinkState::open)
            world_.violate("I5", fmt::format("a good link of {} is {}", owner(mail).id, text_of(view.state)));
          if (mail.confirmed && !mail.doubt && !world_.perhaps_left(owner(mail)) &&
              view.state != LinkState::connecting && view.state != LinkState::connected)
            world_.violate("I5", fmt::format("a used link of {} is {}", owner(mail).id, text_of(view.state)));
          if (view.state == LinkState::open) {
            check_may_be_open(mail, "shows", world_.now());
            if (view.last_day && mail.taken &&
                World::first_instant(model::add_days(*view.last_day, 1), owner(mail).zone) >
                    world_.end_of(mail, mail.basis))
              world_.violate("I5", "the page promises a later end than the link has");
            if (world_.chance(700)) {
              const auto think = world_.chance(300) ? world_.between(1s, 25min) : world_.between(1s, 1min);
              world_.after(think,
                           [this, key, opened = world_.now(), proof = view.form_proof] { post(key, proof, opened); });
            }
          } else if (view.state == LinkState::expired) {
            ++world_.expired_seen;
            if (!view.form_proof.empty() && world_.chance(500)) renew(key, view.form_proof);
          }
        });
  }

  void post(const Id& key, const std::string& proof, Instant opened) {
    if (!running_) return;
    Mail& mail = world_.mails.at(key);
    Person& person = owner(mail);
    const bool must = must_be_open(mail);
    const bool was_current = !mail.doubt;
    person.confirmed_emails.insert(mail.to);
    call<service::LinkView>(running_->links->confirm(mail.link, proof), [this, key, opened, must,
                                                                         was_current](const service::LinkView& view) {
      Mail& posted = world_.mails.at(key);
      world_.log(fmt::format("reader: posts {}: {}", posted.message_id.substr(0, 8), text_of(view.state)));
      const bool accepted = view.state == LinkState::connecting || view.state == LinkState::connected;
      if (must && !accepted)
        world_.violate("I5", fmt::format("a good link of {} is {} when posted", owner(posted).id, text_of(view.state)));
      if (accepted && !posted.confirmed && was_current && world_.domains_asked.empty()) {
        check_may_be_open(posted, "accepts", opened);
        const bool settled = posted.taken && !posted.with_relay;
        if (settled && world_.now() >= world_.end_of(posted, posted.basis) + 15min)
          world_.violate("I5", "a form is accepted more than 15 minutes after the end");
      }
      if (!accepted) return;
      posted.confirmed = true;
      if (world_.chance(300)) world_.after(world_.between(100ms, 2h), [this, key] { visit(key); });
    });
  }

  void renew(const Id& key, const std::string& proof) {
    Mail& mail = world_.mails.at(key);
    Person& person = owner(mail);
    world_.touched(person);
    person.asked = true;
    call<service::RenewResult>(
        running_->links->renew(mail.link, proof), [this, &person](const service::RenewResult& result) {
          world_.log(fmt::format("reader: {} asks for a new mail: {}", person.id, static_cast<int>(result)));
        });
  }

  void forge(const Id& key) {
    if (!running_) return;
    std::string token = world_.mails.at(key).link;
    const std::size_t at = world_.below(token.size());
    token[at] = token[at] == 'a' ? 'b' : 'a';
    call<service::LinkView>(running_->links->confirm(token, "1.a"), [this](const service::LinkView& view) {
      if (view.state != LinkState::unknown) world_.violate("I5", "a forged token is known");
    });
  }

  // ---- the daemon's own books against the world

  // Withdrawn means over as soon as no batch keeps it back.
  void check_withdrawals() {
    for (Person& person : world_.people) {
      if (!person.withdrawal_said) continue;
      if (!world_.surely_withdrawn(person)) {
        person.withdrawal_said = false;
        continue;
      }
      const auto user = store::users::find(*db_, person.id);
      if (user && store::batches::waiting_in(*db_, user->key, model::BatchAct::withdraw)) continue;
      world_.all_over(person);
      person.withdrawal_said = false;
    }
  }

  void check_batches() {
    const auto wrong = [&](const char* what, std::string_view sql) {
      if (const auto count = db_->integer(sql).value_or(0); count > 0)
        world_.violate("I7", fmt::format("{} {}", count, what));
    };
    wrong("mails of held invitations may go out",
          "SELECT count(*) FROM invitations i JOIN deliveries d ON d.invitation = i.key WHERE i.held_reason LIKE "
          "'batch:%' AND d.next_at IS NOT NULL AND d.state IN ('queued', 'deferred', 'uncertain')");
    wrong("invitations are held by a batch in which nobody waits for them",
          "SELECT count(*) FROM invitations i WHERE i.held_reason LIKE 'batch:%' AND i.state IN ('draft', 'scheduled', "
          "'released') AND NOT EXISTS (SELECT 1 FROM batch_items b WHERE b.user = i.user AND b.outcome = '')");
  }

  // Nothing of a held batch goes out before somebody lets it go.
  void check_not_held(const Id& key) {
    const auto delivery = store::deliveries::get(*db_, key);
    const auto invitation = delivery ? store::invitations::get(*db_, delivery->invitation) : std::nullopt;
    if (invitation && model::batch_holding(invitation->held_reason) &&
        store::batches::waiting_in(*db_, invitation->user, model::BatchAct::release))
      world_.violate("I7", owner(world_.mails.at(key)).id + " waits in a held batch and gets a mail");
  }

  // I8: nobody is disabled before the date, unless somebody wants it.
  void check_disabled() {
    for (const Person& person : world_.people) {
      if (person.ever_disabled || world_.perhaps_left(person)) continue;
      const auto user = store::users::find(*db_, person.id);
      if (user && !user->enabled) world_.violate("I8", person.id + " is disabled before the date");
    }
  }

  void check_rows() {
    check_withdrawals();
    check_batches();
    check_disabled();
    for (auto& [key, mail] : world_.mails) {
      const auto delivery = store::deliveries::get(*db_, key);
      const auto invitation = delivery ? store::invitations::get(*db_, delivery->invitation) : std::nullopt;
      if (!invitation) {
        world_.violate("I1", "a mail went out that no row knows");
        continue;
      }
      if (mail.sign_in) continue;
      const bool maybe_there = mail.copies > 0 || mail.answers_lost + mail.crashes > 0;
      if (invitation->accepted_at && !maybe_there)
        world_.violate("I1", owner(mail).id + " counts as sent, and no mail ever left");
      if (!invitation->ends_at) continue;
      if (*invitation->ends_at != world_.end_of(mail, invitation->accepted_at.value_or(*invitation->ends_at)))
        world_.violate(
            "I5", fmt::format("the link of {} ends at {}", owner(mail).id, model::to_utc_text(*invitation->ends_at)));
      if (mail.taken && mail.accepted_answers == 1 && mail.crashes == 0 && invitation->accepted_at != mail.accepted_at)
        world_.violate("I5", "the days are not counted from the moment of acceptance");
    }
  }

  // I7: verified only after the record was seen, lapsed only after days in which the DNS denied it.
  void check_domain() {
    const auto domain = store::domains::get(*db_, "proven.example");
    if (!domain) return;
    const Proof& proof = world_.proof;
    if (domain->state == model::DomainState::verified && !proof.seen)
      world_.violate("I7", "a domain is verified, and its record was never seen");
    if (domain->state == model::DomainState::lapsed && domain->since == domain->checked_at &&
        (!proof.denied_since || domain->since < *proof.denied_since + domain_settings().lapse_after))
      world_.violate("I7", "a domain lapsed before its time");
  }

  void check_domain_at_end() {
    check_domain();
    const Proof& proof = world_.proof;
    if (proof.name.empty()) return;
    const auto domain = store::domains::get(*db_, "proven.example");
    const Milliseconds settled = world_.now() - proof.changed;
    if (!domain) {
      world_.violate("I1", "a domain that was added is not there");
    } else if (proof.published && settled > 2h && domain->state != model::DomainState::verified) {
      world_.violate("I7", "the record is there, and the domain is not verified");
    } else if (!proof.published && settled > domain_settings().recheck + domain_settings().lapse_after + 2h &&
               domain->state == model::DomainState::verified) {
      world_.violate("I7", "the record is gone for days, and the domain is still verified");
    }
  }

  // ---- the end

  void heal() {
    world_.log("all faults off");
    world_.faults = {};
    crash_after_handlers_ = 0;
    if (!running_) boot();
    for (Person& person : world_.people) {
      person.unread = true;
      if (person.by_hand) enter(person);
      world_.after(1h, [this, &person] {
        if (running_) set_enabled(person, person.wanted_enabled);
      });
    }
    for (int i = 0; i < 3; ++i) world_.after(std::chrono::hours{2 + i}, [this] { publish(world_.people.front()); });
    // In the end somebody lets go whatever is held.
    for (int i = 0; i < healing_days * 8; ++i)
      world_.after(std::chrono::hours{4 + 3 * i} - 1h, [this] { decide_batch(true); });
  }

  void check_end() {
    if (const auto checked = store::audit::verify(*db_, 1, 10'000'000);
        checked.broken || checked.checked != store::audit::last_seq(*db_))
      world_.violate("I6", "the record does not verify");
    const Instant now = world_.now();
    const auto stuck = [&](const char* what, std::string_view sql, auto... args) {
      if (const auto count = db_->integer(sql, args...).value_or(0); count > 0)
        world_.violate("I1", fmt::format("{} {}", count, what));
    };
    // One that falls due in the last moment is on its way.
    stuck("mails are claimed by nobody", "SELECT count(*) FROM deliveries WHERE state = 'claimed' AND lease_until < ?",
          now);
    stuck("mails are overdue",
          "SELECT count(*) FROM deliveries WHERE state IN ('queued', 'deferred', 'uncertain') AND next_at < ?",
          now - 1h);
    stuck("mails are parked and not held",
          "SELECT count(*) FROM deliveries d JOIN invitations i ON i.key = d.invitation WHERE d.state IN ('queued', "
          "'deferred', 'uncertain', "
          "'rejected') AND d.next_at IS NULL AND i.state = 'released' AND i.held_reason = ''");
    stuck("released invitations have no mail",
          "SELECT count(*) FROM invitations i LEFT JOIN deliveries d ON d.invitation = i.key WHERE i.state = "
          "'released' AND (d.key IS NULL OR d.state "
          "IN ('accepted', 'cancelled'))");
    stuck("provider tasks are overdue", "SELECT count(*) FROM provider_tasks WHERE next_at < ?", now - 1h);
    stuck("links are open after their end", "SELECT count(*) FROM invitations WHERE state = 'sent' AND ends_at < ?",
          now - 1h);
    stuck("confirmed invitations wait for nothing",
          "SELECT count(*) FROM invitations i WHERE i.state = 'verified' AND NOT EXISTS (SELECT 1 FROM provider_tasks "
          "t WHERE t.invitation = i.key)");
    stuck("batches were left", "SELECT count(*) FROM batches WHERE state NOT IN ('held', 'released', 'discarded')");
    stuck("people wait in batches that are over",
          "SELECT count(*) FROM batch_items i JOIN batches b ON b.key = i.batch WHERE i.outcome = '' AND b.state IN "
          "('released', 'discarded')");
    stuck("bulk sends were left", "SELECT count(*) FROM plans WHERE state = 'running'");
    check_domain_at_end();
    check_reviews_at_end();
    for (Person& person : world_.people) check_person(person);
    world_.log(fmt::format("end: {} mails, {} copies, {} crashes, record {}", world_.mails.size(), world_.copies,
                           world_.crashes, store::audit::last_seq(*db_)));
  }

  // I8: both steps, in their order, by people who did not enter the hire.
  void check_reviews_at_end() {
    const auto wrong = [&](const char* what, std::string_view sql) {
      if (const auto count = db_->integer(sql).value_or(0); count > 0)
        world_.violate("I8", fmt::format("{} {}", count, what));
    };
    wrong("hires are approved and lack a step",
          "SELECT count(*) FROM employments e WHERE flow = 'two' AND review = 'approved' AND (SELECT count(*) FROM "
          "review_approvals a WHERE a.employment = e.key AND a.step IN ('manager', 'hr')) <> 2");
    wrong("steps were approved before the one they wait for",
          "SELECT count(*) FROM review_approvals a WHERE step = 'hr' AND NOT EXISTS (SELECT 1 FROM review_approvals b "
          "WHERE b.employment = a.employment AND b.step = 'manager' AND b.at <= a.at)");
    wrong("steps were approved by who entered the hire",
          "SELECT count(*) FROM review_approvals a JOIN employments e ON e.key = a.employment WHERE e.flow = 'two' AND "
          "instr(char(10) || e.entered_by || char(10), char(10) || a.actor || char(10)) > 0");
  }

  // What the template gives, and what it takes at the end.
  void check_template(const Person& person, const model::User& user) {
    if (person.job == office &&
        (user.department != "Office" || user.roles != std::vector<std::string>{"staff"} || user.locale != "en"))
      world_.violate("I9", person.id + " lacks what the template gives");
    if (world_.must_be_gone(person) && (user.enabled || user.connection != model::Connection::not_connected))
      world_.violate("I8", person.id + " has left for days and is still there");
  }

  void check_person(Person& person) {
    const auto user = store::users::find(*db_, person.id);
    if (!user) {
      world_.violate("I1", person.id + " never came");
      return;
    }
    check_template(person, *user);
    // The provider's side and ours say the same, unless it refuses to act.
    const auto tasks = store::tasks::of_user(*db_, user->key);
    const auto account = world_.accounts.find(user->key.text());
    const bool connected = user->connection == model::Connection::connected;
    if (tasks.empty() && connected != (account != world_.accounts.end()))
      world_.violate("I4", fmt::format("{} is {} here, and {} account at the provider", person.id,
                                       model::to_text(user->connection), connected ? "has no" : "there is an"));
    if (connected && account != world_.accounts.end() && account->second != user->login_email_canonical)
      world_.violate("I4", fmt::format("{} is connected with {}, the provider has {}", person.id,
                                       user->login_email_canonical, account->second));
    if (person.external_ids.size() > 1) world_.violate("I4", person.id + " has two accounts");

    // I1: was an invitation due to this person, as far as can be said for sure?
    const Version& truth = person.truth;
    const auto leaves =
        truth.end
            ? std::optional(World::first_instant(model::add_days(*truth.end, person.leaver_days + 1), person.zone))
            : std::nullopt;
    const bool was_due =
        world_.now() >
        World::local_time(model::add_days(truth.start, -person.lead_days), person.send_hour, person.zone) + 1h;
    const bool eligible = !truth.withdrawn && !truth.email.empty() && person.wanted_enabled &&
                          (!person.in_review || person.approval_asked) && !leaves && was_due &&
                          !person.ended_by_operator;
    if (!eligible) return;
    const auto employment = store::employments::in_force(*db_, user->key);
    if (person.in_review && employment && employment->review != model::ReviewState::approved)
      return;  // a re-hire is reviewed anew
    ++judged_;
    const auto invitation = store::invitations::newest(*db_, user->key);
    const bool held = invitation && !invitation->held_reason.empty();
    bool mailed = false;
    for (const auto& [key, mail] : world_.mails)
      mailed = mailed || (mail.person == person.number && mail.copies > 0 && !mail.sign_in);
    if (connected || mailed || held || person.refused_by_provider) return;
    world_.violate("I1", fmt::format("{} should have been invited and was not: {}", person.id,
                                     invitation ? std::string(model::to_text(invitation->state)) : "no invitation"));
  }

  Settings settings_;
  World world_;
  test::SeededRandom daemon_random_;
  core::TokenRing tokens_;
  std::unique_ptr<store::Db> db_;
  PlainWriter writer_;
  Relay relay_;
  Provider provider_;
  Resolver dns_;
  HrSystem hr_;
  std::optional<Running> running_;
  std::uint64_t life_ = 0;
  bool crash_requested_ = false;
  int crash_after_handlers_ = 0;
  int judged_ = 0;
  const service::Act by_operator_{.actor = "operator"};
};

}  // namespace

Outcome simulate(const Settings& settings) {
  return Simulation(settings).run();
}

}  // namespace invited::sim
