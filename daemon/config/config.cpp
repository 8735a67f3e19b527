#include "config/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "core/file.hpp"
#include "model/civil_time.hpp"
#include "model/email.hpp"
#include "model/text.hpp"

namespace invited::config {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_errors = 50;
constexpr std::size_t max_socket_path = 107;  // sun_path without its end

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// Fractions of the file that the schema found wrong are not looked at again: each mistake is named once.
class Reader {
public:
  Reader(const json::value& root, const Origin& origin, Errors& errors)
      : root_(root), origin_(origin), errors_(errors) {}

  void fail(std::string_view pointer, std::string code, std::string message) {
    errors_.push_back(error_at(origin_, pointer, std::move(code), std::move(message)));
  }

  const json::value* find(std::string_view pointer) const {
    json::error_code error;
    const auto* const value = root_.find_pointer(pointer, error);
    return error ? nullptr : value;
  }
  const json::array& list(std::string_view pointer) const {
    static const json::array none;
    const auto* const value = find(pointer);
    return value != nullptr && value->is_array() ? value->get_array() : none;
  }
  std::optional<std::string> text(std::string_view pointer) const {
    const auto* const value = find(pointer);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
  }
  std::string text_or_empty(std::string_view pointer) const { return text(pointer).value_or(std::string{}); }
  template <class Number>
  void number(std::string_view pointer, Number& target) const {
    const auto* const value = find(pointer);
    if (value != nullptr && value->is_int64()) target = static_cast<Number>(value->get_int64());
  }
  void flag(std::string_view pointer, bool& target) const {
    const auto* const value = find(pointer);
    if (value != nullptr && value->is_bool()) target = value->get_bool();
  }
  template <class Enum, std::size_t n>
  void choice(std::string_view pointer, Enum& target, const std::pair<std::string_view, Enum> (&choices)[n]) const {
    const auto found = text(pointer);
    for (const auto& [word, value] : choices) {
      if (found == word) target = value;
    }
  }

private:
  const json::value& root_;
  const Origin& origin_;
  Errors& errors_;
};

// For suggestions: the zones of this system.
std::vector<std::string> zone_names() {
  std::vector<std::string> names;
  const fs::path root = "/usr/share/zoneinfo";
  std::error_code error;
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end; at.increment(error)) {
    auto name = at->path().lexically_relative(root).string();
    if (model::zone_exists(name)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void read_zone(Reader& in, const std::string& pointer, std::string& target) {
  const auto zone = in.text(pointer);
  if (!zone || zone->empty()) return;
  if (model::zone_exists(*zone)) {
    target = *zone;
    return;
  }
  const auto hint = suggest(*zone, zone_names());
  in.fail(pointer, "config_time_zone",
          fmt::format("this system knows no time zone \"{}\"{}", *zone,
                      hint.empty() ? "; allowed: an IANA name such as Europe/Stockholm" : hint));
}

std::vector<std::string> read_domains(Reader& in, const std::string& list) {
  std::vector<std::string> rules;
  const auto count = in.list(list).size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto pointer = fmt::format("{}/{}", list, i);
    const auto text = in.text(pointer);
    if (!text || text->empty()) continue;
    auto rule = model::parse_domain(*text);
    if (!rule) {
      in.fail(pointer, "config_domain", rule.error().message);
    } else if (std::find(rules.begin(), rules.end(), *rule) == rules.end()) {
      rules.push_back(std::move(*rule));
    }
  }
  return rules;
}

void read_calendar(Reader& in, const std::string& pointer, model::Policy& policy) {
  constexpr std::array<std::string_view, 7> names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  if (const auto days = pointer + "/working_days"; in.find(days) != nullptr) {
    for (std::size_t i = 0; i < names.size(); ++i)
      policy.working_days.at(i) = std::ranges::any_of(
          in.list(days), [&](const json::value& day) { return day.is_string() && day.get_string() == names.at(i); });
  }
  const auto list = pointer + "/holidays";
  if (in.find(list) == nullptr) return;
  policy.holidays.clear();
  for (std::size_t i = 0; i < in.list(list).size(); ++i) {
    const auto at = fmt::format("{}/{}", list, i);
    const auto text = in.text(at);
    if (!text) continue;
    if (const auto date = model::parse_date(*text)) {
      policy.holidays.push_back(*date);
    } else {
      in.fail(at, "config_date", fmt::format("\"{}\" is not a date; allowed: a day such as 2026-12-25", *text));
    }
  }
}

// Local means that nobody can listen between the browser and this daemon.
bool is_loopback(const boost::urls::url_view& url) {
  boost::system::error_code error;
  const std::string host(url.host_address());
  const auto address = boost::asio::ip::make_address(host, error);
  return error ? lower(host) == "localhost" : address.is_loopback();
}

// A text that goes into mails: what no mail can carry is refused here, not when the first one is written.
std::optional<std::string> read_mail_text(Reader& in, const std::string& pointer, std::size_t max_octets) {
  auto text = in.text(pointer);
  if (!text || text->empty()) return std::nullopt;
  if (const auto wrong = model::unprintable(*text)) {
    in.fail(pointer, "config_text",
            fmt::format("the text {}; allowed: one paragraph without line breaks, control characters and marks that "
                        "turn the direction of writing",
                        *wrong));
    return std::nullopt;
  }
  if (text->size() > max_octets) {
    in.fail(pointer, "config_length",
            fmt::format("the text has {} octets (letters beyond a to z count two to four); allowed: up to {}",
                        text->size(), max_octets));
    return std::nullopt;
  }
  return text;
}

void read_sign_in(Reader& in, const std::string& pointer, model::SignIn& sign_in) {
  using model::max_help_octets;
  if (auto help = read_mail_text(in, pointer + "/help/sv", max_help_octets)) sign_in.help_sv = std::move(*help);
  if (auto help = read_mail_text(in, pointer + "/help/en", max_help_octets)) sign_in.help_en = std::move(*help);
  in.flag(pointer + "/ready_mail", sign_in.ready_mail);
  const auto text = in.text(pointer + "/url");
  if (!text || text->empty()) return;
  const auto url = boost::urls::parse_uri(*text);
  const auto scheme = url ? lower(std::string_view(url->scheme().data(), url->scheme().size())) : std::string();
  const bool safe = scheme == "https" || (scheme == "http" && is_loopback(*url));
  if (!safe || url->encoded_host().empty() || url->has_userinfo()) {
    in.fail(pointer + "/url", "config_url",
            fmt::format("\"{}\" is no address of a sign-in page; allowed: such as https://login.example.com", *text));
  } else {
    sign_in.url = *text;
  }
}

// Changes what the file states at `pointer`, leaves the rest of `policy` as it is.
void read_policy(Reader& in, const std::string& pointer, model::Policy& policy) {
  using model::AutoInvite;
  using model::Phase;
  if (auto name = read_mail_text(in, pointer + "/name", model::max_name_octets)) policy.name = std::move(*name);
  read_zone(in, pointer + "/time_zone", policy.zone);
  if (auto locale = in.text(pointer + "/locale")) policy.locale = std::move(*locale);
  in.number(pointer + "/send_hour", policy.send_hour);
  in.number(pointer + "/lead_days", policy.lead_days);
  in.number(pointer + "/valid_days", policy.valid_days);
  in.number(pointer + "/leaver_days", policy.leaver_days);
  in.number(pointer + "/mails_per_minute", policy.mails_per_minute);
  read_calendar(in, pointer, policy);
  read_sign_in(in, pointer + "/sign_in", policy.sign_in);
  in.choice(pointer + "/phase", policy.phase, {{"preparation", Phase::preparation}, {"live", Phase::live}});
  in.choice(pointer + "/auto_invite", policy.auto_invite,
            {{"hires", AutoInvite::hires}, {"all", AutoInvite::all}, {"none", AutoInvite::none}});
}

std::vector<model::ReviewFlow> read_flows(Reader& in) {
  std::vector<model::ReviewFlow> flows;
  std::map<std::string, std::size_t> seen;
  const auto count = in.list("/review_flows").size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto pointer = fmt::format("/review_flows/{}", i);
    model::ReviewFlow flow;
    flow.name = in.text_or_empty(pointer + "/name");
    in.flag(pointer + "/active", flow.active);
    in.flag(pointer + "/four_eyes", flow.four_eyes);
    const auto steps = in.list(pointer + "/steps").size();
    for (std::size_t k = 0; k < steps; ++k) {
      const auto at = fmt::format("{}/steps/{}", pointer, k);
      model::ReviewStep step{in.text_or_empty(at + "/name"), in.text_or_empty(at + "/after")};
      const auto has = [&](const std::string& name) {
        return std::any_of(flow.steps.begin(), flow.steps.end(),
                           [&](const auto& one) { return model::equal_folded(one.name, name); });
      };
      if (has(step.name)) {
        in.fail(at + "/name", "config_duplicate",
                fmt::format("the flow has a step \"{}\" already; each needs a name of its own", step.name));
      }
      if (!step.after.empty() && !has(step.after)) {
        in.fail(at + "/after", "config_unknown_name",
                fmt::format("\"{}\" is not an earlier step of this flow; a step may only wait for one that stands "
                            "before it",
                            step.after));
      }
      flow.steps.push_back(std::move(step));
    }
    if (const auto [known, added] = seen.emplace(model::folded(flow.name), i); !added) {
      in.fail(
          pointer + "/name", "config_duplicate",
          fmt::format("the name \"{}\" is taken by /review_flows/{}; each needs its own", flow.name, known->second));
    }
    flows.push_back(std::move(flow));
  }
  return flows;
}

std::vector<std::string> read_texts(const Reader& in, const std::string& list) {
  std::vector<std::string> texts;
  for (const auto& item : in.list(list)) {
    if (item.is_string()) texts.emplace_back(item.get_string());
  }
  return texts;
}

// The pattern at `pointer`; of an address it must give one.
std::string read_pattern(Reader& in, const std::string& pointer, bool address) {
  auto pattern = in.text_or_empty(pointer);
  if (pattern.empty()) return pattern;
  if (const auto good = model::check_pattern(pattern); !good) {
    in.fail(pointer, good.error().code, good.error().message);
    return {};
  }
  if (address) {
    if (const auto email = model::parse_email(model::spell(pattern, {"Given", "Family"})); !email) {
      in.fail(pointer, "config_mail_address",
              fmt::format("\"{}\" does not make addresses: {}", pattern, email.error().message));
      return {};
    }
  }
  return pattern;
}

model::Templates read_templates(Reader& in, const std::map<std::string, model::Policy>& companies,
                                const model::ReviewFlows& flows) {
  model::Templates templates;
  const auto unique = [&](const std::string& pointer, const std::string& name, bool known) {
    if (known)
      in.fail(pointer + "/name", "config_duplicate", fmt::format("the name \"{}\" is taken; each needs its own", name));
  };
  for (std::size_t i = 0; i < in.list("/user_templates").size(); ++i) {
    const auto pointer = fmt::format("/user_templates/{}", i);
    model::UserTemplate one;
    one.name = in.text_or_empty(pointer + "/name");
    unique(pointer, one.name, templates.user(one.name) != nullptr);
    one.company = in.text_or_empty(pointer + "/company");
    if (!one.company.empty() && !companies.contains(one.company)) {
      in.fail(pointer + "/company", "config_unknown_name", fmt::format("/companies has no key \"{}\"", one.company));
    }
    one.department = in.text_or_empty(pointer + "/department");
    one.roles = read_texts(in, pointer + "/roles");
    std::sort(one.roles.begin(), one.roles.end());
    one.locale = in.text_or_empty(pointer + "/locale");
    if (in.find(pointer + "/leaver_days") != nullptr) {
      int days = 0;
      in.number(pointer + "/leaver_days", days);
      one.leaver_days = days;
    }
    one.user_id = read_pattern(in, pointer + "/user_id", false);
    one.login_email = read_pattern(in, pointer + "/login_email", true);
    templates.users.push_back(std::move(one));
  }
  for (std::size_t i = 0; i < in.list("/employment_templates").size(); ++i) {
    const auto pointer = fmt::format("/employment_templates/{}", i);
    model::EmploymentTemplate one;
    one.name = in.text_or_empty(pointer + "/name");
    unique(pointer, one.name, templates.employment(one.name) != nullptr);
    one.user_template = in.text_or_empty(pointer + "/user_template");
    if (!one.user_template.empty() && templates.user(one.user_template) == nullptr) {
      in.fail(pointer + "/user_template", "config_unknown_name",
              fmt::format("/user_templates has no \"{}\"", one.user_template));
    }
    one.review_flow = in.text_or_empty(pointer + "/review_flow");
    if (!one.review_flow.empty() && !flows.knows(one.review_flow)) {
      in.fail(pointer + "/review_flow", "config_unknown_name",
              fmt::format("/review_flows has no \"{}\"", one.review_flow));
    }
    templates.employments.push_back(std::move(one));
  }
  return templates;
}

model::Policies read_policies(Reader& in) {
  model::Policy organisation;
  read_policy(in, "/organisation", organisation);
  organisation.allowed_domains = read_domains(in, "/allowed_domains");

  std::map<std::string, model::Policy> companies;
  std::map<std::string, std::size_t> seen;
  const auto count = in.list("/companies").size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto pointer = fmt::format("/companies/{}", i);
    auto policy = organisation;
    policy.company = in.text_or_empty(pointer + "/key");
    read_policy(in, pointer, policy);
    if (in.find(pointer + "/allowed_domains") != nullptr) {
      policy.allowed_domains = read_domains(in, pointer + "/allowed_domains");
    }
    if (const auto [known, added] = seen.emplace(lower(policy.company), i); !added) {
      in.fail(pointer + "/key", "config_duplicate",
              fmt::format("the key \"{}\" is taken by /companies/{}; each company needs its own", policy.company,
                          known->second));
    }
    companies.emplace(policy.company, std::move(policy));
  }
  model::ReviewFlows flows(read_flows(in));
  auto templates = read_templates(in, companies, flows);
  return {std::move(organisation), std::move(companies), std::move(flows), std::move(templates)};
}

void read_base_url(Reader& in, Web& web) {
  constexpr const char* pointer = "/web/base_url";
  const auto text = in.text(pointer);
  if (!text || text->empty()) return;
  const auto fail = [&](std::string_view why) {
    in.fail(pointer, "config_url", fmt::format("\"{}\" {}; allowed: such as https://invite.example.com", *text, why));
  };
  const auto parsed = boost::urls::parse_uri(*text);
  if (!parsed) return fail("is not a URL");
  const boost::urls::url_view& url = *parsed;
  const auto scheme = lower(std::string_view(url.scheme().data(), url.scheme().size()));
  if (scheme != "https" && scheme != "http") return fail("is neither https nor http");
  if (url.encoded_host().empty()) return fail("has no host");
  if (url.has_userinfo()) return fail("holds a user name or password, which would stand in every link");
  if (url.has_query() || url.has_fragment()) return fail("has a query (?) or fragment (#)");
  if (!url.encoded_path().empty() && url.encoded_path() != "/")
    return fail("has a path; the pages need a host name of their own");
  if (url.has_port() && !url.port().empty() && url.port_number() == 0) return fail("has no usable port");
  if (scheme == "http" && !is_loopback(url)) {
    return fail(
        "is not encrypted: anybody on the way could use the link (http is only allowed for loopback addresses)");
  }
  web.base_url = text->ends_with('/') ? text->substr(0, text->size() - 1) : *text;
}

void read_listen(Reader& in, Web& web) {
  constexpr const char* pointer = "/web/listen";
  const auto text = in.text(pointer);
  if (!text) return;
  const auto fail = [&](std::string_view why) {
    in.fail(pointer, "config_listen",
            fmt::format("\"{}\" {}; allowed: an address and a port, such as 127.0.0.1:8620 or [::1]:8620", *text, why));
  };
  const auto colon = text->rfind(':');
  if (colon == std::string::npos) return fail("has no port");
  std::string host = text->substr(0, colon);
  const std::string port = text->substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  std::uint32_t number = 0;
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || problem != std::errc{} || end != port.data() + port.size() || number > 65535) {
    return fail("has no port from 0 to 65535 after its last colon");
  }
  if (host == "*" || host.empty()) return fail("does not say which address (0.0.0.0 or [::] mean all)");
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error || address.is_v6() != bracketed) return fail("does not begin with an IP address");
  web.listen = *text;
}

// "192.0.2.53", "192.0.2.53:5353", "2001:db8::53" or "[2001:db8::53]:5353"; the result always names the port.
std::optional<std::string> dns_server(std::string_view text) {
  std::string_view host = text;
  std::string_view port = "53";
  const bool bracketed = text.starts_with('[');
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos && (bracketed ? colon == text.rfind(']') + 1 : text.find(':') == colon)) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  if (bracketed) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  }
  std::uint32_t number = 0;
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (problem != std::errc{} || end != port.data() + port.size() || number < 1 || number > 65'535) return std::nullopt;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(host), error);
  if (error || (bracketed && !address.is_v6()) || host.find('%') != std::string_view::npos) return std::nullopt;
  return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), number)
                         : fmt::format("{}:{}", address.to_string(), number);
}

void read_dns_servers(Reader& in, Dns& dns) {
  for (std::size_t i = 0; i < in.list("/dns/servers").size(); ++i) {
    const auto pointer = fmt::format("/dns/servers/{}", i);
    const auto text = in.text(pointer);
    if (!text || text->empty()) continue;
    if (auto server = dns_server(*text)) {
      dns.servers.push_back(std::move(*server));
    } else {
      in.fail(pointer, "config_dns_server",
              fmt::format("\"{}\" is not the address of a DNS server; allowed: an IP address, with its port where that "
                          "is not 53, such as 192.0.2.53, 127.0.0.1:5353 or [2001:db8::53]:5353",
                          *text));
    }
  }
}

// "Example AB <no-reply@example.com>" or "no-reply@example.com".
std::optional<MailAddress> read_address(Reader& in, const std::string& pointer) {
  const auto text = in.text(pointer);
  if (!text || text->empty()) return std::nullopt;
  const auto refuse = [&](std::string_view why) {
    in.fail(pointer, "config_mail_address",
            fmt::format("{}; allowed: such as Example AB <no-reply@example.com> or no-reply@example.com", why));
    return std::nullopt;
  };
  if (const auto wrong = model::unprintable(*text)) return refuse("the address " + *wrong);
  std::string_view address = *text;
  MailAddress parsed;
  if (address.find_first_of("<>") != std::string_view::npos) {
    const auto open = address.find('<');
    if (open == std::string_view::npos || address.find_first_of("<>", open + 1) != address.size() - 1 ||
        address.back() != '>') {
      return refuse(fmt::format("\"{}\" does not have one address in < and > at its end", *text));
    }
    auto name = address.substr(0, open);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (name.size() >= 2 && name.starts_with('"') && name.ends_with('"')) name = name.substr(1, name.size() - 2);
    if (name.size() > model::max_name_octets)
      return refuse(fmt::format("the name has {} octets and a mail takes {}", name.size(), model::max_name_octets));
    parsed.name = std::string(name);
    address = address.substr(open + 1, address.size() - open - 2);
  }
  const auto email = model::parse_email(address);
  if (!email) return refuse(email.error().message);
  const auto local = email->typed.substr(0, email->typed.rfind('@'));
  if (std::any_of(local.begin(), local.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return refuse("the part before the @ must be ASCII, so that every mail server can answer");
  }
  parsed.address = local + "@" + email->domain;
  return parsed;
}

std::vector<Instance> read_instances(Reader& in, const std::string& list, Role role,
                                     const std::shared_ptr<const SourceFile>& file) {
  std::vector<Instance> instances;
  std::map<std::string, std::size_t> seen;
  const auto count = in.list(list).size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto pointer = fmt::format("{}/{}", list, i);
    Instance instance;
    instance.role = role;
    instance.name = in.text_or_empty(pointer + "/name");
    instance.plugin = in.text_or_empty(pointer + "/plugin");
    in.number(pointer + "/interval_s", instance.interval_s);
    const auto* const config = in.find(pointer + "/config");
    instance.config = config != nullptr && config->is_object() ? *config : json::value(json::object{});
    instance.file = file;
    instance.pointer = pointer + "/config";
    if (in.text(pointer + "/isolation") == "process") {
      in.fail(pointer + "/isolation", "config_not_available",
              "a process of its own is not available in this version; allowed: inline");
    }
    if (!instance.name.empty()) {
      if (const auto [known, added] = seen.emplace(lower(instance.name), i); !added) {
        in.fail(
            pointer + "/name", "config_duplicate",
            fmt::format("the name \"{}\" is taken by {}/{}; each needs its own", instance.name, list, known->second));
      }
    }
    instances.push_back(std::move(instance));
  }
  return instances;
}

std::vector<std::string> names_of(const std::vector<Instance>& instances) {
  std::vector<std::string> names;
  for (const auto& instance : instances) names.push_back(instance.name);
  return names;
}

// The instance that the file names at `pointer`, or the only one, or the first where that is the rule.
std::string read_chosen(Reader& in, const std::string& pointer, std::string_view list,
                        const std::vector<Instance>& instances, bool first_is_default) {
  const auto names = names_of(instances);
  const auto all = [&] {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
  };
  const auto chosen = in.text(pointer);
  if (chosen) {
    if (std::find(names.begin(), names.end(), *chosen) != names.end()) return *chosen;
    in.fail(pointer, "config_unknown_name",
            instances.front().embedded
                ? fmt::format("there is no \"{}\": the file lists no {}, so there is only {}", *chosen, list, all())
                : fmt::format("{} has no \"{}\"; allowed: {}", list, *chosen, all()));
    return {};
  }
  if (in.find(pointer) != nullptr || names.empty()) return {};
  if (names.size() > 1 && !first_is_default) {
    in.fail(pointer, "config_missing_key", fmt::format("{} has more than one; say which: {}", list, all()));
    return {};
  }
  return names.front();
}

void read_link_keys(Reader& in, Config& config) {
  const auto count = in.list("/link_keys").size();
  std::set<int> seen;
  for (std::size_t i = 0; i < count; ++i) {
    const auto pointer = fmt::format("/link_keys/{}", i);
    int id = -1;
    in.number(pointer + "/id", id);
    if (id < 0) continue;
    if (!seen.insert(id).second) {
      in.fail(pointer + "/id", "config_duplicate",
              fmt::format("the id {} is taken by another key; each needs its own", id));
    }
    config.link_keys.push_back({static_cast<std::uint8_t>(id), in.text_or_empty(pointer + "/credential")});
  }
}

Instance embedded(Role role, std::string_view list, std::string name, json::object instance_config,
                  const std::shared_ptr<const SourceFile>& file) {
  Instance instance;
  instance.pointer = list;
  instance.role = role;
  instance.plugin = name;
  instance.name = std::move(name);
  instance.config = std::move(instance_config);
  instance.embedded = true;
  instance.file = file;
  return instance;
}

// Messages begin with the pointer they are about.
std::string pointer_of(const core::Error& error) {
  return error.message.substr(0, error.message.find(": "));
}

const Schema& file_schema() {
  static const Schema schema = Schema::parse(schema_text()).value();
  return schema;
}

Config read(Reader& in, const std::shared_ptr<const SourceFile>& file) {
  Config config;
  config.file = file;
  config.policies = read_policies(in);
  config.state_dir = in.text_or_empty("/state_dir");

  config.control.socket = in.text_or_empty("/control/socket");
  if (config.control.socket.native().size() > max_socket_path) {
    in.fail("/control/socket", "config_length",
            fmt::format("the path has {} bytes; a Unix socket allows at most {}", config.control.socket.native().size(),
                        max_socket_path));
  }
  config.control.viewer_group = in.text_or_empty("/control/roles/viewer");
  config.control.operator_group = in.text_or_empty("/control/roles/operator");
  config.control.admin_group = in.text_or_empty("/control/roles/admin");

  read_listen(in, config.web);
  read_base_url(in, config.web);
  in.choice("/web/client_address_header", config.web.client_address_header,
            {{"none", ClientAddressHeader::none},
             {"x-real-ip", ClientAddressHeader::x_real_ip},
             {"x-forwarded-for", ClientAddressHeader::x_forwarded_for}});

  config.sources = read_instances(in, "/sources", Role::source, file);
  config.transports = read_instances(in, "/transports", Role::transport, file);
  config.identities = read_instances(in, "/identities", Role::identity, file);
  if (config.sources.empty()) {
    config.sources.push_back(embedded(Role::source, "/sources", "manual", {}, file));
    config.sources.push_back(
        embedded(Role::source, "/sources", "file", {}, file));  // reads what invitectl user import sends
  }
  if (config.transports.empty()) {
    config.transports.push_back(
        embedded(Role::transport, "/transports", "maildir", {{"path", (config.state_dir / "outbox").string()}}, file));
  }
  if (config.identities.empty())
    config.identities.push_back(embedded(Role::identity, "/identities", "directory", {}, file));

  if (auto from = read_address(in, "/mail/from")) config.mail.from = std::move(*from);
  config.mail.reply_to = read_address(in, "/mail/reply_to");
  config.mail.transport = read_chosen(in, "/mail/transport", "transports", config.transports, false);
  in.number("/mail/max_attempts", config.mail.max_attempts);
  config.identity = read_chosen(in, "/identity", "identities", config.identities, true);

  for (std::size_t i = 0; i < in.list("/plugin_dirs").size(); ++i) {
    if (auto path = in.text(fmt::format("/plugin_dirs/{}", i))) config.plugin_dirs.emplace_back(std::move(*path));
  }
  if (config.plugin_dirs.empty()) config.plugin_dirs.emplace_back(INVITED_PLUGIN_DIR);
  if (auto path = in.text("/templates_dir")) config.templates_dir = std::move(*path);
  read_link_keys(in, config);

  in.number("/limits/cooldown_minutes", config.limits.cooldown_minutes);
  in.number("/limits/new_links_per_hour", config.limits.new_links_per_hour);
  in.number("/limits/self_service_minutes", config.limits.self_service_minutes);
  in.number("/limits/import_max_mib", config.limits.import_max_mib);
  in.number("/brakes/batch", config.brakes.batch);
  in.number("/brakes/times_usual_day", config.brakes.times_usual_day);
  in.number("/brakes/shrink_percent", config.brakes.shrink_percent);
  read_dns_servers(in, config.dns);
  in.number("/dns/timeout_ms", config.dns.timeout_ms);
  in.number("/dns/tries", config.dns.tries);
  in.number("/domains/recheck_hours", config.domains.recheck_hours);
  in.number("/domains/pending_recheck_minutes", config.domains.pending_recheck_minutes);
  in.number("/domains/lapse_after_days", config.domains.lapse_after_days);
  using core::log::Level;
  in.choice("/log/level", config.log_level,
            {{"trace", Level::trace},
             {"debug", Level::debug},
             {"info", Level::info},
             {"warning", Level::warning},
             {"error", Level::error}});
  return config;
}

tl::expected<Config, Errors> whole(Draft draft) {
  if (!draft.errors.empty()) return tl::unexpected(std::move(draft.errors));
  return std::move(draft.config.value());
}

bool is_below(std::string_view pointer, std::string_view parent) {
  return pointer == parent || (pointer.starts_with(parent) && pointer[parent.size()] == '/');
}

bool knows_its_plugins(const Errors& errors) {
  return std::none_of(errors.begin(), errors.end(), [](const core::Error& error) {
    const std::string pointer = pointer_of(error);
    const auto is = [&](std::string_view list) { return pointer == list; };
    return pointer.empty() || is("/sources") || is("/transports") || is("/identities") ||
           is_below(pointer, "/state_dir") || is_below(pointer, "/plugin_dirs");
  });
}

void leave_out_blamed(Config& config, const Errors& errors) {
  for (auto* const instances : {&config.sources, &config.transports, &config.identities}) {
    std::erase_if(*instances, [&](const Instance& instance) {
      const auto of_it = std::string_view(instance.pointer).substr(0, instance.pointer.rfind('/'));
      return !instance.embedded && std::any_of(errors.begin(), errors.end(), [&](const core::Error& error) {
        return is_below(pointer_of(error), of_it);
      });
    });
  }
}

}  // namespace

std::string Config::where(std::string_view pointer) const {
  return place(file->name, file->positions.find(pointer));
}

Draft parse_draft(std::string_view text, std::string_view name, const fs::path& folder) {
  auto document = parse_yaml(text, name);
  if (!document) return {std::nullopt, std::move(document.error())};

  auto file = std::make_shared<SourceFile>();
  file->name = std::string(name);
  file->folder = folder;
  file->positions = std::move(document->positions);
  const Origin origin{file->name, file->positions};

  auto errors = file_schema().validate(document->value, origin);
  std::set<std::string> said;
  for (const auto& error : errors) said.insert(pointer_of(error));
  file_schema().fill_defaults(document->value);
  file_schema().resolve_paths(document->value, folder);

  Errors found;
  Reader reader(document->value, origin, found);
  auto config = read(reader, file);
  file->state_dir = config.state_dir;
  for (auto& error : found) {
    if (!said.contains(pointer_of(error))) errors.push_back(std::move(error));
  }
  if (errors.empty()) return {std::move(config), {}};
  Draft draft;
  if (knows_its_plugins(errors) && !config.state_dir.empty()) draft.config = std::move(config);
  if (draft.config) leave_out_blamed(*draft.config, errors);
  sort_by_place(errors);
  if (errors.size() > max_errors) {
    const auto left_out = errors.size() - max_errors;
    errors.resize(max_errors);
    errors.push_back(
        {core::ErrorKind::invalid, "config_more_errors", fmt::format("{} more errors", left_out), file->name});
  }
  draft.errors = std::move(errors);
  return draft;
}

tl::expected<Config, Errors> parse(std::string_view text, std::string_view name, const fs::path& folder) {
  return whole(parse_draft(text, name, folder));
}

Draft load_draft(const fs::path& file) {
  auto text = core::read_file(file, max_yaml_bytes);
  if (!text) {
    auto error = std::move(text.error());
    error.location.clear();  // the sentence names the file
    return {std::nullopt, {std::move(error)}};
  }
  std::error_code error;
  const auto absolute = fs::absolute(file, error);
  if (error)
    return {std::nullopt, {{core::ErrorKind::unavailable, "config_unreadable", error.message(), file.string()}}};
  return parse_draft(*text, file.string(), absolute.parent_path());
}

tl::expected<Config, Errors> load(const fs::path& file) {
  return whole(load_draft(file));
}

fs::path default_file() {
  return INVITED_CONFIG_FILE;
}

core::Result<void> check_folder(const Config& config, std::string_view pointer, const fs::path& folder) {
  std::error_code error;
  const auto about = fs::status(folder, error);
  if (about.type() == fs::file_type::directory) return {};
  std::string wrong = fmt::format("{} is not a folder", folder.string());
  if (about.type() == fs::file_type::not_found) {
    wrong = fmt::format("there is no folder {}", folder.string());
  } else if (error) {
    wrong = fmt::format("the folder {} cannot be looked at: {}", folder.string(), error.message());
  }
  return core::fail(error_at({config.file->name, config.file->positions}, pointer, "config_no_folder", wrong));
}

Errors apply_schema(Instance& instance, std::string_view plugin_schema) {
  const Origin origin{instance.file->name, instance.file->positions, instance.pointer};
  const auto schema = Schema::parse(plugin_schema);
  if (!schema) {
    auto error = schema.error();
    error.message = fmt::format("plugin \"{}\": {}", instance.plugin, error.message);
    error.location = place(origin.file, origin.positions.find(instance.pointer));
    return {std::move(error)};
  }
  auto completed = instance.config;
  auto errors = schema->validate(completed, origin);
  if (!errors.empty()) return errors;
  schema->fill_defaults(completed, instance.file->state_dir);
  schema->resolve_paths(completed, instance.file->folder);
  instance.config = std::move(completed);
  return errors;
}

std::string line(const core::Error& error) {
  return error.location.empty() ? error.message : fmt::format("{}: {}", error.location, error.message);
}

std::string_view text(Role role) {
  switch (role) {
    case Role::source:
      return "source";
    case Role::transport:
      return "transport";
    case Role::identity:
      return "identity";
  }
  return "";
}

}  // namespace invited::config
