#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <legion/agents/feed_source.hpp>
#include <legion/base/rng.hpp>

namespace legion {

struct SyntheticOptions {
  std::uint64_t seed = 1;
  std::vector<std::string> symbols = {"XBT/USDT"};
  double price = 100.0;       ///< at the start
  double volatility = 0.001;  ///< largest relative step of one event
};

/// A random walk of prices: symbol, price, volume and side, endless, the same for the same seed. At its recorded speed
/// it gives ten rows a second.
class SyntheticSource final : public FeedSource {
 public:
  explicit SyntheticSource(SyntheticOptions options);

  Result<void> rewind() override;
  std::variant<FeedRow, RowDefect, FeedEnd> next() override;

 private:
  SyntheticOptions options_;
  Rng rng_;
  std::vector<double> prices_;  // one for each symbol
  std::uint64_t rows_ = 0;
};

}  // namespace legion
