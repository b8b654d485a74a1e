// The ZeroMQ prefixes in force upstream, counted, so that each is sent once when it begins and once when it ends.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace legion {

class PrefixCounts {
 public:
  enum class Change : std::uint8_t { None, Begins, Ends };

  Change add(const std::string& prefix) { return ++counts_[prefix] == 1 ? Change::Begins : Change::None; }

  /// Removing what is not there changes nothing.
  Change remove(const std::string& prefix) {
    const auto found = counts_.find(prefix);
    if (found == counts_.end()) return Change::None;
    if (--found->second > 0) return Change::None;
    counts_.erase(found);
    return Change::Ends;
  }

  std::size_t size() const { return counts_.size(); }

 private:
  std::map<std::string, std::uint32_t> counts_;
};

}  // namespace legion
