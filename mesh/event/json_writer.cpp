#include <array>
#include <charconv>
#include <cmath>

#include <legion/base/base64.hpp>
#include <legion/base/text.hpp>
#include <legion/event/json.hpp>
#include <legion/event/json_codec.hpp>

namespace legion {
namespace {

void append_escaped(std::string& out, char c) {
  constexpr std::string_view hex = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += hex[byte >> 4];
  out += hex[byte & 0x0f];
}

void append_binary(std::string& out, BytesView bytes) {
  out += R"({"$bin":")";
  out += base64_encode(bytes);
  out += R"("})";
}

void append_float(std::string& out, double value) {
  if (std::isfinite(value)) {
    out += float_text(value);
    return;
  }
  out += R"({"$float":")";
  out += std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  out += R"("})";
}

// Recursive; `levels_left` bounds it.
class JsonAppender {
 public:
  JsonAppender(std::string& out, MsgpackReader& reader) : out_(out), reader_(reader) {}

  Result<void> value(std::size_t levels_left) {
    const auto kind = reader_.peek();
    if (!kind) return std::unexpected(kind.error());
    switch (*kind) {
      case MsgpackKind::Nil: out_ += "null"; return reader_.read_nil();
      case MsgpackKind::Bool: return read(reader_.read_bool(), [&](bool b) { out_ += b ? "true" : "false"; });
      case MsgpackKind::Uint: return read(reader_.read_uint(), [&](std::uint64_t n) { out_ += std::to_string(n); });
      case MsgpackKind::Int: return read(reader_.read_int(), [&](std::int64_t n) { out_ += std::to_string(n); });
      case MsgpackKind::Float: return read(reader_.read_float(), [&](double real) { append_float(out_, real); });
      case MsgpackKind::String: return read(reader_.read_string(), [&](std::string_view text) { string(text); });
      case MsgpackKind::Binary: return read(reader_.read_bin(), [&](BytesView bytes) { append_binary(out_, bytes); });
      case MsgpackKind::Ext: return read(reader_.read_ext(), [&](const MsgpackExt& e) { ext(e); });
      case MsgpackKind::Array: return levels_left == 0 ? too_deep() : array(levels_left - 1);
      case MsgpackKind::Map: return levels_left == 0 ? too_deep() : map(levels_left - 1);
    }
    return fail(ErrorCode::Internal, "unknown MessagePack kind");
  }

 private:
  template <class T, class Append>
  static Result<void> read(const Result<T>& result, Append append) {
    if (!result) return std::unexpected(result.error());
    append(*result);
    return {};
  }

  Result<void> too_deep() const {
    return fail(ErrorCode::BadData, "MessagePack at byte " + std::to_string(reader_.offset()) + ": nested too deeply");
  }

  void string(std::string_view text) {
    if (is_utf8(text)) {
      append_json_string(out_, text);
    } else {
      append_binary(out_, as_bytes_view(text));
    }
  }

  void ext(const MsgpackExt& value) {
    out_ += R"({"$ext":[)";
    out_ += std::to_string(value.type);
    out_ += ",\"";
    out_ += base64_encode(value.bytes);
    out_ += "\"]}";
  }

  Result<void> array(std::size_t levels_left) {
    const auto count = reader_.read_array();
    if (!count) return std::unexpected(count.error());
    out_ += '[';
    for (std::size_t i = 0; i < *count; ++i) {
      if (i > 0) out_ += ',';
      if (const auto entry = value(levels_left); !entry) return entry;
    }
    out_ += ']';
    return {};
  }

  Result<void> map(std::size_t levels_left) {
    const auto count = reader_.read_map();
    if (!count) return std::unexpected(count.error());
    out_ += '{';
    for (std::size_t i = 0; i < *count; ++i) {
      if (i > 0) out_ += ',';
      const std::size_t at = reader_.offset();
      const auto key = reader_.read_string();
      if (!key) return std::unexpected(key.error());
      if (!is_utf8(*key)) {
        return fail(ErrorCode::BadData, "MessagePack at byte " + std::to_string(at) + ": a map key is not UTF-8");
      }
      append_json_string(out_, *key);
      out_ += ':';
      if (const auto entry = value(levels_left); !entry) return entry;
    }
    out_ += '}';
    return {};
  }

  std::string& out_;
  MsgpackReader& reader_;
};

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain_from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_plain = static_cast<unsigned char>(text[i]) >= 0x20 && text[i] != '"' && text[i] != '\\';
    if (is_plain) continue;
    out += text.substr(plain_from, i - plain_from);
    append_escaped(out, text[i]);
    plain_from = i + 1;
  }
  out += text.substr(plain_from);
  out += '"';
}

std::string float_text(double value) {
  std::array<char, 64> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  std::string out(digits.data(), end);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

Result<void> append_json(std::string& out, MsgpackReader& reader) {
  return JsonAppender(out, reader).value(limits::msgpack_depth_max);
}

Result<std::string> data_to_json(BytesView msgpack) {
  MsgpackReader reader(msgpack);
  std::string out;
  out.reserve(msgpack.size() * 2);
  if (const auto appended = append_json(out, reader); !appended) return std::unexpected(appended.error());
  if (const auto end = reader.expect_end(); !end) return std::unexpected(end.error());
  return out;
}

}  // namespace legion
