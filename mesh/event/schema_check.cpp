#include <legion/event/schema_check.hpp>

#include <cmath>
#include <cstring>
#include <limits>

#include <legion/base/assert.hpp>

namespace legion {
namespace {

constexpr std::size_t text_bytes_max = limits::message_bytes_max;

bool is_empty(BytesView data) { return data.empty() || (data.size() == 1 && data[0] == 0xc0); }

enum class Finite : std::uint8_t { Needed, Any };

bool take_number(MsgpackReader& reader, Finite finite) {
  double real = 0;
  if (reader.take_float(real)) return finite == Finite::Any || std::isfinite(real);
  std::uint64_t natural = 0;
  return reader.take_uint(natural) || reader.read_int().has_value();
}

template <class Take>
bool take_list(MsgpackReader& reader, Take take) {
  const auto count = reader.read_array();
  if (!count) return false;
  for (std::size_t i = 0; i < *count; ++i) {
    if (!take(reader)) return false;
  }
  return true;
}

bool take_text(MsgpackReader& reader) {
  std::string_view text;
  return reader.take_string(text, text_bytes_max);
}

bool take_pair(MsgpackReader& reader) {
  return reader.take_array_of(2) && take_number(reader, Finite::Needed) && take_number(reader, Finite::Needed);
}

bool take_float_map(MsgpackReader& reader) {
  std::size_t count = 0;
  if (!reader.take_map(count)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!take_text(reader) || !take_number(reader, Finite::Any)) return false;
  }
  return true;
}

bool take_kind(const FieldInfo& field, MsgpackReader& reader) {
  std::uint64_t natural = 0;
  switch (field.kind) {
    case DataKind::String: return take_text(reader);
    case DataKind::Float: return take_number(reader, Finite::Needed);
    case DataKind::Int: return reader.read_int().has_value();
    case DataKind::Uint: return reader.take_uint(natural);
    case DataKind::Bool: return reader.read_bool().has_value();
    case DataKind::StringList: return take_list(reader, take_text);
    case DataKind::FloatList:
      return take_list(reader, [](MsgpackReader& inside) { return take_number(inside, Finite::Any); });
    case DataKind::FloatPairs: return take_list(reader, take_pair);
    case DataKind::FloatMap: return take_float_map(reader);
    case DataKind::Map: return fields_fit(field.fields, reader);
    case DataKind::MapList:
      return take_list(reader, [&](MsgpackReader& inside) { return fields_fit(field.fields, inside); });
  }
  LEGION_UNREACHABLE();
}

bool take_value(const FieldInfo& field, MsgpackReader& reader) {
  const std::size_t begin = reader.offset();
  if (take_kind(field, reader)) return true;
  // Not nil once something of the value was read.
  return field.presence == FieldPresence::Optional && reader.offset() == begin && reader.read_nil().has_value();
}

template <class Word>
bool same_ends(const char* a, const char* b, std::size_t size) {
  const auto word = [](const char* at) {
    Word loaded;
    std::memcpy(&loaded, at, sizeof(loaded));
    return loaded;
  };
  return word(a) == word(b) && word(a + size - sizeof(Word)) == word(b + size - sizeof(Word));
}

/// Names are short: two loads that may overlap cost less than the call of memcmp().
bool is_same_name(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  if (size >= 8 && size <= 16) return same_ends<std::uint64_t>(a.data(), b.data(), size);
  if (size >= 4 && size < 8) return same_ends<std::uint32_t>(a.data(), b.data(), size);
  return a == b;
}

/// The field of this name, looked for from `next` on: data is mostly written in the order of the declaration.
const FieldInfo* find_field(std::span<const FieldInfo> fields, std::size_t next, std::string_view name) {
  for (std::size_t i = next; i < fields.size(); ++i) {
    if (is_same_name(fields[i].name, name)) return &fields[i];
  }
  for (std::size_t i = 0; i < next; ++i) {
    if (is_same_name(fields[i].name, name)) return &fields[i];
  }
  return nullptr;
}

std::uint64_t required_bits(std::span<const FieldInfo> fields) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].presence == FieldPresence::Required) bits |= std::uint64_t{1} << i;
  }
  return bits;
}

// --- the reason ------------------------------------------------------------------------------------------------------

std::string with_article(std::string_view name) {
  const bool vowel = std::string_view("aeiou").contains(name.front());
  return (vowel ? "an " : "a ") + std::string(name);
}

std::string found_text(MsgpackReader reader) {
  const auto kind = reader.peek();
  if (!kind) return kind.error().message;
  if (*kind == MsgpackKind::Nil) return "nil";
  if (*kind == MsgpackKind::Float) {
    const double real = reader.read_float().value_or(0);
    if (std::isnan(real)) return "nan";
    if (std::isinf(real)) return real > 0 ? "inf" : "-inf";
  }
  return with_article(to_string(*kind));
}

std::string mismatch(std::string_view path, std::string_view expected, const MsgpackReader& reader) {
  const std::string where = path.empty() ? "the data" : std::string(path);
  return where + ": expected " + with_article(expected) + ", found " + found_text(reader);
}

std::optional<std::string> explain_fields(std::span<const FieldInfo> fields, MsgpackReader& reader,
                                          const std::string& path);

std::string below(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + '.' + std::string(name);
}

std::string element(const std::string& path, std::size_t index) { return path + '[' + std::to_string(index) + ']'; }

template <class Explain>
std::optional<std::string> explain_list(std::string_view kind, MsgpackReader& reader, const std::string& path,
                                        Explain explain) {
  const MsgpackReader begin = reader;
  const auto count = reader.read_array();
  if (!count) return mismatch(path, kind, begin);
  for (std::size_t i = 0; i < *count; ++i) {
    if (auto why = explain(reader, element(path, i))) return why;
  }
  return std::nullopt;
}

std::optional<std::string> explain_number(MsgpackReader& reader, const std::string& path, Finite finite) {
  const MsgpackReader begin = reader;
  if (take_number(reader, finite)) return std::nullopt;
  const auto kind = begin.peek();
  const bool is_float = kind && *kind == MsgpackKind::Float;  // then nan or inf
  return mismatch(path, is_float && finite == Finite::Needed ? "finite number" : "number", begin);
}

std::optional<std::string> explain_text(MsgpackReader& reader, const std::string& path) {
  const MsgpackReader begin = reader;
  return take_text(reader) ? std::nullopt : std::optional(mismatch(path, "string", begin));
}

std::optional<std::string> explain_pair(MsgpackReader& reader, const std::string& path) {
  const MsgpackReader begin = reader;
  if (!reader.take_array_of(2)) return mismatch(path, "pair of numbers", begin);
  for (std::size_t i = 0; i < 2; ++i) {
    if (auto why = explain_number(reader, element(path, i), Finite::Needed)) return why;
  }
  return std::nullopt;
}

std::optional<std::string> explain_float_map(MsgpackReader& reader, const std::string& path) {
  const MsgpackReader begin = reader;
  std::size_t count = 0;
  if (!reader.take_map(count)) return mismatch(path, to_string(DataKind::FloatMap), begin);
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = reader.read_string();
    if (!name) return path + ": " + name.error().message;
    if (auto why = explain_number(reader, below(path, *name), Finite::Any)) return why;
  }
  return std::nullopt;
}

std::optional<std::string> explain_value(const FieldInfo& field, MsgpackReader& reader, const std::string& path) {
  MsgpackReader probe = reader;
  if (take_value(field, probe)) {
    reader = probe;
    return std::nullopt;
  }
  switch (field.kind) {
    case DataKind::String:
    case DataKind::Int:
    case DataKind::Uint:
    case DataKind::Bool: return mismatch(path, to_string(field.kind), reader);
    case DataKind::Float: return explain_number(reader, path, Finite::Needed);
    case DataKind::StringList: return explain_list(to_string(field.kind), reader, path, explain_text);
    case DataKind::FloatList:
      return explain_list(to_string(field.kind), reader, path, [](MsgpackReader& inside, const std::string& at) {
        return explain_number(inside, at, Finite::Any);
      });
    case DataKind::FloatPairs: return explain_list(to_string(field.kind), reader, path, explain_pair);
    case DataKind::FloatMap: return explain_float_map(reader, path);
    case DataKind::Map: return explain_fields(field.fields, reader, path);
    case DataKind::MapList:
      return explain_list(to_string(field.kind), reader, path, [&](MsgpackReader& inside, const std::string& at) {
        return explain_fields(field.fields, inside, at);
      });
  }
  LEGION_UNREACHABLE();
}

std::optional<std::string> missing_of(std::span<const FieldInfo> fields, std::uint64_t seen, const std::string& path) {
  const std::uint64_t missing = required_bits(fields) & ~seen;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if ((missing >> i & 1) == 0) continue;
    return below(path, fields[i].name) + ": is missing; expected " + with_article(to_string(fields[i].kind));
  }
  return std::nullopt;
}

std::optional<std::string> explain_fields(std::span<const FieldInfo> fields, MsgpackReader& reader,
                                          const std::string& path) {
  const MsgpackReader begin = reader;
  std::size_t count = 0;
  if (!reader.take_map(count)) return mismatch(path, "map", begin);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = reader.read_string();
    if (!name) return (path.empty() ? "the data" : path) + ": " + name.error().message;
    const FieldInfo* field = find_field(fields, 0, *name);
    if (field == nullptr) {
      if (const auto skipped = reader.skip(); !skipped) return below(path, *name) + ": " + skipped.error().message;
      continue;
    }
    seen |= std::uint64_t{1} << (field - fields.data());
    if (auto why = explain_value(*field, reader, below(path, *name))) return why;
  }
  return missing_of(fields, seen, path);
}

}  // namespace

bool fields_fit(std::span<const FieldInfo> fields, MsgpackReader& reader) {
  std::size_t count = 0;
  if (!reader.take_map(count)) return false;
  std::uint64_t seen = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::string_view name;
    if (!reader.take_string(name, text_bytes_max)) return false;
    const FieldInfo* field = find_field(fields, next, name);
    if (field == nullptr) {
      if (!reader.skip()) return false;
      continue;
    }
    next = static_cast<std::size_t>(field - fields.data());
    seen |= std::uint64_t{1} << next;
    ++next;
    if (!take_value(*field, reader)) return false;
  }
  return (required_bits(fields) & ~seen) == 0;
}

bool data_fits(std::span<const FieldInfo> fields, BytesView data) {
  if (is_empty(data)) return required_bits(fields) == 0;
  MsgpackReader reader(data);
  return fields_fit(fields, reader) && reader.at_end();
}

std::optional<std::string> misfit_of(std::span<const FieldInfo> fields, BytesView data) {
  if (is_empty(data)) return missing_of(fields, 0, "");
  MsgpackReader reader(data);
  if (auto why = explain_fields(fields, reader, "")) return why;
  if (!reader.at_end()) return "the data: " + std::to_string(reader.remaining()) + " bytes follow the map";
  return std::nullopt;
}

}  // namespace legion
