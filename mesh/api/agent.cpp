#include <legion/agent.hpp>

#include <utility>

#include <legion/api/handler_table.hpp>

namespace legion {

Result<HandlerId> EmbeddedAgent::on(std::string_view filter, Handler handler, HandlerOptions options) const {
  return table_->add(filter, std::move(handler), std::move(options));
}

Result<void> EmbeddedAgent::remove(HandlerId handler) const { return table_->remove(handler); }

Publisher EmbeddedAgent::publisher() const { return {table_->target(), table_->name()}; }

const std::string& EmbeddedAgent::name() const { return table_->name(); }

void EmbeddedAgent::log(LogLevel level, std::string_view text) const { table_->log(level, text); }

void EmbeddedAgent::set_state(std::string state) const { table_->set_state(std::move(state)); }

void EmbeddedAgent::count(std::string_view name, std::uint64_t by) const { table_->count(name, by); }

}  // namespace legion
