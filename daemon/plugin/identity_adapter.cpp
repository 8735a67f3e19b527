#include <fmt/format.h>
#include <invited/identity.h>

#include <mutex>
#include <utility>

#include "core/encoding.hpp"
#include "plugin/abi_text.hpp"
#include "plugin/adapters.hpp"
#include "plugin/host_table.hpp"

namespace invited::plugin {

using model::ProviderAnswer;
using model::ProviderStatus;

namespace {

constexpr std::size_t longest_id = 1000;
constexpr std::size_t longest_url = 2000;

class AccountCall final : public Call {
public:
  AccountCall(std::string_view operation, core::Milliseconds limit, model::AccountRequest request)
      : Call(operation, limit), request_(std::move(request)) {
    for (const std::string& role : request_.roles) roles_.push_back(borrow(role));
    raw_.struct_size = sizeof raw_;
    raw_.external_id = borrow(request_.external_id);
    raw_.login_email = borrow(request_.login_email);
    raw_.name = borrow(request_.name);
    raw_.given_name = borrow(request_.given_name);
    raw_.family_name = borrow(request_.family_name);
    raw_.locale = borrow(request_.locale);
    raw_.company = borrow(request_.company);
    raw_.roles = roles_.data();
    raw_.role_count = roles_.size();
  }

  [[nodiscard]] const invited_account_request* raw() const { return &raw_; }
  [[nodiscard]] const std::string& external_id() const { return request_.external_id; }

  struct Account {
    std::string external_id, provider_id, sign_in_url;
    bool credible = true;  // false: a field was none; then all are empty
  };

  // False: it was said before.
  bool take(Account account) {
    const std::lock_guard lock(mutex_);
    if (account_) return false;
    account_ = std::move(account);
    return true;
  }
  [[nodiscard]] std::optional<Account> account() const {
    const std::lock_guard lock(mutex_);
    return account_;
  }

private:
  const model::AccountRequest request_;
  std::vector<invited_str> roles_;
  invited_account_request raw_{};
  mutable std::mutex mutex_;
  std::optional<Account> account_;
};

// Cut short or mended it would name another account.
AccountCall::Account account_of(const invited_account& raw) {
  const auto good = [](invited_str text, std::size_t longest) {
    return text.size <= longest && core::is_utf8(view(text));
  };
  if (!good(raw.external_id, longest_id) || !good(raw.provider_id, longest_id) || !good(raw.sign_in_url, longest_url))
    return {{}, {}, {}, false};
  return {std::string(view(raw.external_id)), std::string(view(raw.provider_id)), std::string(view(raw.sign_in_url))};
}

void take_account(const invited_host* host, invited_call* handle, const invited_account* account) {
  wall("account", 0, [&] {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<AccountCall>(handle, "account()");
    if (!call) return 0;
    if (account == nullptr || !INVITED_HAS(account, invited_account, sign_in_url)) {
      instance.misbehaved("account() without a whole account");
      return 0;
    }
    AccountCall::Account taken = account_of(*account);
    if (!taken.credible) instance.misbehaved("account() with a field that is too long or not UTF-8");
    if (!call->take(std::move(taken))) instance.misbehaved("account() twice in one call");
    return 0;
  });
}

ProviderStatus provider_status(const Outcome& outcome) {
  switch (outcome.status) {
    case INVITED_OK:
      return ProviderStatus::done;
    case INVITED_RETRY:
    case INVITED_CANCELLED:
    case INVITED_BAD_CONFIG:
      return ProviderStatus::retry;  // certainly did not happen, and may later
    case INVITED_REJECTED:
    case INVITED_UNSUPPORTED:
      return ProviderStatus::rejected;
    default:
      return ProviderStatus::unknown;
  }
}

ProviderAnswer doubt(ProviderAnswer answer, std::string_view why) {
  answer.status = ProviderStatus::unknown;
  answer.provider_id.clear();
  answer.sign_in_url.clear();
  answer.found = false;
  answer.detail = why;
  return answer;
}

// `needs_account`: an OK without account() is a lie; else it says that there is none.
awaitable<ProviderAnswer> ask(std::shared_ptr<Instance> instance, std::shared_ptr<AccountCall> call,
                              Instance::Operation operation, bool needs_account) {
  const Outcome outcome = co_await instance->run(call, std::move(operation));
  ProviderAnswer answer;
  answer.status = provider_status(outcome);
  answer.external_id = call->external_id();
  answer.retry_after = std::chrono::seconds(outcome.why.retry_after_s);
  answer.detail = outcome.why.message;
  if (outcome.why.field == "login_email" && answer.detail.empty()) answer.detail = "the provider refuses the address";
  if (outcome.status != INVITED_OK) {
    if (answer.detail.empty())
      answer.detail = fmt::format("{} answered {}", call->operation(), status_text(outcome.status));
    co_return answer;
  }
  answer.detail.clear();
  const auto account = call->account();
  if (!account) {
    if (!needs_account) co_return answer;
    instance->misbehaved(call->operation() + " completed with OK without account()");
    co_return doubt(std::move(answer), "the plugin said OK without naming the account");
  }
  if (!account->credible) {
    co_return doubt(std::move(answer), "the plugin named the account by what is too long or not UTF-8");
  }
  if (account->external_id != call->external_id()) {
    instance->misbehaved(call->operation() + " answered for another external id");
    co_return doubt(std::move(answer), "the plugin answered for another person");
  }
  answer.found = true;
  answer.provider_id = account->provider_id;
  answer.sign_in_url = account->sign_in_url;
  co_return answer;
}

ProviderAnswer unsupported(std::string external_id, std::string_view what) {
  ProviderAnswer answer;
  answer.status = ProviderStatus::rejected;
  answer.external_id = std::move(external_id);
  answer.detail = fmt::format("this identity plugin has no {}", what);
  return answer;
}

std::shared_ptr<AccountCall> call_about(const Instance& instance, std::string_view operation, std::string external_id) {
  model::AccountRequest request;
  request.external_id = std::move(external_id);
  return std::make_shared<AccountCall>(operation, instance.limits().account, std::move(request));
}

}  // namespace

const invited_identity_host identity_host_table = {sizeof(invited_identity_host), 0, &take_account};

awaitable<ProviderAnswer> IdentityAdapter::ensure_account(model::AccountRequest request) {
  const auto call = std::make_shared<AccountCall>("ensure_account", instance_->limits().account, std::move(request));
  Instance::Operation operation = [instance = instance_.get(), raw = call->raw()](invited_call* handle) {
    instance->operations<invited_identity>().ensure_account(instance->self(), handle, raw);
  };
  return ask(instance_, call, std::move(operation), true);
}

awaitable<ProviderAnswer> IdentityAdapter::remove_connection(std::string external_id) {
  if ((instance_->plugin().capabilities & INVITED_IDENTITY_REMOVE_CONNECTION) == 0)
    co_return unsupported(std::move(external_id), "remove_connection");
  const auto call = call_about(*instance_, "remove_connection", std::move(external_id));
  Instance::Operation operation = [instance = instance_.get(), raw = call->raw()](invited_call* handle) {
    instance->operations<invited_identity>().remove_connection(instance->self(), handle, raw->external_id);
  };
  co_return co_await ask(instance_, call, std::move(operation), false);
}

awaitable<ProviderAnswer> IdentityAdapter::reset_password(std::string external_id) {
  if ((instance_->plugin().capabilities & INVITED_IDENTITY_RESET_PASSWORD) == 0)
    co_return unsupported(std::move(external_id), "reset_password");
  const auto call = call_about(*instance_, "reset_password", std::move(external_id));
  Instance::Operation operation = [instance = instance_.get(), raw = call->raw()](invited_call* handle) {
    instance->operations<invited_identity>().reset_password(instance->self(), handle, raw->external_id);
  };
  co_return co_await ask(instance_, call, std::move(operation), false);
}

awaitable<ProviderAnswer> IdentityAdapter::lookup(std::string external_id) {
  // It cannot say: the daemon asks for what it wants again, which is harmless by the contract.
  if ((instance_->plugin().capabilities & INVITED_IDENTITY_LOOKUP) == 0)
    co_return ProviderAnswer{.status = ProviderStatus::done, .external_id = std::move(external_id), .found = false};
  const auto call = call_about(*instance_, "lookup", std::move(external_id));
  Instance::Operation operation = [instance = instance_.get(), raw = call->raw()](invited_call* handle) {
    instance->operations<invited_identity>().lookup(instance->self(), handle, raw->external_id);
  };
  co_return co_await ask(instance_, call, std::move(operation), false);
}

}  // namespace invited::plugin
