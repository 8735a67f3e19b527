// The transport "maildir": every mail becomes a file in a folder and reaches nobody. What a fresh installation does
// until an operator names a mail server; any mail reader that knows Maildir can open the folder.
//
//   outbox/new/0190c0de-….eml     whole mails, as they would leave
//   outbox/tmp/                   mails being written
//
// A file's name is the delivery's id, so a repeat replaces its own file and never makes a second one. A mail holds a
// live link: folders are 0700 and files 0600.
#pragma once

#include <invited/cpp/roles.hpp>

namespace invited::maildir {

class Maildir : public BlockingTransport {
public:
  static constexpr bool idempotent = true;

  // Looks at nothing on disk: the folder is made when the first mail comes.
  Maildir(Host host, const Json& config);
  // A repeat is harmless, so several mails may be out at the same time.
  std::uint32_t window() override { return 16; }
  // ok when file and folder are on disk. Trouble with the folder (full disk, permissions) is retry with
  // Scope::transport: no mail is to blame.
  Verdict send(const Message& message) override;
  // Writes, syncs and removes a file of its own.
  void probe(Probe& steps) override;

private:
  Host host_;
  std::string path_;
};

// The file's name for a delivery: its id where that is a plain word, else an escaped form that no other id has.
std::string file_name(std::string_view id);

}  // namespace invited::maildir
