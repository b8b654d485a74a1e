// How tail writes events: aligned lines, a format of the user's own, CloudEvents JSON, CSV.
#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include <legion/base/error.hpp>
#include <legion/cli/paint.hpp>
#include <legion/cli/session.hpp>
#include <legion/event/event.hpp>

namespace legion::cli {

/// Writes events to one stream. An event whose bytes do not decode is written by its coordinate and the defect.
class EventWriter {
 public:
  virtual ~EventWriter() = default;
  virtual void begin() {}
  virtual void write(const EventView& event) = 0;
  virtual void end() {}
};

struct EventWriterOptions {
  Output output = Output::Table;
  std::string format = {}; ///< not empty: the user's own; see make_event_writer()
  bool types_only = false;
  std::size_t width = 0;   ///< of the terminal; 0: lines are as long as they get
};

/// `format` knows %T time, %p priority, %t type, %s source, %n origin node, %i id, %c correlation, %a causation, %k key,
/// %d data and %%; \t and \n stand for what they do in C. Errors: InvalidArgument for any other escape.
Result<std::unique_ptr<EventWriter>> make_event_writer(std::ostream& out, const Paint& paint,
                                                       const EventWriterOptions& options);

}  // namespace legion::cli
