#include <legion/base/assert.hpp>
#include <legion/config/schema.hpp>

namespace legion {
namespace {

Field<MiddlewareConfig> by_field() {
  Field<MiddlewareConfig> made;
  made.name = "by";
  made.form = "field of an event";
  made.summary =
      "what tells events apart: of deduplicate and sample instead of the id, of limit a bucket for each value";
  made.plain_text = true;
  made.read = [](const toml::node& node, const ValueContext&, MiddlewareConfig& owner) -> std::optional<Fault> {
    const auto* text = node.as_string();
    if (text == nullptr) return wrong_type("a field such as \"key\" or \"data.order_id\"", node);
    auto field = WhereField::parse(text->get());
    if (!field) return Fault{std::move(field.error().message)};
    owner.by = std::move(*field);
    return std::nullopt;
  };
  made.print = [](const MiddlewareConfig& owner) { return owner.by ? toml_quote(owner.by->text()) : std::string(); };
  return std::move(made).without_default();
}

Field<MiddlewareConfig> named(Field<MiddlewareConfig> field, std::string summary) {
  field.summary = std::move(summary);
  return field;
}

}  // namespace

std::string_view to_string(MiddlewareKind kind) {
  switch (kind) {
    case MiddlewareKind::Where: return "where";
    case MiddlewareKind::Validate: return "validate";
    case MiddlewareKind::Expire: return "expire";
    case MiddlewareKind::Deduplicate: return "deduplicate";
    case MiddlewareKind::Limit: return "limit";
    case MiddlewareKind::Sample: return "sample";
    case MiddlewareKind::Redact: return "redact";
    case MiddlewareKind::Upcast: return "upcast";
    case MiddlewareKind::Zstd: return "zstd";
  }
  LEGION_UNREACHABLE();
}

std::string_view to_string(MiddlewarePlace place) {
  switch (place) {
    case MiddlewarePlace::Publish: return "publish";
    case MiddlewarePlace::Dispatch: return "dispatch";
  }
  LEGION_UNREACHABLE();
}

std::vector<Field<MiddlewareConfig>> middleware_fields() {
  using Kind = MiddlewareKind;
  using Place = MiddlewarePlace;
  using Config = MiddlewareConfig;
  const ChoiceForm<Kind> kinds{{Kind::Where, Kind::Validate, Kind::Expire, Kind::Deduplicate, Kind::Limit, Kind::Sample,
                                Kind::Redact, Kind::Upcast, Kind::Zstd}};
  const ChoiceForm<Place> places{{Place::Publish, Place::Dispatch}};
  return {
      field<Config>("step", kinds, &Config::step, "what is done").without_default(),
      field<Config>("on", places, &Config::on, "before an event is sent, or before a handler gets it")
          .without_default(),
      field<Config>("name", TextForm{"name", 64, check_node_name}, &Config::name, "in stats; default: that of the step")
          .without_default(),
      field<Config>("type", FilterForm{}, &Config::type, "only events of this type or family"),
      field<Config>("agents", ListForm<TextForm>{{"name", 64, check_node_name}, 256}, &Config::agents,
                    "only what these agents publish or get; default: all, and programs that publish")
          .without_default(),
      named(where_field(&Config::where, ""), "step = \"where\": only events for which this condition holds"),
      field<Config>("after", DurationForm{1ms, 24h * 365}, &Config::after, "step = \"expire\": events end at this age")
          .without_default(),
      field<Config>("window", IntegerForm{1, 10'000'000}, &Config::window,
                    "step = \"deduplicate\": events that are remembered, for each subscription"),
      field<Config>("window_for", DurationForm{1ms, 24h * 7}, &Config::window_for,
                    "step = \"deduplicate\": how long they are remembered at most"),
      by_field(),
      field<Config>("rate", NumberForm{0.001, 1e8}, &Config::rate, "step = \"limit\": events a second")
          .without_default(),
      field<Config>("burst", NumberForm{1, 1e8}, &Config::burst,
                    "step = \"limit\": events at once; default: those of a second, at least 1")
          .without_default(),
      field<Config>("buckets", IntegerForm{1, 10'000'000}, &Config::buckets,
                    "step = \"limit\" with by: values with a bucket of their own"),
      field<Config>("share", NumberForm{0, 1}, &Config::share, "step = \"sample\": of the events that pass")
          .without_default(),
      field<Config>("fields", ListForm<TextForm>{{"field", 1024, check_not_empty}, 64}, &Config::fields,
                    "step = \"redact\": fields of the data")
          .without_default(),
      field<Config>("with", TextForm{"text", 256}, &Config::with,
                    "step = \"redact\": what takes the place of their values"),
      field<Config>("min_bytes", SizeForm{64, 1u << 20}, &Config::min_bytes,
                    "step = \"zstd\": frames with so many bytes of events are compressed"),
  };
}

std::vector<std::string> keys_of(MiddlewareKind kind) {
  std::vector<std::string> keys{"step", "on", "name", "type", "agents"};
  const auto add = [&](std::initializer_list<const char*> own) { keys.insert(keys.end(), own.begin(), own.end()); };
  switch (kind) {
    case MiddlewareKind::Where: add({"where"}); break;
    case MiddlewareKind::Expire: add({"after"}); break;
    case MiddlewareKind::Deduplicate: add({"window", "window_for", "by"}); break;
    case MiddlewareKind::Limit: add({"rate", "burst", "by", "buckets"}); break;
    case MiddlewareKind::Sample: add({"share", "by"}); break;
    case MiddlewareKind::Redact: add({"fields", "with"}); break;
    case MiddlewareKind::Zstd: add({"min_bytes"}); break;
    case MiddlewareKind::Validate:
    case MiddlewareKind::Upcast: break;
  }
  return keys;
}

}  // namespace legion
