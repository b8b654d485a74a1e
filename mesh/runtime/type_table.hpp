// What publish() has to know about an event type, looked up once per type instead of once per event.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include <legion/event/policy.hpp>
#include <legion/runtime/schema_guard.hpp>

namespace legion {

struct PublishedType {
  std::string type;  ///< the dotted form
  TopicPolicy policy;
  bool is_heartbeat = false;
  const SchemaGuard::Rule* schema = nullptr;  ///< null: its data is not looked at
};

/// Thread: any. Bounds: remembers limits::streams_per_origin_max names, more than a node may have streams.
/// Cost: a hash and a comparison for a name seen before, without a lock.
class TypeTable {
 public:
  explicit TypeTable(const PolicyTable& policy) : policy_(policy) {}
  /// Before the first look-up; `guard` outlives the table.
  void watch(const SchemaGuard& guard) { guard_ = &guard; }
  TypeTable(const TypeTable&) = delete;
  TypeTable& operator=(const TypeTable&) = delete;

  /// `name` in dotted or upper-case form. The entry lives as long as the table; when the table is full, in `scratch`.
  /// nullptr: no event type.
  const PublishedType* find_or_add(std::string_view name, PublishedType& scratch);

 private:
  struct Named {
    std::string name;
    PublishedType entry;
  };
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  static constexpr std::size_t slot_count = 1024;

  const Named* look_up_or_add(std::string_view name);

  const PolicyTable& policy_;
  const SchemaGuard* guard_ = nullptr;
  // The name last looked up in each slot. Entries are never removed, so what a slot pointed to stays good.
  std::array<std::atomic<const Named*>, slot_count> slots_{};
  std::mutex mutex_;  // guards what follows
  std::deque<Named> all_;
  std::unordered_map<std::string_view, const Named*, NameHash, std::equal_to<>> by_name_;
};

}  // namespace legion
