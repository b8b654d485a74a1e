// What is declared of the data of an event type, at run time: fields, versions, checks. Declarations come from structs
// (typed.hpp); docs/protocol.md, "Typed events".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/event/data_map.hpp>

namespace legion {

/// What the value of a field is.
enum class DataKind : std::uint8_t {
  String,
  Float,       ///< a finite float of either width, or an integer
  Int,         ///< an integer that fits 64 signed bits
  Uint,        ///< an integer from 0 on
  Bool,
  StringList,
  FloatList,   ///< floats or integers; nan and inf are values here
  FloatPairs,  ///< a list of lists of two finite floats or integers
  FloatMap,    ///< strings to floats or integers; nan and inf are values here
  Map,         ///< a map with fields of its own
  MapList,     ///< a list of such maps
};
/// "string", "number", "integer", "unsigned integer", "bool", "list of strings", "list of numbers", "list of pairs of
/// numbers", "map of numbers", "map", "list of maps"
std::string_view to_string(DataKind kind);

enum class FieldPresence : std::uint8_t {
  Required,
  Optional,  ///< may be absent or nil
};

/// One field of the data. Everything it refers to has to outlive it.
struct FieldInfo {
  std::string_view name{};
  DataKind kind = DataKind::String;
  FieldPresence presence = FieldPresence::Required;
  std::string_view docs{};             ///< unit or meaning, one line
  std::span<const FieldInfo> fields{};   ///< of kind Map and MapList
};

/// One step between versions: changes data of version `from` into data of version `from + 1`. What it does not touch is
/// passed on. An error ends the upcast and is its error.
struct Upcast {
  std::uint32_t from = 0;
  Result<void> (*apply)(DataMap& data) = nullptr;
};

/// The declaration of an event type. Everything it refers to has to outlive it; of a struct it lives as long as the
/// program (schema_of() in typed.hpp).
struct EventSchema {
  std::string_view type{};
  std::uint32_t version = 1;
  std::string_view docs{};
  std::span<const FieldInfo> fields{};  ///< in the order they are best written in
  std::span<const Upcast> upcasts{};

  friend bool same_declaration(const EventSchema& a, const EventSchema& b) {
    return a.type == b.type && a.version == b.version && a.fields.data() == b.fields.data();
  }
};

/// How data stands to a declaration.
enum class SchemaFit : std::uint8_t {
  Undeclared,  ///< there is no declaration of the type
  Fits,  ///< as it is, or once its version is brought up to the declared one
  Misfit,
  Newer,  ///< of a version that is not known here; nothing was looked at
};
/// "undeclared", "fits", "misfit", "newer"
std::string_view to_string(SchemaFit fit);

/// Whether `data` has every required field and each declared field is of its kind. Further fields may be there; so may
/// a field twice, of which the last counts where data is decoded. No data and nil are a map without fields. Allocates
/// nothing for data of the declared version. Version 0 is none (Misfit).
SchemaFit fit_of(const EventSchema& schema, std::uint32_t version, BytesView data);

/// The same with the reason. Errors: BadData that names the type, the field ("price", "legs[2].quantity") and what was
/// expected and found. A newer version is no error: nothing is known of it.
Result<void> check_data(const EventSchema& schema, std::uint32_t version, BytesView data);

/// `data` in the declared version, by the steps of the declaration one after the other; data of the declared version
/// and of a newer one comes back as it is. Errors: BadData where a step is missing or fails.
Result<Bytes> upcast_data(const EventSchema& schema, std::uint32_t from_version, BytesView data);

/// The declarations that a node or program knows.
///
/// Thread: immutable but for add(); find(), check() and upcast() may be called from any thread while nobody adds.
/// Ownership: refers to the declarations.
class SchemaTable {
 public:
  /// None.
  SchemaTable() = default;
  /// The types of the catalog that are declared (types.hpp).
  static SchemaTable built_in();

  /// A declaration of a built-in type takes its place; the same declaration may be added again.
  /// Errors: InvalidArgument: no event type, a reserved one, version 0, or another declaration of the type was added.
  Result<void> add(const EventSchema& schema);

  const EventSchema* find(std::string_view type) const;
  /// In the order of their types.
  std::vector<EventSchema> all() const;

  /// As check_data(); of a type without a declaration everything is right.
  Result<void> check(std::string_view type, std::uint32_t version, BytesView data) const;
  /// As upcast_data(); of a type without a declaration `data` comes back as it is.
  Result<Bytes> upcast(std::string_view type, std::uint32_t from_version, BytesView data) const;

 private:
  struct Entry {
    EventSchema schema;
    enum class From : std::uint8_t { Catalog, Program } from = From::Program;
  };
  std::vector<Entry> entries_;  // by type
};

}  // namespace legion
