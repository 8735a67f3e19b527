#include "sim/running.hpp"

#include "service/exporting.hpp"

namespace invited::sim {

namespace {

using namespace std::chrono_literals;

std::shared_ptr<const model::Policies> policies() {
  model::Policy organisation;
  std::map<std::string, model::Policy> companies;
  for (const Place& place : places) {
    model::Policy p;
    p.company = place.company;
    p.name = "Example";
    p.zone = place.zone;
    p.send_hour = place.send_hour;
    p.lead_days = place.lead_days;
    p.phase = place.preparation ? model::Phase::preparation : model::Phase::live;
    p.sign_in.ready_mail = place.ready_mail;
    p.mails_per_minute = place.mails_per_minute;
    if (p.company.empty()) {
      organisation = p;
    } else {
      companies[p.company] = p;
    }
  }
  model::ReviewFlow two;
  two.name = "two";
  two.four_eyes = true;
  two.steps = {{"manager", ""}, {"hr", "manager"}};
  model::Templates templates;
  templates.users.resize(2);
  templates.users[0].name = office;
  templates.users[0].department = "Office";
  templates.users[0].roles = {"staff"};
  templates.users[0].locale = "en";
  templates.users[0].user_id = "{given}{family}";
  templates.users[0].login_email = "{given}.{family}@mail.example";
  templates.users[1].name = brief;
  templates.users[1].leaver_days = 2;
  templates.employments = {{office, office, ""}, {brief, brief, ""}, {senior, "", "two"}};
  return std::make_shared<const model::Policies>(organisation, companies, model::ReviewFlows({two}),
                                                 std::move(templates));
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

// What goes out as a file comes in as one: everything that is said is there already.
boost::asio::awaitable<std::vector<model::RowResult>> rows_of_export(store::Store* store,
                                                                     std::shared_ptr<const model::Policies> policies,
                                                                     service::Intake* intake) {
  std::vector<model::SourceItem> rows;
  const model::UserFilter everybody;
  std::optional<Id> after;
  do {
    auto piece = co_await service::export_piece(store, policies.get(), everybody, after);
    for (model::SourceRecord& record : piece.records) {
      std::erase_if(record.fields, [](const auto& field) {
        return field.first == "company_name" || field.first == "authorised_company_names";
      });
      rows.emplace_back(std::move(record));
    }
    after = piece.next;
  } while (after);
  service::Intake::Run run(*intake, {.source = "hr", .actor = "operator"}, {});
  co_await run.sink()(std::move(rows));
  co_await run.finish();
  co_return run.results();
}

boost::asio::awaitable<model::RowResult> enter_row(service::Intake* intake, model::SourceRecord record) {
  std::vector<model::SourceItem> rows;
  rows.emplace_back(std::move(record));
  service::Intake::Run run(*intake, {.source = "manual", .actor = eva}, {});
  co_await run.sink()(std::move(rows));
  co_await run.finish();
  co_return run.results().at(0);
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
  policies_ = policies();
  planner_ = std::make_shared<service::Planner>(policies_, clock, random, "mail.example.com", tokens.current_key_id());
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
  connecting_.emplace(*store_, clock, random, executor, planner_, gate_, provider, *scope_);
  sweep_.emplace(*store_, clock, planner_, gate_);
  users.emplace(*store_, clock, planner_);
  reviews.emplace(*store_, clock, planner_);
  links.emplace(*store_, clock, planner_, tokens, 4);
  self_service.emplace(*store_, clock, planner_, tokens, "https://invite.example.com", page_lifetime);
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
  self_service->on_work(work);
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

boost::asio::awaitable<std::vector<model::RowResult>> Running::export_and_import() {
  return rows_of_export(&*store_, policies_, &*intake_);
}

boost::asio::awaitable<model::RowResult> Running::enter(model::SourceRecord record) {
  return enter_row(&*intake_, std::move(record));
}

void Running::go_on(const Id& plan) {
  scope_->spawn("bulk send", run_plan(&*bulk, plan));
}

}  // namespace invited::sim
