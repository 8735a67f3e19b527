#include "sim/running.hpp"

namespace invited::sim {

namespace {

using namespace std::chrono_literals;

std::shared_ptr<const model::Policies> policies() {
  const auto policy = [](std::string company, std::string zone, int hour, int lead) {
    model::Policy p;
    p.company = std::move(company);
    p.name = "Example";
    p.zone = std::move(zone);
    p.send_hour = hour;
    p.lead_days = lead;
    return p;
  };
  return std::make_shared<const model::Policies>(
      policy("", "Europe/Stockholm", 9, 1),
      std::map<std::string, model::Policy>{{"north", policy("north", "Europe/Helsinki", 7, 2)},
                                           {"south", policy("south", "America/Santiago", 9, 1)},
                                           {"nile", policy("nile", "Africa/Cairo", 9, 1)},
                                           {"east", policy("east", "Pacific/Auckland", 9, 1)}});
}

boost::asio::awaitable<void> resume_bulk(Running* running, service::Bulk* bulk) {
  const auto plans = co_await bulk->interrupted();
  for (const Id& plan : plans) running->go_on(plan);
}

boost::asio::awaitable<void> resume_batches(Running* running, service::Batches* batches) {
  const auto left = co_await batches->interrupted();
  for (const auto& batch : left) running->work_off(batch.key);
}

boost::asio::awaitable<void> run_batch(service::Batches* batches, Id batch) {
  (void)co_await batches->go_on(batch, {});
}

boost::asio::awaitable<void> start_in_order(Running* running, service::Batches* batches, service::Delivery* delivery) {
  (void)co_await batches->settle_left_open();
  running->start_the_rest();
  co_await delivery->run();
}

boost::asio::awaitable<void> run_plan(service::Bulk* bulk, Id plan) {
  (void)co_await bulk->go_on(plan, {});
}

}  // namespace

Running::Running(store::Db& db, World& world, core::Random& random, const core::TokenRing& tokens,
                 service::MailWriter& writer, Relay& relay, Provider& provider, Resolver& dns, HrSystem& hr)
    : world_(world) {
  core::Clock& clock = world.clock;
  const boost::asio::any_io_executor executor = io_->get_executor();
  store_.emplace(db, executor, store::Store::Mode::inline_,
                 [this](const std::string& what) { world_.violate("store", what); });
  planner_ = std::make_shared<service::Planner>(policies(), clock, random, "mail.example.com", tokens.current_key_id());
  scope_.emplace(executor, [this](std::string_view name, std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      world_.violate("services", std::string(name) + " ended: " + e.what());
    }
  });
  batches.emplace(*store_, clock, planner_, world.brakes);
  intake_.emplace(*store_, clock, planner_);
  fetching_.emplace(*store_, clock, executor, *intake_, *batches, gate_, std::vector<model::Source*>{&hr});
  scheduler_.emplace(*store_, clock, executor, planner_, *batches, gate_);
  delivery_.emplace(*store_, clock, random, executor, planner_, tokens, writer, relay, gate_, *scope_,
                    planner_->new_id(), service::DeliverySettings{.base_url = "https://invite.example.com"});
  connecting_.emplace(*store_, clock, random, executor, planner_, provider);
  sweep_.emplace(*store_, clock, planner_);
  users.emplace(*store_, clock, planner_);
  reviews.emplace(*store_, clock, planner_);
  links.emplace(*store_, clock, planner_, tokens, 4);
  domains.emplace(*store_, clock, executor, planner_, dns, domain_settings());
  bulk.emplace(*store_, clock, planner_, 10min);

  const auto work = [this] {
    delivery_->ring();
    connecting_->ring();
  };
  fetching_->on_applied(work);
  scheduler_->on_released(work);
  reviews->on_released(work);
  users->on_work(work);
  bulk->on_work(work);
  batches->on_work(work);
  domains->on_task(work);
  sweep_->on_task(work);
  links->on_confirmed(work);
  links->on_released(work);
  gate_.on_open([this] {
    scheduler_->ring();
    delivery_->ring();
  });

  scope_->spawn("delivery", start_in_order(this, &*batches, &*delivery_));
}

// The batches that the last life left open are settled before anything else.
void Running::start_the_rest() {
  scope_->spawn("scheduler", scheduler_->run());
  scope_->spawn("connecting", connecting_->run());
  scope_->spawn("sweep", sweep_->run());
  scope_->spawn("domains", domains->run());
  scope_->spawn("domain checks", domains->run_checks());
  fetching_->start(*scope_);
  scope_->spawn("interrupted bulk sends", resume_bulk(this, &*bulk));
  scope_->spawn("interrupted batches", resume_batches(this, &*batches));
}

// Coroutines that wait for the store end with it, all others with the executor; what they refer to goes last.
Running::~Running() {
  store_.reset();
  io_.reset();
}

void Running::work_off(const Id& batch) {
  scope_->spawn("batch", run_batch(&*batches, batch));
}

void Running::go_on(const Id& plan) {
  scope_->spawn("bulk send", run_plan(&*bulk, plan));
}

}  // namespace invited::sim
