// What commands reach beyond their own arguments and streams. Tests put their own behind it.
#pragma once

#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/address.hpp>
#include <legion/base/error.hpp>
#include <legion/base/log.hpp>
#include <legion/base/time.hpp>
#include <legion/cli/spool_ask.hpp>
#include <legion/runtime/observer.hpp>

namespace legion::cli {

/// Questions to one node. Errors: as ControlConnection.
class NodeConnection {
 public:
  virtual ~NodeConnection() = default;
  virtual Result<Bytes> call(std::string_view method, BytesView params, Duration timeout) = 0;
};

/// The events of a whole mesh. As Observer.
class EventStream {
 public:
  virtual ~EventStream() = default;
  virtual void run_once(Duration wait, const ObserverHandler& handler) = 0;
  virtual std::vector<Member> members() const = 0;
};

/// Thread: the command's.
class World {
 public:
  virtual ~World() = default;

  /// An environment variable; empty ones count as absent.
  virtual std::optional<std::string> variable(const std::string& name) const = 0;
  virtual std::vector<std::pair<std::string, std::string>> environment() const = 0;

  virtual Result<std::unique_ptr<NodeConnection>> connect(const Address& address) = 0;
  /// `address` is that of the spool port.
  virtual Result<std::unique_ptr<SpoolAsk>> connect_spool(const Address& address) = 0;
  virtual Result<std::unique_ptr<EventStream>> observe(ObserverOptions options, LogSink log) = 0;

  virtual Now now() = 0;
  /// Returns after `duration`, or earlier when the user interrupts.
  virtual void wait(Duration duration) = 0;

  /// Until this is called an interrupt ends the program at once; afterwards the first one only shows in interrupted().
  virtual void take_interrupts() = 0;
  virtual bool interrupted() const = 0;
};

/// The streams of a command and what is behind them.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  std::size_t columns = 80;  ///< of the terminal, when it is one
  bool in_is_terminal = false;
  bool err_is_terminal = false;
};

}  // namespace legion::cli
