#include "rehearsal/rehearsal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <stdexcept>
#include <utility>

#include "core/seeded_random.hpp"
#include "core/task_scope.hpp"
#include "core/token.hpp"
#include "core/virtual_clock.hpp"
#include "rehearsal/report.hpp"
#include "service/batches.hpp"
#include "service/bulk.hpp"
#include "service/connecting.hpp"
#include "service/links.hpp"
#include "service/reviews.hpp"
#include "service/scheduler.hpp"
#include "service/sweep.hpp"
#include "store/audit.hpp"
#include "store/future.hpp"
#include "store/invitations.hpp"
#include "store/store.hpp"
#include "store/users.hpp"

namespace invited::rehearsal {

namespace {

namespace asio = boost::asio;
namespace future = store::future;
using core::Instant;
using core::Milliseconds;

// Keys for every id that a row may name: the links of the state go out in rehearsed mails and open nothing anywhere.
core::TokenRing throw_away_keys(core::Random& random) {
  std::vector<core::TokenKey> keys;
  for (std::uint8_t id = 0; id < 32; ++id) {
    std::array<std::byte, 32> master{};
    random.fill(master);
    keys.push_back(core::TokenKey::from_master(id, master));
  }
  return core::TokenRing(std::move(keys));
}

std::int64_t milliseconds(Instant at) {
  return at.time_since_epoch().count();
}

class Rehearsal {
public:
  Rehearsal(store::Db& db, std::shared_ptr<const model::Policies> policies, service::MailWriter& writer,
            const Settings& settings, Output& output)
      : db_(db),
        settings_(settings),
        output_(output),
        clock_(begin(db, settings)),
        random_(settings.seed),
        tokens_(throw_away_keys(random_)),
        store_(db, io_.get_executor(), store::Store::Mode::inline_,
               [](const std::string& what) { throw std::runtime_error("the copy cannot be written: " + what); }),
        scope_(io_.get_executor(), [this](std::string_view, const std::exception_ptr& error) { failure_ = error; }),
        planner_(std::make_shared<service::Planner>(policies, clock_, random_, settings.message_id_domain,
                                                    tokens_.current_key_id())),
        transport_(clock_, output, settings.transport_down, settings.from, settings.write_mails),
        identity_(settings.base_url),
        reviews_(store_, clock_, planner_),
        batches_(store_, clock_, planner_, settings.brakes),
        bulk_(store_, clock_, planner_, settings.cooldown),
        scheduler_(store_, clock_, io_.get_executor(), planner_, batches_, gate_),
        connecting_(store_, clock_, random_, io_.get_executor(), planner_, gate_, identity_, scope_),
        sweep_(store_, clock_, planner_, gate_),
        links_(store_, clock_, planner_, tokens_, 1),
        delivery_(store_, clock_, random_, io_.get_executor(), planner_, tokens_, writer, transport_, gate_, scope_,
                  planner_->new_id(),
                  service::DeliverySettings{.base_url = settings.base_url, .max_attempts = settings.max_attempts}),
        report_(db, *policies, settings, output) {}

  void run() {
    (void)go(delivery_.rescue());
    (void)go(batches_.settle_left_open());
    pass_reviews();
    (void)go(scheduler_.plan_again_if_settings_changed());
    for (const core::Id& plan : go(bulk_.interrupted())) (void)go(bulk_.go_on(plan, {}));
    for (const model::Batch& batch : go(batches_.interrupted())) (void)go(batches_.go_on(batch.key, {}));
    plan_clicks_on_open_links();
    while (clock_.now() < settings_.to) {
      tell_outages();
      work();
      tell_progress();
      const Instant next = std::min(next_event(), settings_.to);
      clock_.advance(next - clock_.now());
    }
    report_.finish();
  }

private:
  // As the daemon does at its start.
  void pass_reviews() {
    const auto gathering = batches_.gather(model::BatchCause::settings, "", "daemon");
    (void)go(reviews_.settle_all(gathering));
    (void)go(batches_.settle(gathering, false));
  }

  // The copy knows the world up to its last event; what is due since then comes before `from`.
  static Instant begin(store::Db& db, const Settings& settings) {
    const auto newest = store::audit::page(db, {.after = std::nullopt, .before = std::nullopt}, "", 1);
    return newest.empty() ? settings.from : std::min(settings.from, newest.front().at);
  }

  void settle() {
    if (io_.stopped()) io_.restart();
    while (io_.poll() > 0) {
    }
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  template <class T>
  T go(asio::awaitable<T> step) {
    std::optional<T> value;
    asio::co_spawn(io_, std::move(step), [&](const std::exception_ptr& error, T result) {
      if (error) {
        failure_ = error;
      } else {
        value.emplace(std::move(result));
      }
    });
    settle();
    if (!value) throw std::runtime_error("a step of the rehearsal waits for something that does not come");
    return std::move(*value);
  }

  // Everything that is due in this moment, and what follows from it without time going by.
  void work() {
    bool again = true;
    while (again) {
      again = click() > 0;
      again = go(sweep_.expire()) > 0 || again;
      again = go(sweep_.disable_leavers()) > 0 || again;
      if (clock_.now() >= hand_over_at_) again = go(sweep_.hand_over()) > 0 || again;
      again = go(sweep_.bring_back()) > 0 || again;
      again = go(scheduler_.pass()) > 0 || again;
      again = go(connecting_.pass()) > 0 || again;
      again = go(delivery_.pass()) > 0 || again;
      for (const Sent& mail : report_.take()) plan_click(mail.invitation, mail.at);
    }
  }

  // ---- people who click

  void plan_click(const model::Invitation& invitation, Instant accepted) {
    if (!settings_.confirm_after) return;
    auto token = tokens_.make(invitation.key_id, invitation.selector, invitation.salt, invitation.generation,
                              service::verification_purpose);
    if (token) clicks_.emplace(std::max(accepted + *settings_.confirm_after, clock_.now()), std::move(*token));
  }

  void plan_clicks_on_open_links() {
    constexpr std::size_t chunk = 500;
    if (!settings_.confirm_after) return;
    future::Place behind = future::from(0);
    while (true) {
      const auto rows = future::ends(db_, behind, chunk);
      for (const auto& row : rows) {
        if (const auto invitation = store::invitations::get(db_, row.place.key); invitation && invitation->accepted_at)
          plan_click(*invitation, *invitation->accepted_at);
      }
      if (rows.size() < chunk) return;
      behind = rows.back().place;
    }
  }

  std::size_t click() {
    std::size_t clicked = 0;
    while (!clicks_.empty() && clicks_.begin()->first <= clock_.now()) {
      const std::string token = std::move(clicks_.begin()->second);
      clicks_.erase(clicks_.begin());
      const auto page = go(links_.open(token));
      (void)go(links_.confirm(token, page.form_proof));
      ++clicked;
    }
    return clicked;
  }

  // ---- time

  [[nodiscard]] Instant next_event() {
    constexpr std::size_t few = 500;
    const Instant now = clock_.now();
    Instant next = settings_.to;
    const auto sooner = [&](Instant at) {
      if (at > now) next = std::min(next, at);
    };
    for (const std::string& zone : store::invitations::due_zones(db_)) {
      for (const auto& row : future::due(db_, zone, future::after(model::due_key_now(now, zone)), 1)) {
        const auto key = row.place.position;
        sooner(model::instant_of(
            {model::date_of_key(static_cast<std::int32_t>(key / 100)).value(), static_cast<int>(key % 100), zone}));
      }
    }
    for (const std::string& zone : future::leaving_zones(db_)) {
      const auto today = model::date_key(model::local_date(now, zone));
      for (const auto& row : future::leaving(db_, zone, future::after(today), 1))
        sooner(
            model::first_instant_of(model::date_of_key(static_cast<std::int32_t>(row.place.position)).value(), zone));
    }
    hand_over_at_ = next_hand_over(now);
    sooner(hand_over_at_);
    for (const auto& employment : store::employments::in_gap(db_, std::nullopt, few))
      sooner(model::instant_of(model::due_for(employment.start_date, policy_of(employment.user))));
    for (const auto& row : future::ends(db_, future::after(milliseconds(now)), 1))
      sooner(Instant{Milliseconds{row.place.position}});
    for (const auto& row : future::mails(db_, future::after(milliseconds(now)), 1))
      sooner(Instant{Milliseconds{row.place.position}});
    if (const auto task = future::next_task(db_, now)) sooner(*task);
    if (const auto status = delivery_.status(); status.paused) sooner(now + status.resumes_in);
    for (const Outage& outage : settings_.transport_down) {
      sooner(outage.from);
      sooner(outage.to);
    }
    if (!clicks_.empty()) sooner(clicks_.begin()->first);
    return next;
  }

  // Each day is looked at by itself; no zone is more than a day away.
  [[nodiscard]] Instant next_hand_over(Instant now) {
    const auto today = std::chrono::floor<std::chrono::days>(now);
    Instant next = today + std::chrono::days{1};
    for (const auto& employment : store::employments::ending(db_, model::add_days(model::CivilDate{today}, -2),
                                                             model::add_days(model::CivilDate{today}, 1))) {
      const auto at =
          model::first_instant_of(model::add_days(*employment.end_date, 1), policy_of(employment.user).zone);
      if (at > now) next = std::min(next, at);
    }
    return next;
  }

  [[nodiscard]] const model::Policy& policy_of(const core::Id& user) {
    const auto known = store::users::get(db_, user);
    return planner_->policies().of(known ? known->company : "");
  }

  void tell_outages() {
    for (const Outage& outage : settings_.transport_down) {
      if (outage.from == clock_.now()) report_.note(outage.from, "transport.down", "rehearsed");
      if (outage.to == clock_.now()) report_.note(outage.to, "transport.up", "rehearsed");
    }
  }

  void tell_progress() {
    const auto days_of = [](Milliseconds length) { return std::chrono::floor<std::chrono::days>(length).count(); };
    const auto days = std::max<std::int64_t>(0, days_of(clock_.now() - settings_.from));
    const auto total = days_of(settings_.to - settings_.from);
    if (days == told_days_) return;
    told_days_ = days;
    output_.progress(days, total);
  }

  store::Db& db_;
  const Settings& settings_;
  Output& output_;
  core::VirtualClock clock_;
  core::SeededRandom random_;
  core::TokenRing tokens_;
  asio::io_context io_{1};
  store::Store store_;
  std::exception_ptr failure_;
  core::TaskScope scope_;
  std::shared_ptr<service::Planner> planner_;
  service::SendingGate gate_;
  FileTransport transport_;
  WillingIdentity identity_;
  service::Reviews reviews_;
  service::Batches batches_;
  service::Bulk bulk_;
  service::Scheduler scheduler_;
  service::Connecting connecting_;
  service::Sweep sweep_;
  service::Links links_;
  service::Delivery delivery_;
  Report report_;
  std::multimap<Instant, std::string> clicks_;  // when → the link's token
  Instant hand_over_at_{};
  std::int64_t told_days_ = -1;
};

}  // namespace

core::Result<void> rehearse(store::Db& copy, std::shared_ptr<const model::Policies> policies,
                            service::MailWriter& writer, const Settings& settings, Output& output) {
  try {
    copy.give_up_durability();
    Rehearsal(copy, std::move(policies), writer, settings, output).run();
  } catch (const std::exception& e) {
    return core::fail(core::ErrorKind::internal, "rehearsal_failed",
                      fmt::format("The rehearsal could not be brought to its end: {}.", e.what()));
  }
  return {};
}

}  // namespace invited::rehearsal
