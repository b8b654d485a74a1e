// Health, agents and the mesh itself. docs/event-types.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <legion/event/typed.hpp>

namespace legion {

struct HealthStatusChanged {
  std::string component{};
  std::string status{};
  std::optional<std::string> previous{};
  std::optional<std::string> detail{};

  static constexpr auto schema = event_schema(
      "health.status_changed", 1, "Something is well, or is not.",
      data_field("component", &HealthStatusChanged::component, "what it is about: a service, a connection, an agent"),
      data_field("status", &HealthStatusChanged::status, "as in healthy, degraded, down"),
      data_field("previous", &HealthStatusChanged::previous, "the status until now"),
      data_field("detail", &HealthStatusChanged::detail, "for a person"));
  friend bool operator==(const HealthStatusChanged&, const HealthStatusChanged&) = default;
};

struct ComponentStatusUpdated {
  std::string component{};
  std::string status{};
  std::optional<std::string> detail{};
  std::optional<FloatMap> metrics{};

  static constexpr auto schema =
      event_schema("component.status_updated", 1, "What a component is doing.",
                   data_field("component", &ComponentStatusUpdated::component,
                              "what it is about: a service, a connection, an agent"),
                   data_field("status", &ComponentStatusUpdated::status, "as in starting, running, stopped"),
                   data_field("detail", &ComponentStatusUpdated::detail, "for a person"),
                   data_field("metrics", &ComponentStatusUpdated::metrics, "figures by name"));
  friend bool operator==(const ComponentStatusUpdated&, const ComponentStatusUpdated&) = default;
};

struct ComponentError {
  std::string component{};
  std::string error{};
  std::optional<std::string> code{};

  static constexpr auto schema = event_schema(
      "component.error", 1, "A component failed.",
      data_field("component", &ComponentError::component, "what it is about: a service, a connection, an agent"),
      data_field("error", &ComponentError::error, "what went wrong, for a person"),
      data_field("code", &ComponentError::code, "what went wrong, for a program"));
  friend bool operator==(const ComponentError&, const ComponentError&) = default;
};

struct AgentHealthCheck {
  std::optional<std::string> agent{};

  static constexpr auto schema =
      event_schema("agent.health_check", 1, "Agents are asked how they are.",
                   data_field("agent", &AgentHealthCheck::agent, "node/agent that is asked; absent: all of them"));
  friend bool operator==(const AgentHealthCheck&, const AgentHealthCheck&) = default;
};

struct AgentStatusUpdate {
  std::string status{};
  std::optional<std::string> agent{};
  std::optional<std::string> detail{};
  std::optional<FloatMap> metrics{};

  static constexpr auto schema =
      event_schema("agent.status_update", 1, "What an agent is doing.",
                   data_field("status", &AgentStatusUpdate::status, "as in idle, working, paused"),
                   data_field("agent", &AgentStatusUpdate::agent, "node/agent; absent: the source of the event"),
                   data_field("detail", &AgentStatusUpdate::detail, "for a person"),
                   data_field("metrics", &AgentStatusUpdate::metrics, "figures by name"));
  friend bool operator==(const AgentStatusUpdate&, const AgentStatusUpdate&) = default;
};

struct AgentReady {
  std::optional<std::string> agent{};
  std::optional<std::string> version{};
  std::optional<StringList> capabilities{};

  static constexpr auto schema =
      event_schema("agent.ready", 1, "An agent has begun its work.",
                   data_field("agent", &AgentReady::agent, "node/agent; absent: the source of the event"),
                   data_field("version", &AgentReady::version, "of the agent"),
                   data_field("capabilities", &AgentReady::capabilities, "what it can do, by name"));
  friend bool operator==(const AgentReady&, const AgentReady&) = default;
};

struct AgentError {
  std::string error{};
  std::optional<std::string> agent{};
  std::optional<std::string> code{};
  std::optional<std::string> event{};

  static constexpr auto schema = event_schema(
      "agent.error", 1, "An agent failed.", data_field("error", &AgentError::error, "what went wrong, for a person"),
      data_field("agent", &AgentError::agent, "node/agent; absent: the source of the event"),
      data_field("code", &AgentError::code, "what went wrong, for a program"),
      data_field("event", &AgentError::event, "id of the event it failed at"));
  friend bool operator==(const AgentError&, const AgentError&) = default;
};

struct SystemStartup {
  std::optional<std::string> version{};
  std::optional<std::string> detail{};

  static constexpr auto schema = event_schema("system.startup", 1, "A node has started; every node publishes it.",
                                              data_field("version", &SystemStartup::version, "of the program"),
                                              data_field("detail", &SystemStartup::detail, "for a person"));
  friend bool operator==(const SystemStartup&, const SystemStartup&) = default;
};

struct SystemShutdown {
  std::optional<std::string> reason{};

  static constexpr auto schema = event_schema("system.shutdown", 1, "A node is leaving; every node publishes it.",
                                              data_field("reason", &SystemShutdown::reason, "why, for a person"));
  friend bool operator==(const SystemShutdown&, const SystemShutdown&) = default;
};

struct SystemError {
  std::string error{};
  std::optional<std::string> component{};
  std::optional<std::string> code{};

  static constexpr auto schema = event_schema("system.error", 1, "Something that concerns the whole system went wrong.",
                                              data_field("error", &SystemError::error, "what went wrong, for a person"),
                                              data_field("component", &SystemError::component, "where"),
                                              data_field("code", &SystemError::code, "what went wrong, for a program"));
  friend bool operator==(const SystemError&, const SystemError&) = default;
};

struct SystemDeadLetter {
  std::string event{};
  std::string agent{};
  std::string reason{};
  std::uint64_t attempts = 0;
  std::string error{};

  static constexpr auto schema = event_schema(
      "system.dead_letter", 1, "An agent gave up an event; published by the node it happened on.",
      data_field("event", &SystemDeadLetter::event, "id of the event"),
      data_field("agent", &SystemDeadLetter::agent, "that gave it up"),
      data_field("reason", &SystemDeadLetter::reason,
                 "as in handler_error, rejected, gate_failed, undecodable, expired, schema, unknown_version"),
      data_field("attempts", &SystemDeadLetter::attempts, "hand-overs"),
      data_field("error", &SystemDeadLetter::error, "the last one"));
  friend bool operator==(const SystemDeadLetter&, const SystemDeadLetter&) = default;
};

}  // namespace legion
