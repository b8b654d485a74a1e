#include <legion/event/schema.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/schema_check.hpp>
#include <legion/event/types.hpp>

namespace legion {
namespace {

std::string title(const EventSchema& schema, std::uint32_t version) {
  return std::string(schema.type) + " (version " + std::to_string(version) + ')';
}

std::unexpected<Error> bad(const EventSchema& schema, std::uint32_t version, const std::string& why) {
  return fail(ErrorCode::BadData, title(schema, version) + ": " + why);
}

bool fields_are_declared_well(std::span<const FieldInfo> fields) {
  return fields.size() <= declared_fields_max && std::ranges::all_of(fields, [](const FieldInfo& field) {
           return !field.name.empty() && fields_are_declared_well(field.fields);
         });
}

}  // namespace

std::string_view to_string(DataKind kind) {
  switch (kind) {
    case DataKind::String: return "string";
    case DataKind::Float: return "number";
    case DataKind::Int: return "integer";
    case DataKind::Uint: return "unsigned integer";
    case DataKind::Bool: return "bool";
    case DataKind::StringList: return "list of strings";
    case DataKind::FloatList: return "list of numbers";
    case DataKind::FloatPairs: return "list of pairs of numbers";
    case DataKind::FloatMap: return "map of numbers";
    case DataKind::Map: return "map";
    case DataKind::MapList: return "list of maps";
  }
  LEGION_UNREACHABLE();
}

std::string_view to_string(SchemaFit fit) {
  switch (fit) {
    case SchemaFit::Undeclared: return "undeclared";
    case SchemaFit::Fits: return "fits";
    case SchemaFit::Misfit: return "misfit";
    case SchemaFit::Newer: return "newer";
  }
  LEGION_UNREACHABLE();
}

SchemaFit fit_of(const EventSchema& schema, std::uint32_t version, BytesView data) {
  if (version > schema.version) return SchemaFit::Newer;
  if (version == schema.version) return data_fits(schema.fields, data) ? SchemaFit::Fits : SchemaFit::Misfit;
  const auto upcast = upcast_data(schema, version, data);
  return upcast && data_fits(schema.fields, *upcast) ? SchemaFit::Fits : SchemaFit::Misfit;
}

Result<void> check_data(const EventSchema& schema, std::uint32_t version, BytesView data) {
  if (version > schema.version) return {};
  if (version == schema.version) {
    if (const auto why = misfit_of(schema.fields, data)) return bad(schema, version, *why);
    return {};
  }
  const auto upcast = upcast_data(schema, version, data);
  if (!upcast) return std::unexpected(upcast.error());
  if (const auto why = misfit_of(schema.fields, *upcast)) return bad(schema, version, *why);
  return {};
}

Result<Bytes> upcast_data(const EventSchema& schema, std::uint32_t from_version, BytesView data) {
  if (from_version == 0) return bad(schema, 0, "versions begin at 1");
  if (from_version >= schema.version) return Bytes(data.begin(), data.end());
  auto map = DataMap::read(data);
  if (!map) return bad(schema, from_version, "the data: " + map.error().message);
  for (std::uint32_t version = from_version; version < schema.version; ++version) {
    const auto step = std::ranges::find(schema.upcasts, version, &Upcast::from);
    if (step == schema.upcasts.end()) {
      return bad(schema, from_version, "nothing brings version " + std::to_string(version) + " to the next one");
    }
    if (auto done = step->apply(*map); !done) return bad(schema, from_version, done.error().message);
  }
  return map->encode();
}

SchemaTable SchemaTable::built_in() {
  SchemaTable table;
  for (const EventSchema& schema : built_in_schemas()) {
    const auto added = table.add(schema);
    LEGION_ASSERT(added.has_value());
    const auto entry =
        std::ranges::lower_bound(table.entries_, schema.type, {}, [](const Entry& e) { return e.schema.type; });
    entry->from = Entry::From::Catalog;
  }
  return table;
}

Result<void> SchemaTable::add(const EventSchema& schema) {
  const std::string name(schema.type.substr(0, limits::wire_type_bytes_max));
  if (!is_event_type(schema.type)) return fail(ErrorCode::InvalidArgument, "'" + name + "' is not an event type");
  if (schema.version == 0) return fail(ErrorCode::InvalidArgument, name + ": versions begin at 1");
  if (!fields_are_declared_well(schema.fields)) {
    return fail(ErrorCode::InvalidArgument, name + ": a map has at most " + std::to_string(declared_fields_max) +
                                                " declared fields, each with a name");
  }
  const auto at =
      std::ranges::lower_bound(entries_, schema.type, {}, [](const Entry& each) { return each.schema.type; });
  if (at == entries_.end() || at->schema.type != schema.type) {
    entries_.insert(at, {schema, Entry::From::Program});
    return {};
  }
  if (same_declaration(at->schema, schema)) return {};
  if (at->from == Entry::From::Program) {
    return fail(ErrorCode::InvalidArgument, name + ": there is another declaration of this type");
  }
  *at = {schema, Entry::From::Program};
  return {};
}

const EventSchema* SchemaTable::find(std::string_view type) const {
  const auto at = std::ranges::lower_bound(entries_, type, {}, [](const Entry& each) { return each.schema.type; });
  return at != entries_.end() && at->schema.type == type ? &at->schema : nullptr;
}

std::vector<EventSchema> SchemaTable::all() const {
  std::vector<EventSchema> schemas;
  for (const Entry& each : entries_) schemas.push_back(each.schema);
  return schemas;
}

Result<void> SchemaTable::check(std::string_view type, std::uint32_t version, BytesView data) const {
  const EventSchema* schema = find(type);
  return schema == nullptr ? Result<void>{} : check_data(*schema, version, data);
}

Result<Bytes> SchemaTable::upcast(std::string_view type, std::uint32_t from_version, BytesView data) const {
  const EventSchema* schema = find(type);
  return schema == nullptr ? Bytes(data.begin(), data.end()) : upcast_data(*schema, from_version, data);
}

}  // namespace legion
