// A checked call as an HTTP request.
#pragma once

#include <boost/json/object.hpp>

#include "core/http_client.hpp"
#include "invocation.hpp"

namespace invited::ctl {

// Reads the file (or standard input) of a command that sends one; throws Failure if it cannot.
[[nodiscard]] core::ClientRequest request_for(const Invocation& call);
// For steps that invitectl takes by itself: the command with these values.
[[nodiscard]] core::ClientRequest request_for(const api::Command& command, const boost::json::object& values,
                                              bool dry_run = false);

}  // namespace invited::ctl
