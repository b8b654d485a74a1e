// What an operator wants changed about a durable subscription. docs/protocol.md, "Membership and control".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/core/durable_types.hpp>

namespace legion {

struct SubscriptionChange {
  enum class Action : std::uint8_t { Remove, Reset, Skip } action = Action::Remove;
  std::string name{};
  DurableStart start{};                    ///< of Reset
  std::optional<StreamId> stream{};        ///< of Skip; nothing: every one that stands still
  std::optional<std::uint64_t> through{};  ///< of Skip; nothing: as far as the gap goes
};

/// The params of `subscription`. Errors: BadData, InvalidArgument, both naming the param.
Result<SubscriptionChange> decode_subscription_change(BytesView params);

/// The streams a Skip is about.
std::vector<StreamId> streams_to_skip(const DurableFigures& figures, const SubscriptionChange& change);

}  // namespace legion
