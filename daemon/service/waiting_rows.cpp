#include "service/waiting_rows.hpp"

#include <unordered_map>
#include <unordered_set>

namespace invited::service {

namespace {

class Order {
public:
  explicit Order(const std::vector<WaitingRow>& rows) : rows_(rows), placed_(rows.size(), false) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].user) row_of_[*rows[i].user] = i;
      waits_for_[rows[i].owner].push_back(i);
    }
  }

  std::vector<Turn> all() {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!before(i)) place({{i}, false});
    }
    // What is left waits in a ring, or for somebody in one.
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!placed_[i]) place_ring(i);
    }
    return std::move(turns_);
  }

private:
  // The waiting row of whom this one waits for.
  [[nodiscard]] std::optional<std::size_t> before(std::size_t i) const {
    const auto found = row_of_.find(rows_[i].owner);
    if (found == row_of_.end()) return std::nullopt;
    return found->second;
  }

  void place_ring(std::size_t from) {
    // The first one passed twice is inside the ring, wherever one began.
    std::unordered_set<std::size_t> passed;
    std::size_t i = from;
    while (passed.insert(i).second) i = before(i).value();
    std::vector<std::size_t> ring;
    const std::size_t first = i;
    do {
      ring.push_back(i);
      i = before(i).value();
    } while (i != first);
    if (ring.size() <= longest_ring) return place({std::move(ring), true});
    for (const std::size_t row : ring) {
      if (!placed_[row]) place({{row}, false});
    }
  }

  // And everybody who waits for those.
  void place(Turn turn) {
    for (const std::size_t row : turn.rows) placed_[row] = true;
    turns_.push_back(std::move(turn));
    for (std::size_t next = turns_.size() - 1; next < turns_.size(); ++next) {
      const std::vector<std::size_t> done = turns_[next].rows;
      for (const std::size_t row : done) {
        if (!rows_[row].user) continue;
        const auto found = waits_for_.find(*rows_[row].user);
        if (found == waits_for_.end()) continue;
        for (const std::size_t waiter : found->second) {
          if (placed_[waiter]) continue;
          placed_[waiter] = true;
          turns_.push_back({{waiter}, false});
        }
      }
    }
  }

  const std::vector<WaitingRow>& rows_;
  std::unordered_map<core::Id, std::size_t> row_of_;
  std::unordered_map<core::Id, std::vector<std::size_t>> waits_for_;
  std::vector<bool> placed_;
  std::vector<Turn> turns_;
};

}  // namespace

std::vector<Turn> turns_of(const std::vector<WaitingRow>& rows) {
  return Order(rows).all();
}

}  // namespace invited::service
