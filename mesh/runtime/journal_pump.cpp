#include <legion/runtime/journal_pump.hpp>

#include <legion/base/assert.hpp>

namespace legion {

namespace {

LogLevel level_of(Journal::LogLine::Level level) {
  switch (level) {
    case Journal::LogLine::Level::Info: return LogLevel::Info;
    case Journal::LogLine::Level::Warning: return LogLevel::Warn;
    case Journal::LogLine::Level::Error: return LogLevel::Error;
  }
  LEGION_UNREACHABLE();
}

transport::SpoolClientOptions client_options(Duration redial_max, Duration connect_timeout) {
  transport::SpoolClientOptions options;
  options.redial_max = redial_max;
  options.connect_timeout = connect_timeout;
  return options;
}

}  // namespace

JournalPump::JournalPump(Setup setup, Origin origin, BootId boot, const JournalOptions& options, std::uint64_t seed)
    : intake_(setup.intake),
      log_(std::move(setup.log)),
      journal_(std::move(origin), boot,
               {.confirmed_bytes = options.confirmed_bytes, .captured_bytes = options.captured_bytes}, seed),
      links_(setup.context, client_options(setup.redial_max, setup.connect_timeout)) {
  links_.watch(setup.poller);
  if (options.spools_expected == JournalOptions::SpoolsExpected::Yes) journal_.expect_spools(1);
}

void JournalPump::connect(const std::string& name, const std::string& uri) {
  if (auto connected = links_.connect(name, uri); !connected) {
    log_(LogLevel::Error, "cannot connect to the spool " + name + ": " + connected.error().message);
  }
}

void JournalPump::disconnect(Now now, const std::string& name) {
  if (!links_.has(name)) return;
  links_.disconnect(name);
  journal_.on_spool_gone(now, name);
}

void JournalPump::carry_out(Now now, Outbound& outbound) {
  // What becomes durable may be sent, handled and answered by further events: those come with the next batch.
  for (Journal::Effect& any : journal_.take_effects()) {
    if (const auto* sending = std::get_if<Journal::Send>(&any)) {
      links_.send(*sending);
    } else if (const auto* durable = std::get_if<Journal::Durable>(&any)) {
      outbound.on_durable(now, *durable);
      if (on_durable) on_durable(now, *durable);
    } else if (const auto* line = std::get_if<Journal::LogLine>(&any)) {
      log_(level_of(line->level), line->text);
    }
  }
  if (const std::uint64_t released = journal_.take_released_bytes(); released > 0) intake_.give_back(released);
}

}  // namespace legion
