// A DNS whose zone is a map, for the services: names that are not in it do not exist, and it can be silent.
//
//   ScriptedDns dns;   dns.records["_invited-challenge.example.com"] = {"v=spf1 -all"};   dns.trouble = "No answer.";
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/ports.hpp"

namespace invited::test {

class ScriptedDns final : public model::Dns {
public:
  std::map<std::string, std::vector<std::string>> records;
  std::string trouble;                // not empty: no word
  std::vector<std::string> asked;     // names, in order
  std::function<void()> while_asked;  // something happens while the daemon waits for the answer

  model::awaitable<core::Result<std::vector<std::string>>> txt(std::string name) override {
    asked.push_back(name);
    if (while_asked) while_asked();
    if (!trouble.empty()) co_return core::fail(core::ErrorKind::unavailable, "dns_unavailable", trouble);
    const auto found = records.find(name);
    co_return found == records.end() ? std::vector<std::string>{} : found->second;
  }
};

}  // namespace invited::test
