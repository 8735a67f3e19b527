// From configuration to running instances and back, with real modules.
#include <sys/stat.h>

#include <boost/json/parse.hpp>

#include "bench.hpp"
#include "config/config.hpp"
#include "config/yaml_json.hpp"
#include "plugin/registry.hpp"

using namespace invited;
using namespace invited::test;
using plugin::Registry;

namespace fs = std::filesystem;

namespace {

struct House {
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> working{io.get_executor()};
  ManualClock clock;
  TempFolder root;
  FakeState state;
  fs::path plugins = root / "plugins";
  std::unique_ptr<Registry> registry;
  std::shared_ptr<config::SourceFile> file = std::make_shared<config::SourceFile>();

  explicit House(std::initializer_list<const char*> modules) {
    fs::create_directory(plugins);
    for (const char* name : modules) {
      const fs::path copy = plugins / (std::string(name) + ".so");
      fs::copy_file(fs::path(INVITED_BINARY_DIR) / "tests/specimens" / copy.filename(), copy);
      ::chmod(copy.c_str(), 0644);
    }
    plugin::Setup setup;
    setup.core = io.get_executor();
    setup.clock = &clock;
    setup.plugin_dirs = {plugins};
    setup.reserved_routes = {"/i"};
    setup.state = &state;
    registry = std::make_unique<Registry>(std::move(setup));
    file->name = "invited.yaml";
  }
  ~House() {
    const auto left = run(io, registry->stop(10s));
    if (!left.empty()) std::terminate();
  }

  // As the configuration would give it, with its place in the file.
  config::Instance entry(config::Role role, std::string name, std::string plugin, std::string_view yaml = "") {
    config::Instance one;
    one.role = role;
    one.name = std::move(name);
    one.plugin = std::move(plugin);
    one.interval_s = 60;
    const std::string base = "/" + std::string(config::text(role)) + "s/" + std::to_string(line_);
    one.pointer = base + "/config";
    file->positions.set(base + "/plugin", {line_ * 10, 5});
    file->positions.set(one.pointer, {line_ * 10 + 1, 5});
    const auto document = config::parse_yaml(yaml, "invited.yaml");
    one.config = document->value.is_null() ? boost::json::value(boost::json::object()) : document->value;
    if (one.config.is_object())
      for (const auto& member : one.config.as_object())
        file->positions.set(config::pointer_append(one.pointer, std::string(member.key())), {line_ * 10 + 2, 7});
    one.file = file;
    ++line_;
    return one;
  }
  std::vector<std::string> load(std::vector<config::Instance> instances) {
    std::vector<std::string> lines;
    for (const core::Error& error : run(io, registry->load_all(std::move(instances))))
      lines.push_back(config::line(error));
    return lines;
  }

private:
  int line_ = 1;
};

}  // namespace

TEST_CASE("configured instances are made and found by name; defaults of the schema arrive") {
  House house{"good_source", "good_transport", "good_identity"};
  const auto errors = house.load({house.entry(config::Role::source, "hr", "good_source", "count: 5"),
                                  house.entry(config::Role::transport, "mail", "good_transport"),
                                  house.entry(config::Role::identity, "idp", "good_identity")});
  CHECK(errors.empty());
  REQUIRE(house.registry->source("hr") != nullptr);
  CHECK(house.registry->source("hr")->interval() == 60s);
  CHECK(house.registry->transport("mail") != nullptr);
  CHECK(house.registry->identity("idp") != nullptr);
  CHECK(house.registry->source("mail") == nullptr);
  CHECK(house.registry->sources().size() == 1);

  // Pages of two, which is the schema's default.
  std::vector<std::size_t> pages;
  const model::SourceSink sink = [&](std::vector<model::SourceItem> items) -> asio::awaitable<void> {
    pages.push_back(items.size());
    co_return;
  };
  std::string cursor;
  for (bool more = true; more;) {
    const auto fetched = run(house.io, house.registry->source("hr")->fetch(cursor, sink)).value();
    REQUIRE(run(house.io, house.registry->source("hr")->finish(fetched.cursor, {})));
    cursor = fetched.cursor;
    more = fetched.more;
  }
  CHECK(pages == std::vector<std::size_t>{2, 2, 1});

  const plugin::Listing listing = house.registry->list();
  REQUIRE(listing.instances.size() == 3);
  CHECK(listing.instances[0].role == "source");
  CHECK(listing.instances[0].state == "running");
  CHECK(listing.instances[0].misbehaviour == 0);
  CHECK(listing.modules.size() == 3);
}

TEST_CASE("all errors of a configuration are told, each with its place") {
  House house{"good_source", "good_transport", "newer_minor", "throws_in_create"};
  const auto errors = house.load({house.entry(config::Role::source, "a", "good_sorce"),
                                  house.entry(config::Role::source, "b", "good_source", "conut: 1"),
                                  house.entry(config::Role::transport, "c", "newer_minor"),
                                  house.entry(config::Role::transport, "d", "good_transport"),
                                  house.entry(config::Role::identity, "e", "good_source"),
                                  house.entry(config::Role::source, "f", "throwing_source")});
  REQUIRE(errors.size() == 5);
  CHECK(errors[0] ==
        "invited.yaml:10:5: /sources/1/plugin: no source plugin \"good_sorce\"; did you mean \"good_source\"?; there "
        "is: good_source, throwing_source");
  CHECK_THAT(errors[1], Catch::StartsWith("invited.yaml:22:7: /sources/2/config/conut: unknown key"));
  CHECK(errors[2] ==
        "invited.yaml:30:5: /transports/3/plugin: " + (fs::canonical(house.plugins) / "newer_minor.so").string() +
            ": needs contract 1.1; this daemon offers 1.0: update invited");
  CHECK(errors[3] ==
        "invited.yaml:50:5: /identitys/5/plugin: no identity plugin \"good_source\"; there is: throwing_identity");
  CHECK_THAT(
      errors[4],
      Catch::StartsWith("invited.yaml:61:5: /sources/6/config: source \"f\": create failed, an error of the plugin: "));
  CHECK(house.registry->transport("d") != nullptr);
}

TEST_CASE("a list shows every module, with the reason where one is refused") {
  House house{"good_source", "wrong_major", "throws_in_create"};
  const plugin::Listing listing = house.registry->list();
  REQUIRE(listing.modules.size() == 3);
  CHECK(listing.modules[0].plugins.at(0).name == "good_source");
  CHECK(listing.modules[0].plugins.at(0).capabilities ==
        std::vector<std::string>{"fetch", "finish", "handle_record", "handle_import", "handle_http", "export"});
  CHECK(listing.modules[1].plugins.size() == 3);
  CHECK(listing.modules[2].error == "speaks contract version 9; this daemon speaks version 1");

  const auto described = house.registry->describe("good_source");
  REQUIRE(described);
  CHECK(boost::json::parse(described->at(0).schema).at("properties").as_object().contains("count"));
  CHECK(house.registry->describe("good_sourc").error().message ==
        "no plugin \"good_sourc\"; did you mean \"good_source\"?");
  CHECK(house.registry->check("good_source").value().plugins.size() == 1);
  CHECK(house.registry->check((house.plugins / "good_source.so").string()));
  CHECK(house.registry->check("wrong_major.so").error().message ==
        "speaks contract version 9; this daemon speaks version 1");
  CHECK(house.registry->check("/etc/passwd").error().message ==
        "outside the plugin folders (" + house.plugins.string() + ")");
  CHECK(house.registry->check("absent").error().code == "plugin_not_found");
}

TEST_CASE("a route leads to its source") {
  House house{"good_source"};
  CHECK(house.load({house.entry(config::Role::source, "hr", "good_source", "route: /scim")}).empty());
  CHECK(house.registry->route("/scim/Users") == house.registry->source("hr"));
  CHECK(house.registry->route("/other") == nullptr);
  core::HttpRequest request;
  request.method = "POST";
  request.path = "/scim/Users";
  request.body = "anna";
  const model::SourceSink sink = [](std::vector<model::SourceItem>) -> asio::awaitable<void> { co_return; };
  const auto reply = run(house.io, house.registry->route("/scim/Users")->handle_http(request, sink));
  REQUIRE(reply);
  CHECK(reply->status == 201);
  CHECK(reply->body == "/scim/Users\n");
}

TEST_CASE("modules that misbehave harm their own mails only, and it shows in the list") {
  House house{"completes_twice",     "no_verdict",
              "verdict_for_unknown", "two_verdicts",
              "stray_status",        "leaks_exception_in_operation",
              "completes_in_create", "leaks_exception_in_create"};
  const std::vector<std::tuple<const char*, model::VerdictStatus, std::uint64_t>> table = {
      {"completes_twice", model::VerdictStatus::accepted, 1},
      {"no_verdict", model::VerdictStatus::unknown, 0},
      {"verdict_for_unknown", model::VerdictStatus::accepted, 1},
      {"two_verdicts", model::VerdictStatus::accepted, 1},
      {"stray_status", model::VerdictStatus::unknown, 1},
      {"leaks_exception_in_operation", model::VerdictStatus::unknown, 1},
      {"completes_in_create", model::VerdictStatus::accepted, 1},
  };
  std::vector<std::shared_ptr<const plugin::Module>> modules;
  plugin::Environment environment;
  environment.core = house.io.get_executor();
  environment.gate = std::make_shared<plugin::CoreGate>(house.io.get_executor());
  environment.clock = &house.clock;
  for (const auto& [name, status, misbehaviour] : table) {
    CAPTURE(name);
    const auto module =
        plugin::Module::load(house.plugins / (std::string(name) + ".so"), {{house.plugins}, ::geteuid()}).value();
    modules.push_back(module);
    const auto instance = plugin::Instance::make(module, *module->plugins().at(0), name, "{}", environment);
    REQUIRE(run(house.io, instance->create()));
    plugin::TransportAdapter transport(instance);
    std::vector<model::Verdict> verdicts;
    model::OutgoingMail mail;
    mail.delivery.bytes[0] = std::byte{1};
    transport.send({mail}, [&](model::Verdict one) { verdicts.push_back(std::move(one)); });
    const auto idle = [](std::shared_ptr<plugin::Instance> one) -> asio::awaitable<bool> {
      co_return co_await one->stop(10s);
    };
    for (int i = 0;
         i < 1000 && (verdicts.empty() || instance->open_calls() > 0 || instance->misbehaviour() < misbehaviour); ++i)
      house.io.run_one_for(20ms);
    settle(house.io);
    REQUIRE(verdicts.size() == 1);
    CHECK(verdicts[0].status == status);
    CHECK(instance->misbehaviour() == misbehaviour);
    CHECK(run(house.io, idle(instance)));
  }
  const auto module =
      plugin::Module::load(house.plugins / "leaks_exception_in_create.so", {{house.plugins}, ::geteuid()}).value();
  const auto instance = plugin::Instance::make(module, *module->plugins().at(0), "x", "{}", environment);
  CHECK(run(house.io, instance->create()).error().message ==
        "transport \"x\": create failed, an error of the plugin: create threw: specimen: thrown across the border in "
        "create");
  CHECK(run(house.io, instance->stop(10s)));
}

TEST_CASE("what an SDK plugin throws is told in its words") {
  House house{"throws_in_operation"};
  CHECK(house
            .load({house.entry(config::Role::source, "hr", "throwing_source"),
                   house.entry(config::Role::identity, "idp", "throwing_identity")})
            .empty());
  const model::SourceSink sink = [](std::vector<model::SourceItem>) -> asio::awaitable<void> { co_return; };
  CHECK(run(house.io, house.registry->source("hr")->fetch("", sink)).error().message ==
        "source \"hr\": fetch failed, an error of the plugin: specimen: thrown in an operation");
  const auto answer = run(house.io, house.registry->identity("idp")->ensure_account({}));
  CHECK(answer.status == model::ProviderStatus::unknown);
  CHECK(answer.detail == "specimen: thrown in an operation");
}

TEST_CASE("a plugin that is part of the program needs no file") {
  Script script;
  House house{};
  REQUIRE(house.registry->add_linked(fake::module, "built-in"));
  fake::next() = &script;
  CHECK(house.load({house.entry(config::Role::transport, "mail", "fake_transport")}).empty());
  CHECK(house.registry->list().modules.at(0).file == "built-in");
  CHECK(run(house.io, house.registry->stop(10s)).empty());
  CHECK(script.destroyed);
  CHECK(house.registry->list().instances.at(0).state == "stopped");
}
