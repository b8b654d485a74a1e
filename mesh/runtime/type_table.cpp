#include <legion/runtime/type_table.hpp>

#include <legion/base/limits.hpp>
#include <legion/event/event_type.hpp>

namespace legion {

namespace {

PublishedType describe(std::string_view name, const PolicyTable& policy, const SchemaGuard* guard) {
  PublishedType entry;
  entry.type = canonical_type(name);
  entry.policy = policy.resolve(entry.type);
  entry.is_heartbeat = original_type(entry.type) == "agent.heartbeat";
  if (guard != nullptr) entry.schema = guard->rule_of(entry.type);
  return entry;
}

}  // namespace

const PublishedType* TypeTable::find_or_add(std::string_view name, PublishedType& scratch) {
  auto& slot = slots_[NameHash{}(name) % slot_count];
  const Named* known = slot.load(std::memory_order_acquire);
  if (known == nullptr || known->name != name) {
    if (!is_wire_type(canonical_type(name))) return nullptr;
    known = look_up_or_add(name);
    if (known == nullptr) {
      scratch = describe(name, policy_, guard_);
      return &scratch;
    }
    slot.store(known, std::memory_order_release);
  }
  return &known->entry;
}

// nullptr: not known, and the table is full.
const TypeTable::Named* TypeTable::look_up_or_add(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  if (all_.size() >= limits::streams_per_origin_max) return nullptr;
  const Named& added = all_.emplace_back(std::string(name), describe(name, policy_, guard_));
  by_name_.emplace(added.name, &added);
  return &added;
}

}  // namespace legion
