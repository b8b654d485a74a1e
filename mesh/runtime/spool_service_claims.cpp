#include <legion/runtime/spool_service_claims.hpp>

namespace legion {

bool SpoolClaims::gives_way(const Holder& holder, const ClaimQuery& query) const {
  if (holder.origin == query.holder) return holder.boot == query.boot;
  if (holder.origin.node == query.holder.node) return holder.origin.incarnation < query.holder.incarnation;
  return is_gone_(holder.origin);
}

Result<void> SpoolClaims::claim(const ClaimQuery& query) {
  const auto found = holders_.find(query.subscription);
  if (found != holders_.end()) {
    if (!gives_way(found->second, query)) {
      return fail(ErrorCode::Refused, "the durable subscription " + query.subscription + " is in use by node " +
                                          found->second.origin.node + ", incarnation " +
                                          std::to_string(found->second.origin.incarnation));
    }
    found->second = {query.holder, query.boot};
    return {};
  }
  if (holders_.size() >= claims_max) {
    std::erase_if(holders_, [&](const auto& entry) { return is_gone_(entry.second.origin); });
  }
  if (holders_.size() >= claims_max) return fail(ErrorCode::WouldBlock, "too many durable subscriptions are claimed");
  holders_[query.subscription] = {query.holder, query.boot};
  return {};
}

void SpoolClaims::unclaim(const ClaimQuery& query) {
  const auto found = holders_.find(query.subscription);
  if (found == holders_.end()) return;
  if (found->second.origin == query.holder && found->second.boot == query.boot) holders_.erase(found);
}

std::optional<Origin> SpoolClaims::holder(std::string_view subscription) const {
  const auto found = holders_.find(subscription);
  if (found == holders_.end() || is_gone_(found->second.origin)) return std::nullopt;
  return found->second.origin;
}

}  // namespace legion
