// The asking side of spool queries: for the node's loop, and for programs that wait.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/address.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/runtime/spool_asker_questions.hpp>
#include <legion/runtime/spool_queries.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/poller.hpp>
#include <legion/transport/spool_sockets.hpp>

namespace legion {

/// Questions to one spool, any number of them under way.
///
/// Thread: one owner. Order: questions go out as asked; the spool answers them in any order. Each is answered exactly
/// once, from on_turn() or from the destructor: with the reply, TimedOut, Unreachable (no connection can be made, or it
/// was lost before the answer), BadData, or the error the spool gave. Bounds: `outstanding_max` questions, then
/// WouldBlock; no more are sent at once than a spool takes of one connection. Errors: a lost connection is made again
/// by itself; the questions are the caller's to repeat.
class SpoolAsker {
 public:
  static constexpr std::size_t outstanding_max = 256;
  using OnReply = std::function<void(Result<SpoolReply>)>;

  /// `uri` is numeric. Errors: InvalidArgument, Io.
  static Result<std::unique_ptr<SpoolAsker>> connect(transport::Context& context, const std::string& uri,
                                                     transport::SpoolClientOptions options = {});
  /// Answers what is left with Closed.
  ~SpoolAsker();

  /// `on_reply` may ask further questions, but not destroy the asker.
  void ask(Now now, std::string_view method, BytesView params, Duration timeout, OnReply on_reply);
  template <class Answer>
  void ask(Now now, SpoolQuestion<Answer> question, Duration timeout, std::function<void(Result<Answer>)> on_answer) {
    ask(now, question.method, question.params, timeout,
        [read = std::move(question.read), on_answer = std::move(on_answer)](Result<SpoolReply> reply) {
          on_answer(reply ? read(*reply) : std::unexpected(reply.error()));
        });
  }

  /// Answers, news, deadlines. Reads a bounded number of answers.
  void on_turn(Now now);
  bool may_have_input() const { return client_->may_have_input(); }
  /// When on_turn() has something to do without input.
  std::optional<SteadyTime> next_deadline() const;
  std::vector<transport::Pollable> pollables() const { return client_->pollables(); }

  bool up() const { return client_->up(); }
  std::size_t outstanding() const { return calls_.size(); }
  const std::string& uri() const { return client_->uri(); }

 private:
  struct Call {
    Bytes head;  // empty: it was sent
    std::string method;
    SteadyTime deadline;
    OnReply on_reply;
  };

  explicit SpoolAsker(std::unique_ptr<transport::SpoolClient> client) : client_(std::move(client)) {}
  void read_answers(std::size_t answers_max);
  void on_answer(transport::SpoolParts parts);
  void send_waiting();
  enum class Which : std::uint8_t { Sent, Waiting };
  void fail_all(Which which, const std::string& why);
  void end_overdue(SteadyTime now);
  void finish(std::uint64_t id, Result<SpoolReply> reply);

  std::unique_ptr<transport::SpoolClient> client_;
  std::map<std::uint64_t, Call> calls_;
  std::deque<std::uint64_t> waiting_;  // to be sent; those that are over are skipped
  std::size_t sent_ = 0;  // of the calls
  std::uint64_t next_id_ = 1;
  std::uint64_t failed_attempts_ = 0;  // known of
};

/// Asks one question after the other and waits. For the command line and for tests.
/// Thread: one at a time.
class BlockingSpoolAsker {
 public:
  /// Resolves the name, connects and says nothing yet. Errors: Unreachable when the name does not resolve, Io.
  static Result<std::unique_ptr<BlockingSpoolAsker>> open(const Address& address);
  ~BlockingSpoolAsker();

  /// Errors: Unreachable (refused by every resolved address, or the connection was lost), TimedOut, BadData, and the
  /// error the spool answered.
  Result<SpoolReply> ask(std::string_view method, BytesView params, Duration timeout);
  template <class Answer>
  Result<Answer> ask(const SpoolQuestion<Answer>& question, Duration timeout) {
    const auto reply = ask(question.method, question.params, timeout);
    if (!reply) return std::unexpected(reply.error());
    return question.read(*reply);
  }

  /// In two steps, so that the answer comes while the caller does something else. Tickets are waited for in any order.
  /// What is begun before there is a connection goes out while something is waited for.
  using Ticket = std::uint64_t;
  Ticket begin(std::string_view method, BytesView params, Duration timeout);
  Result<SpoolReply> wait(Ticket ticket);
  /// Nobody waits for it any more.
  void forget(Ticket ticket);

 private:
  struct State;
  explicit BlockingSpoolAsker(std::unique_ptr<State> state);
  Result<void> connect_next();

  std::unique_ptr<State> state_;
};

/// Reads everything a scan finds, page after page: the next one is under way while the caller works on this one.
/// Thread: the asker's, which it borrows.
class SpoolScanner {
 public:
  /// Pages of `query.bytes_max` each; a large one is worth it (spool_page_bytes_max).
  SpoolScanner(BlockingSpoolAsker& asker, ScanQuery query, Duration timeout_per_page);
  ~SpoolScanner();
  SpoolScanner(const SpoolScanner&) = delete;
  SpoolScanner& operator=(const SpoolScanner&) = delete;

  /// The next page, with at least one frame; nothing: the end as of the last page asked for. Errors: as ask(); the scan
  /// can be gone on with by another scanner, from next_number().
  Result<std::optional<SpoolPage>> next();
  /// Where the page after those given begins.
  CommitNumber next_number() const { return query_.from; }

 private:
  void begin();

  BlockingSpoolAsker& asker_;
  ScanQuery query_;
  const Duration timeout_;
  std::optional<BlockingSpoolAsker::Ticket> under_way_;
};

}  // namespace legion
