#include <legion/config/schema.hpp>

namespace legion {
namespace {

template <class Host, class Form, class Member>
Field<AgentConfig> host_field(std::string name, Form form, Member Host::*member, std::string summary) {
  const auto get = [member](auto& agent) -> auto& { return std::get<Host>(agent.host).*member; };
  return field<AgentConfig>(std::move(name), form, get, std::move(summary));
}

AgentKind exec_kind() {
  const DurationForm restart{1ms, 1h};
  return {"exec", ExecConfig{},
          {host_field("exec", ListForm<TextForm>{{"text", 65536}, 1024}, &ExecConfig::command,
                      "program and arguments; JSON lines on its stdin and stdout")
               .without_default(),
           host_field("env", EnvironmentForm{}, &ExecConfig::env, "added to the environment of the node"),
           host_field("working_dir", PathForm{}, &ExecConfig::working_dir,
                      "directory the program starts in; default: that of the configuration file")
               .without_default(),
           host_field("restart_delay", restart, &ExecConfig::restart_delay,
                      "wait before the first restart; doubles up to restart_delay_max"),
           host_field("restart_delay_max", restart, &ExecConfig::restart_delay_max, "longest wait before a restart"),
           host_field("handler_timeout", DurationForm{0s, 24h}, &ExecConfig::handler_timeout,
                      "an event not answered by then counts as a failed attempt; 0: no limit")}};
}

AgentKind plugin_kind() {
  return {"plugin", PluginConfig{},
          {host_field("plugin", PathForm{}, &PluginConfig::library,
                      "shared object with the handlers, made with legion/plugin.hpp")
               .without_default(),
           host_field("settings", ConstantsForm{}, &PluginConfig::settings, "what the plugin is told; it says what it knows"),
           host_field("handler_timeout", DurationForm{0s, 24h}, &PluginConfig::handler_timeout,
                      "an event that a coroutine has not answered by then counts as a failed attempt; 0: no limit")}};
}

AgentKind feed_kind() {
  return {"feed", FeedConfig{},
          {host_field("type", EventTypeForm{}, &FeedConfig::type, "event type that is published"),
           host_field("file", PathForm{}, &FeedConfig::file, "CSV with a header line; absent: synthetic events"),
           host_field("speed", SpeedForm{}, &FeedConfig::pace,
                      "\"original\", \"max\" or a factor such as \"10x\"; not together with rate"),
           host_field("rate", RateForm{}, &FeedConfig::pace, "events a second; not together with speed")
               .without_default(),
           host_field("count", IntegerForm{1, 1'000'000'000'000'000}, &FeedConfig::count, "stop after so many events"),
           host_field("repeat", BoolForm{}, &FeedConfig::repeat, "begin the file again at its end"),
           host_field("start_after", DurationForm{0s, 24h}, &FeedConfig::start_after,
                      "wait after joining and after wait_for_nodes is met"),
           host_field("wait_for_nodes", IntegerForm{1, limits::roster_entries_max}, &FeedConfig::wait_for_nodes,
                      "start when so many nodes are alive, this one included"),
           host_field("fields", ConstantsForm{}, &FeedConfig::fields, "constants added to the data of each event"),
           host_field("key", TextForm{"text", 256, check_not_empty}, &FeedConfig::key,
                      "column or constant whose value is the key of the event"),
           host_field("priority", PriorityForm{}, &FeedConfig::priority,
                      "of the events; absent: what the policy of the type says")}};
}

AgentKind log_kind() {
  const ChoiceForm<LogLevel> level{{LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error}};
  return {"log", LogAgentConfig{}, {host_field("level", level, &LogAgentConfig::level, "severity of its lines")}};
}

std::string check_echo_prefix(std::string_view text) {
  if (!text.ends_with('.')) return toml_quote(text) + " does not end in '.'";
  if (std::string wrong = check_published_type(text.substr(0, text.size() - 1)); !wrong.empty()) {
    return toml_quote(text) + " is not the beginning of an event type";
  }
  return {};
}

AgentKind echo_kind() {
  AgentKind kind{"echo", EchoConfig{},
                 {host_field("reply_type", EventTypeForm{}, &EchoConfig::reply_type,
                             "type of every answer; not together with prefix"),
                  host_field("prefix", TextForm{"text", 64, check_echo_prefix}, &EchoConfig::prefix,
                             "an answer's type is this and the type of the event")}};
  // A reply type makes the prefix meaningless, so it is not shown then.
  kind.fields.back().print = [](const AgentConfig& agent) {
    const auto& echo = std::get<EchoConfig>(agent.host);
    return echo.reply_type ? std::string() : toml_quote(echo.prefix);
  };
  return kind;
}

AgentKind sink_kind() {
  return {"sink", SinkConfig{},
          {host_field("work", DurationForm{0s, 1min}, &SinkConfig::work, "busy time per event"),
           host_field("file", PathForm{}, &SinkConfig::file, "CloudEvents lines are appended to it"),
           host_field("fail_every", IntegerForm{0, 1'000'000'000}, &SinkConfig::fail_every,
                      "every N-th hand-over fails; 0: none")}};
}

AgentKind remote_kind() {
  return {"remote", RemoteConfig{},
          {host_field("remote", BoolForm{}, &RemoteConfig::remote,
                      "a program attaches over the control port and serves this agent")
               .without_default(),
           host_field("credit", IntegerForm{1, 10000}, &RemoteConfig::credit,
                      "events without an answer at the program, at most"),
           host_field("lease", DurationForm{500ms, 10min}, &RemoteConfig::lease,
                      "a program that is silent for so long is away"),
           host_field("handler_timeout", DurationForm{0s, 24h}, &RemoteConfig::handler_timeout,
                      "an event not answered by then counts as a failed attempt; 0: no limit")}};
}

}  // namespace

std::vector<Field<AgentConfig>> agent_fields() {
  return {
      field<AgentConfig>("name", TextForm{"name", 64, check_node_name}, &AgentConfig::name,
                         "unique in the node; 1 to 64 of a-z, 0-9 and '-'")
          .without_default(),
      field<AgentConfig>("concurrency", IntegerForm{1, 1024}, &AgentConfig::concurrency,
                         "events handled at a time; above 1 in order per key only"),
      field<AgentConfig>("capacity", PerLaneForm<IntegerForm>{{1, 10'000'000}},
                         [](auto& a) -> auto& { return a.mailbox.capacity; }, "as in [dispatch], for this agent")
          .inheriting("[dispatch]"),
      field<AgentConfig>("overflow",
                         PerLaneForm<ChoiceForm<MailboxConfig::Overflow>>{
                             {{MailboxConfig::Overflow::DropOldest, MailboxConfig::Overflow::DropNewest}}},
                         [](auto& a) -> auto& { return a.mailbox.overflow; }, "as in [dispatch], for this agent")
          .inheriting("[dispatch]"),
  };
}

std::vector<Field<AgentConfig>> agent_retry_fields() {
  std::vector<Field<AgentConfig>> fields;
  for (auto& one : retry_fields<AgentConfig>([](auto& a) -> auto& { return a.retry; })) {
    fields.push_back(std::move(one).inheriting("[retry]"));
  }
  return fields;
}

std::vector<Field<SubscribeConfig>> subscribe_fields() {
  // Of a plain subscription there is no start to show.
  auto start = field<SubscribeConfig>("start", StartForm{}, &SubscribeConfig::start,
                                      "where a durable subscription begins that is not known yet: \"now\", "
                                      "\"beginning\", a time or an event id")
                   .without_default();
  start.print = [](const SubscribeConfig& one) {
    return one.durable || one.group ? StartForm{}.print(one.start) : std::string();
  };
  auto shares = field<SubscribeConfig>("shares", IntegerForm{1, 256}, &SubscribeConfig::shares,
                                       "into so many parts a group divides the shards; the same at every member")
                    .without_default();
  shares.print = [](const SubscribeConfig& one) { return one.group ? std::to_string(one.shares) : std::string(); };
  return {
      field<SubscribeConfig>("type", FilterForm{}, &SubscribeConfig::type,
                             "event type, family (\"trade.\") or \"*\"")
          .without_default(),
      field<SubscribeConfig>("tier", PriorityForm{}, &SubscribeConfig::tier,
                             "when its turn comes among the handlers of one event; \"critical\" is a gate"),
      field<SubscribeConfig>("durable", TextForm{"name", 64, check_node_name}, &SubscribeConfig::durable,
                             "name, unique in the mesh, under which the spools remember how far it got"),
      std::move(start),
      field<SubscribeConfig>("group", TextForm{"name", 60, check_node_name}, &SubscribeConfig::group,
                             "members of a group, on any nodes, share the shards; durable under this name"),
      field<SubscribeConfig>("home", TextForm{"name", 64, check_node_name}, &SubscribeConfig::home,
                             "of a group: the spool that says who has which share"),
      std::move(shares),
      field<SubscribeConfig>("replay", BoolForm{}, &SubscribeConfig::replay,
                             "takes events replayed into the mesh too"),
      where_field(&SubscribeConfig::where,
                  "only events for which this condition holds; a gate is not asked about others"),
  };
}

std::vector<AgentKind> agent_kinds() {
  return {exec_kind(), feed_kind(), log_kind(), echo_kind(), sink_kind(), plugin_kind(), remote_kind()};
}

}  // namespace legion
