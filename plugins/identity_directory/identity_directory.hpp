// The identity "directory": a small account register in a file of its own, for a daemon that has no identity provider
// yet. It does what a provider does as far as `invited` can see: one account per external id, found again on a repeat,
// an address that belongs to one account only, a password reset that is written down.
#pragma once

#include <invited/cpp/roles.hpp>

#include "register.hpp"

namespace invited::directory {

class Directory : public BlockingIdentity {
public:
  // Reads the register without changing or locking it, so that a configuration can be checked beside a running daemon.
  // Failure(bad_config) with file and line when it is damaged.
  Directory(Host host, const Json& config);

  Account ensure_account(const AccountRequest& request) override;
  void remove_connection(std::string_view external_id) override;
  void reset_password(std::string_view external_id) override;
  std::optional<Account> lookup(std::string_view external_id) override;

private:
  Account account(const Entry& entry, bool created) const;
  std::string now() const;

  Host host_;
  Register register_;
  std::string sign_in_url_;
};

// "2026-11-30T08:00:00Z"
std::string utc_text(std::int64_t ms_since_1970);

}  // namespace invited::directory
