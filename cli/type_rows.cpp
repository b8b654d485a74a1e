#include <legion/cli/type_rows.hpp>

#include <legion/event/types.hpp>

namespace legion::cli {
namespace {

constexpr std::string_view page_begin = R"(# Event types

What is declared of the data of the catalog's events, from the structs in `mesh/event/types`. `legion-cli types` shows
the same; this page is what `legion-cli types --markdown` prints. Priority and durability are those of the catalog; a
`[[topic]]` may say otherwise. Any other type is welcome too: of those nothing is checked.

Data is a map. Fields beyond these may be there: they are passed on. An integer will do for a number, a float not for an
integer; a number is finite, only in lists and maps of numbers `nan` and `inf` are values. An optional field may be
absent or null. Whether data that does not fit is refused is up to `[[topic]]` `schema`; see `docs/operations.md`.
)";

std::string_view presence_text(FieldPresence presence) { return presence == FieldPresence::Required ? "required" : "optional"; }

JsonTree field_tree(std::span<const FieldInfo> fields) {
  JsonTree tree = JsonTree::array();
  for (const FieldInfo& field : fields) {
    JsonTree row{{"name", field.name},
                 {"kind", to_string(field.kind)},
                 {"required", field.presence == FieldPresence::Required},
                 {"doc", field.docs}};
    if (!field.fields.empty()) row["fields"] = field_tree(field.fields);
    tree.push_back(std::move(row));
  }
  return tree;
}

std::uint32_t oldest_version(const EventSchema& schema) {
  std::uint32_t oldest = schema.version;
  for (const Upcast& step : schema.upcasts) oldest = std::min(oldest, step.from);
  return oldest;
}

std::string section(const CatalogEntry& entry, const EventSchema& schema) {
  std::string out = "\n## " + std::string(schema.type) + "\n\n" + std::string(schema.docs) + " `" +
                    std::string(entry.upper_name) + "`, version " + std::to_string(schema.version);
  const std::uint32_t oldest = oldest_version(schema);
  if (oldest < schema.version) out += " (read from " + std::to_string(oldest) + " on)";
  out += ", priority " + std::string(to_string(entry.priority)) + ", " + std::string(to_string(entry.durability)) +
         ".\n\n";
  out += "| field | kind | | meaning |\n|---|---|---|---|\n";
  for (const JsonTree& row : field_rows(schema.fields)) {
    out += "| `" + text_of(row, "field") + "` | " + text_of(row, "kind") + " | " + text_of(row, "presence") + " | " +
           text_of(row, "doc") + " |\n";
  }
  return out;
}

}  // namespace

JsonTree type_row(const CatalogEntry& entry, const EventSchema* schema) {
  JsonTree row{
      {"type", entry.type}, {"upper_name", entry.upper_name}, {"version", nullptr}, {"oldest_version", nullptr}};
  if (schema != nullptr) {
    row["version"] = schema->version;
    row["oldest_version"] = oldest_version(*schema);
  }
  row["priority"] = to_string(entry.priority);
  row["durability"] = to_string(entry.durability);
  row["deliver"] = to_string(entry.deliver);
  row["doc"] = schema != nullptr ? schema->docs : "Published by nodes only; nothing is declared of its data.";
  row["fields"] = schema != nullptr ? field_tree(schema->fields) : JsonTree::array();
  return row;
}

JsonTree field_rows(std::span<const FieldInfo> fields, const std::string& path) {
  JsonTree rows = JsonTree::array();
  for (const FieldInfo& field : fields) {
    const std::string name = path + std::string(field.name);
    rows.push_back({{"field", name},
                    {"kind", to_string(field.kind)},
                    {"presence", presence_text(field.presence)},
                    {"doc", field.docs}});
    const std::string inside = name + (field.kind == DataKind::MapList ? "[]." : ".");
    for (JsonTree& row : field_rows(field.fields, inside)) rows.push_back(std::move(row));
  }
  return rows;
}

std::string types_page() {
  const SchemaTable table = SchemaTable::built_in();
  std::string page(page_begin);
  for (const CatalogEntry& entry : catalog()) {
    if (const EventSchema* schema = table.find(entry.type)) page += section(entry, *schema);
  }
  return page;
}

}  // namespace legion::cli
