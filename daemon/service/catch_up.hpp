// What must be true before anything leaves the house: every source was read once since the start (W11), and nobody
// holds the state (PRODUCT §7 rule 9: a restored or copied state mails nobody before an operator says so).
//
// Scheduler and delivery ask open(); the reasons are shown by `invitectl status`. [core-thread]
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace invited::service {

class SendingGate {
public:
  // The sources that must be read first.
  void expect_sources(const std::vector<std::string>& names);
  // Read, or given up for now; the last one opens the gate.
  void source_settled(const std::string& name);
  // An operator must confirm before anything is sent; the text says why.
  void hold(std::string reason);
  void confirm();
  void on_open(std::function<void()> call) { on_open_ = std::move(call); }

  [[nodiscard]] bool open() const { return held_.empty() && unread_.empty(); }
  [[nodiscard]] const std::string& held() const { return held_; }
  [[nodiscard]] const std::set<std::string>& unread_sources() const { return unread_; }

private:
  void tell() const;
  std::string held_;
  std::set<std::string> unread_;
  std::function<void()> on_open_;
};

}  // namespace invited::service
