// The keys that links are made with: from credentials where the configuration names them, else one of the daemon's own
// in the state folder.
//
// A key that lies beside the database protects nobody who can copy both: docs/guide/first-day.md says how to give it as
// a credential.
#pragma once

#include <filesystem>
#include <vector>

#include "config/config.hpp"
#include "core/random.hpp"
#include "core/result.hpp"
#include "core/token.hpp"
#include "plugin/secrets.hpp"

namespace invited::app {

// Blocks on the disk; makes state_dir/link.key (0600) at the first start without configured keys. What is wrong with a
// credential is `invalid`, with its place in the configuration; `unavailable` if the disk fails.
[[nodiscard]] core::Result<std::vector<core::TokenKey>> load_link_keys(const config::Config& config,
                                                                       const plugin::Secrets& secrets,
                                                                       core::Random& random);

}  // namespace invited::app
