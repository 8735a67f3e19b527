// Every event that an operator can search for: stable id, and the id of its entry in the journal's catalogue
// (systemd/invited.catalog), which says what it means and what to do: `journalctl -x`, `journalctl MESSAGE_ID=…`.
// Ids are never changed or used again. tests/checks/catalogue.py compares the two files.
//
//   log::info(events::delivery_accepted, "The next server took the mail", {{"user", id}});
#pragma once

#include "core/log.hpp"

namespace invited::core::events {

using log::Event;

// The daemon.
inline constexpr Event daemon_started{"daemon.started", "d26aa3edf16e48dd0739db2f6940e56f"};
inline constexpr Event daemon_stopped{"daemon.stopped", "e5f000533a2480caf9d17989231f4474"};
inline constexpr Event config_refused{"config.refused", "fe24b1247c8ee911ffd04a5f77b665fe"};
inline constexpr Event config_reloaded{"config.reloaded", "a7b31aa42593f8fcc04c136314af8b35"};
inline constexpr Event store_refused{"store.refused", "08434bf76dcae243c4b98695ce899cdb"};
inline constexpr Event state_copied{"state.copied", "eb110c07c06e40502c1a1aa97c8deb75"};

// Where people come from.
inline constexpr Event source_fetched{"source.fetched", "49aa7c850eed1e70c32286158ab0ecc7"};
inline constexpr Event source_failed{"source.failed", "1d409e04526aea10f52238a2a652a5c3"};
inline constexpr Event row_refused{"source.row_refused", "1b34e88c83b4fc1b4837ecaccf095429"};

// Invitations.
inline constexpr Event batch_held{"batch.held", "36aa6941e7824b799197a7c14f432d1d"};
inline constexpr Event link_expired{"link.expired", "95841e886a6ad3c180d0a02fb2113346"};

// Mail.
inline constexpr Event delivery_accepted{"delivery.accepted", "c7c0783f00073c409a9eb7beae2df5d5"};
inline constexpr Event delivery_rejected{"delivery.rejected", "4e922460c1b3adb7ef76a5aae8fbaa7c"};
inline constexpr Event delivery_uncertain{"delivery.uncertain", "ba105b96c61ad63db96761e8695c6148"};
inline constexpr Event delivery_given_up{"delivery.given_up", "e1c65a6f95dea11f40576a0487e63d9d"};
inline constexpr Event transport_paused{"transport.paused", "085a698317122a8e91d048574645bf57"};
inline constexpr Event transport_resumed{"transport.resumed", "df842af93c093e0278c73023614d6984"};

// Accounts.
inline constexpr Event account_connected{"account.connected", "fb7e0c9057182245f1f4fbbdd95142aa"};
inline constexpr Event account_failed{"account.failed", "a29aee1e832627cf1cb06655eb0ff872"};
inline constexpr Event account_removed{"account.removed", "9e63d79208795a74b2e9b10f98b19bd7"};
inline constexpr Event password_reset{"user.password_reset", "de0b76f378f94b71bdf271955c7967f2"};
inline constexpr Event domain_changed{"domain.changed", "2f4228dc42d875f899ec208479d07811"};
inline constexpr Event domain_record_gone{"domain.record_gone", "4e114d8c512d215dc0bb60b7ace21458"};
inline constexpr Event domain_lapsed{"domain.lapsed", "94346d5c0b288d5a2ce3fc0e0d779daf"};
inline constexpr Event dns_silent{"dns.silent", "30c5acf793f5dd18bd909cf76593b5d7"};
inline constexpr Event leaver_disabled{"leaver.disabled", "25f0a3be14e6b76894d7272567e5414c"};

// Plugins, control, the rest.
inline constexpr Event plugin_loaded{"plugin.loaded", "6c991349ddd5d6e65309617e2544f8a0"};
inline constexpr Event plugin_refused{"plugin.refused", "bd495e8473e6ff820c84776842aaeb22"};
inline constexpr Event plugin_misbehaved{"plugin.misbehaved", "8b95cdeb810d397f4d51b00d4389bbec"};
inline constexpr Event plugin_stuck{"plugin.stuck", "763c6b6ae8c72e5924ceaacad97ad72d"};
inline constexpr Event control_denied{"control.denied", "8b437e7027b470af6bc25ee5fc7fbb72"};
inline constexpr Event web_refused{"web.refused", "bd71344e26d280b437f4764bec8b5708"};
inline constexpr Event internal_error{"internal.error", "74afa3d31f289f3310fc661c30f90f61"};

}  // namespace invited::core::events
