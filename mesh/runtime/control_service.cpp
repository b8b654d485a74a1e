#include <legion/runtime/control_service.hpp>

#include <optional>

#include <legion/event/json.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/control_params.hpp>
#include <legion/runtime/durable_control.hpp>
#include <legion/runtime/tails_params.hpp>

namespace legion {

namespace {

constexpr Duration turn_max = 5ms;  // requests differ by orders of magnitude in their cost, so time is what is bounded
constexpr std::size_t events_per_publish_max = 10000;
constexpr std::uint64_t timeout_ms_max = 24ull * 3600 * 1000;

Bytes nil() {
  MsgpackWriter out;
  out.nil();
  return out.take();
}

/// A publish call whose events are partly numbered. Shared, because each event's callback holds it until its number is
/// known.
struct PublishCall {
  struct Entry {
    PublishResult result;
    std::string id;
    Confirm::Status confirm = Confirm::Status::Numbered;
  };
  std::vector<Entry> entries;
  std::size_t missing = 0;
  bool complete = false;  // every event has been offered
  std::function<void(Result<Bytes>)> answer;

  bool answered = false;
  bool asks_confirm = false;

  void on_told(std::size_t index, Confirm confirm) {
    Entry& entry = entries[index];
    if (confirm.status == Confirm::Status::Refused) entry.result = {PublishStatus::Refused, "too many streams"};
    entry.id = std::move(confirm.id);
    entry.confirm = confirm.status;
  }
  void on_over() {
    --missing;
    answer_when_done();
  }
  void answer_when_done() {
    if (missing == 0 && complete) answer_now();
  }
  /// What is not confirmed by now is said not to be.
  void answer_now() {
    if (std::exchange(answered, true)) return;
    MsgpackWriter out;
    out.array(entries.size());
    for (const Entry& entry : entries) {
      const bool asked = entry.result && asks_confirm;
      out.map(1 + (entry.id.empty() ? 0 : 1) + (entry.result.detail.empty() ? 0 : 1) + (asked ? 1 : 0));
      out.str("status");
      out.str(to_string(entry.result.status));
      if (!entry.id.empty()) {
        out.str("id");
        out.str(entry.id);
      }
      if (asked) {
        out.str("confirmed");
        out.boolean(entry.confirm == Confirm::Status::Confirmed);
      }
      if (!entry.result.detail.empty()) {
        out.str("detail");
        out.str(entry.result.detail);
      }
    }
    answer(out.take());
  }
};

}  // namespace

ControlService::ControlService(transport::ControlServer& server, Intake& intake, ControlBackend backend)
    : server_(server), intake_(intake), backend_(std::move(backend)) {}

void ControlService::on_turn(Now now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.steady) {
    const auto over = std::move(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
    over();
  }
  if (!server_.may_have_requests()) return;
  const SteadyTime until = read_clocks().steady + turn_max;
  do {
    auto request = server_.recv();
    if (!request) return;
    handle(now, request->peer, request->payload.bytes());
  } while (read_clocks().steady < until);
}

void ControlService::handle(Now now, const transport::ControlPeer& peer, BytesView payload) {
  backend_.remote->heard(now, peer);
  if (is_rpc_notification(payload)) {
    if (const auto said = decode_rpc_notification(payload)) {
      return backend_.remote->on_notification(now, peer, said->method, said->params);
    }
  }
  auto request = decode_rpc_request(payload);
  if (!request) {
    ++refused_["bad_request"];
    return;
  }
  dispatch(now, peer, *request, [this, peer, id = request->id](Result<Bytes> result) {
    RpcReply reply;
    reply.id = id;
    if (result) {
      reply.result = std::move(*result);
    } else {
      ++refused_["request_" + std::string(to_string(result.error().code))];
      reply.error_code = std::string(to_string(result.error().code));
      reply.error_message = result.error().message;
    }
    server_.reply(peer, encode(reply));
  });
}

void ControlService::dispatch(Now now, const transport::ControlPeer& peer, const RpcRequest& request,
                              const Answer& answer) {
  if (request.method == "hello") return answer(hello(now, request.params));
  if (request.method == "roster") return answer(roster(request.params));
  if (request.method == "tails") return answer(tails(request.params));
  if (request.method == "goodbye") return answer(goodbye(now, request.params));
  if (request.method == "stats") return answer(backend_.stats(now));
  if (request.method == "nodes") return answer(backend_.nodes(now));
  if (request.method == "publish") return publish(now, peer, request.params, answer);
  if (DurableControl::knows(request.method)) return backend_.durable(now, request.method, request.params, answer);
  if (request.method == "replay") return backend_.replay(now, request.params, answer);
  if (request.method.starts_with("agent.")) {
    return backend_.remote->on_request(now, peer, request.method, request.params, answer);
  }
  answer(fail(ErrorCode::NotFound, "no such method: " + request.method.substr(0, 64)));
}

Result<Bytes> ControlService::hello(Now now, BytesView params) {
  const auto request = decode_hello_request(params);
  if (!request) return std::unexpected(request.error());
  const auto reply = backend_.hello(now, *request);
  if (!reply) return std::unexpected(reply.error());
  return encode(*reply);
}

/// With params nil the whole roster at once, as long as it fits into a message.
Result<Bytes> ControlService::roster(BytesView params) {
  if (const auto kind = MsgpackReader(params).peek(); kind && *kind == MsgpackKind::Nil) {
    Bytes all = encode(backend_.roster());
    if (all.size() < limits::message_bytes_max - 64) return all;
    return fail(ErrorCode::TooBig, "the roster does not fit into a message; ask for pages (`after`)");
  }
  const auto read = ControlParams::read(params);
  if (!read) return std::unexpected(read.error());
  const auto after = read->text("after");
  if (!after) return std::unexpected(after.error());
  return encode(backend_.roster_page(*after));
}

Result<Bytes> ControlService::tails_of(BytesView origins) {
  MsgpackReader reader(origins);
  const auto count = reader.read_array();
  if (!count) return std::unexpected(count.error());
  if (*count > limits::tails_origins_max) {
    return fail(ErrorCode::BadData, "params.origins: at most " + std::to_string(limits::tails_origins_max));
  }
  TailsAnswer answer;
  for (std::size_t i = 0; i < *count; ++i) {
    if (const auto shape = reader.expect_array(2); !shape) return std::unexpected(shape.error());
    const auto name = reader.read_string(limits::node_name_bytes_max);
    if (!name) return std::unexpected(name.error());
    const auto incarnation = reader.read_uint();
    if (!incarnation) return std::unexpected(incarnation.error());
    const Origin origin{std::string(*name), *incarnation};
    LaneTails tails;
    for (const Priority lane : all_priorities) tails[lane_index(lane)] = backend_.tails(origin, lane);
    if (!answer.add(std::move(tails))) break;
  }
  return answer.take();
}

Result<Bytes> ControlService::tails(BytesView params) {
  const auto read = ControlParams::read(params);
  if (!read) return std::unexpected(read.error());
  if (const auto origins = read->raw("origins")) return tails_of(*origins);
  const auto origin = read->text("origin");
  const auto incarnation = read->number("incarnation");
  const auto lane = read->number("lane");
  if (!origin) return std::unexpected(origin.error());
  if (!incarnation) return std::unexpected(incarnation.error());
  if (!lane) return std::unexpected(lane.error());
  if (*lane >= limits::lane_count) return fail(ErrorCode::BadData, "params.lane: expected 0 to 3");
  return encode(backend_.tails({*origin, *incarnation}, static_cast<Priority>(*lane)));
}

Result<Bytes> ControlService::goodbye(Now now, BytesView params) {
  const auto read = ControlParams::read(params);
  if (!read) return std::unexpected(read.error());
  const auto name = read->text("name");
  const auto incarnation = read->number("incarnation");
  if (!name) return std::unexpected(name.error());
  if (!incarnation) return std::unexpected(incarnation.error());
  LaneTails tails;
  if (const auto raw = read->raw("tails")) {
    MsgpackReader reader(*raw);
    if (const auto lanes = reader.expect_array(limits::lane_count); !lanes) return std::unexpected(lanes.error());
    for (auto& lane : tails) {
      const auto one = reader.read_raw();
      if (!one) return std::unexpected(one.error());
      auto decoded = decode_tails(*one);
      if (!decoded) return std::unexpected(decoded.error());
      lane = std::move(*decoded);
    }
  }
  backend_.goodbye(now, {*name, *incarnation}, tails);
  return nil();
}

void ControlService::publish(Now now, const transport::ControlPeer& peer, BytesView params, const Answer& answer) {
  const auto read = ControlParams::read(params);
  if (!read) return answer(std::unexpected(read.error()));
  const auto events = read->raw("events");
  if (!events) return answer(std::unexpected(events.error()));
  const auto wants_confirm = read->flag("confirm");
  if (!wants_confirm) return answer(std::unexpected(wants_confirm.error()));
  const auto timeout_ms = read->has("timeout_ms") ? read->number("timeout_ms") : Result<std::uint64_t>(0);
  if (!timeout_ms) return answer(std::unexpected(timeout_ms.error()));
  if (*timeout_ms > timeout_ms_max) return answer(fail(ErrorCode::InvalidArgument, "params.timeout_ms: at most a day"));
  MsgpackReader reader(*events);
  const auto count = reader.read_array();
  if (!count) return answer(std::unexpected(count.error()));
  if (*count > events_per_publish_max) {
    return answer(fail(ErrorCode::TooBig, "params.events: at most " + std::to_string(events_per_publish_max)));
  }
  std::vector<BytesView> raws;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto raw = reader.read_raw();
    if (!raw) return answer(std::unexpected(raw.error()));
    raws.push_back(*raw);
  }
  // An agent may publish while the node drains: these are the consequences of what it handles.
  const std::string* agent = backend_.remote->agent_of(peer);
  const std::string publisher_name = agent == nullptr ? "control" : *agent;
  const PublishedBy publisher = agent == nullptr ? PublishedBy::Control : PublishedBy::Agent;
  const auto call = std::make_shared<PublishCall>();
  call->entries.resize(raws.size());
  call->answer = answer;
  call->asks_confirm = *wants_confirm;
  for (std::size_t i = 0; i < raws.size(); ++i) {
    auto incoming = from_cloudevent_msgpack(raws[i]);
    if (!incoming) {
      call->entries[i].result = {PublishStatus::Invalid, incoming.error().message};
      continue;
    }
    const auto from = incoming->has_priority ? PublishOptions::PriorityFrom::Event : PublishOptions::PriorityFrom::Policy;
    Askers askers;
    askers[0] = {[call, i, last = !*wants_confirm](Confirm confirm) {
                   call->on_told(i, std::move(confirm));
                   if (last) call->on_over();
                 },
                 Asker::When::Numbered, Asker::Where::Loop};
    if (*wants_confirm) {
      askers[1] = {[call, i](Confirm confirm) {
                     call->on_told(i, std::move(confirm));
                     call->on_over();
                   },
                   Asker::When::Confirmed, Asker::Where::Loop};
    }
    call->entries[i].result =
        intake_.publish(incoming->event, publisher_name, publisher, from, std::move(askers), now.wall);
    if (call->entries[i].result) ++call->missing;
  }
  call->complete = true;
  call->answer_when_done();
  if (*timeout_ms > 0 && !call->answered) {
    deadlines_.emplace(now.steady + std::chrono::milliseconds(*timeout_ms), [call] { call->answer_now(); });
  }
}

}  // namespace legion
