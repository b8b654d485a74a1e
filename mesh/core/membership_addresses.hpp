// Which control addresses the members make it necessary to dial.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace legion {

/// Several members may stand under one address (a name and the one that followed it on that host): as long as one of
/// them is known to answer there, nobody has to be dialled. Thread: owned by one thread. Bounds: those of the roster.
class MembershipAddresses {
 public:
  enum class Use : std::uint8_t { None, Dial, Answers };

  void add(const std::string& address, Use use) { move(address, use, 1); }
  void remove(const std::string& address, Use use) { move(address, use, -1); }

  bool answers(const std::string& address) const {
    const auto found = counts_.find(address);
    return found != counts_.end() && found->second.answers > 0;
  }
  bool to_dial(const std::string& address) const {
    const auto found = counts_.find(address);
    return found != counts_.end() && found->second.to_dial();
  }
  /// The addresses for which to_dial() may have changed since the last call.
  std::vector<std::string> take_changed() { return std::exchange(changed_, {}); }

 private:
  struct Counts {
    std::int32_t dial = 0;
    std::int32_t answers = 0;
    bool to_dial() const { return dial > 0 && answers == 0; }
  };

  void move(const std::string& address, Use use, std::int32_t by) {
    if (use == Use::None) return;
    const auto found = counts_.try_emplace(address).first;
    Counts& counts = found->second;
    const bool before = counts.to_dial();
    (use == Use::Dial ? counts.dial : counts.answers) += by;
    if (counts.to_dial() != before) changed_.push_back(address);
    if (counts.dial == 0 && counts.answers == 0) counts_.erase(found);
  }

  std::unordered_map<std::string, Counts> counts_;
  std::vector<std::string> changed_;
};

}  // namespace legion
