// Accounts: an answer counts only for the person asked about.
#include "bench.hpp"

using namespace invited;
using namespace invited::test;
using model::ProviderAnswer;
using model::ProviderStatus;

namespace {

void account(const invited_host* host, invited_call* call, std::string_view external_id) {
  invited_account raw{};
  raw.struct_size = sizeof raw;
  raw.created = 1;
  raw.external_id = text(external_id);
  raw.provider_id = text("p-7");
  raw.sign_in_url = text("https://sign.in/");
  static_cast<const invited_identity_host*>(host->role)->account(host, call, &raw);
}

model::AccountRequest request() {
  model::AccountRequest wanted;
  wanted.external_id = "user-1";
  wanted.login_email = "anna@example.com";
  wanted.name = "Anna Berg";
  wanted.given_name = "Anna";
  wanted.family_name = "Berg";
  wanted.locale = "sv";
  wanted.company = "acme";
  wanted.roles = {"reader", "writer"};
  return wanted;
}

}  // namespace

TEST_CASE("an account is asked for with everything and comes back with everything") {
  Bench bench;
  Script script;
  std::vector<std::string> seen;
  script.ensure_account = [&](const invited_host* host, invited_call* call, const invited_account_request* wanted) {
    for (const invited_str part : {wanted->external_id, wanted->login_email, wanted->name, wanted->given_name,
                                   wanted->family_name, wanted->locale, wanted->company})
      seen.emplace_back(plugin::view(part));
    for (std::uint64_t i = 0; i < wanted->role_count; ++i) seen.emplace_back(plugin::view(wanted->roles[i]));
    account(host, call, "user-1");
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "idp", fake::identity);
  plugin::IdentityAdapter identity(instance);
  const ProviderAnswer answer = bench.wait(identity.ensure_account(request()));
  CHECK(seen == std::vector<std::string>{"user-1", "anna@example.com", "Anna Berg", "Anna", "Berg", "sv", "acme",
                                         "reader", "writer"});
  CHECK(answer.status == ProviderStatus::done);
  CHECK(answer.external_id == "user-1");
  CHECK(answer.provider_id == "p-7");
  CHECK(answer.sign_in_url == "https://sign.in/");
  CHECK(answer.found);
  CHECK(instance->misbehaviour() == 0);
}

TEST_CASE("an answer for another person, or none, leaves the outcome in doubt and gives no account") {
  Bench bench;
  Script script;
  std::string answered_id;
  int answers = 1;
  script.ensure_account = [&](const invited_host* host, invited_call* call, const invited_account_request*) {
    for (int i = 0; i < answers; ++i) account(host, call, answered_id);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "idp", fake::identity);
  plugin::IdentityAdapter identity(instance);
  std::string wanted;
  SECTION("another's id") {
    answered_id = "user-2";
    wanted = "the plugin answered for another person";
  }
  SECTION("a prefix of the id") {
    answered_id = "user-";
    wanted = "the plugin answered for another person";
  }
  SECTION("no account") {
    answers = 0;
    wanted = "the plugin said OK without naming the account";
  }
  const ProviderAnswer answer = bench.wait(identity.ensure_account(request()));
  CHECK(answer.status == ProviderStatus::unknown);
  CHECK(answer.provider_id.empty());
  CHECK(answer.sign_in_url.empty());
  CHECK_FALSE(answer.found);
  CHECK(answer.detail == wanted);
  CHECK(instance->misbehaviour() == 1);
}

TEST_CASE("the first account of a call counts") {
  Bench bench;
  Script script;
  script.ensure_account = [&](const invited_host* host, invited_call* call, const invited_account_request*) {
    account(host, call, "user-1");
    account(host, call, "user-2");
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "idp", fake::identity);
  plugin::IdentityAdapter identity(instance);
  CHECK(bench.wait(identity.ensure_account(request())).status == ProviderStatus::done);
  CHECK(instance->misbehaviour() == 1);
}

TEST_CASE("every status has its meaning for an account") {
  Bench bench;
  Script script;
  invited_status status = INVITED_OK;
  script.about = [&](const invited_host* host, invited_call* call, std::string id) {
    const std::string words = "about " + id;
    const invited_error error{sizeof error, status, 90, text(words), text("")};
    host->fail(host, call, &error);
    host->complete(host, call, status);
  };
  const auto instance = bench.make(script, "idp", fake::identity);
  plugin::IdentityAdapter identity(instance);
  const std::pair<invited_status, ProviderStatus> table[] = {
      {INVITED_RETRY, ProviderStatus::retry},      {INVITED_REJECTED, ProviderStatus::rejected},
      {INVITED_UNKNOWN, ProviderStatus::unknown},  {INVITED_CANCELLED, ProviderStatus::retry},
      {INVITED_BAD_CONFIG, ProviderStatus::retry}, {INVITED_UNSUPPORTED, ProviderStatus::rejected},
      {INVITED_INTERNAL, ProviderStatus::unknown}, {4711, ProviderStatus::unknown}};
  for (const auto& [said, meant] : table) {
    status = said;
    const ProviderAnswer answer = bench.wait(identity.remove_connection("user-1"));
    CAPTURE(said);
    CHECK(answer.status == meant);
    CHECK(answer.detail == "about user-1");
    CHECK(answer.retry_after == 90s);
  }
  status = INVITED_OK;
  CHECK(bench.wait(identity.remove_connection("user-1")).status == ProviderStatus::done);
  CHECK(bench.wait(identity.reset_password("user-1")).status == ProviderStatus::done);
  const ProviderAnswer nobody = bench.wait(identity.lookup("user-1"));
  CHECK(nobody.status == ProviderStatus::done);
  CHECK_FALSE(nobody.found);
}

TEST_CASE("what the plugin cannot do is refused without asking it") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script, "idp", fake::bare_identity);
  plugin::IdentityAdapter identity(instance);
  const ProviderAnswer answer = bench.wait(identity.reset_password("user-1"));
  CHECK(answer.status == ProviderStatus::rejected);
  CHECK(answer.detail == "this identity plugin has no reset_password");
  CHECK(bench.wait(identity.remove_connection("user-1")).status == ProviderStatus::rejected);
}

TEST_CASE("a provider that has no lookup is asked for the account again after a doubtful answer") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script, "idp", fake::bare_identity);
  plugin::IdentityAdapter identity(instance);
  const ProviderAnswer answer = bench.wait(identity.lookup("user-1"));
  CHECK(answer.status == ProviderStatus::done);
  CHECK(answer.external_id == "user-1");
  CHECK_FALSE(answer.found);
}

TEST_CASE("an account call that overstays is in doubt; one that never began may be tried again") {
  Bench bench;
  Script script;
  std::atomic<bool> begun{false};
  invited_call* handle = nullptr;
  script.ensure_account = [&](const invited_host*, invited_call* call, const invited_account_request*) {
    handle = call;
    begun = true;
  };
  const auto instance = bench.make(script, "idp", fake::identity);
  plugin::IdentityAdapter identity(instance);
  std::optional<ProviderAnswer> first;
  asio::co_spawn(bench.io, identity.ensure_account(request()),
                 [&](std::exception_ptr, ProviderAnswer a) { first = std::move(a); });
  bench.until([&] { return begun.load(); });
  bench.pass(instance->limits().account);
  bench.pass(instance->limits().grace);
  REQUIRE(first);
  CHECK(first->status == ProviderStatus::unknown);
  CHECK(bench.wait(identity.ensure_account(request())).status == ProviderStatus::retry);
  script.host->complete(script.host, handle, INVITED_OK);
  bench.until([&] { return !instance->stuck(); });
}

TEST_CASE("an account named by what is too long or not UTF-8 is in doubt, never cut or mended") {
  Bench bench;
  Script script;
  invited_account named{sizeof named, 0, text("user-1"), text("p-7"), text("https://sign.in/")};
  const std::string long_id(1001, 'p');
  const std::string long_url(2001, 'u');
  SECTION("external id") {
    named.external_id = text("user-1\xff");
  }
  SECTION("provider's id") {
    named.provider_id = text("p-\xff");
  }
  SECTION("address") {
    named.sign_in_url = text("https://\xff");
  }
  SECTION("a long provider's id") {
    named.provider_id = text(long_id);
  }
  SECTION("a long address") {
    named.sign_in_url = text(long_url);
  }
  script.ensure_account = [&](const invited_host* host, invited_call* call, const invited_account_request*) {
    static_cast<const invited_identity_host*>(host->role)->account(host, call, &named);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "idp", fake::identity);
  plugin::IdentityAdapter identity(instance);
  const ProviderAnswer answer = bench.wait(identity.ensure_account(request()));
  CHECK(answer.status == ProviderStatus::unknown);
  CHECK(answer.provider_id.empty());
  CHECK(answer.sign_in_url.empty());
  CHECK(answer.detail == "the plugin named the account by what is too long or not UTF-8");
  CHECK(instance->misbehaviour() == 1);
}
