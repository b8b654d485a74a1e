// Who may consume under the name of a durable subscription.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <legion/base/error.hpp>
#include <legion/runtime/spool_queries.hpp>

namespace legion {

/// Thread: the loop's. Bounds: `claims_max` names. Kept in memory only: after a restart of the spool whoever holds a
/// name claims it again.
class SpoolClaims {
 public:
  static constexpr std::size_t claims_max = 4096;
  /// The node is dead, has left, or has a later incarnation.
  using IsGone = std::function<bool(const Origin&)>;
  explicit SpoolClaims(IsGone is_gone) : is_gone_(std::move(is_gone)) {}

  /// Errors: Refused naming the holder, WouldBlock.
  Result<void> claim(const ClaimQuery& query);
  /// Nothing happens where somebody else holds it.
  void unclaim(const ClaimQuery& query);
  /// Who has it; nothing: nobody, or somebody who is gone.
  std::optional<Origin> holder(std::string_view subscription) const;
  std::size_t size() const { return holders_.size(); }

 private:
  struct Holder {
    Origin origin;
    BootId boot;
  };
  bool gives_way(const Holder& holder, const ClaimQuery& query) const;

  const IsGone is_gone_;
  std::map<std::string, Holder, std::less<>> holders_;
};

}  // namespace legion
