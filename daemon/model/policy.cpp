#include "model/policy.hpp"

#include <set>

#include "model/text.hpp"

namespace invited::model {

namespace {

// A text that two of them share means neither.
std::map<std::string, std::string> by_own_text(const std::map<std::string, std::string>& texts) {
  std::map<std::string, std::string> keys;
  std::set<std::string> shared;
  for (const auto& [key, text] : texts) {
    if (!text.empty() && !keys.emplace(folded(text), key).second) shared.insert(folded(text));
  }
  for (const auto& text : shared) keys.erase(text);
  return keys;
}

}  // namespace

Policies::Policies(Policy organisation, std::map<std::string, Policy> companies, ReviewFlows flows, Templates templates)
    : organisation_(std::move(organisation)),
      companies_(std::move(companies)),
      flows_(std::move(flows)),
      templates_(std::move(templates)) {
  std::map<std::string, std::string> keys;
  std::map<std::string, std::string> names{{"", organisation_.name}};
  for (const auto& [key, policy] : companies_) {
    keys[key] = key;
    names[key] = policy.name;
  }
  keys_by_text_ = by_own_text(keys);
  keys_by_text_.merge(by_own_text(names));  // a key goes before a name
}

std::optional<std::string> Policies::company_meant(const std::string& text) const {
  if (knows(text)) return text;
  const auto found = keys_by_text_.find(folded(text));
  if (found == keys_by_text_.end()) return std::nullopt;
  return found->second;
}

std::string Policies::company_called(const std::string& key) const {
  const auto found = companies_.find(key);
  if (found == companies_.end() || found->second.name.empty()) return key;
  return company_meant(found->second.name) == key ? found->second.name : key;
}

}  // namespace invited::model
