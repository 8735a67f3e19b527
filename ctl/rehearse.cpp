#include "rehearse.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

#include "core/clock.hpp"
#include "failure.hpp"
#include "progress.hpp"
#include "request.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

// "acts.ndjson", "mails/000001.eml": nothing that leads out of the folder.
bool plain(std::string_view name) {
  bool begins = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (begins ? !letter : !letter && c != '.' && c != '_' && c != '-' && c != '/') return false;
    begins = c == '/';
  }
  return !begins;
}

class Folder {
public:
  explicit Folder(fs::path root) : root_(std::move(root)) {
    std::error_code error;
    if (fs::exists(root_, error) && (!fs::is_directory(root_, error) || !fs::is_empty(root_, error))) {
      throw Failure(exit_usage, "folder_not_empty", root_.string() + " is not an empty folder",
                    "Give one that does not exist yet");
    }
  }

  void add(const std::string& name, std::string_view bytes) {
    if (!plain(name)) throw Failure(exit_failed, "bad_answer", "The daemon names a file as no file is named");
    if (name != name_) {
      out_.close();
      std::error_code error;
      fs::create_directories((root_ / name).parent_path(), error);
      name_ = name;
      out_.clear();
      out_.open(root_ / name, std::ios::binary | std::ios::app);
    }
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out_.flush();
    if (!out_) {
      throw Failure(
          exit_failed, "not_written",
          fmt::format("{} cannot be written: {}", (root_ / name).string(), std::generic_category().message(errno)));
    }
    if (name == "summary.txt") text_ += bytes;
    if (name == "summary.json") json_ += bytes;
  }

  [[nodiscard]] const fs::path& root() const { return root_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::string& summary() const { return json_; }

private:
  fs::path root_;
  std::string name_;
  std::ofstream out_;
  std::string text_;
  std::string json_;
};

}  // namespace

int run_rehearsal(Session& session, const Output& output, const Invocation& call) {
  Folder folder(call.text("out"));
  core::SystemClock clock;
  std::optional<std::string> end;  // the detail; empty: as it should
  {
    Progress progress(output, clock, "Rehearsing");
    session.follow(*call.command, request_for(call), [&](std::string_view line) {
      boost::system::error_code error;
      const auto event = json::parse({line.data(), line.size()}, error);
      if (error) throw Failure(exit_failed, "bad_answer", "The daemon's event is not JSON");
      const std::string kind = text_of(event, "event");
      if (kind == "progress") progress.update(number_of(event, "done"), number_of(event, "total"), 0);
      if (kind == "file") {
        const auto* text = member(event, "text");
        if (text != nullptr && text->is_string()) folder.add(text_of(event, "name"), text->get_string());
      }
      if (kind == "done") end = text_of(event, "state") == "done" ? std::string() : text_of(event, "detail");
      return true;
    });
  }
  if (!end) {
    throw Failure(exit_unreachable, "stream_ended", "The rehearsal broke off: its files are not whole",
                  "Look: systemctl status invited");
  }
  if (!end->empty()) throw Failure(exit_failed, "rehearsal_failed", *end);
  if (output.people()) {
    fmt::print("{}", folder.text());
    const std::string root = folder.root().string();
    const std::string mails = call.flag("no_mails") ? "" : fmt::format("   every mail: {}/mails/", root);
    output.remark(fmt::format("\nEvery act: {}/acts.ndjson{}", root, mails));
  } else {
    output.document(folder.summary());
  }
  return exit_done;
}

}  // namespace invited::ctl
