// Deciding about a batch that a brake holds: show it, confirm its count, let it go or discard it, watch.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "output.hpp"
#include "session.hpp"

namespace invited::ctl {

[[nodiscard]] int run_batch(Session& session, const Output& output, const Invocation& call);

// "34 mails, 2 withdrawals" of an object with such counts.
[[nodiscard]] std::string spoken_batch_counts(const boost::json::value& counts);

}  // namespace invited::ctl
