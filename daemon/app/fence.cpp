#include "app/fence.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>

#include "core/encoding.hpp"
#include "core/file.hpp"
#include "store/meta.hpp"

namespace invited::app {

namespace {

namespace meta = store::meta;

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string Fence::inode() const {
  struct stat info{};
  if (::stat(database_.c_str(), &info) != 0) return {};
  return std::to_string(info.st_ino);
}

std::string Fence::changed_at() const {
  struct stat info{};
  if (::stat(file_.c_str(), &info) != 0) return {};
  return fmt::format("{}.{:09}", info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
}

void Fence::note_file(store::Db& db) const {
  meta::put(db, "fence_file", fmt::format("{} {}", meta::get(db, "fence_count").value_or("0"), changed_at()));
}

core::Result<void> Fence::write_file(store::Db& db) const {
  return core::write_file_atomically(
      file_, fmt::format("{} {}\n", meta::get(db, "instance").value_or(""), meta::get(db, "fence_count").value_or("0")),
      0600);
}

core::Result<std::string> Fence::check(store::Db& db, core::Random& random) {
  const auto text = core::read_file(file_, 4'096);
  if (!text && text.error().kind != core::ErrorKind::not_found) return core::fail(text.error());
  std::string held;
  if (db.created()) {
    std::array<std::byte, 16> instance{};
    random.fill(instance);
    meta::put(db, "instance", core::to_hex(instance));
    meta::put(db, "inode", inode());
    if (text) held = "The database is new, but the state folder has run before: the database was lost or removed.";
  } else {
    const std::string instance = meta::get(db, "instance").value_or("");
    const std::int64_t count = number(meta::get(db, "fence_count").value_or("0"));
    held = meta::get(db, "held").value_or("");
    if (meta::get(db, "inode").value_or("") != inode()) {
      held = "The state folder was copied or restored (the database is another file than the one last used).";
    } else if (!text) {
      held = "The file \"fence\" is missing beside the database: the state folder was restored or tidied by hand.";
    } else if (const auto space = text->find(' ');
               text->substr(0, space) != instance || number(text->substr(space + 1)) > count) {
      held = "The database is older than the last run: a backup was restored over it.";
    } else if (const auto noted = meta::get(db, "fence_file").value_or("");
               noted.starts_with(fmt::format("{} ", count)) && noted != fmt::format("{} {}", count, changed_at())) {
      held = "The file \"fence\" was changed since the daemon wrote it: the state folder was restored over itself.";
    }
  }
  meta::put(db, "held", held);
  // The counter in the file is not moved while held: every start says so again until someone confirms.
  if (held.empty()) {
    count_up(db);
    if (auto written = write_file(db); !written) return core::fail(written.error());
    note_file(db);
  }
  return held;
}

void Fence::confirm(store::Db& db) const {
  meta::put(db, "held", "");
  meta::put(db, "inode", inode());
  count_up(db);
}

void Fence::count_up(store::Db& db) const {
  const auto text = core::read_file(file_, 4'096);
  const std::int64_t in_file = text ? number(text->substr(text->find(' ') + 1)) : 0;
  const std::int64_t next = std::max(number(meta::get(db, "fence_count").value_or("0")), in_file) + 1;
  meta::put(db, "fence_count", std::to_string(next));
}

}  // namespace invited::app
