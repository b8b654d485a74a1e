#include <legion/agents/synthetic_source.hpp>

#include <algorithm>
#include <cmath>

namespace legion {

SyntheticSource::SyntheticSource(SyntheticOptions options) : options_(std::move(options)), rng_(options_.seed) {
  if (options_.symbols.empty()) options_.symbols.emplace_back("XBT/USDT");
  prices_.assign(options_.symbols.size(), options_.price);
}

Result<void> SyntheticSource::rewind() {
  rng_ = Rng(options_.seed);
  prices_.assign(options_.symbols.size(), options_.price);
  rows_ = 0;
  return {};
}

std::variant<FeedRow, RowDefect, FeedEnd> SyntheticSource::next() {
  const auto symbol = static_cast<std::size_t>(rng_.below(options_.symbols.size()));
  double& price = prices_[symbol];
  price *= 1.0 + options_.volatility * (2.0 * rng_.uniform() - 1.0);
  price = std::max(0.01, std::round(price * 100.0) / 100.0);
  FeedRow row;
  row.seconds = static_cast<double>(rows_++) / 10.0;
  row.fields.emplace_back("symbol", options_.symbols[symbol]);
  row.fields.emplace_back("price", price);
  row.fields.emplace_back("volume", std::round((0.0001 + rng_.uniform()) * 1e8) / 1e8);
  row.fields.emplace_back("side", std::string(rng_.chance(0.5) ? "buy" : "sell"));
  return row;
}

}  // namespace legion
