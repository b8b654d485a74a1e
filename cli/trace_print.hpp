// A trace as a table, JSON, JSON lines, CSV or a drawing for graphviz.
#pragma once

#include <string>

#include <legion/cli/session.hpp>
#include <legion/cli/trace_tree.hpp>

namespace legion::cli {

/// `asked` is the id that was asked for; the event that has it is marked.
void print_trace(Session& session, const TraceTree& tree, const std::string& asked);

/// One event of it, found later: a line, or a JSON line.
void print_trace_line(Session& session, const TraceTree& tree, const std::string& id);

/// "+1.25ms", "-3us" (clocks that differ).
std::string hop_text(Duration hop);

}  // namespace legion::cli
