#include "app/daemon.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "app/fence.hpp"
#include "app/keys.hpp"
#include "app/mail_writer.hpp"
#include "app/plugin_desk.hpp"
#include "app/plugin_state.hpp"
#include "app/rehearsal_child.hpp"
#include "app/templates.hpp"
#include "control/server.hpp"
#include "core/events.hpp"
#include "core/log.hpp"
#include "core/sd_notify.hpp"
#include "dns/txt_resolver.hpp"
#include "plugin/registry.hpp"
#include "render/banner.hpp"
#include "service/connecting.hpp"
#include "service/looper.hpp"
#include "service/scheduler.hpp"
#include "service/sweep.hpp"
#include "web/server.hpp"

namespace invited::app {

namespace {

namespace asio = boost::asio;
namespace log = core::log;
namespace events = core::events;
using asio::awaitable;
using core::Milliseconds;

constexpr Milliseconds stop_grace{20'000};
constexpr Milliseconds plugin_grace{10'000};
constexpr Milliseconds hurried_plugin_grace{1'000};
constexpr Milliseconds fence_each{60'000};
constexpr Milliseconds start_said_each{10'000};
constexpr Milliseconds start_needs{60'000};  // a plugin may take 30 s to be made, and as much to be given up

plugin::SecretPlaces secret_places(const config::Config& config) {
  // From a service manager, or, without one, from the folder that the unit names to it.
  if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr && *credentials != '\0')
    return {.credentials = credentials, .folder = {}};
  return {.credentials = {}, .folder = (config.file->folder / "credentials").lexically_normal()};
}

std::vector<config::Instance> all_instances(const config::Config& config) {
  std::vector<config::Instance> all = config.sources;
  all.insert(all.end(), config.transports.begin(), config.transports.end());
  all.insert(all.end(), config.identities.begin(), config.identities.end());
  return all;
}

// With exactly this mode, whatever the umask, and so the missing ones above it; one that is there is left as it is.
core::Result<void> make_folder(const std::filesystem::path& folder, unsigned mode) {
  std::error_code error;
  if (folder.empty() || std::filesystem::exists(folder, error)) return {};
  if (auto above = make_folder(folder.parent_path(), mode); !above) return above;
  const bool made = ::mkdir(folder.c_str(), mode) == 0;
  if ((!made && errno != EEXIST) || (made && ::chmod(folder.c_str(), mode) != 0))
    return core::fail(core::ErrorKind::unavailable, "folder_not_made",
                      fmt::format("The folder cannot be made: {}.", std::generic_category().message(errno)),
                      folder.string());
  return {};
}

config::Errors check_plugin_folders(const config::Config& config) {
  config::Errors errors;
  for (std::size_t i = 0; i < config.plugin_dirs.size(); ++i) {
    if (auto there = config::check_folder(config, fmt::format("/plugin_dirs/{}", i), config.plugin_dirs[i]); !there)
      errors.push_back(there.error());
  }
  return errors;
}

int exit_code_of(const core::Error& error) {
  switch (error.kind) {
    case core::ErrorKind::invalid:
      return EX_CONFIG;
    case core::ErrorKind::forbidden:
      return EX_NOPERM;
    case core::ErrorKind::internal:
      return EX_SOFTWARE;
    default:
      return EX_UNAVAILABLE;
  }
}

void tell_refused(const core::Error& error) {
  log::error(events::config_refused, "The daemon cannot start", {{"where", error.location}, {"why", error.message}});
}

void tell_errors(const config::Errors& errors) {
  // fmt throws when nobody reads it, and a reload must not end the daemon.
  for (const auto& error : errors) (void)std::fprintf(stderr, "%s\n", config::line(error).c_str());
}

void tell_left_behind(const std::vector<std::string>& instances) {
  for (const auto& name : instances)
    log::error(events::plugin_stuck, "A plugin instance did not come back; the process ends without it",
               {{"instance", name}});
}

web::ClientAddress client_address(config::ClientAddressHeader header) {
  switch (header) {
    case config::ClientAddressHeader::x_real_ip:
      return web::ClientAddress::x_real_ip;
    case config::ClientAddressHeader::x_forwarded_for:
      return web::ClientAddress::x_forwarded_for;
    case config::ClientAddressHeader::none:
      break;
  }
  return web::ClientAddress::connection;
}

// A request under a prefix that a source plugin registered.
awaitable<core::HttpResponse> serve_route(plugin::SourceAdapter* source, service::Fetching* fetching,
                                          core::HttpRequest request) {
  service::PushHandler handle = [source, request = std::move(request)](model::SourceSink sink) {
    return source->handle_http(request, std::move(sink));
  };
  const auto reply = co_await fetching->serve(source->name(), std::move(handle));
  co_return web::plugin_answer(reply);
}

// Everything that lives from start to stop, in the order of dependence.
class Daemon {
public:
  // `signals` is empty: the daemon fills it once it serves, so that a signal during the start ends the process (SIGHUP,
  // which main ignores, does not).
  Daemon(asio::io_context& io, asio::signal_set& signals, config::Config config, Options options,
         std::unique_ptr<store::Db> db)
      : io_(io), signals_(signals), config_(std::move(config)), options_(std::move(options)), db_(std::move(db)) {}

  // Builds everything; an error has been told.
  awaitable<int> start();
  awaitable<void> serve();  // until a signal
  awaitable<int> stop();

private:
  int open_state();
  void make_registry();
  void make_services();
  bool listen();
  void tell_ready(std::int64_t users);
  awaitable<void> ask_for_time();
  void connect_wakeups();
  awaitable<void> pass_reviews();
  awaitable<void> watchdog();
  awaitable<void> advance_fence();
  awaitable<bool> move_fence();
  awaitable<core::Result<void>> write_fence_file();
  awaitable<void> confirm_state(std::string actor);
  awaitable<void> note(std::string actor, std::string action, std::string subject);
  void reload();
  void hurry_at_next_signal();

  asio::io_context& io_;
  asio::signal_set& signals_;
  bool hurry_ = false;  // told a second time to stop
  bool ready_ = false;
  config::Config config_;
  Options options_;
  std::unique_ptr<store::Db> db_;
  core::SystemClock clock_;
  core::SystemRandom random_;
  core::IdSource ids_{clock_, random_};
  core::TaskScope scope_{io_.get_executor(), [](std::string_view name, const std::exception_ptr& error) {
                           try {
                             std::rethrow_exception(error);
                           } catch (const std::exception& e) {
                             log::error(events::internal_error, "A task of the daemon ended with an error",
                                        {{"task", std::string(name)}, {"why", e.what()}});
                           }
                         }};
  std::unique_ptr<Fence> fence_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<PluginState> plugin_state_;
  std::unique_ptr<plugin::Registry> registry_;
  std::unique_ptr<core::TokenRing> tokens_;
  std::shared_ptr<const render::Templates> templates_;
  std::unique_ptr<TemplateMailWriter> mail_writer_;
  std::shared_ptr<service::Planner> planner_;
  service::SendingGate gate_;
  std::unique_ptr<service::Batches> batches_;
  std::unique_ptr<service::Intake> intake_;
  std::unique_ptr<service::Fetching> fetching_;
  std::unique_ptr<service::Scheduler> scheduler_;
  std::unique_ptr<service::Delivery> delivery_;
  std::unique_ptr<service::Connecting> connecting_;
  std::unique_ptr<service::Sweep> sweep_;
  std::unique_ptr<service::Reviews> reviews_;
  std::unique_ptr<service::Users> users_;
  std::unique_ptr<dns::TxtResolver> dns_;
  std::unique_ptr<service::Domains> domains_;
  std::unique_ptr<service::Bulk> bulk_;
  std::unique_ptr<service::Queries> queries_;
  std::unique_ptr<service::Links> links_;
  std::unique_ptr<service::SelfService> self_service_;
  std::unique_ptr<Rehearsals> rehearsals_;
  std::unique_ptr<control::Jobs> jobs_;
  std::unique_ptr<control::Desk> desk_;
  std::unique_ptr<control::Server> control_;
  std::unique_ptr<web::Server> web_;
  std::string web_at_;
};

int Daemon::open_state() {
  const auto executor = io_.get_executor();
  fence_ = std::make_unique<Fence>(config_.state_dir / "state.db", config_.state_dir / "fence");
  const auto held = fence_->check(*db_, random_);
  if (!held) {
    tell_refused(held.error());
    return EX_IOERR;
  }
  if (!held->empty()) {
    log::warning(events::state_copied,
                 "Sending is held until an operator confirms this state (invitectl state confirm)", {{"why", *held}});
    gate_.hold(*held);
  }
  const plugin::Secrets secrets(secret_places(config_));
  auto keys = load_link_keys(config_, secrets, random_);
  if (!keys) {
    tell_refused(keys.error());
    return exit_code_of(keys.error());
  }
  tokens_ = std::make_unique<core::TokenRing>(std::move(*keys));
  auto templates = load_templates(config_);
  if (!templates) {
    tell_refused(templates.error());
    return EX_CONFIG;
  }
  templates_ = *templates;
  mail_writer_ = std::make_unique<TemplateMailWriter>(config_.mail, templates_);

  store_ = std::make_unique<store::Store>(*db_, executor, store::Store::Mode::threaded, [](const std::string& what) {
    // A failed sync may have dropped what it says it wrote: never go on, recovery starts from the file (reliability
    // R16).
    log::error(events::internal_error,
               "The state could not be written durably; the daemon ends and recovers at its next start",
               {{"why", what}});
    std::_Exit(EX_IOERR);
  });
  return EX_OK;
}

void Daemon::make_registry() {
  const auto executor = io_.get_executor();
  plugin_state_ = std::make_unique<PluginState>(*store_);
  plugin::Setup setup;
  setup.core = executor;
  setup.clock = &clock_;
  setup.plugin_dirs = config_.plugin_dirs;
  setup.secrets = secret_places(config_);
  setup.reserved_routes = {"/s/", "/v/", "/style.css"};
  setup.state = plugin_state_.get();
  registry_ = std::make_unique<plugin::Registry>(std::move(setup));
}

void Daemon::make_services() {
  const auto executor = io_.get_executor();
  auto policies = std::make_shared<const model::Policies>(config_.policies);
  planner_ = std::make_shared<service::Planner>(policies, clock_, random_, message_id_domain(config_),
                                                tokens_->current_key_id());
  model::Transport& transport = *registry_->transport(config_.mail.transport);
  model::Identity& identity = *registry_->identity(config_.identity);
  std::vector<model::Source*> sources;
  for (const auto& source : registry_->sources()) sources.push_back(source.get());
  batches_ = std::make_unique<service::Batches>(*store_, clock_, planner_, config_.brakes);
  intake_ = std::make_unique<service::Intake>(*store_, clock_, planner_);
  fetching_ = std::make_unique<service::Fetching>(*store_, clock_, executor, *intake_, *batches_, gate_, sources);
  scheduler_ = std::make_unique<service::Scheduler>(*store_, clock_, executor, planner_, *batches_, gate_);
  service::DeliverySettings delivery;
  delivery.base_url = config_.web.base_url;
  delivery.max_attempts = config_.mail.max_attempts;
  delivery_ = std::make_unique<service::Delivery>(*store_, clock_, random_, executor, planner_, *tokens_, *mail_writer_,
                                                  transport, gate_, scope_, ids_.next(), delivery);
  connecting_ =
      std::make_unique<service::Connecting>(*store_, clock_, random_, executor, planner_, gate_, identity, scope_);
  sweep_ = std::make_unique<service::Sweep>(*store_, clock_, planner_, gate_);
  reviews_ = std::make_unique<service::Reviews>(*store_, clock_, planner_);
  users_ = std::make_unique<service::Users>(*store_, clock_, planner_);
  dns_ = std::make_unique<dns::TxtResolver>(
      executor, clock_, dns::Settings{config_.dns.servers, Milliseconds{config_.dns.timeout_ms}, config_.dns.tries});
  domains_ = std::make_unique<service::Domains>(
      *store_, clock_, executor, planner_, *dns_,
      service::DomainSettings{std::chrono::hours{config_.domains.recheck_hours},
                              std::chrono::minutes{config_.domains.pending_recheck_minutes},
                              std::chrono::days{config_.domains.lapse_after_days}});
  bulk_ =
      std::make_unique<service::Bulk>(*store_, clock_, planner_, std::chrono::minutes{config_.limits.cooldown_minutes});
  queries_ = std::make_unique<service::Queries>(*store_, clock_, planner_);
  links_ = std::make_unique<service::Links>(*store_, clock_, planner_, *tokens_, config_.limits.new_links_per_hour);
  self_service_ = std::make_unique<service::SelfService>(*store_, clock_, planner_, *tokens_, config_.web.base_url,
                                                         std::chrono::minutes{config_.limits.self_service_minutes});
  rehearsals_ = std::make_unique<Rehearsals>(config_, options_.config_file, *store_, clock_, scope_, executor);
  jobs_ = std::make_unique<control::Jobs>(clock_, ids_, executor);

  std::vector<control::TransportInfo> transports;
  for (std::size_t i = 0; i < config_.transports.size(); ++i) {
    const auto& instance = config_.transports[i];
    transports.push_back(
        {instance.name, instance.plugin, registry_->transport(instance.name), instance.name == config_.mail.transport});
  }
  std::string identity_plugin;
  for (const auto& instance : config_.identities) {
    if (instance.name == config_.identity) identity_plugin = instance.plugin;
  }
  desk_ = std::unique_ptr<control::Desk>(new control::Desk{
      .clock = clock_,
      .scope = scope_,
      .policies = planner_->policies(),
      .queries = *queries_,
      .users = *users_,
      .self_service = *self_service_,
      .reviews = *reviews_,
      .domains = *domains_,
      .bulk = *bulk_,
      .batches = *batches_,
      .fetching = *fetching_,
      .delivery = *delivery_,
      .gate = gate_,
      .store = *store_,
      .jobs = *jobs_,
      .transports = std::move(transports),
      .plugins = plugin_desk(*registry_),
      .identity = config_.identity,
      .identity_plugin = identity_plugin,
      .version = INVITED_VERSION,
      .started_at = clock_.now(),
      .import_bytes = static_cast<std::uint64_t>(config_.limits.import_max_mib) * 1024 * 1024,
      .banner_text =
          [this](std::string_view reason, std::string_view locale, const std::string& organisation) {
            return render::banner_text(templates_->translations(), render::choose_locale({.query = locale}), reason,
                                       organisation);
          },
      .rehearse = [this](control::RehearsalRequest request) { return rehearsals_->begin(std::move(request)); },
      .confirm_state = [this](std::string actor) { return confirm_state(std::move(actor)); },
      .note = [this](std::string actor, std::string action,
                     std::string subject) { return note(std::move(actor), std::move(action), std::move(subject)); },
  });
  control_ = std::make_unique<control::Server>(
      executor, *desk_,
      control::RoleGroups{config_.control.viewer_group, config_.control.operator_group, config_.control.admin_group});
  web_ = std::make_unique<web::Server>(
      executor, clock_, *links_, *self_service_, templates_, planner_->policies(),
      web::Settings{config_.web.base_url, client_address(config_.web.client_address_header),
                    [this](std::string_view path) { return registry_->route(path) != nullptr; }},
      [this](const core::HttpRequest& request) -> std::optional<awaitable<core::HttpResponse>> {
        auto* source = registry_->route(request.path);
        if (source == nullptr) return std::nullopt;
        return serve_route(source, fetching_.get(), request);
      });
  connect_wakeups();
}

// g++ 12 destroys temporaries of aggregates twice inside a coroutine: what is built is built in plain functions.
awaitable<int> Daemon::start() {
  if (const int code = open_state(); code != EX_OK) co_return code;
  scope_.spawn("start", ask_for_time());
  make_registry();
  auto instances = all_instances(config_);
  const auto errors = co_await registry_->load_all(std::move(instances));
  if (!errors.empty()) {
    tell_errors(errors);
    co_return EX_CONFIG;
  }

  make_services();
  if (!listen()) co_return EX_UNAVAILABLE;

  (void)co_await batches_->settle_left_open();
  (void)co_await pass_reviews();
  (void)co_await scheduler_->plan_again_if_settings_changed();
  scope_.spawn("delivery", delivery_->run());
  scope_.spawn("scheduler", scheduler_->run());
  scope_.spawn("connecting", connecting_->run());
  scope_.spawn("sweep", sweep_->run());
  scope_.spawn("domains", domains_->run());
  scope_.spawn("domain checks", domains_->run_checks());
  fetching_->start(scope_);
  scope_.spawn("interrupted bulk sends", control::resume_bulk(desk_.get()));
  scope_.spawn("interrupted batches", control::resume_batches(desk_.get()));
  scope_.spawn("fence", advance_fence());
  scope_.spawn("watchdog", watchdog());
  const auto counts = co_await queries_->counts();
  tell_ready(counts.users);
  co_return EX_OK;
}

// The service manager's patience is for a daemon that hangs, not for one that waits for its plugins.
awaitable<void> Daemon::ask_for_time() {
  while (!ready_) {
    core::sd::extend_timeout(start_needs);
    co_await clock_.sleep_for(start_said_each);
  }
}

void Daemon::tell_ready(std::int64_t users) {
  ready_ = true;
  log::info(events::daemon_started, "Ready",
            {{"version", INVITED_VERSION},
             {"users", std::to_string(users)},
             {"control", config_.control.socket.string()},
             {"web", web_at_},
             {"transport", config_.mail.transport}});
  core::sd::ready(
      fmt::format("Ready; {} users, {} sources, mails by {}", users, config_.sources.size(), config_.mail.transport));
}

bool Daemon::listen() {
  bool adopted = false;
  for (const auto& socket : core::sd::listen_fds()) {
    if (const auto done = control_->adopt(socket.fd); !done) {
      tell_refused(done.error());
      return false;
    }
    adopted = true;
  }
  if (!adopted) {
    if (auto made = make_folder(config_.control.socket.parent_path(), 0755); !made) {
      tell_refused(made.error());
      return false;
    }
    if (const auto done = control_->listen(config_.control.socket, 0660); !done) {
      tell_refused(done.error());
      return false;
    }
    // Without a socket unit: those who may look may connect. A missing group, or a daemon without the right, leaves it
    // to the owner.
    if (const group* viewers = getgrnam(config_.control.viewer_group.c_str()))
      (void)!::chown(config_.control.socket.c_str(), static_cast<uid_t>(-1), viewers->gr_gid);
  }
  const auto at = web_->listen(config_.web.listen);
  if (!at) {
    tell_refused(at.error());
    return false;
  }
  web_at_ = *at;
  return true;
}

void Daemon::connect_wakeups() {
  // Whoever changed something rings those who may have work now; nothing is lost without it, they look each second.
  const auto work = [this] {
    delivery_->ring();
    connecting_->ring();
  };
  fetching_->on_applied(work);
  scheduler_->on_released(work);
  reviews_->on_released(work);
  users_->on_work(work);
  bulk_->on_work(work);
  batches_->on_work(work);
  domains_->on_task(work);
  sweep_->on_task(work);
  links_->on_confirmed(work);
  links_->on_released(work);
  self_service_->on_work(work);
  gate_.on_open([this] {
    scheduler_->ring();
    delivery_->ring();
    connecting_->ring();
  });
}

// What the configured flows let pass now is a batch like any other.
awaitable<void> Daemon::pass_reviews() {
  const auto gathering = batches_->gather(model::BatchCause::settings, "", "daemon");
  (void)co_await reviews_->settle_all(gathering);
  (void)co_await batches_->settle(gathering, false);
}

awaitable<void> Daemon::watchdog() {
  const auto interval = core::sd::watchdog_interval();
  if (!interval) co_return;
  const service::Looper looper("watchdog", clock_);
  const auto answers = [](store::Db& db) { return db.integer("PRAGMA user_version").has_value(); };
  while (true) {
    // A ping says that the loop and the store both answer. After a read that failed the looper's pause is short enough
    // for the next one to come in time.
    if (!co_await looper.guarded(store_->read(answers))) continue;
    core::sd::watchdog_ping();
    co_await clock_.sleep_for(*interval / 2);
  }
}

awaitable<void> Daemon::advance_fence() {
  const service::Looper looper("fence", clock_);
  std::uint64_t accepted = 0;
  while (true) {
    co_await clock_.sleep_for(fence_each);
    const auto now_accepted = delivery_->status().accepted;
    if (now_accepted == accepted || !gate_.held().empty()) continue;
    if (co_await looper.guarded(move_fence())) accepted = now_accepted;
  }
}

awaitable<bool> Daemon::move_fence() {
  const auto count = [fence = fence_.get()](store::Db& db) { fence->count_up(db); };
  co_await store_->write(count);
  const auto written = co_await write_fence_file();
  if (!written) throw std::runtime_error(written.error().message);
  co_return true;
}

awaitable<core::Result<void>> Daemon::write_fence_file() {
  const auto write = [fence = fence_.get()](store::Db& db) { return fence->write_file(db); };
  auto written = co_await store_->read(write);
  const auto note = [fence = fence_.get()](store::Db& db) { fence->note_file(db); };
  if (written) co_await store_->write(note);
  co_return written;
}

awaitable<void> Daemon::confirm_state(std::string actor) {
  const auto confirm = [fence = fence_.get(), planner = planner_, actor = std::move(actor),
                        now = clock_.now()](store::Db& db) {
    planner->audit(db, now, actor, "state.confirmed", "state");
    fence->confirm(db);
  };
  co_await store_->write(confirm);
  const auto written = co_await write_fence_file();
  if (!written) throw store::Unavailable(written.error().message);
}

awaitable<void> Daemon::note(std::string actor, std::string action, std::string subject) {
  const auto write = [planner = planner_, actor = std::move(actor), action = std::move(action),
                      subject = std::move(subject),
                      now = clock_.now()](store::Db& db) { planner->audit(db, now, actor, action, subject); };
  co_await store_->write(write);
}

void Daemon::reload() {
  core::sd::reloading("Reading the configuration again");
  auto fresh = config::load(options_.config_file);
  if (!fresh) {
    tell_errors(fresh.error());
    log::error(events::config_refused, "The new configuration is refused; the old one stays in force", {});
  } else if (auto templates = load_templates(*fresh); !templates) {
    log::error(events::config_refused, "The new templates are refused; the old ones stay in force",
               {{"where", templates.error().location}, {"why", templates.error().message}});
  } else {
    log::set_level(fresh->log_level);
    templates_ = *templates;
    mail_writer_->use(templates_);
    web_->use(templates_);
    log::info(events::config_reloaded,
              "Templates, texts and the log level are read again; everything else counts after a restart", {});
  }
  core::sd::ready("Ready");
}

awaitable<void> Daemon::serve() {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
  while (true) {
    const int signal = co_await signals_.async_wait(asio::use_awaitable);
    if (signal != SIGHUP) co_return;
    reload();
  }
}

void Daemon::hurry_at_next_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal != SIGHUP) hurry_ = true;
    hurry_at_next_signal();
  });
}

awaitable<int> Daemon::stop() {
  core::sd::stopping("Stopping; mails on their way are finished first");
  log::info(events::daemon_stopped, "Stopping", {});
  hurry_at_next_signal();
  if (web_) co_await web_->stop(Milliseconds{2'000});
  if (control_) co_await control_->stop(Milliseconds{2'000});
  // No new work; what is outstanding may end within the grace, else it is found claimed at the next start.
  gate_.hold("The daemon is stopping.");
  if (delivery_) delivery_->recall();
  const auto until = clock_.monotonic() + stop_grace;
  while (delivery_ && delivery_->status().outstanding > 0 && clock_.monotonic() < until && !hurry_)
    co_await clock_.sleep_for(Milliseconds{20});
  scope_.stop();
  co_await scope_.join();
  bool left_behind = false;
  if (registry_) {
    const auto names = co_await registry_->stop(hurry_ ? hurried_plugin_grace : plugin_grace);
    tell_left_behind(names);
    left_behind = !names.empty();
  }
  if (left_behind) {
    store_.reset();
    std::_Exit(EX_OK);
  }
  co_return EX_OK;
}

template <class Step>
int run_to_end(asio::io_context& io, Step step) {
  int code = EX_SOFTWARE;
  asio::co_spawn(io, std::move(step), [&](const std::exception_ptr& error, int result) {
    code = result;
    if (error) {
      code = EX_SOFTWARE;
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        log::error(events::internal_error, "The daemon ends because of an error it did not expect",
                   {{"why", e.what()}});
      }
    }
    io.stop();
  });
  io.run();
  return code;
}

struct Checker {
  plugin::Registry* registry;
  std::vector<config::Instance> instances;
  bool good;  // what was checked before

  static awaitable<int> run(Checker checker) {
    const auto errors = co_await checker.registry->load_all(checker.instances);
    tell_errors(errors);
    const int code = checker.good && errors.empty() ? EX_OK : EX_CONFIG;
    const auto names = co_await checker.registry->stop(plugin_grace);
    tell_left_behind(names);
    // A thread that did not come back still uses what the end of this process would take away.
    if (!names.empty()) std::_Exit(code);
    co_return code;
  }
};

struct Life {
  static awaitable<int> run(Daemon* daemon) {
    int code = co_await daemon->start();
    if (code == EX_OK) co_await daemon->serve();
    const int stopped = co_await daemon->stop();
    co_return code == EX_OK ? stopped : code;
  }
};

}  // namespace

int check_config(const config::Config& config, bool good) {
  asio::io_context io(1);
  core::SystemClock clock;
  plugin::Setup setup;
  setup.core = io.get_executor();
  setup.clock = &clock;
  setup.plugin_dirs = config.plugin_dirs;
  setup.secrets = secret_places(config);
  setup.reserved_routes = {"/s/", "/v/", "/style.css"};
  plugin::Registry registry(std::move(setup));
  auto errors = check_plugin_folders(config);
  const bool plugins_there = errors.empty();
  if (auto templates = load_templates(config); !templates) errors.push_back(templates.error());
  if (!config.link_keys.empty()) {
    core::SystemRandom random;
    const plugin::Secrets secrets(secret_places(config));
    if (auto keys = load_link_keys(config, secrets, random); !keys) errors.push_back(keys.error());
  }
  tell_errors(errors);
  // Without their folder every plugin would be named as unknown.
  if (!plugins_there) return EX_CONFIG;
  return run_to_end(io, Checker::run({&registry, all_instances(config), good && errors.empty()}));
}

int run(config::Config config, const Options& options) {
  ::umask(0077);
  if (const auto errors = check_plugin_folders(config); !errors.empty()) {
    tell_errors(errors);
    return EX_CONFIG;
  }
  if (auto made = make_folder(config.state_dir, 0700); !made) {
    tell_refused(made.error());
    return EX_CANTCREAT;
  }
  auto db = store::Db::open((config.state_dir / "state.db").string());
  if (!db) {
    log::error(events::store_refused, "The state cannot be used",
               {{"where", db.error().location}, {"why", db.error().message}});
    return exit_code_of(db.error());
  }
  asio::io_context io(1);
  int code = EX_OK;
  {
    asio::signal_set signals(io);
    Daemon daemon(io, signals, std::move(config), options, std::move(*db));
    code = run_to_end(io, Life::run(&daemon));
  }
  // It has stopped: one who asks again must not see it die of the signal.
  for (const int signal : {SIGTERM, SIGINT}) (void)std::signal(signal, SIG_IGN);
  return code;
}

}  // namespace invited::app
