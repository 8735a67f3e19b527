#include "app/rehearse.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <csignal>
#include <fstream>
#include <stdexcept>

#include "app/mail_writer.hpp"
#include "app/templates.hpp"
#include "core/log.hpp"
#include "model/civil_time.hpp"
#include "store/database.hpp"

namespace invited::app {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using core::ErrorKind;
using core::Instant;
using core::Milliseconds;

constexpr int longest_years = 10;
constexpr std::size_t most_outages = 100;
constexpr int lower_priority = 10;

// "45m", "3h", "2d"
std::optional<Milliseconds> length_of(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  int count = 0;
  const auto digits = text.substr(0, text.size() - 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error != std::errc{} || end != digits.data() + digits.size() || count <= 0 || count > 100'000)
    return std::nullopt;
  switch (text.back()) {
    case 'm':
      return std::chrono::minutes{count};
    case 'h':
      return std::chrono::hours{count};
    case 'd':
      return std::chrono::days{count};
    default:
      return std::nullopt;
  }
}

// "2026-10-25T08:00" in a zone.
std::optional<Instant> local_instant(std::string_view text, const std::string& zone) {
  if (text.size() != 16 || text[10] != 'T' || text[13] != ':') return std::nullopt;
  const auto date = model::parse_date(text.substr(0, 10));
  const auto two_digits = [&](std::size_t at) {
    const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : 100; };
    return digit(at) * 10 + digit(at + 1);
  };
  const int hour = two_digits(11);
  const int minute = two_digits(14);
  if (!date || hour > 23 || minute > 59) return std::nullopt;
  return model::instant_of({*date, hour, zone}) + std::chrono::minutes{minute};
}

core::Result<rehearsal::Outage> outage_of(const std::string& text, const std::string& zone) {
  const auto at = text.find('@');
  const auto length = length_of(std::string_view(text).substr(0, at));
  const auto from = at == std::string::npos ? std::nullopt : local_instant(std::string_view(text).substr(at + 1), zone);
  if (!length || !from)
    return core::fail(ErrorKind::invalid, "bad_outage",
                      fmt::format("\"{}\" is not an outage: give its length and when it begins, such as "
                                  "3h@2026-10-25T08:00.",
                                  text),
                      "/transport_down");
  return rehearsal::Outage{*from, *from + *length};
}

class Folder final : public rehearsal::Output {
public:
  explicit Folder(fs::path root) : root_(std::move(root)) {}

  void write(const std::string& name, std::string_view bytes) override {
    const fs::path path = root_ / name;
    if (path.has_parent_path() && path.parent_path() != made_) {
      fs::create_directories(path.parent_path());
      made_ = path.parent_path();
    }
    std::ofstream out(path, std::ios::binary | std::ios::app);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) throw std::runtime_error(path.string() + " cannot be written");
  }
  void progress(std::int64_t, std::int64_t) override {}

private:
  fs::path root_;
  fs::path made_;
};

class Events final : public rehearsal::Output {
public:
  void write(const std::string& name, std::string_view bytes) override {
    tell({{"event", "file"}, {"name", name}, {"text", bytes}});
  }
  void progress(std::int64_t days, std::int64_t of) override {
    tell({{"event", "progress"}, {"done", days}, {"total", of}});
  }
  static void tell(const json::object& event) {
    const std::string line = json::serialize(event) + "\n";
    std::string_view left = line;
    while (!left.empty()) {
      const auto written = ::write(STDOUT_FILENO, left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw std::runtime_error("nobody reads the events any more");
      left.remove_prefix(static_cast<std::size_t>(written));
    }
  }
};

core::Result<void> play(const config::Config& config, const fs::path& database, const rehearsal::Settings& settings,
                        rehearsal::Output& output) {
  auto templates = load_templates(config);
  if (!templates) return core::fail(templates.error());
  auto db = store::Db::open(database.string());
  if (!db) return core::fail(db.error());
  TemplateMailWriter writer(config.mail, *templates);
  return rehearsal::rehearse(**db, std::make_shared<const model::Policies>(config.policies), writer, settings, output);
}

core::Result<void> play_into_folder(const config::Config& config, const fs::path& database,
                                    const rehearsal::Settings& settings, const fs::path& out) {
  std::error_code error;
  fs::create_directories(out, error);
  if (error || !fs::is_empty(out, error) || error)
    return core::fail(ErrorKind::invalid, "folder_not_empty",
                      error ? fmt::format("The folder cannot be used: {}.", error.message())
                            : std::string("The folder is not empty: give one that does not exist yet."),
                      out.string());
  Folder folder(out);
  return play(config, database, settings, folder);
}

}  // namespace

core::Result<rehearsal::Settings> rehearsal_settings(const control::RehearsalRequest& request,
                                                     const config::Config& config) {
  const std::string& zone = config.policies.organisation().zone;
  rehearsal::Settings settings;
  const auto from = model::parse_date(request.from);
  const auto to = model::parse_date(request.to);
  if (!from || !to || model::days_between(*from, *to) < 0 || model::days_between(*from, *to) > longest_years * 366)
    return core::fail(ErrorKind::invalid, "bad_range",
                      fmt::format("From \"{}\" to \"{}\" is not a range of days: give two days such as 2026-10-20 and "
                                  "2026-11-05, at most {} years apart.",
                                  request.from, request.to, longest_years));
  settings.from = model::first_instant_of(*from, zone);
  settings.to = model::first_instant_of(model::add_days(*to, 1), zone);
  if (request.transport_down.size() > most_outages)
    return core::fail(ErrorKind::invalid, "bad_outage", fmt::format("At most {} outages are played.", most_outages));
  for (const std::string& text : request.transport_down) {
    const auto outage = outage_of(text, zone);
    if (!outage) return core::fail(outage.error());
    settings.transport_down.push_back(*outage);
  }
  if (!request.confirm_after.empty()) {
    settings.confirm_after = length_of(request.confirm_after);
    if (!settings.confirm_after)
      return core::fail(ErrorKind::invalid, "bad_length",
                        fmt::format("\"{}\" is not a length: give 45m, 3h or 2d.", request.confirm_after),
                        "/confirm_after");
  }
  settings.seed = static_cast<std::uint64_t>(request.seed);
  settings.write_mails = request.mails;
  settings.base_url = config.web.base_url;
  settings.message_id_domain = message_id_domain(config);
  settings.max_attempts = config.mail.max_attempts;
  settings.brakes = config.brakes;
  settings.cooldown = std::chrono::minutes{config.limits.cooldown_minutes};
  return settings;
}

int rehearse(const config::Config& config, const fs::path& database, const control::RehearsalRequest& request,
             const std::string& out) {
  ::umask(0077);
  // Its warnings are about what is only played.
  core::log::set_level(core::log::Level::error);
  const auto settings = rehearsal_settings(request, config);
  if (out != "-") {
    const auto done = settings ? play_into_folder(config, database, *settings, out) : core::fail(settings.error());
    if (done) return EX_OK;
    fmt::print(stderr, "invited: {}{}{}\n", done.error().location, done.error().location.empty() ? "" : ": ",
               done.error().message);
    return done.error().kind == ErrorKind::invalid ? EX_USAGE : EX_SOFTWARE;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)!::nice(lower_priority);
  Events events;
  const auto done = settings ? play(config, database, *settings, events) : core::fail(settings.error());
  try {
    Events::tell({{"event", "done"},
                  {"state", done ? "done" : "failed"},
                  {"detail", done ? std::string() : done.error().message}});
  } catch (const std::runtime_error&) {
    return EX_IOERR;
  }
  return EX_OK;
}

}  // namespace invited::app
