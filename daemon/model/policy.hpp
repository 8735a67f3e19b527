// The settings of a company that the rules of PRODUCT §2 and §3 read.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace invited::model {

enum class AutoInvite : std::uint8_t { hires, all, none };
enum class Phase : std::uint8_t { preparation, live };

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
};

// The organisation's own policy, and the companies' by key.
class Policies {
public:
  Policies(Policy organisation, std::map<std::string, Policy> companies)
      : organisation_(std::move(organisation)), companies_(std::move(companies)) {}

  // The company's policy; the organisation's for an empty or unknown key.
  [[nodiscard]] const Policy& of(const std::string& company) const {
    const auto found = companies_.find(company);
    return found == companies_.end() ? organisation_ : found->second;
  }
  [[nodiscard]] bool knows(const std::string& company) const { return company.empty() || companies_.contains(company); }
  [[nodiscard]] const Policy& organisation() const { return organisation_; }
  [[nodiscard]] const std::map<std::string, Policy>& companies() const { return companies_; }

private:
  Policy organisation_;
  std::map<std::string, Policy> companies_;
};

}  // namespace invited::model
