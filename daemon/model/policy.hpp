// The settings of a company that the rules of PRODUCT §2 and §3 read.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/civil_time.hpp"
#include "model/review_flow.hpp"
#include "model/templates.hpp"

namespace invited::model {

enum class AutoInvite : std::uint8_t { hires, all, none };
enum class Phase : std::uint8_t { preparation, live };

// How a connected person signs in, where the company says so itself.
struct SignIn {
  std::string url;      // empty: the address that the provider gave for the account
  std::string help_sv;  // one paragraph for the person; empty: none
  std::string help_en;
  bool ready_mail = false;  // a mail to those whom a verified domain connects ("your sign-in is ready")

  [[nodiscard]] const std::string& address(const std::string& of_provider) const {
    return url.empty() ? of_provider : url;
  }
  [[nodiscard]] const std::string& help(std::string_view locale) const { return locale == "sv" ? help_sv : help_en; }
};

struct Policy {
  std::string company;  // key; empty: the organisation itself
  std::string name;     // as people read it
  std::string zone = "Europe/Stockholm";
  std::string locale = "sv";
  int send_hour = 9;
  int lead_days = 1;
  int valid_days = 5;
  int leaver_days = 5;
  AutoInvite auto_invite = AutoInvite::hires;
  Phase phase = Phase::live;
  std::vector<std::string> allowed_domains;  // rules as in domain_covers(); empty: all
  // The working calendar: what `plan risk` measures links by. It moves no mail.
  std::array<bool, 7> working_days{true, true, true, true, true, false, false};  // Monday first
  std::vector<CivilDate> holidays;
  SignIn sign_in{};
  int mails_per_minute = 0;  // of what goes out by itself or in bulk; 0: as fast as the transport takes them
};

// What the configuration says about people: the organisation's own policy and the companies' by key, the review flows
// and the templates.
class Policies {
public:
  Policies(Policy organisation, std::map<std::string, Policy> companies, ReviewFlows flows = ReviewFlows(),
           Templates templates = {});

  // The company's policy; the organisation's for an empty or unknown key.
  [[nodiscard]] const Policy& of(const std::string& company) const {
    const auto found = companies_.find(company);
    return found == companies_.end() ? organisation_ : found->second;
  }
  [[nodiscard]] bool knows(const std::string& company) const { return company.empty() || companies_.contains(company); }
  // The key of the company that a text means: its key or its name, without regard to case, as long as only one is
  // called so. Nothing and the organisation's own name mean the organisation itself: an empty key.
  [[nodiscard]] std::optional<std::string> company_meant(const std::string& text) const;
  // What people call a company, if company_meant() finds it again by that; else its key.
  [[nodiscard]] std::string company_called(const std::string& key) const;
  [[nodiscard]] const Policy& organisation() const { return organisation_; }
  [[nodiscard]] const std::map<std::string, Policy>& companies() const { return companies_; }
  [[nodiscard]] const ReviewFlows& flows() const { return flows_; }
  [[nodiscard]] const Templates& templates() const { return templates_; }

private:
  Policy organisation_;
  std::map<std::string, Policy> companies_;
  ReviewFlows flows_;
  Templates templates_;
  std::map<std::string, std::string> keys_by_text_;  // folded key or name → key
};

}  // namespace invited::model
