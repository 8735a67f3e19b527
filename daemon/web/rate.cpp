#include "web/rate.hpp"

#include <algorithm>

namespace invited::web {

bool Rate::take(const std::string& key, core::Milliseconds now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (by_key_.size() >= most_keys_) {
      by_key_.erase(buckets_.back().key);
      buckets_.pop_back();
    }
    buckets_.push_front({key, burst_ - 1, now});
    by_key_[key] = buckets_.begin();
    return true;
  }
  buckets_.splice(buckets_.begin(), buckets_, found->second);
  Bucket& bucket = buckets_.front();
  const double refill = burst_ * static_cast<double>((now - bucket.at).count()) / static_cast<double>(period_.count());
  bucket.left = std::min(burst_, bucket.left + std::max(0.0, refill));
  bucket.at = now;
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

}  // namespace invited::web
