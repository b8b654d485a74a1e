// The one table of keys. Reading, unknown-key messages, printing, overrides and config_keys() all run from it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <legion/config/config.hpp>
#include <legion/config/forms.hpp>

namespace legion {

/// A key inside an Owner.
template <class Owner>
struct Field {
  std::string name;
  std::string form;
  std::string summary;
  bool plain_text = false;
  bool is_list = false;
  bool has_default = true;
  std::string inherits;  ///< the table whose value holds when this key is absent
  std::function<std::optional<Fault>(const toml::node&, const ValueContext&, Owner&)> read;
  std::function<std::string(const Owner&)> print;  ///< TOML; empty: not set

  Field without_default() && {
    has_default = false;
    return std::move(*this);
  }
  Field inheriting(std::string table) && {
    inherits = std::move(table);
    return std::move(*this);
  }
};

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

/// `get(owner)` is a reference to the value (or the optional) that the key stands for.
template <class Owner, class Form, class Get>
Field<Owner> field(std::string name, Form form, Get get, std::string summary) {
  Field<Owner> made;
  made.name = std::move(name);
  made.form = form.name();
  made.summary = std::move(summary);
  made.plain_text = Form::plain_text;
  made.is_list = Form::is_list;
  using Value = std::remove_cvref_t<std::invoke_result_t<Get, Owner&>>;
  made.read = [form, get](const toml::node& node, const ValueContext& context, Owner& owner) -> std::optional<Fault> {
    if constexpr (is_optional<Value>::value) {
      typename Value::value_type value{};
      if (auto fault = form.read(node, context, value)) return fault;
      std::invoke(get, owner) = std::move(value);
      return std::nullopt;
    } else {
      return form.read(node, context, std::invoke(get, owner));
    }
  };
  made.print = [form, get](const Owner& owner) -> std::string {
    const auto& value = std::invoke(get, owner);
    if constexpr (is_optional<Value>::value) {
      return value ? form.print(*value) : std::string();
    } else {
      return form.print(value);
    }
  };
  return made;
}

/// There is no condition that stands for none, so the form fills the optional itself.
template <class Owner>
Field<Owner> where_field(std::optional<Where> Owner::*member, std::string summary) {
  Field<Owner> made;
  made.name = "where";
  made.form = WhereForm{}.name();
  made.summary = std::move(summary);
  made.plain_text = WhereForm::plain_text;
  made.read = [member](const toml::node& node, const ValueContext& context, Owner& owner) {
    return WhereForm{}.read(node, context, owner.*member);
  };
  made.print = [member](const Owner& owner) { return WhereForm{}.print(owner.*member); };
  return std::move(made).without_default();
}

/// The keys of a RetryConfig found by `get(owner)`.
template <class Owner, class Get>
std::vector<Field<Owner>> retry_fields(Get get) {
  const auto attempts = [get](auto& owner) -> auto& { return get(owner).max_attempts; };
  const auto delay = [get](auto& owner) -> auto& { return get(owner).delay; };
  const auto backoff = [get](auto& owner) -> auto& { return get(owner).backoff; };
  return {
      field<Owner>("max_attempts", IntegerForm{1, 1000}, attempts,
                   "how often an event is handed to a handler before it is a dead letter, the first time included"),
      field<Owner>("delay", DurationForm{0s, 1h}, delay, "wait before the second attempt"),
      field<Owner>("backoff", NumberForm{1.0, 100.0}, backoff, "every further wait is this many times the one before"),
  };
}

/// A table that appears once, [name].
struct PlainTable {
  std::string name;
  std::vector<Field<NodeConfig>> fields;
  /// Of a table whose presence means something: is it there, and make it so. The fields expect it to be there.
  bool (*is_present)(const NodeConfig&) = nullptr;
  void (*make_present)(NodeConfig&) = nullptr;
};
std::vector<PlainTable> plain_tables();

std::vector<Field<TopicRule>> topic_fields();

/// The keys of every [[agent]], whatever runs behind it.
std::vector<Field<AgentConfig>> agent_fields();
std::vector<Field<AgentConfig>> agent_retry_fields();  ///< [agent.retry]
std::vector<Field<SubscribeConfig>> subscribe_fields();

/// One kind of agent host. Its fields expect AgentConfig::host to hold the alternative of `initial`.
struct AgentKind {
  std::string name;  ///< as host_name()
  AgentHost initial;
  std::vector<Field<AgentConfig>> fields;
};
std::vector<AgentKind> agent_kinds();

/// The keys of every [[middleware]], whatever its step.
std::vector<Field<MiddlewareConfig>> middleware_fields();
/// Those that mean something for this step.
std::vector<std::string> keys_of(MiddlewareKind kind);

template <class Owner>
std::vector<std::string> names_of(const std::vector<Field<Owner>>& fields) {
  std::vector<std::string> names;
  for (const auto& one : fields) names.push_back(one.name);
  return names;
}

}  // namespace legion
