// The durable subscriptions of a node at work: asks the spools, keeps the records coming, feeds the dispatcher.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/log.hpp>
#include <legion/core/durable.hpp>
#include <legion/runtime/dispatch_pool.hpp>
#include <legion/runtime/outbound.hpp>
#include <legion/runtime/spool_asker.hpp>

namespace legion {

/// Thread: the loop's. Order: what DurableSubscriptions wants is done in the order it says so. Bounds: its own; records
/// that find no room in the journal wait here, and nothing is recorded before them.
class DurableHost {
 public:
  struct Setup {
    transport::Context& context;
    transport::Poller& poller;
    DispatchPool* pool;  ///< null: nothing is ever handed over
    Outbound& outbound;
    Origin self;
    BootId boot;
    Duration redial_max;
    Duration connect_timeout;
    LogSink log;
  };
  DurableHost(Setup setup, DurableConfig config);
  ~DurableHost();

  const Setup& setup() const { return setup_; }
  DurableSubscriptions& subscriptions() { return subscriptions_; }
  const DurableSubscriptions& subscriptions() const { return subscriptions_; }

  /// Those that have not left, with their addresses; "" for one that is not connected.
  std::vector<std::pair<std::string, std::string>> spools() const;
  struct RosterSpool {
    std::string name;
    KnownSpool::Presence presence = KnownSpool::Presence::Here;
  };
  /// How long a spool that said goodbye is waited for by what only it may have: long enough for a new version of it.
  static constexpr Duration left_counts_for = 15min;
  /// All spools of the roster, also those nobody has heard since this node began and, for left_counts_for, those that
  /// left: what only they have is not lost. Those that are connected are known in any case.
  void on_roster(const std::vector<RosterSpool>& roster);
  /// A spool of the roster; `uri` is numeric.
  void connect(const std::string& name, const std::string& uri);
  void disconnect(Now now, const std::string& name);
  /// What its last heartbeat says of its store.
  void on_mark(const std::string& name, std::uint64_t mark);

  void on_turn(Now now);
  void on_tick(Now now);
  /// Positions of the confirmed journal up to `through` are on one spool.
  void on_durable(Now now, Position through);
  /// Carries out what the subscriptions decided.
  void carry_out(Now now);

  /// A share of a group is in standby again.
  std::function<void(Now, const ShareReleased&)> on_released;
  /// Of a spool that is connected; else null.
  SpoolAsker* asker(const std::string& spool);
  /// Of the turn.
  Now now() const { return now_; }

  /// Called with every letter of a durable delivery, before it is recorded.
  std::function<void(const DeadLetter&)> on_letter;

  using OnAnswer = std::function<void(Result<std::string>)>;
  /// For requests of operators: a number whose answer goes to `on_answer`.
  RequestId expect_answer(OnAnswer on_answer);

  /// No record waits to be confirmed.
  bool settled() const { return unrecorded_.empty() && unwritten_.empty(); }
  /// No spool has to say yet that it has taken a name back.
  bool names_given_back() const { return unclaims_ == 0; }

 private:
  struct Spool {
    std::unique_ptr<SpoolAsker> asker;
    KnownSpool known;
    enum class Listed : std::uint8_t { No, Yes } listed = Listed::No;  // in the roster
    std::optional<SteadyTime> left_at;  // when that was told
    bool counts() const { return asker || known.presence == KnownSpool::Presence::Here || !is_long_gone; }
    bool is_long_gone = false;
  };
  struct Unwritten {
    Bytes event;  // encoded
    RecordToken token = 0;
  };

  void tell_spools(Now now);
  void ask(Now now, const SpoolQuery& query);
  void write(Now now, const WriteRecord& record);
  void write_waiting(Now now);
  void carry_out(Now now, DurableEffect& effect);
  template <class Answer>
  void ask(Now now, SpoolAsker& asker, QueryId id, SpoolQuestion<Answer> question,
           std::function<void(Now, QueryId, Answer)> on_answer);
  void ask_cursor(Now now, SpoolAsker& asker, QueryId id, const std::string& name);
  void ask_attempts(Now now, const std::string& spool, QueryId id, std::string name, std::optional<CursorRecord> cursor,
                    std::vector<AttemptRecord> so_far);

  Setup setup_;
  Duration query_timeout_;
  DurableSubscriptions subscriptions_;
  std::size_t unclaims_ = 0;  // not answered; before the askers, which answer what is left when they go
  std::map<std::string, Spool> spools_;
  bool spools_changed_ = false;
  Now now_;
  std::deque<Unwritten> unwritten_;  // found no room in the journal
  std::deque<std::pair<Position, RecordToken>> unrecorded_;  // in the journal, not confirmed
  std::map<RequestId, OnAnswer> requests_;
  RequestId next_request_ = 1;
};

}  // namespace legion
