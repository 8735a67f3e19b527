#include "service/catch_up.hpp"

namespace invited::service {

void SendingGate::expect_sources(const std::vector<std::string>& names) {
  unread_.insert(names.begin(), names.end());
}

void SendingGate::source_settled(const std::string& name) {
  if (unread_.erase(name) == 1) tell();
}

void SendingGate::hold(std::string reason) {
  held_ = std::move(reason);
}

void SendingGate::confirm() {
  held_.clear();
  tell();
}

void SendingGate::tell() const {
  if (open() && on_open_) on_open_();
}

}  // namespace invited::service
