#include <algorithm>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/row_output.hpp>
#include <legion/cli/type_rows.hpp>
#include <legion/cli/verb.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/types.hpp>

namespace legion::cli {
namespace {

class Types : public Verb {
 public:
  std::vector<std::string> actions() const override {
    std::vector<std::string> names;
    for (const CatalogEntry& entry : catalog()) names.emplace_back(entry.type);
    return names;
  }

  void declare(CLI::App& app) override {
    app.add_option("TYPE", type_, "a type, dotted or upper-case: its fields; a family such as trade.: its types")
        ->type_name("");
    app.add_flag("--markdown", markdown_, "all types with their fields, as a page of documentation");
  }

  int run(Session& session) override {
    if (markdown_) return page(session);
    if (type_.empty()) return list(session, Filter());
    const std::string type = canonical_type(type_);
    if (const CatalogEntry* entry = find_in_catalog(type)) return show(session, *entry);
    const auto filter = Filter::parse(type);
    if (!filter) return session.usage("types: " + filter.error().message);
    return list(session, *filter);
  }

 private:
  int page(Session& session) {
    if (!type_.empty()) return session.usage("types: --markdown is the page of all types; leave TYPE out");
    if (session.output() != Output::Table) return session.usage("types --markdown has no other form");
    session.out() << types_page();
    return exit_code::ok;
  }

  int list(Session& session, const Filter& filter) {
    JsonTree rows = JsonTree::array();
    for (const CatalogEntry& entry : catalog()) {
      if (filter.matches(entry.type)) rows.push_back(type_row(entry, table_.find(entry.type)));
    }
    if (rows.empty()) return unknown(session);
    if (session.output() == Output::Csv) {
      for (JsonTree& row : rows) row.erase("fields");
    }
    if (print_rows(session, rows, csv_)) return exit_code::ok;
    Table table({{"TYPE"},
                 {"VERSION", Align::Right},
                 {"PRIORITY", Align::Left, 2},
                 {"DURABILITY", Align::Left, 3},
                 {"MEANING", Align::Left, 1}});
    for (const JsonTree& row : rows) {
      table.row({{text_of(row, "type"), Tint::Bold},
                 {version_text(row)},
                 {text_of(row, "priority")},
                 {text_of(row, "durability")},
                 {text_of(row, "doc")}});
    }
    session.print(table);
    return exit_code::ok;
  }

  int show(Session& session, const CatalogEntry& entry) {
    const EventSchema* schema = table_.find(entry.type);
    const JsonTree row = type_row(entry, schema);
    const JsonTree fields = schema == nullptr ? JsonTree::array() : field_rows(schema->fields);
    if (session.output() == Output::Csv) {
      CsvRows({"field", "kind", "presence", "doc"}).print(session.out(), fields);
      return exit_code::ok;
    }
    if (print_object(session, row)) return exit_code::ok;
    session.out() << entry.type << " (" << entry.upper_name << ")\n" << text_of(row, "doc") << '\n';
    if (schema != nullptr) session.out() << "version " << versions_text(row) << ", ";
    session.out() << "priority " << text_of(row, "priority") << ", " << text_of(row, "durability")
                  << (entry.deliver == Deliver::AfterConfirm ? ", delivered after its confirm" : "") << '\n';
    if (schema == nullptr) return exit_code::ok;
    session.out() << '\n';
    Table table({{"FIELD"}, {"KIND"}, {"PRESENCE"}, {"MEANING", Align::Left, 1}});
    for (const JsonTree& field : fields) {
      const std::string presence = text_of(field, "presence");
      table.row({{text_of(field, "field"), Tint::Bold},
                 {text_of(field, "kind")},
                 {presence, presence == "required" ? Tint::Yellow : Tint::Plain},
                 {text_of(field, "doc")}});
    }
    session.print(table);
    return exit_code::ok;
  }

  static std::string version_text(const JsonTree& row) {
    return part_of(row, "version").is_number() ? std::to_string(number_of(row, "version")) : "-";
  }

  static std::string versions_text(const JsonTree& row) {
    const std::uint64_t oldest = number_of(row, "oldest_version");
    const bool is_only = oldest == number_of(row, "version");
    return version_text(row) + (is_only ? "" : " (read from " + std::to_string(oldest) + " on)");
  }

  int unknown(Session& session) const {
    std::vector<std::string_view> known;
    for (const CatalogEntry& entry : catalog()) known.push_back(entry.type);
    const auto meant = did_you_mean(type_, known);
    session.problem("no type of the catalog is called '" + printable(type_) + "'" +
                    (meant ? "; did you mean '" + *meant + "'?" : "; other types are published without a declaration"));
    return exit_code::nothing_found;
  }

  const SchemaTable table_ = SchemaTable::built_in();
  std::string type_;
  bool markdown_ = false;
  CsvRows csv_{{"type", "upper_name", "version", "oldest_version", "priority", "durability", "deliver", "doc"}};
};

}  // namespace

std::unique_ptr<Verb> make_types() { return std::make_unique<Types>(); }

}  // namespace legion::cli
