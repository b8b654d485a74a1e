// Questions to a node's control port from a program that is no node: legion-cli, tests, tools.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <legion/base/address.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event.hpp>

namespace legion {

/// Thread: one at a time. Blocks, at most for the time-out given.
class ControlConnection {
 public:
  /// Resolves the name, connects and says nothing yet. Errors: Unreachable when the name does not resolve.
  static Result<std::unique_ptr<ControlConnection>> open(const Address& address);
  ~ControlConnection();

  /// Sends `[0, id, method, params]` and waits for its answer. `params` is one MessagePack value (empty: nil).
  /// Errors: Unreachable (connection refused by every resolved address, or nothing was ever connected in time), TimedOut
  /// (connected, no answer), BadData, and the error the node answered, with its code where it is one of ours.
  Result<Bytes> call(std::string_view method, BytesView params, Duration timeout);

 private:
  struct State;
  explicit ControlConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace legion
