// A well-behaved identity provider in memory: one account per external id, one external id per address.
#include <invited/cpp/roles.hpp>
#include <map>

namespace {

constexpr char kSchema[] = R"({
  "type": "object",
  "description": "Accounts in memory, for tests.",
  "properties": {"sign_in_url": {"type": "string", "default": "https://id.example/sign-in", "description": "A URL."}},
  "additionalProperties": false
})";

class Identity : public invited::BlockingIdentity {
public:
  Identity(invited::Host, const invited::Json& config) : sign_in_url_(config.text("sign_in_url")) {}

  invited::Account ensure_account(const invited::AccountRequest& request) override {
    for (const auto& [id, account] : accounts_) {
      if (account.login_email == request.login_email && id != request.external_id)
        throw invited::Failure(invited::Status::rejected, "the address belongs to another account",
                               INVITED_KEY_LOGIN_EMAIL);
    }
    const auto [it, created] = accounts_.try_emplace(std::string(request.external_id));
    if (created) {
      it->second.external_id = request.external_id;
      it->second.provider_id = "p-" + std::to_string(++made_);
      it->second.login_email = request.login_email;
      it->second.sign_in_url = sign_in_url_;
    }
    invited::Account result = it->second;
    result.created = created;
    return result;
  }

  void remove_connection(std::string_view external_id) override { accounts_.erase(std::string(external_id)); }

  void reset_password(std::string_view external_id) override {
    if (!accounts_.contains(std::string(external_id)))
      throw invited::Failure(invited::Status::rejected, "there is no such account");
  }

  std::optional<invited::Account> lookup(std::string_view external_id) override {
    const auto found = accounts_.find(std::string(external_id));
    if (found == accounts_.end()) return std::nullopt;
    return found->second;
  }

private:
  std::string sign_in_url_;
  std::map<std::string, invited::Account> accounts_;
  int made_ = 0;
};

}  // namespace

INVITED_MODULE(invited::offer<Identity>("good_identity", "1.0.0", kSchema));
