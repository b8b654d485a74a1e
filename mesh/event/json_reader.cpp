#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <legion/base/base64.hpp>
#include <legion/event/json.hpp>
#include <legion/event/json_codec.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

using Json = nlohmann::json;

// {"$ext":[1,"..."]} is two levels of JSON for what is a scalar in MessagePack.
constexpr std::size_t marker_levels = 2;

// Receives what nlohmann's parser reads, which neither recurses nor throws towards a receiver, and writes MessagePack.
// A container's head comes before its entries, but their number is known only at its end: it is inserted then.
class MsgpackBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit MsgpackBuilder(std::size_t depth_max) : depth_max_(depth_max) {}

  Bytes take() { return std::move(out_); }
  const std::string& error() const { return error_; }

  bool null() override {
    return write([](MsgpackWriter& writer) { writer.nil(); });
  }
  bool boolean(bool value) override {
    return write([&](MsgpackWriter& writer) { writer.boolean(value); });
  }
  bool number_integer(std::int64_t value) override {
    return write([&](MsgpackWriter& writer) { writer.integer(value); });
  }
  bool number_unsigned(std::uint64_t value) override {
    return write([&](MsgpackWriter& writer) { writer.uint(value); });
  }
  bool number_float(double value, const std::string& digits) override {
    // The parser falls back to a float for an integer beyond 64 bits; that would silently be another number.
    if (digits.find_first_of(".eE") == std::string::npos) return refuse("an integer does not fit 64 bits");
    return write([&](MsgpackWriter& writer) { writer.float64(value); });
  }
  bool string(std::string& text) override {
    return write([&](MsgpackWriter& writer) { writer.str(text); });
  }
  bool binary(Json::binary_t&) override { return refuse("binary in JSON"); }

  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }

  bool key(std::string& name) override {
    Container& object = open_.back();
    if (object.key_starts.size() == limits::msgpack_items_max) return refuse("an object has too many members");
    object.key_starts.push_back(out_.size());
    append([&](MsgpackWriter& writer) { writer.str(name); });
    return true;
  }

  bool end_array() override {
    const Container array = close();
    insert_head(array.start, [&](MsgpackWriter& writer) { writer.array(array.count); });
    return value_done(array.height + 1);
  }

  bool end_object() override {
    Container object = close();
    drop_repeated_keys(object);
    if (object.key_starts.size() == 1) {
      switch (collapse_marker(object)) {
        case Marker::None: break;
        case Marker::Collapsed: return value_done(0);
        case Marker::Malformed: return false;
      }
    }
    insert_head(object.start, [&](MsgpackWriter& writer) { writer.map(object.key_starts.size()); });
    return value_done(object.height + 1);
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& problem) override {
    // What was read last may be long and need not be UTF-8.
    std::string_view text = problem.what();
    text = text.substr(0, std::min(text.find("; last read"), std::size_t{200}));
    if (text.starts_with('[')) text.remove_prefix(std::min(text.size(), text.find("] ") + 2));
    std::string printable(text);
    std::ranges::replace_if(printable, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return refuse(printable);
  }

 private:
  enum class Marker : std::uint8_t { None, Collapsed, Malformed };

  struct Container {
    std::size_t start = 0;                 // in out_
    std::size_t count = 0;                 // entries of an array
    std::size_t height = 0;                // of the highest entry
    std::vector<std::size_t> key_starts;   // of an object; each value lies between its key and the next key
  };

  bool refuse(std::string_view what) {
    if (error_.empty()) error_ = what;
    return false;
  }

  template <class Write>
  void append(Write write_value) {
    MsgpackWriter writer(std::move(out_));
    write_value(writer);
    out_ = writer.take();
  }

  template <class Write>
  bool write(Write write_value) {
    append(write_value);
    return value_done(0);
  }

  bool open() {
    if (open_.size() == depth_max_ + marker_levels) return refuse("nested too deeply");
    open_.push_back(Container{.start = out_.size(), .count = 0, .height = 0, .key_starts = {}});
    return true;
  }

  Container close() {
    Container container = std::move(open_.back());
    open_.pop_back();
    return container;
  }

  bool value_done(std::size_t height) {
    if (open_.empty()) return height <= depth_max_ || refuse("nested too deeply");
    Container& around = open_.back();
    around.height = std::max(around.height, height);
    if (++around.count > limits::msgpack_items_max) return refuse("an array has too many entries");
    return true;
  }

  template <class Write>
  void insert_head(std::size_t at, Write write_head) {
    MsgpackWriter head;
    write_head(head);
    out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(at), head.bytes().begin(), head.bytes().end());
  }

  std::string_view key_at(std::size_t start) const {
    return MsgpackReader(out_, start).read_string().value_or(std::string_view{});
  }

  // The last of several members of one name wins.
  void drop_repeated_keys(Container& object) {
    std::vector<std::size_t>& starts = object.key_starts;
    if (starts.size() < 2) return;
    std::vector<std::pair<std::string_view, std::size_t>> names;
    names.reserve(starts.size());
    for (std::size_t i = 0; i < starts.size(); ++i) names.emplace_back(key_at(starts[i]), i);
    std::ranges::sort(names);
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const bool is_last = i + 1 == names.size() || names[i].first != names[i + 1].first;
      if (is_last) kept.push_back(names[i].second);
    }
    if (kept.size() == starts.size()) return;
    std::ranges::sort(kept);

    Bytes entries;
    std::vector<std::size_t> new_starts;
    for (const std::size_t i : kept) {
      new_starts.push_back(object.start + entries.size());
      const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : out_.size();
      entries.insert(entries.end(), out_.begin() + static_cast<std::ptrdiff_t>(starts[i]),
                     out_.begin() + static_cast<std::ptrdiff_t>(end));
    }
    out_.resize(object.start);
    out_.insert(out_.end(), entries.begin(), entries.end());
    starts = std::move(new_starts);
  }

  Marker collapse_marker(const Container& object) {
    MsgpackReader reader(out_, object.key_starts.front());
    const std::string name(reader.read_string().value_or(std::string_view{}));
    if (name != "$bin" && name != "$float" && name != "$ext") return Marker::None;
    MsgpackWriter value;
    const bool is_read = name == "$bin"     ? read_bin_marker(reader, value)
                         : name == "$float" ? read_float_marker(reader, value)
                                            : read_ext_marker(reader, value);
    if (!is_read) {
      refuse("the content of {\"" + name + "\":..} is malformed");
      return Marker::Malformed;
    }
    out_.resize(object.start);
    out_.insert(out_.end(), value.bytes().begin(), value.bytes().end());
    return Marker::Collapsed;
  }

  static bool read_bin_marker(MsgpackReader& reader, MsgpackWriter& value) {
    const auto text = reader.read_string();
    const auto bytes = text ? base64_decode(*text) : Result<Bytes>(std::unexpected(text.error()));
    if (bytes) value.bin(*bytes);
    return bytes.has_value();
  }

  static bool read_float_marker(MsgpackReader& reader, MsgpackWriter& value) {
    using Limits = std::numeric_limits<double>;
    const auto text = reader.read_string();
    if (text == "nan") {
      value.float64(Limits::quiet_NaN());
    } else if (text == "inf") {
      value.float64(Limits::infinity());
    } else if (text == "-inf") {
      value.float64(-Limits::infinity());
    } else {
      return false;
    }
    return true;
  }

  static bool read_ext_marker(MsgpackReader& reader, MsgpackWriter& value) {
    if (!reader.expect_array(2)) return false;
    const auto type = reader.read_int();
    if (!type || *type < -128 || *type > 127) return false;
    const auto text = reader.read_string();
    const auto bytes = text ? base64_decode(*text) : Result<Bytes>(std::unexpected(text.error()));
    if (bytes) value.ext(static_cast<std::int8_t>(*type), *bytes);
    return bytes.has_value();
  }

  const std::size_t depth_max_;
  Bytes out_;
  std::vector<Container> open_;
  std::string error_;
};

}  // namespace

Result<Bytes> json_to_msgpack(std::string_view json, std::size_t depth_max) {
  if (json.size() > limits::json_line_bytes_max) {
    return fail(ErrorCode::TooBig, "JSON of " + std::to_string(json.size()) + " bytes, allowed are " +
                                       std::to_string(limits::json_line_bytes_max));
  }
  // The parser takes a NUL for the end of its input and would not see what follows.
  if (const std::size_t nul = json.find('\0'); nul != std::string_view::npos) {
    return fail(ErrorCode::BadData, "JSON: a NUL byte at position " + std::to_string(nul));
  }
  MsgpackBuilder builder(depth_max);
  if (!Json::sax_parse(json, &builder)) {
    return fail(ErrorCode::BadData, "JSON: " + (builder.error().empty() ? "cannot be read" : builder.error()));
  }
  return builder.take();
}

Result<Bytes> data_from_json(std::string_view json) { return json_to_msgpack(json, limits::msgpack_depth_max); }

}  // namespace legion
