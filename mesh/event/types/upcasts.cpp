// How older versions of the events of the catalog become the present ones.
#include <string>

#include <legion/event/types/strategy.hpp>

namespace legion {

Result<void> signal_generated_from_1(DataMap& data) {
  if (const auto action = data.text("action")) {
    std::string lower(*action);
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    data.set_text("action", lower);
  }
  // What some wrote by themselves stays.
  if (!data.has("strategy")) data.set_text("strategy", "");
  return {};
}

}  // namespace legion
