#include <algorithm>
#include <map>
#include <utility>

#include <legion/runtime/clock.hpp>
#include <legion/runtime/spool_asker.hpp>
#include <legion/transport/resolver.hpp>

namespace legion {

namespace {

constexpr Duration poll_max = 50ms;

}  // namespace

struct BlockingSpoolAsker::State {
  std::string asked;                    // for messages
  std::vector<std::string> candidates;  // numeric
  std::size_t candidate = 0;
  std::unique_ptr<transport::Poller> poller;
  std::unique_ptr<transport::Context> context;
  std::unique_ptr<SpoolAsker> asker;
  bool was_up = false;  // this candidate is the right one
  Ticket next_ticket = 1;

  struct Question {
    std::string method;
    Bytes params;
    SteadyTime deadline;
    std::optional<Result<SpoolReply>> reply;
  };
  std::map<Ticket, Question> questions;

  void send(Now now, Ticket ticket) {
    Question& question = questions.at(ticket);
    asker->ask(now, question.method, question.params, question.deadline - now.steady,
               [this, ticket](Result<SpoolReply> reply) {
                 const auto found = questions.find(ticket);
                 if (found != questions.end()) found->second.reply = std::move(reply);
               });
  }
};

BlockingSpoolAsker::BlockingSpoolAsker(std::unique_ptr<State> state) : state_(std::move(state)) {}

BlockingSpoolAsker::~BlockingSpoolAsker() {
  state_->questions.clear();
  state_->asker.reset();
}

Result<std::unique_ptr<BlockingSpoolAsker>> BlockingSpoolAsker::open(const Address& address) {
  auto state = std::make_unique<State>();
  state->asked = address.host_port();
  auto candidates = transport::resolve_uri_blocking(address.uri());
  if (!candidates) return fail(ErrorCode::Unreachable, state->asked + ": " + candidates.error().message);
  state->candidates = std::move(*candidates);
  auto poller = transport::Poller::create();
  if (!poller) return std::unexpected(poller.error());
  state->poller = std::move(*poller);
  auto context = transport::Context::create();
  if (!context) return std::unexpected(context.error());
  state->context = std::move(*context);
  auto asker = std::unique_ptr<BlockingSpoolAsker>(new BlockingSpoolAsker(std::move(state)));
  if (auto connected = asker->connect_next(); !connected) return std::unexpected(connected.error());
  return asker;
}

/// To the candidate whose turn it is.
Result<void> BlockingSpoolAsker::connect_next() {
  State& state = *state_;
  state.asker.reset();
  auto asker = SpoolAsker::connect(*state.context, state.candidates[state.candidate]);
  if (!asker) return std::unexpected(asker.error());
  state.asker = std::move(*asker);
  state.poller->add(state.asker->pollables());
  return {};
}

BlockingSpoolAsker::Ticket BlockingSpoolAsker::begin(std::string_view method, BytesView params, Duration timeout) {
  State& state = *state_;
  const Ticket ticket = state.next_ticket++;
  const Now now = read_clocks();
  state.questions[ticket] = {std::string(method), Bytes(params.begin(), params.end()), now.steady + timeout, {}};
  state.asker->on_turn(now);  // a connection that was lost meanwhile is known before something is sent over it
  state.send(now, ticket);
  return ticket;
}

Result<SpoolReply> BlockingSpoolAsker::wait(Ticket ticket) {
  State& state = *state_;
  auto& question = state.questions.at(ticket);
  for (;;) {
    const Now now = read_clocks();
    state.asker->on_turn(now);
    state.was_up = state.was_up || state.asker->up();
    const bool unreachable =
        question.reply && !*question.reply && question.reply->error().code == ErrorCode::Unreachable;
    if (unreachable && !state.was_up && state.candidate + 1 < state.candidates.size()) {
      ++state.candidate;
      question.reply.reset();
      if (auto connected = connect_next(); !connected) return std::unexpected(connected.error());
      question.reply.reset();  // the asker before said goodbye to it
      state.send(now, ticket);
      continue;
    }
    if (question.reply) break;
    const SteadyTime until = state.asker->next_deadline().value_or(question.deadline);
    state.poller->wait(std::clamp(until - now.steady, Duration::zero(), poll_max));
  }
  Result<SpoolReply> reply = std::move(*question.reply);
  state.questions.erase(ticket);
  return reply;
}

Result<SpoolReply> BlockingSpoolAsker::ask(std::string_view method, BytesView params, Duration timeout) {
  return wait(begin(method, params, timeout));
}

void BlockingSpoolAsker::forget(Ticket ticket) { state_->questions.erase(ticket); }

SpoolScanner::SpoolScanner(BlockingSpoolAsker& asker, ScanQuery query, Duration timeout_per_page)
    : asker_(asker), query_(std::move(query)), timeout_(timeout_per_page) {}

SpoolScanner::~SpoolScanner() {
  if (under_way_) asker_.forget(*under_way_);
}

void SpoolScanner::begin() { under_way_ = asker_.begin("scan", encode_params(query_), timeout_); }

Result<std::optional<SpoolPage>> SpoolScanner::next() {
  for (;;) {
    if (query_.until && query_.from > *query_.until) return std::optional<SpoolPage>();
    if (!under_way_) begin();
    const auto reply = asker_.wait(*std::exchange(under_way_, std::nullopt));
    if (!reply) return std::unexpected(reply.error());
    auto page = decode_page(*reply);
    if (!page) return std::unexpected(page.error());
    const bool moved = page->next > query_.from;
    if (!moved && !(page->at_end && page->frames.empty())) {
      return fail(ErrorCode::BadData, "scan: the spool does not get on at number " + std::to_string(query_.from));
    }
    query_.from = page->next;
    if (page->frames.empty() && page->at_end) return std::optional<SpoolPage>();
    if (!page->at_end) begin();
    if (!page->frames.empty()) return std::optional(std::move(*page));
  }
}

}  // namespace legion
