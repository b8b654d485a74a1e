#include <legion/runtime/control_connection.hpp>

#include <optional>

#include <legion/core/messages.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/transport/control_client.hpp>
#include <legion/transport/resolver.hpp>

namespace legion {

namespace {

constexpr Duration poll_max = 50ms;

ErrorCode code_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (to_string(code) == name) return code;
  }
  return ErrorCode::Internal;
}

}  // namespace

struct ControlConnection::State {
  std::string asked;                    // for messages
  std::vector<std::string> candidates;  // numeric
  std::size_t candidate = 0;
  std::unique_ptr<transport::Poller> poller;
  std::unique_ptr<transport::Context> context;
  std::unique_ptr<transport::ControlClient> client;
  std::uint64_t next_id = 1;
};

ControlConnection::ControlConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
ControlConnection::~ControlConnection() = default;

Result<std::unique_ptr<ControlConnection>> ControlConnection::open(const Address& address) {
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
  state->client = std::make_unique<transport::ControlClient>(*state->context);
  state->client->watch(*state->poller);
  return std::unique_ptr<ControlConnection>(new ControlConnection(std::move(state)));
}

Result<Bytes> ControlConnection::call(std::string_view method, BytesView params, Duration timeout) {
  State& state = *state_;
  MsgpackWriter nil;
  nil.nil();
  const std::uint64_t id = state.next_id++;
  const Bytes request =
      encode(RpcRequest{id, std::string(method), params.empty() ? nil.take() : Bytes(params.begin(), params.end())});
  SteadyTime now = read_clocks().steady;
  const SteadyTime deadline = now + timeout;
  if (auto sent = state.client->send(state.candidates[state.candidate], request, now); !sent) {
    return std::unexpected(sent.error());
  }
  std::optional<Result<Bytes>> answer;
  bool refused = false;
  const transport::ControlClientReports reports{
      .on_message =
          [&](const std::string&, const transport::Message& message) {
            auto reply = decode_rpc_reply(message.bytes());
            if (!reply) {
              answer = fail(ErrorCode::BadData, state.asked + ": " + reply.error().message);
            } else if (reply->id == id && reply->error_code.empty()) {
              answer = std::move(reply->result);
            } else if (reply->id == id) {
              answer = fail(code_of(reply->error_code), reply->error_message);
            }
          },
      .on_refused = [&](const std::string&) { refused = true; },
      .on_lost = [&](const std::string&) { answer = fail(ErrorCode::Unreachable, state.asked + ": connection lost"); },
  };
  while (!answer) {
    state.client->recv(reports, now, 64);
    if (answer) break;
    if (std::exchange(refused, false)) {
      state.client->close(state.candidates[state.candidate]);
      if (++state.candidate == state.candidates.size()) {
        state.candidate = 0;
        return fail(ErrorCode::Unreachable, state.asked + ": connection refused; is a node running there?");
      }
      if (auto sent = state.client->send(state.candidates[state.candidate], request, now); !sent) {
        return std::unexpected(sent.error());
      }
    }
    if (now >= deadline) {
      return fail(ErrorCode::TimedOut, state.asked + ": no answer to " + std::string(method));
    }
    state.poller->wait(std::min(poll_max, deadline - now));
    now = read_clocks().steady;
  }
  return std::move(*answer);
}

}  // namespace legion
