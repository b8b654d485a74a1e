// What the random world and its rules agree on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "durable_kit.hpp"

namespace legion::test::world {

inline constexpr std::uint32_t orders = 1, audit = 2, bulk = 3;  // subscriptions; 0 is the gate
inline constexpr std::uint32_t max_attempts = 3;
inline constexpr std::size_t capacity = 40;
inline constexpr std::size_t frame_cost_max = 3 * 1024;  // of up to six small events

inline DurableConfig small_config() {
  DurableConfig config;
  config.buffer_bytes = 64 * 1024;
  config.page_bytes = 4 * 1024;
  config.queries_max = 3;
  config.cursor_events = 50;
  config.record_bytes = 64 * 1024;
  config.suspect_patience = 20s;
  config.query_timeout = 5s;
  return config;
}

inline std::string name_of(std::uint32_t subscription) {
  return subscription == orders ? "orders" : subscription == audit ? "audit" : "bulk";
}
inline std::uint32_t subscription_named(const std::string& name) {
  return name == "orders" ? orders : name == "audit" ? audit : bulk;
}
inline bool takes(std::uint32_t subscription, const std::string& type) {
  return subscription == audit || type.starts_with(subscription == orders ? "trade." : "other.");
}

}  // namespace legion::test::world
