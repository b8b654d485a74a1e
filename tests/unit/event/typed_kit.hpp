// Typed events that tests of this area share, and a way to fill any of them.
#pragma once

#include <string>
#include <tuple>

#include <legion/event/json.hpp>
#include <legion/event/types.hpp>

namespace legion::typed_kit {

struct Leg {
  std::string symbol;
  double quantity = 0;
  std::optional<bool> hedged;
  static constexpr auto schema =
      data_schema(data_field("symbol", &Leg::symbol, "what is traded"), data_field("quantity", &Leg::quantity, "units"),
                  data_field("hedged", &Leg::hedged, "whether it is"));
  friend bool operator==(const Leg&, const Leg&) = default;
};

/// A field of every kind.
struct EveryKind {
  std::string text;
  double real = 0;
  std::int64_t integer = 0;
  std::uint64_t natural = 0;
  bool flag = false;
  StringList names;
  FloatList reals;
  FloatPairs levels;
  FloatMap values;
  Leg leg;
  std::vector<Leg> legs;
  std::optional<double> limit;
  std::optional<std::vector<Leg>> more;
  static constexpr auto schema = event_schema(
      "test.every_kind", 1, "A field of every kind.", data_field("text", &EveryKind::text, "t"),
      data_field("real", &EveryKind::real, "r"), data_field("integer", &EveryKind::integer, "i"),
      data_field("natural", &EveryKind::natural, "n"), data_field("flag", &EveryKind::flag, "f"),
      data_field("names", &EveryKind::names, "ns"), data_field("reals", &EveryKind::reals, "rs"),
      data_field("levels", &EveryKind::levels, "ls"), data_field("values", &EveryKind::values, "vs"),
      data_field("leg", &EveryKind::leg, "l"), data_field("legs", &EveryKind::legs, "ls"),
      data_field("limit", &EveryKind::limit, "may be absent"), data_field("more", &EveryKind::more, "may be absent"));
  friend bool operator==(const EveryKind&, const EveryKind&) = default;
};

/// Gives every field a value of its own, counted on from `next`.
class Filler {
 public:
  template <class T>
  T filled() {
    T value;
    fill(value);
    return value;
  }

 private:
  void fill(std::string& out) { out = "text " + std::to_string(next_++); }
  void fill(double& out) { out = 0.5 + next_++; }
  void fill(std::int64_t& out) { out = -1'000'000'000'000 - next_++; }
  void fill(std::uint64_t& out) { out = 0xf000'0000'0000'0000 + static_cast<std::uint64_t>(next_++); }
  void fill(bool& out) { out = true; }
  void fill(std::pair<double, double>& out) {
    fill(out.first);
    fill(out.second);
  }
  void fill(FloatMap& out) {
    for (int i = 0; i < 3; ++i) fill(out["name " + std::to_string(i)]);
  }
  template <class T>
  void fill(std::vector<T>& out) {
    out.resize(3);
    for (T& each : out) fill(each);
  }
  template <class T>
  void fill(std::optional<T>& out) {
    fill(out.emplace());
  }
  template <DataStruct T>
  void fill(T& out) {
    std::apply([&](const auto&... field) { (fill(out.*field.member), ...); }, T::schema.fields);
  }

  int next_ = 1;
};

/// Calls `visit(T{})` for every event of the catalog.
template <class Visit>
void for_each_built_in(Visit visit) {
  [&]<class... T>(std::tuple<T...>*) { (visit(T{}), ...); }(static_cast<BuiltInEvents*>(nullptr));
}

inline Bytes data_of(std::string_view json) { return data_from_json(json).value(); }

/// The message of an error, empty when there is none.
template <class T>
std::string why(const Result<T>& result) {
  return result ? "" : result.error().message;
}

}  // namespace legion::typed_kit
