#include <legion/runtime/durable_control.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/control_params.hpp>
#include <legion/runtime/durable_wire.hpp>

namespace legion {

namespace {

constexpr std::uint64_t requeues_max_default = 3;
constexpr std::size_t purge_keys_max = 10000;

Bytes text_answer(const std::string& text) {
  MsgpackWriter out;
  out.str(text);
  return out.take();
}

/// Several requests that make up one answer: how many went well.
struct Counting {
  std::size_t missing = 0;
  std::uint64_t done = 0;
  Error first_error;
  DurableControl::Answer answer;

  void on_answer(const Result<std::string>& result) {
    if (result) {
      ++done;
    } else if (first_error.message.empty()) {
      first_error = result.error();
    }
    if (--missing == 0) finish();
  }
  void finish() {
    if (done == 0 && !first_error.message.empty()) return answer(std::unexpected(first_error));
    MsgpackWriter out;
    out.map(1);
    out.str("done");
    out.uint(done);
    answer(out.take());
  }
};

}  // namespace

bool DurableControl::knows(std::string_view method) {
  constexpr std::array<std::string_view, 4> methods{"pending", "requeue", "subscription", "purge"};
  return std::ranges::find(methods, method) != methods.end();
}

void DurableControl::handle(Now now, std::string_view method, BytesView params, Answer answer) {
  if (method == "pending") return pending(std::move(answer));
  if (method == "requeue") return requeue(now, params, std::move(answer));
  if (method == "subscription") return subscription(now, params, std::move(answer));
  if (method == "purge") return purge(now, params, std::move(answer));
  answer(fail(ErrorCode::NotFound, "no such method: " + std::string(method.substr(0, 64))));
}

RequestId DurableControl::expect(Answer answer) {
  return host_.expect_answer([answer = std::move(answer)](Result<std::string> result) {
    if (result) {
      answer(text_answer(*result));
    } else {
      answer(std::unexpected(result.error()));
    }
  });
}

void DurableControl::pending(Answer answer) const {
  const std::vector<DurableFigures> all = host_.subscriptions().figures(durable_streams_told_max);
  const WallTime now = read_clocks().wall;
  MsgpackWriter out;
  out.array(all.size());
  for (const DurableFigures& figures : all) write_durable(out, figures, now);
  answer(out.take());
}

void DurableControl::requeue(Now now, BytesView params, Answer answer) {
  const auto read = ControlParams::read(params);
  if (!read) return answer(std::unexpected(read.error()));
  const auto raw = read->raw("letter");
  if (!raw) return answer(std::unexpected(raw.error()));
  auto record = decode_spool_record(*raw);
  if (!record) return answer(fail(record.error().code, "params.letter: " + record.error().message));
  auto* letter = std::get_if<LetterRecord>(&*record);
  if (letter == nullptr) return answer(fail(ErrorCode::BadData, "params.letter: a record of another kind"));
  std::uint64_t requeues_max = requeues_max_default;
  if (read->has("max_requeues")) {
    const auto given = read->number("max_requeues");
    if (!given) return answer(std::unexpected(given.error()));
    requeues_max = *given;
  }
  if (letter->requeues >= requeues_max) {
    return answer(fail(ErrorCode::Refused, "it was requeued " + std::to_string(letter->requeues) + " times before"));
  }
  host_.subscriptions().on_requeue(now, expect(std::move(answer)), std::move(*letter));
  host_.carry_out(now);
}

/// Of a name no agent here has, the consumer is elsewhere or away: the spools know which.
void DurableControl::subscription(Now now, BytesView params, Answer answer) {
  auto change = decode_subscription_change(params);
  if (!change) return answer(std::unexpected(change.error()));
  const auto all = host_.subscriptions().figures(0);
  if (std::ranges::find(all, change->name, &DurableFigures::name) == all.end()) {
    return stand_ins_.change(now, std::move(*change), host_.spools(), std::move(answer));
  }
  switch (change->action) {
    case SubscriptionChange::Action::Remove:
      host_.subscriptions().on_remove(now, expect(std::move(answer)), change->name);
      break;
    case SubscriptionChange::Action::Reset:
      host_.subscriptions().on_reset(now, expect(std::move(answer)), change->name, std::move(change->start));
      break;
    case SubscriptionChange::Action::Skip: skip(now, *change, std::move(answer)); break;
  }
  host_.carry_out(now);
}

void DurableControl::skip(Now now, const SubscriptionChange& change, Answer answer) {
  const auto all = host_.subscriptions().figures(SIZE_MAX);
  const auto figures = std::ranges::find(all, change.name, &DurableFigures::name);
  const std::vector<StreamId> streams = streams_to_skip(*figures, change);
  if (streams.empty()) {
    return answer(fail(ErrorCode::NotFound, "no stream of '" + change.name + "' stands still here"));
  }
  // Shared by the requests it consists of.
  const auto counting = std::make_shared<Counting>();
  counting->missing = streams.size();
  counting->answer = std::move(answer);
  for (const StreamId& stream : streams) {
    const RequestId request = host_.expect_answer([counting](const Result<std::string>& one) { counting->on_answer(one); });
    host_.subscriptions().on_skip(now, request, change.name, stream, change.through);
  }
}

/// Letters by key, of whichever node: any node may say that nobody wants them any more.
void DurableControl::purge(Now now, BytesView params, Answer answer) {
  const auto read = ControlParams::read(params);
  if (!read) return answer(std::unexpected(read.error()));
  const auto raw = read->raw("keys");
  if (!raw) return answer(std::unexpected(raw.error()));
  MsgpackReader reader(*raw);
  const auto count = reader.read_array();
  if (!count) return answer(fail(ErrorCode::BadData, "params.keys: " + count.error().message));
  if (*count > purge_keys_max) {
    return answer(fail(ErrorCode::TooBig, "params.keys: at most " + std::to_string(purge_keys_max)));
  }
  std::vector<LetterRecord> letters;
  for (std::size_t i = 0; i < *count; ++i) {
    LetterRecord letter;
    if (const auto shape = reader.expect_array(3); !shape) return answer(fail(ErrorCode::BadData, "params.keys: expected [event, agent, round]"));
    const auto event = reader.read_string();
    const auto agent = event ? reader.read_string() : event;
    if (!agent) return answer(fail(ErrorCode::BadData, "params.keys: " + agent.error().message));
    const auto round = reader.read_uint();
    if (!round) return answer(fail(ErrorCode::BadData, "params.keys: " + round.error().message));
    letter.event = std::string(*event);
    letter.agent = std::string(*agent);
    letter.round = static_cast<std::uint32_t>(*round);
    letters.push_back(std::move(letter));
  }
  // Shared by the requests it consists of.
  const auto counting = std::make_shared<Counting>();
  counting->missing = letters.size();
  counting->answer = std::move(answer);
  if (letters.empty()) return counting->finish();
  for (LetterRecord& letter : letters) {
    const RequestId request = host_.expect_answer([counting](const Result<std::string>& one) { counting->on_answer(one); });
    host_.subscriptions().on_purge(now, request, std::move(letter));
  }
  host_.carry_out(now);
}

}  // namespace legion
