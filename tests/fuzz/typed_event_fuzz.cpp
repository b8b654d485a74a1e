// Data against a declaration: codec, check and reason are three pieces of code and agree; what is read is the same
// after a round trip; upcasts take anything.
#include <array>
#include <optional>
#include <vector>

#include <legion/base/assert.hpp>
#include <legion/event/types.hpp>

namespace legion {
namespace {

struct Inner {
  std::string text;
  std::optional<double> number;
  static constexpr auto schema =
      data_schema(data_field("text", &Inner::text, "t"), data_field("number", &Inner::number, "n"));
  friend bool operator==(const Inner&, const Inner&) = default;
};

/// A field of every kind, none of them required, so that short inputs go far.
struct Anything {
  std::optional<std::string> text;
  std::optional<double> number;
  std::optional<std::int64_t> integer;
  std::optional<std::uint64_t> natural;
  std::optional<bool> flag;
  std::optional<StringList> names;
  std::optional<FloatPairs> levels;
  std::optional<Inner> inner;
  std::optional<std::vector<Inner>> inners;
  static constexpr auto schema =
      event_schema("fuzz.anything", 1, "Anything.", data_field("s", &Anything::text, "s"),
                   data_field("f", &Anything::number, "f"), data_field("i", &Anything::integer, "i"),
                   data_field("u", &Anything::natural, "u"), data_field("b", &Anything::flag, "b"),
                   data_field("l", &Anything::names, "l"), data_field("p", &Anything::levels, "p"),
                   data_field("m", &Anything::inner, "m"), data_field("n", &Anything::inners, "n"));
  friend bool operator==(const Anything&, const Anything&) = default;
};

template <class T>
std::optional<T> read_alike(BytesView data) {
  T value;
  const auto decoded = decode_data(T::schema.version, data, value);
  const auto fit = fit_of(schema_of<T>(), T::schema.version, data);
  const auto checked = check_data(schema_of<T>(), T::schema.version, data);
  LEGION_ASSERT(decoded.has_value() == (fit == SchemaFit::Fits));
  LEGION_ASSERT(decoded.has_value() == checked.has_value());
  if (!decoded) return std::nullopt;
  return value;
}

}  // namespace
}  // namespace legion

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const BytesView data(bytes, size);
  if (const auto value = read_alike<Anything>(data)) {
    Anything again;
    LEGION_ASSERT(decode_data(1, encode_data(*value), again).has_value());
    LEGION_ASSERT(again == *value);
  }
  (void)read_alike<MarketDataReceived>(data);
  (void)read_alike<OpportunitiesUpdated>(data);
  if (const auto upcast = upcast_data(schema_of<SignalGenerated>(), 1, data)) {
    LEGION_ASSERT(DataMap::read(*upcast).has_value());
    (void)read_alike<SignalGenerated>(*upcast);
  }
  return 0;
}
