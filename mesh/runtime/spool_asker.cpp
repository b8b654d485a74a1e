#include <legion/runtime/spool_asker.hpp>

#include <utility>

namespace legion {

namespace {

constexpr std::size_t answers_per_turn = 16;  // of up to a page each
constexpr std::size_t all = SIZE_MAX;

}  // namespace

Result<std::unique_ptr<SpoolAsker>> SpoolAsker::connect(transport::Context& context, const std::string& uri,
                                                        transport::SpoolClientOptions options) {
  auto client = transport::SpoolClient::connect(context, uri, options);
  if (!client) return std::unexpected(client.error());
  return std::unique_ptr<SpoolAsker>(new SpoolAsker(std::move(*client)));
}

SpoolAsker::~SpoolAsker() {
  for (auto& [id, call] : std::exchange(calls_, {})) {
    call.on_reply(fail(ErrorCode::Closed, uri() + ": nobody waits for the answer to " + call.method + " any more"));
  }
}

void SpoolAsker::ask(Now now, std::string_view method, BytesView params, Duration timeout, OnReply on_reply) {
  if (calls_.size() >= outstanding_max) {
    return on_reply(fail(ErrorCode::WouldBlock, uri() + ": too many questions are under way"));
  }
  const std::uint64_t id = next_id_++;
  calls_[id] = {encode_spool_query(id, method, params), std::string(method), now.steady + timeout, std::move(on_reply)};
  waiting_.push_back(id);
  send_waiting();
}

void SpoolAsker::send_waiting() {
  while (!waiting_.empty() && sent_ < spool_questions_per_peer_max) {
    const auto found = calls_.find(waiting_.front());
    if (found != calls_.end()) {
      if (!client_->send(found->second.head)) return;
      found->second.head.clear();
      ++sent_;
    }
    waiting_.pop_front();
  }
}

void SpoolAsker::on_turn(Now now) {
  client_->on_turn(now.steady);
  read_answers(answers_per_turn);
  for (const auto news : client_->take_news()) {
    if (news == transport::SpoolClient::News::Up) {
      failed_attempts_ = 0;
      continue;
    }
    read_answers(all);  // what came before the connection was lost
    fail_all(Which::Sent, "connection lost before the answer");
  }
  if (client_->failed_attempts() > failed_attempts_) fail_all(Which::Waiting, "connection refused or not answered");
  failed_attempts_ = client_->failed_attempts();
  end_overdue(now.steady);
  send_waiting();
}

void SpoolAsker::read_answers(std::size_t answers_max) {
  for (std::size_t read = 0; read < answers_max; ++read) {
    auto parts = client_->recv();
    if (!parts) return;
    on_answer(std::move(*parts));
  }
}

void SpoolAsker::on_answer(transport::SpoolParts parts) {
  const auto answer = decode_spool_answer(parts.head.bytes());
  if (!answer) return;  // whose answer it is cannot be known; its deadline ends the call
  if (answer->error) {
    return finish(answer->id, std::unexpected(Error{answer->error->code, answer->error->message}));
  }
  SpoolReply reply;
  reply.result.assign(answer->result.begin(), answer->result.end());
  BytesView body;
  if (parts.body) {
    reply.owner = parts.body->share();
    body = parts.body->bytes();
  }
  auto frames = cut_body(answer->sizes, body);
  if (!frames) return finish(answer->id, std::unexpected(frames.error()));
  reply.frames = std::move(*frames);
  finish(answer->id, std::move(reply));
}

void SpoolAsker::fail_all(Which which, const std::string& why) {
  std::vector<std::uint64_t> ended;
  for (const auto& [id, call] : calls_) {
    if (call.head.empty() == (which == Which::Sent)) ended.push_back(id);
  }
  for (const std::uint64_t id : ended) finish(id, fail(ErrorCode::Unreachable, uri() + ": " + why));
}

void SpoolAsker::end_overdue(SteadyTime now) {
  std::vector<std::uint64_t> overdue;
  for (const auto& [id, call] : calls_) {
    if (call.deadline <= now) overdue.push_back(id);
  }
  for (const std::uint64_t id : overdue) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) continue;
    const bool sent = found->second.head.empty();
    finish(id, fail(sent ? ErrorCode::TimedOut : ErrorCode::Unreachable,
                    uri() + (sent ? ": no answer to " + found->second.method : ": no connection")));
  }
}

void SpoolAsker::finish(std::uint64_t id, Result<SpoolReply> reply) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;  // it was given up
  if (found->second.head.empty()) --sent_;
  const OnReply on_reply = std::move(found->second.on_reply);
  calls_.erase(found);
  on_reply(std::move(reply));
}

std::optional<SteadyTime> SpoolAsker::next_deadline() const {
  std::optional<SteadyTime> next;
  for (const auto& [id, call] : calls_) {
    if (!next || call.deadline < *next) next = call.deadline;
  }
  return next;
}

}  // namespace legion
