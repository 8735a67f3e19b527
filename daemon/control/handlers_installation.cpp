#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "control/answers.hpp"
#include "control/server.hpp"
#include "store/domains.hpp"

namespace invited::control {

namespace json = boost::json;
using boost::asio::awaitable;
using core::HttpResponse;

namespace {

json::object transport_json(const Desk& desk, const TransportInfo& transport) {
  json::object body{
      {"name", transport.name}, {"plugin", transport.plugin}, {"state", "ready"}, {"in_use", transport.in_use},
      {"outstanding", 0},       {"retry_at", nullptr},        {"detail", ""}};
  if (!transport.in_use) return body;
  const auto status = desk.delivery.status();
  body["outstanding"] = status.outstanding;
  body["detail"] = status.trouble;
  if (status.paused) {
    body["state"] = "paused";
    body["retry_at"] = model::to_utc_text(desk.clock.now() + status.resumes_in);
  }
  return body;
}

const TransportInfo* find_transport(const Desk& desk, const std::string& name) {
  const auto found =
      std::find_if(desk.transports.begin(), desk.transports.end(), [&](const auto& t) { return t.name == name; });
  return found == desk.transports.end() ? nullptr : &*found;
}

HttpResponse unknown_transport(const std::string& name) {
  return problem(404, "unknown_transport", fmt::format("There is no transport \"{}\".", name));
}

awaitable<HttpResponse> list_domains(Desk* desk, Call) {
  const auto all = co_await desk->store.read([](store::Db& db) { return store::domains::all(db); });
  json::array items;
  for (const auto& domain : all) items.push_back(domain_json(domain, desk->domains));
  co_return list_answer(std::move(items), nullptr);
}

awaitable<HttpResponse> show_domain(Desk* desk, Call call) {
  const auto domain = co_await desk->domains.show(call.text("name"));
  if (!domain) co_return problem(domain.error());
  co_return answer(200, domain_json(*domain, desk->domains));
}

awaitable<HttpResponse> add_domain(Desk* desk, Call call) {
  const service::Act by = act_of(call);
  auto asking = call.text("method") == "assertion" ? desk->domains.assert_verified(call.text("name"), by)
                                                   : desk->domains.add(call.text("name"), by);
  const auto domain = co_await std::move(asking);
  if (!domain) co_return problem(domain.error());
  co_return answer(call.dry_run ? 200 : 201, domain_json(*domain, desk->domains));
}

awaitable<HttpResponse> verify_domain(Desk* desk, Call call) {
  const service::Act by = act_of(call);
  const auto check = co_await desk->domains.verify(call.text("name"), by);
  if (!check) co_return problem(check.error());
  json::object body = domain_json(check->domain, desk->domains);
  body["check"] = json::object{{"found", service::to_text(check->found)},
                               {"seen", json::array(check->seen.begin(), check->seen.end())}};
  co_return answer(200, body);
}

awaitable<HttpResponse> remove_domain(Desk* desk, Call call) {
  const service::Act by = act_of(call);
  const auto removed = co_await desk->domains.remove(call.text("name"), by);
  if (!removed) co_return problem(removed.error());
  co_return answer(200, domain_json(*removed, desk->domains));
}

awaitable<void> run_sync(Desk* desk, std::shared_ptr<Job> job, std::vector<std::string> sources, bool dry_run) {
  std::string trouble;
  std::string held;
  json::object held_counts;
  const service::RowsProgress progress = [job](const std::vector<model::RowResult>& chunk) {
    for (const auto& row : chunk) job->row(row);
  };
  for (const std::string& source : sources) {
    std::string why;
    try {
      const auto done = co_await desk->fetching.sync(source, progress, dry_run);
      if (!done) {
        why = done.error().message;
      } else if (done->settled.held) {
        held += (held.empty() ? "" : " ") + done->settled.sentence;
        add_held(held_counts, done->settled);
      }
    } catch (...) {
      why = trouble_of(std::current_exception());
    }
    if (!why.empty()) trouble += fmt::format("{}{}: {}", trouble.empty() ? "" : "; ", source, why);
  }
  if (trouble.empty()) {
    auto counts = job->row_counts();
    for (const auto& [name, n] : held_counts) counts[name] = n;
    job->finish(std::move(counts), std::move(held));
  } else {
    job->fail(std::move(trouble));
  }
}

awaitable<HttpResponse> sync_sources(Desk* desk, Call call) {
  const std::string wanted = call.text("source");
  std::vector<std::string> names;
  for (const auto& source : desk->fetching.status()) {
    if (!wanted.empty() && source.name != wanted) continue;
    if (source.fetches) {
      names.push_back(source.name);
    } else if (!wanted.empty()) {
      co_return problem(409, "source_not_fetched",
                        fmt::format("The source \"{}\" is not fetched: it takes what is pushed to it.", wanted));
    }
  }
  if (!wanted.empty() && names.empty())
    co_return problem(404, "unknown_source", fmt::format("There is no source \"{}\".", wanted));
  // What is read stands in the record as the source's own word.
  if (!call.dry_run) {
    for (const std::string& name : names) co_await desk->note(call.actor, "source.synced", "source:" + name);
  }
  auto job = desk->jobs.start("sync", call.actor, call.dry_run);
  desk->scope.spawn("sync", run_sync(desk, job, std::move(names), call.dry_run));
  co_return answer(202, json::object{{"job", job->id()}});
}

awaitable<HttpResponse> resume_transport(Desk* desk, Call call) {
  const TransportInfo* transport = find_transport(*desk, call.text("name"));
  if (transport == nullptr) co_return unknown_transport(call.text("name"));
  if (transport->in_use && !call.dry_run) {
    co_await desk->note(call.actor, "transport.resumed", "transport:" + transport->name);
    desk->delivery.resume();
  }
  co_return answer(200, transport_json(*desk, *transport));
}

awaitable<HttpResponse> test_transport(Desk* desk, Call call) {
  const std::string name = call.text("name");
  const TransportInfo* transport = find_transport(*desk, name);
  if (transport == nullptr) co_return unknown_transport(name);
  const auto probed = co_await transport->port->probe();
  co_return answer(
      200,
      json::object{{"ok", probed.has_value()}, {"name", name}, {"message", probed ? *probed : probed.error().message}});
}

}  // namespace

void add_installation_handlers(Handlers& handlers, Desk& desk) {
  Desk* d = &desk;
  const auto now = [](HttpResponse response) -> awaitable<HttpResponse> { co_return response; };
  handlers["domain.list"] = [d](Call call) { return list_domains(d, std::move(call)); };
  handlers["domain.show"] = [d](Call call) { return show_domain(d, std::move(call)); };
  handlers["domain.verify"] = [d](Call call) { return verify_domain(d, std::move(call)); };
  handlers["domain.add"] = [d](Call call) { return add_domain(d, std::move(call)); };
  handlers["domain.remove"] = [d](Call call) { return remove_domain(d, std::move(call)); };
  handlers["source.list"] = [d, now](const Call&) {
    json::array items;
    for (const auto& source : d->fetching.status()) items.push_back(source_json(source));
    return now(list_answer(std::move(items), nullptr));
  };
  handlers["source.sync"] = [d](Call call) { return sync_sources(d, std::move(call)); };
  handlers["transport.list"] = [d, now](const Call&) {
    json::array items;
    for (const auto& transport : d->transports) items.push_back(transport_json(*d, transport));
    return now(list_answer(std::move(items), nullptr));
  };
  handlers["transport.test"] = [d](Call call) { return test_transport(d, std::move(call)); };
  handlers["transport.resume"] = [d](Call call) { return resume_transport(d, std::move(call)); };
  handlers["plugin.list"] = [d, now](const Call&) { return now(list_answer(d->plugins.list(), nullptr)); };
  handlers["plugin.describe"] = [d, now](const Call& call) {
    const auto described = d->plugins.describe(call.text("name"));
    return now(described ? answer(200, *described) : problem(described.error()));
  };
  handlers["plugin.check"] = [d, now](const Call& call) {
    return now(answer(200, d->plugins.check(call.text("path"))));
  };
}

}  // namespace invited::control
