// Events as structs: declared once, checked where they are read, older versions brought up to date.
#include <array>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/json.hpp>
#include <legion/testing.hpp>

namespace {

/// Version 1 had a member "size", which is called "quantity" now.
legion::Result<void> from_version_1(legion::DataMap& data) {
  if (data.rename("size", "quantity")) return {};
  return legion::fail(legion::ErrorCode::BadData, "size: is missing");
}

struct Fill {
  std::string symbol;
  double quantity = 0;
  std::optional<std::string> venue;

  static constexpr auto schema = legion::event_schema(
      "example.fill", 2, "Something was bought.", legion::data_field("symbol", &Fill::symbol, "what"),
      legion::data_field("quantity", &Fill::quantity, "pieces"),
      legion::data_field("venue", &Fill::venue, "where; absent: not told"));
  static constexpr std::array upcasts{legion::Upcast{1, &from_version_1}};
};

legion::Event fill_of(std::uint32_t version, std::string_view json) {
  legion::Event event;
  event.type = Fill::schema.type;
  event.schema_version = version;
  event.data = *legion::data_from_json(json);
  return event;
}

}  // namespace

int main() {
  legion::TestMesh mesh;  // no threads and no clock: everything happens in run_until_idle()
  auto node = mesh.add_node("desk");
  std::vector<Fill> fills;
  const auto added = node->on<Fill>([&](const Fill& fill) { fills.push_back(fill); });
  if (!added || !node->start()) return 1;

  const legion::Publisher publisher = node->publisher("feed");
  publisher.publish(Fill{.symbol = "XBT", .quantity = 2, .venue = "kraken"});
  publisher.publish(fill_of(1, R"({"symbol":"ETH","size":7})"));
  publisher.publish(fill_of(2, R"({"symbol":"SOL","quantity":"many"})"));
  mesh.run_until_idle();

  for (const Fill& fill : fills) std::cout << fill.quantity << ' ' << fill.symbol << '\n';
  for (const auto& letter : mesh.dead_letters()) std::cout << "dead letter: " << letter.error << '\n';
  const bool upcast = fills.size() == 2 && fills[1].symbol == "ETH" && fills[1].quantity == 7;
  const bool named =
      mesh.dead_letters().size() == 1 && mesh.dead_letters()[0].error.find("quantity") != std::string::npos;
  return upcast && named ? 0 : 1;
}
