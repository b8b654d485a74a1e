#include <legion/core/middleware_memory.hpp>

#include <algorithm>

namespace legion {

void DuplicateWindow::drop_oldest() {
  known_.erase(oldest_first_.front().identity);
  oldest_first_.pop_front();
}

DuplicateWindow::Seen DuplicateWindow::note(SteadyTime now, std::uint64_t identity, std::uint64_t delivery) {
  while (!oldest_first_.empty() && now - oldest_first_.front().since > age_max_) drop_oldest();
  const auto [known, is_new] = known_.try_emplace(identity, Known{.delivery = delivery});
  if (!is_new) return known->second.delivery == delivery ? Seen::Same : Seen::Duplicate;
  known->second.entry = oldest_first_.insert(oldest_first_.end(), {identity, now});
  while (oldest_first_.size() > events_max_) drop_oldest();
  return Seen::New;
}

void DuplicateWindow::forget(std::uint64_t identity, std::uint64_t delivery) {
  const auto found = known_.find(identity);
  if (found == known_.end() || found->second.delivery != delivery) return;
  oldest_first_.erase(found->second.entry);
  known_.erase(found);
}

TokenBuckets::Bucket& TokenBuckets::find_or_add(SteadyTime now, std::uint64_t number) {
  const auto [place, is_new] = buckets_.try_emplace(number);
  if (!is_new) {
    latest_first_.splice(latest_first_.begin(), latest_first_, place->second);
    return *place->second;
  }
  latest_first_.push_front({number, burst_, now});
  place->second = latest_first_.begin();
  if (buckets_.size() > buckets_max_) {
    buckets_.erase(latest_first_.back().number);
    latest_first_.pop_back();
  }
  return latest_first_.front();
}

TokenBuckets::Token TokenBuckets::take(SteadyTime now, std::uint64_t number) {
  Bucket& bucket = find_or_add(now, number);
  const double seconds = static_cast<double>((now - bucket.at).count()) / 1e9;
  bucket.tokens = std::min(burst_, bucket.tokens + std::max(seconds, 0.0) * rate_);
  bucket.at = std::max(bucket.at, now);
  if (bucket.tokens < 1) return Token::None;
  bucket.tokens -= 1;
  return Token::Taken;
}

void TokenBuckets::give_back(std::uint64_t number) {
  const auto found = buckets_.find(number);
  if (found != buckets_.end()) found->second->tokens = std::min(burst_, found->second->tokens + 1);
}

}  // namespace legion
