// Answers as a person woken at night likes to read them: what is, since when, and what to type next.
#pragma once

#include <boost/json/value.hpp>
#include <span>
#include <string>

#include "output.hpp"

namespace invited::ctl {

// One document of any command in the table form.
void describe(const Output& output, const Invocation& call, const boost::json::value& document, const Moments& moments);

// "the mail goes out" for a plan item's action.
[[nodiscard]] std::string spoken_action(std::string_view action);

// plan show: by day, then by hour, in each item's own zone. Pages may follow each other.
class PlanWriter {
public:
  PlanWriter(const Output& output, Moments moments) : output_(output), moments_(moments) {}
  void items(std::span<const boost::json::value> items);

private:
  const Output& output_;
  Moments moments_;
  std::string day_;
};

}  // namespace invited::ctl
