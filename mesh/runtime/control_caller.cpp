#include <legion/runtime/control_caller.hpp>

#include <utility>

namespace legion {

namespace {

constexpr std::size_t messages_per_turn = 256;
constexpr Duration deadline_interval = 5ms;  // deadlines are seconds

std::optional<std::string> numeric(const std::string& uri) {
  auto known = transport::numeric_uri(uri);
  if (!known) return std::nullopt;
  return *known;
}

/// "tcp://host:1" -> "tcp://host"
std::string host_of(const std::string& uri) { return uri.substr(0, uri.rfind(':')); }

}  // namespace

ControlCaller::ControlCaller(transport::Context& context, transport::ControlClientOptions options,
                             std::unique_ptr<transport::Resolver> resolver)
    : client_(context, options), resolver_(std::move(resolver)) {}

ControlCaller::~ControlCaller() {
  if (poller_ != nullptr) poller_->remove(resolver_token_);
}

void ControlCaller::call(Now now, const std::string& address, std::string_view method, Bytes params, Duration timeout,
                         OnAnswer on_answer) {
  const std::uint64_t id = next_id_++;
  Call call;
  call.address = address;
  call.method = std::string(method);
  call.request = encode(RpcRequest{id, std::string(method), std::move(params)});
  call.deadline = now.steady + timeout;
  call.on_answer = std::move(on_answer);
  if (auto uri = numeric(address)) call.candidates.push_back(*uri);
  const bool known = !call.candidates.empty();
  calls_.emplace(id, std::move(call));
  if (known) {
    dial(now, id);
    return;
  }
  const auto asked = resolver_->resolve(address);
  if (!asked) finish(id, std::unexpected(asked.error()));
}

void ControlCaller::resolve(const std::vector<std::string>& uris, OnResolved on_resolved) {
  Lookup lookup{uris, 0, std::move(on_resolved)};
  for (std::string& uri : lookup.uris) {
    if (auto known = numeric(uri)) {
      uri = *known;
      continue;
    }
    if (const auto asked = resolver_->resolve(uri); !asked) {
      lookup.on_resolved(std::unexpected(asked.error()));
      return;
    }
    ++lookup.missing;
  }
  if (lookup.missing == 0) {
    lookup.on_resolved(std::move(lookup.uris));
    return;
  }
  lookups_.push_back(std::move(lookup));
}

void ControlCaller::dial(Now now, std::uint64_t id) {
  Call& call = calls_.at(id);
  const auto sent = client_.send(call.candidates[call.candidate], call.request, now.steady);
  if (!sent) finish(id, std::unexpected(sent.error()));
}

// Every call that waits for this address moves on to its next candidate, or has failed.
void ControlCaller::try_next(Now now, const std::string& refused, std::string_view why) {
  std::vector<std::uint64_t> waiting;
  for (const auto& [id, call] : calls_) {
    if (!call.candidates.empty() && call.candidates[call.candidate] == refused) waiting.push_back(id);
  }
  for (const std::uint64_t id : waiting) {
    Call& call = calls_.at(id);
    if (call.candidate + 1 < call.candidates.size()) {
      ++call.candidate;
      dial(now, id);
    } else {
      finish(id, fail(ErrorCode::Unreachable, call.address + ": " + std::string(why)));
    }
  }
}

void ControlCaller::finish(std::uint64_t id, Result<Bytes> result) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  OnAnswer on_answer = std::move(found->second.on_answer);
  calls_.erase(found);
  on_answer(std::move(result));
}

void ControlCaller::on_message(const std::string& address, const transport::Message& message) {
  auto reply = decode_rpc_reply(message.bytes());
  if (!reply) return;  // what is not an answer leaves its call to the deadline
  const auto found = calls_.find(reply->id);
  if (found == calls_.end() || found->second.candidates.empty()) return;
  if (found->second.candidates[found->second.candidate] != address) return;
  if (found->second.candidates.size() > 1 || answered_hosts_.contains(host_of(found->second.address))) {
    answered_hosts_[host_of(found->second.address)] = host_of(address);
  }
  if (reply->error_code.empty()) {
    finish(reply->id, std::move(reply->result));
  } else {
    finish(reply->id, fail(reply->error_code == to_string(ErrorCode::WrongVersion) ? ErrorCode::WrongVersion
                                                                                   : ErrorCode::Refused,
                           reply->error_message));
  }
}

void ControlCaller::on_resolved(Now now, const transport::Resolved& resolved) {
  std::vector<std::uint64_t> waiting;
  for (const auto& [id, call] : calls_) {
    if (call.candidates.empty() && call.address == resolved.requested) waiting.push_back(id);
  }
  for (const std::uint64_t id : waiting) {
    if (resolved.addresses) {
      calls_.at(id).candidates = *resolved.addresses;
      dial(now, id);
    } else {
      finish(id, fail(ErrorCode::NotFound, resolved.addresses.error().message));
    }
  }
  for (Lookup& lookup : std::exchange(lookups_, {})) {
    bool asked_for_it = false;
    for (std::string& uri : lookup.uris) {
      if (uri != resolved.requested) continue;
      asked_for_it = true;
      --lookup.missing;
      if (resolved.addresses) uri = preferred(resolved);
    }
    if (asked_for_it && !resolved.addresses) {
      lookup.on_resolved(std::unexpected(resolved.addresses.error()));
    } else if (lookup.missing == 0) {
      lookup.on_resolved(std::move(lookup.uris));
    } else {
      lookups_.push_back(std::move(lookup));
    }
  }
}

// Of several addresses of a host the one where its control port has answered: "localhost" may mean ::1 first while the
// node listens on 127.0.0.1 only.
const std::string& ControlCaller::preferred(const transport::Resolved& resolved) const {
  const auto answered = answered_hosts_.find(host_of(resolved.requested));
  if (answered != answered_hosts_.end()) {
    for (const std::string& uri : *resolved.addresses) {
      if (host_of(uri) == answered->second) return uri;
    }
  }
  return resolved.addresses->front();
}

void ControlCaller::watch(transport::Poller& poller) {
  poller_ = &poller;
  resolver_token_ = poller.add(resolver_->pollable());
  client_.watch(poller);
}

void ControlCaller::on_tick(Now now) {
  if (poller_ == nullptr || poller_->ready(resolver_token_)) {
    resolver_->drain([&](const transport::Resolved& resolved) { on_resolved(now, resolved); });
  }
  if (client_.may_have_input()) read_answers(now);
  if (now.steady < next_look_at_deadlines_) return;
  next_look_at_deadlines_ = now.steady + deadline_interval;
  end_overdue(now);
  client_.close_idle(now.steady);
}

void ControlCaller::read_answers(Now now) {
  const transport::ControlClientReports reports{
      .on_message = [&](const std::string& address, transport::Message message) { on_message(address, message); },
      .on_refused =
          [&](const std::string& address) {
            client_.close(address);
            try_next(now, address, "connection refused");
          },
      .on_lost = [&](const std::string& address) { try_next(now, address, "connection lost before the answer"); },
  };
  client_.recv(reports, now.steady, messages_per_turn);
}

void ControlCaller::end_overdue(Now now) {
  std::vector<std::uint64_t> overdue;
  for (const auto& [id, call] : calls_) {
    if (call.deadline <= now.steady) overdue.push_back(id);
  }
  for (const std::uint64_t id : overdue) {
    const Call& call = calls_.at(id);
    if (!call.candidates.empty()) client_.close(call.candidates[call.candidate]);
    finish(id, fail(ErrorCode::TimedOut, call.address + ": no answer to " + call.method));
  }
}

}  // namespace legion
