// A register of accounts in one file of JSON lines that a person can read and `grep`. Each change appends the whole
// account; the last line of an external id counts. Compacted when it is opened and most of it is history.
//
//   {"external_id":"0190c0de-…","login_email":"a@b.example","name":"A.
//   Example","provider_id":"account-1f3a…","created_at":"2026-11-30T08:00:00Z"}
//
//   Register accounts("/var/lib/invited/directory.jsonl");
//   accounts.read();                     // looks only; Damaged names the line
//   accounts.put(account);               // takes the lock when needed; on disk when it returns
//
// One thread at a time. The lock is held (FILE.lock) from the first change to the end of the object.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

namespace invited::directory {

struct Entry {
  std::string external_id, login_email, name, provider_id;
  std::string created_at, updated_at, password_reset_at;  // UTC, "2026-11-30T08:00:00Z"; the last two may be empty
};

// A line that is no account, other than a last one that was cut off: someone else wrote into the file.
class Damaged : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};
// Somebody else holds the lock, or the disk refuses: nothing has changed.
class Unavailable : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};
// The change may be on disk or not; the next call looks.
class Doubtful : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class Register {
public:
  explicit Register(std::string path) : path_(std::move(path)) {}
  Register(const Register&) = delete;
  Register& operator=(const Register&) = delete;
  ~Register();

  // Reads the file as it is now, without lock and without changing it; a file that is not there is empty. Throws
  // Damaged or Unavailable.
  void read();
  // Takes the lock, reads again, repairs a line that was cut off, compacts. Does nothing when that is done already.
  void open();

  // Null: none. Good until the next change.
  const Entry* find(std::string_view external_id) const;
  // The account that signs in with this address, in any case; null: none.
  const Entry* find_by_email(std::string_view login_email) const;
  std::size_t size() const { return accounts_.size(); }

  // Both open() first. On disk when they return; after an exception the register shows what the disk holds.
  void put(const Entry& entry);
  void remove(const std::string& external_id, std::string_view at);

private:
  void forget() noexcept;
  void load(int fd);
  void take_line(std::string_view line, std::size_t number);
  void set(Entry entry);
  void drop(const std::string& external_id);
  void append(const std::string& line);
  void compact();

  std::string path_;
  std::map<std::string, Entry, std::less<>> accounts_;     // by external id, which is the order of their making
  std::unordered_map<std::string, std::string> by_email_;  // lower case → external id
  int lock_ = -1;
  int file_ = -1;
  std::int64_t good_size_ = 0;  // whole lines
  std::string unended_;         // a last line that lacks nothing but its end
  std::size_t lines_ = 0;
};

}  // namespace invited::directory
