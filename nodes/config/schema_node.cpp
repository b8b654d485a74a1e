#include <legion/config/schema.hpp>

namespace legion {
namespace {

constexpr std::uint64_t lane_events_max = 10'000'000;
constexpr std::uint64_t journal_bytes_min = 1ull << 20;
constexpr std::uint64_t journal_bytes_max = 1ull << 40;
constexpr std::uint64_t retain_bytes_min = 1ull << 20;
constexpr std::uint64_t retain_bytes_max = 1ull << 50;

constexpr std::string_view no_security = "; this version has no authentication and no encryption";

using NodeField = Field<NodeConfig>;

std::vector<NodeField> node_fields() {
  const DurationForm link{10ms, 5min};
  const ListForm<TextForm> names{{"name", 64, check_node_name}, 16};
  return {
      field<NodeConfig>(
          "name", TextForm{"name", 64, check_node_name}, [](auto& c) -> auto& { return c.node.name; },
          "name of this node, unique in the mesh; 1 to 64 of a-z, 0-9 and '-'")
          .without_default(),
      field<NodeConfig>(
          "listen", AddressForm{}, [](auto& c) -> auto& { return c.node.listen; },
          "first of the run of 6 ports (control, four lanes, spool); port 0 takes a free run"),
      field<NodeConfig>(
          "advertise", AddressForm{}, [](auto& c) -> auto& { return c.node.advertise; },
          "address that others connect to, where it differs from listen"),
      field<NodeConfig>(
          "join", ListForm<AddressForm>{{}, 256}, [](auto& c) -> auto& { return c.node.join; },
          "members to ask for the roster; dialled for ever"),
      field<NodeConfig>(
          "state_dir", PathForm{}, [](auto& c) -> auto& { return c.node.state_dir; },
          "directory for what survives a restart")
          .without_default(),
      field<NodeConfig>(
          "redial_max", link, [](auto& c) -> auto& { return c.node.redial_max; },
          "longest wait between two attempts to reach a peer"),
      field<NodeConfig>(
          "connect_timeout", link, [](auto& c) -> auto& { return c.node.connect_timeout; },
          "longest wait for a connection and for the answer to a hello"),
      field<NodeConfig>(
          "forget_after", DurationForm{1s, 24h * 3650}, [](auto& c) -> auto& { return c.node.forget_after; },
          "a dead member is dialled for this long"),
      field<NodeConfig>(
          "drain_timeout", DurationForm{0s, 1h}, [](auto& c) -> auto& { return c.node.drain_timeout; },
          "longest wait for handlers and queues when stopping"),
      field<NodeConfig>(
          "local", BoolForm{}, [](auto& c) -> auto& { return c.node.local; },
          "ipc sockets in state_dir for programs of the same host"),
      field<NodeConfig>(
          "roles", names, [](auto& c) -> auto& { return c.node.roles; },
          "shown to operators; nothing depends on them; a node with a [spool] has the role \"spool\" besides"),
  };
}

std::vector<NodeField> heartbeat_fields() {
  return {
      field<NodeConfig>("interval", DurationForm{10ms, 1min}, [](auto& c) -> auto& { return c.heartbeat.interval; },
                        "time between two heartbeats"),
      field<NodeConfig>("suspect_after", DurationForm{20ms, 10min},
                        [](auto& c) -> auto& { return c.heartbeat.suspect_after; },
                        "silence after which a member is suspect; longer than interval"),
      field<NodeConfig>("dead_after", DurationForm{30ms, 1h}, [](auto& c) -> auto& { return c.heartbeat.dead_after; },
                        "silence after which a member is dead; longer than suspect_after"),
  };
}

std::vector<NodeField> dispatch_fields() {
  return {
      field<NodeConfig>("workers", IntegerForm{1, 256}, [](auto& c) -> auto& { return c.dispatch.workers; },
                        "threads that run handlers; default: the number of cores, at least 2")
          .without_default(),
      field<NodeConfig>("capacity", PerLaneForm<IntegerForm>{{1, lane_events_max}},
                        [](auto& c) -> auto& { return c.dispatch.mailbox.capacity; },
                        "events that wait in each lane of an agent's mailbox"),
      field<NodeConfig>("overflow",
                        PerLaneForm<ChoiceForm<MailboxConfig::Overflow>>{
                            {{MailboxConfig::Overflow::DropOldest, MailboxConfig::Overflow::DropNewest}}},
                        [](auto& c) -> auto& { return c.dispatch.mailbox.overflow; },
                        "what is lost (and counted) when a lane of a mailbox is full"),
  };
}

std::vector<NodeField> publish_fields() {
  return {
      field<NodeConfig>("queue", PerLaneForm<IntegerForm>{{1, lane_events_max}},
                        [](auto& c) -> auto& { return c.publish.queue; },
                        "published events that wait to be sent; publish() answers would_block beyond it"),
      field<NodeConfig>("priority", PriorityForm{}, [](auto& c) -> auto& { return c.publish.priority; },
                        "of event types that neither the catalog nor a [[topic]] gives one"),
      field<NodeConfig>("batch_size", IntegerForm{1, 1'000'000}, [](auto& c) -> auto& { return c.publish.batch_size; },
                        "no effect: batches form by themselves; accepted for LEGION_PUBLISHER_BATCH_SIZE"),
  };
}

std::vector<NodeField> journal_fields() {
  const SizeForm bytes{journal_bytes_min, journal_bytes_max};
  return {
      field<NodeConfig>("confirmed_bytes", bytes, [](auto& c) -> auto& { return c.journal.confirmed_bytes; },
                        "memory for confirmed events until enough spools have them; publish() answers would_block "
                        "beyond it"),
      field<NodeConfig>("captured_bytes", bytes, [](auto& c) -> auto& { return c.journal.captured_bytes; },
                        "memory for captured events until a spool has them; the oldest are given up (and counted) "
                        "beyond it"),
  };
}

std::vector<NodeField> spool_fields() {
  return {
      field<NodeConfig>("path", TextForm{"path", 4096, check_not_empty}, [](auto& c) -> auto& { return c.spool->path; },
                        "file of the spool; a relative path starts at state_dir; default: spool.db there")
          .without_default(),
      field<NodeConfig>("retain_for", DurationForm{1s, 24h * 36500},
                        [](auto& c) -> auto& { return c.spool->retain_for; },
                        "what is older is given up; absent: no limit"),
      field<NodeConfig>("retain_bytes", SizeForm{retain_bytes_min, retain_bytes_max},
                        [](auto& c) -> auto& { return c.spool->retain_bytes; },
                        "the oldest is given up beyond this size; absent: no limit"),
      field<NodeConfig>("retention_force", BoolForm{}, [](auto& c) -> auto& { return c.spool->retention_force; },
                        "gives up even what a durable subscription has not got yet"),
  };
}

std::vector<NodeField> log_fields() {
  const ChoiceForm<LogLevel> level{
      {LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error, LogLevel::Off}};
  return {
      field<NodeConfig>("level", level, [](auto& c) -> auto& { return c.log.level; }, "least severity that is written"),
      field<NodeConfig>("format", ChoiceForm<LogFormat>{{LogFormat::Text, LogFormat::Json}},
                        [](auto& c) -> auto& { return c.log.format; }, "lines for people or JSON objects"),
      field<NodeConfig>("events", BoolForm{}, [](auto& c) -> auto& { return c.log.events; },
                        "a line for every event published and dispatched; costly"),
      field<NodeConfig>("file", PathForm{}, [](auto& c) -> auto& { return c.log.file; },
                        "appended to; absent: standard error"),
  };
}

}  // namespace

std::vector<PlainTable> plain_tables() {
  return {
      {"node", node_fields()},
      {"heartbeat", heartbeat_fields()},
      {"dispatch", dispatch_fields()},
      {"retry", retry_fields<NodeConfig>([](auto& c) -> auto& { return c.retry; })},
      {"publish", publish_fields()},
      {"journal", journal_fields()},
      {"spool", spool_fields(), [](const NodeConfig& c) { return c.spool.has_value(); },
       [](NodeConfig& c) { c.spool.emplace(); }},
      {"security",
       {field<NodeConfig>("mode", ChoiceForm<SecurityMode>{{SecurityMode::None}, no_security},
                          [](auto& c) -> auto& { return c.security.mode; },
                          "\"none\": no authentication, no encryption; to be written out beyond loopback")}},
      {"log", log_fields()},
  };
}

std::vector<Field<TopicRule>> topic_fields() {
  return {
      field<TopicRule>("prefix", FilterForm{}, &TopicRule::prefix,
                       "event type, family (\"trade.\") or \"*\"; the longest match decides each key")
          .without_default(),
      field<TopicRule>("priority", PriorityForm{}, &TopicRule::priority, "lane of these events"),
      field<TopicRule>("durability",
                       ChoiceForm<Durability>{{Durability::None, Durability::Captured, Durability::Confirmed}},
                       &TopicRule::durability,
                       "whether spools store these events, and whether publishers can wait for it"),
      field<TopicRule>("deliver", ChoiceForm<Deliver>{{Deliver::Live, Deliver::AfterConfirm}}, &TopicRule::deliver,
                       "of confirmed types: at once, or only when enough spools have it"),
      field<TopicRule>("spools", IntegerForm{0, limits::spools_required_max}, &TopicRule::spools,
                       "of confirmed types: spools that a confirm waits for; absent: 1; 0: as captured and live"),
      field<TopicRule>("ttl", DurationForm{1ms, 24h * 365}, &TopicRule::ttl,
                       "an event that states no expiry is dropped (and counted) when older"),
      field<TopicRule>("shards", IntegerForm{1, 255}, &TopicRule::shards, "streams that the type is split into by key"),
      field<TopicRule>("max_bytes", SizeForm{64, limits::event_bytes_max}, &TopicRule::max_bytes,
                       "largest encoded event"),
      field<TopicRule>("schema", ChoiceForm<SchemaCheck>{{SchemaCheck::Off, SchemaCheck::Warn, SchemaCheck::Strict}},
                       &TopicRule::schema,
                       "of declared types: what becomes of an event whose data does not fit; absent: \"warn\""),
      field<TopicRule>("unknown_version",
                       ChoiceForm<UnknownVersion>{{UnknownVersion::Accept, UnknownVersion::Quarantine,
                                                   UnknownVersion::DeadLetter}},
                       &TopicRule::unknown_version,
                       "of declared types: what becomes of an event of a newer version before it is handled; absent: "
                       "\"accept\""),
  };
}

}  // namespace legion
