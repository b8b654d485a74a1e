// Event types and what is declared of them, for people and programs.
#pragma once

#include <optional>
#include <string>

#include <legion/cli/figures.hpp>
#include <legion/event/policy.hpp>
#include <legion/event/schema.hpp>

namespace legion::cli {

/// One type of the catalog. `schema` is null where nothing is declared of its data.
JsonTree type_row(const CatalogEntry& entry, const EventSchema* schema);

/// The fields of a declaration as rows: name, kind, presence, docs. What is inside a map is called "leg.symbol", inside
/// a list of maps "legs[].symbol".
JsonTree field_rows(std::span<const FieldInfo> fields, const std::string& path = "");

/// All types as a page of documentation.
std::string types_page();

}  // namespace legion::cli
