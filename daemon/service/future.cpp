#include "service/future.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <deque>
#include <tuple>

#include "model/civil_time.hpp"
#include "store/invitations.hpp"

namespace invited::service {

namespace {

namespace future = store::future;
using core::Instant;
using core::Milliseconds;
using future::Place;

constexpr std::size_t batch = 64;
constexpr Instant no_time{};

std::int64_t milliseconds(Instant at) {
  return at.time_since_epoch().count();
}

Instant instant_of_due(std::int64_t key, const std::string& zone) {
  return model::instant_of(
      {model::date_of_key(static_cast<std::int32_t>(key / 100)).value(), static_cast<int>(key % 100), zone});
}

Instant instant_of_date(std::int64_t key, const std::string& zone) {
  return model::first_instant_of(model::date_of_key(static_cast<std::int32_t>(key)).value(), zone);
}

// Where the dues of a zone go on: those after an instant, or those at it, too. Hours that a clock change leaves out
// mean the first instant after it, so that several due keys may stand for one instant.
Place due_place(Instant at, const std::string& zone, bool inclusive) {
  std::int64_t key = model::due_key_now(at, zone);
  if (!inclusive || instant_of_due(key, zone) < at) return future::after(key);
  while (key % 100 > 0 && instant_of_due(key - 1, zone) == at) --key;
  return future::from(key);
}

Place date_place(Instant at, const std::string& zone, bool inclusive) {
  const std::int64_t key = model::date_key(model::local_date(at, zone));
  return inclusive && instant_of_date(key, zone) == at ? future::from(key) : future::after(key);
}

class Reader {
public:
  Reader(Stream stream, std::string zone) : stream_(stream), zone_(std::move(zone)) {}

  void begin(const std::optional<Cursor>& behind) {
    behind_ = future::from(0);
    if (!behind) return;
    const auto mine = std::tie(stream_, zone_);
    const auto theirs = std::tie(behind->stream, behind->zone);
    if (mine == theirs) {
      behind_ = behind->place;
      return;
    }
    const bool inclusive = mine > theirs;
    switch (stream_) {
      case Stream::connecting:
      case Stream::under_way:
        dry_ = !(inclusive && behind->at == no_time);
        break;
      case Stream::mails:
      case Stream::ends:
        behind_ = inclusive ? future::from(milliseconds(behind->at)) : future::after(milliseconds(behind->at));
        break;
      case Stream::due:
        behind_ = due_place(behind->at, zone_, inclusive);
        break;
      case Stream::leaving:
        behind_ = date_place(behind->at, zone_, inclusive);
        break;
    }
  }

  // The next row with its instant; nothing at the end.
  [[nodiscard]] const future::Row* peek(store::Db& db) {
    if (rows_.empty() && !dry_) {
      auto read = fetch(db);
      dry_ = read.size() < batch;
      if (!read.empty()) behind_ = read.back().place;
      rows_.assign(read.begin(), read.end());
      if (!rows_.empty()) look();
    }
    return rows_.empty() ? nullptr : &rows_.front();
  }
  [[nodiscard]] Instant at() const { return at_; }

  Ahead take() {
    Ahead next{{at_, stream_, zone_, rows_.front().place}, rows_.front().user};
    rows_.pop_front();
    if (!rows_.empty()) look();
    return next;
  }

private:
  [[nodiscard]] std::vector<future::Row> fetch(store::Db& db) const {
    switch (stream_) {
      case Stream::connecting:
        return future::connecting(db, behind_, batch);
      case Stream::under_way:
        return future::under_way(db, behind_, batch);
      case Stream::mails:
        return future::mails(db, behind_, batch);
      case Stream::ends:
        return future::ends(db, behind_, batch);
      case Stream::due:
        return future::due(db, zone_, behind_, batch);
      case Stream::leaving:
        return future::leaving(db, zone_, behind_, batch);
    }
    return {};
  }

  // Many rows share a due: its instant is computed once.
  void look() {
    const std::int64_t position = rows_.front().place.position;
    if (position == position_) return;
    position_ = position;
    switch (stream_) {
      case Stream::connecting:
      case Stream::under_way:
        at_ = no_time;
        break;
      case Stream::mails:
      case Stream::ends:
        at_ = Instant{Milliseconds{position}};
        break;
      case Stream::due:
        at_ = instant_of_due(position, zone_);
        break;
      case Stream::leaving:
        at_ = instant_of_date(position, zone_);
        break;
    }
  }

  Stream stream_;
  std::string zone_;
  Place behind_;
  std::deque<future::Row> rows_;
  bool dry_ = false;
  std::int64_t position_ = -1;
  Instant at_{};
};

std::vector<Reader> readers(store::Db& db, Which which) {
  std::vector<Reader> all;
  for (const Stream stream : {Stream::connecting, Stream::under_way, Stream::mails, Stream::ends})
    all.emplace_back(stream, "");
  for (std::string& zone : store::invitations::due_zones(db)) all.emplace_back(Stream::due, std::move(zone));
  if (which == Which::everything) {
    for (std::string& zone : future::leaving_zones(db)) all.emplace_back(Stream::leaving, std::move(zone));
  }
  return all;
}

constexpr char between = '~';
constexpr std::int64_t latest_ms = 253'402'300'799'999;  // of the year 9999

template <class Number>
bool read_number(std::string_view text, Number& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string Cursor::text() const {
  return fmt::format("{}~{}~{}~{}~{}~{}", milliseconds(at), static_cast<int>(stream), zone, place.position, place.rank,
                     place.key.text());
}

std::optional<Cursor> Cursor::parse(std::string_view text) {
  std::array<std::string_view, 6> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto end = text.find(between);
    if ((end == std::string_view::npos) != (i + 1 == parts.size())) return std::nullopt;
    parts.at(i) = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  Cursor cursor;
  std::int64_t at = 0;
  int stream = 0;
  const auto key = core::Id::parse(parts[5]);
  if (!read_number(parts[0], at) || !read_number(parts[1], stream) || !read_number(parts[3], cursor.place.position) ||
      !read_number(parts[4], cursor.place.rank) || !key || stream < 0 || stream > static_cast<int>(Stream::leaving) ||
      at < 0 || at > latest_ms)
    return std::nullopt;
  cursor.at = Instant{Milliseconds{at}};
  cursor.stream = static_cast<Stream>(stream);
  cursor.zone = parts[2];
  cursor.place.key = *key;
  return cursor;
}

std::vector<Ahead> ahead(store::Db& db, core::Instant until, const std::optional<Cursor>& behind, std::size_t limit,
                         Which which) {
  auto streams = readers(db, which);
  for (Reader& stream : streams) stream.begin(behind);
  std::vector<Ahead> rows;
  while (rows.size() < limit) {
    Reader* first = nullptr;
    for (Reader& stream : streams) {
      if (stream.peek(db) != nullptr && (first == nullptr || stream.at() < first->at())) first = &stream;
    }
    if (first == nullptr || first->at() > until) break;
    rows.push_back(first->take());
  }
  return rows;
}

}  // namespace invited::service
