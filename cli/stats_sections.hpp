// What a node's statistics look like as tables. The figures come from the node's own JSON (docs/operations.md, "stats").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/cli/figures.hpp>
#include <legion/cli/table.hpp>

namespace legion::cli {

enum class Section : std::uint8_t { Lane, Subscription, Type, Handler, Agent, Middleware, Journal, Link, Spool, Durable };

/// "lane", "subscription", "type", "handler", "agent", "middleware", "journal", "link", "spool", "durable".
std::optional<Section> parse_section(std::string_view text);
std::vector<std::string_view> section_names();
/// The member that --by gives in JSON: "lanes", "subscriptions", "types", "handlers", "agents", "middleware", "journals",
/// "links", "spool", "durable".
std::string_view member_of(Section section);
/// An object per row. Sections that a node has not (it is no spool, it journals nothing) have none.
JsonTree rows_of(Section section, const JsonTree& snapshot);

Table section_table(Section section);
/// Adds the rows of one node.
void add_rows(Table& table, Section section, const JsonTree& snapshot);

/// The books of every subscription, flat: kind "subscription", node, agent, type, tier, durable (its name or null), the
/// terms of the equation, what was lost by reason, balance.
JsonTree books_of(const JsonTree& snapshot);
/// The same summed over subscriptions of one filter: type and the terms.
JsonTree types_of(const JsonTree& snapshot);
/// The sum of the given books.
JsonTree total_of(const JsonTree& books);
/// With a column for the node.
Table books_table(const JsonTree& books);

/// What became of the events that were to be stored: kind "journal", node, journal, journalled, confirmed, voided,
/// pending, balance. Empty: nothing is journalled there.
JsonTree journal_books_of(const JsonTree& snapshot);
Table journal_books_table(const JsonTree& books);

}  // namespace legion::cli
