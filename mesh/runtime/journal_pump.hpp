// Carries the journal of a node to the spools of the mesh: one connection each.
#pragma once

#include <functional>
#include <string>

#include <legion/base/log.hpp>
#include <legion/core/journal.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/runtime/outbound.hpp>
#include <legion/runtime/spool_links.hpp>
#include <legion/runtime/spool_options.hpp>

namespace legion {

/// Thread: the loop's. Order and bounds: those of Journal and SpoolLinks.
class JournalPump {
 public:
  struct Setup {
    transport::Context& context;
    transport::Poller& poller;
    Intake& intake;
    Duration redial_max;
    Duration connect_timeout;
    LogSink log;
  };
  JournalPump(Setup setup, Origin origin, BootId boot, const JournalOptions& options, std::uint64_t seed);

  Journal& journal() { return journal_; }
  const Journal& journal() const { return journal_; }

  /// A spool of the roster, by node name; `uri` is numeric. Another address of the same name takes its place.
  void connect(const std::string& name, const std::string& uri);
  /// It left or was forgotten: nothing is kept for it any more.
  void disconnect(Now now, const std::string& name);
  bool knows_spools() const { return links_.size() > 0; }

  /// Reads what the spools say.
  void read(Now now) { links_.pump(now, journal_); }
  /// Carries out what the journal decided: after every batch of appends.
  void carry_out(Now now, Outbound& outbound);
  void on_tick(Now now) { journal_.on_tick(now); }

  /// Every confirmed event is on as many spools as it needs.
  bool settled() const { return journal_.figures(JournalKind::Confirmed).unconfirmed_events == 0; }
  /// Messages of spools that could not be read.
  std::uint64_t bad_messages() const { return links_.bad_messages(); }

  /// Called with what has become durable, behind the outbound's part of it.
  std::function<void(Now, const Journal::Durable&)> on_durable;

 private:
  Intake& intake_;
  LogSink log_;
  Journal journal_;
  SpoolLinks links_;
};

}  // namespace legion
