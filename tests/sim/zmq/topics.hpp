// Which pipes want a message: the subscriptions of an XPUB.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace legion::sim {

class Pipe;

/// Prefixes and the pipes that subscribed to them, as libzmq's mtrie: a pipe is under a prefix once or not at all.
/// Bounds: nodes nobody needs any more are used again.
class Topics {
 public:
  /// True: it is the first pipe under this prefix.
  bool add(std::string_view prefix, Pipe& pipe);
  enum class Removed : std::uint8_t { NotFound, LastOne, OthersRemain };
  Removed remove(std::string_view prefix, Pipe& pipe);

  /// Every pipe of every prefix of `text`, in the order of the prefixes; a pipe may come several times.
  template <class Visit>
  void match(std::string_view text, const Visit& visit) const {
    std::uint32_t at = root;
    for (const char c : text) {
      for (Pipe* pipe : nodes_[at].pipes) visit(*pipe);
      at = child(at, static_cast<std::uint8_t>(c));
      if (at == none) return;
    }
    for (Pipe* pipe : nodes_[at].pipes) visit(*pipe);
  }

 private:
  static constexpr std::uint32_t root = 0;
  static constexpr std::uint32_t none = 0xFFFFFFFF;
  struct Node {
    std::uint32_t parent = none;
    std::uint32_t first_child = none;
    std::uint32_t next = none;  // with the same parent
    std::uint8_t byte = 0;
    std::vector<Pipe*> pipes;   // in the order they came
  };

  std::uint32_t child(std::uint32_t parent, std::uint8_t byte) const;
  std::uint32_t make_child(std::uint32_t parent, std::uint8_t byte);
  void prune(std::uint32_t node);

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::vector<std::uint32_t> free_;
};

}  // namespace legion::sim
