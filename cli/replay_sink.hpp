// Where replayed events go.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <legion/cli/event_writer.hpp>
#include <legion/cli/publisher.hpp>
#include <legion/cli/session.hpp>

namespace legion::cli {

/// Thread: the command's.
class ReplaySink {
 public:
  virtual ~ReplaySink() = default;
  /// Errors end the replay.
  virtual Result<void> add(const EventView& event) = 0;
  /// Hands over what was collected: before a wait, and at the end.
  virtual Result<void> flush() = 0;
  virtual Result<void> finish() { return flush(); }
  /// What add() took and flush() has not handed over.
  virtual std::size_t collected() const { return 0; }

  struct Figures {
    std::uint64_t delivered = 0;
    std::uint64_t refused = 0;
    std::string last;  ///< id of the last event that was delivered
  };
  const Figures& figures() const { return figures_; }

 protected:
  Figures figures_;
};

/// Events to standard output, in the form of `writer`.
std::unique_ptr<ReplaySink> make_output_sink(Session& session, std::unique_ptr<EventWriter> writer);

/// To a file that is not there yet, unless `overwrite`. Errors: Io naming the file.
enum class Overwrite : std::uint8_t { No, Yes };
Result<std::unique_ptr<ReplaySink>> make_file_sink(const std::string& path, Overwrite overwrite, Output output,
                                                   const std::string& format);

/// To the control port of a node, for "mesh" or for a "node/agent". Refusals are problems on standard error, the first
/// few of them.
std::unique_ptr<ReplaySink> make_node_sink(Session& session, std::unique_ptr<NodeConnection> node, const std::string& to);

}  // namespace legion::cli
