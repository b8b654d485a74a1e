// What operators may ask of a node's durable subscriptions. docs/protocol.md, "Membership and control".
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/runtime/durable_host.hpp>

namespace legion {

/// Methods: pending, requeue, subscription; at a spool also purge.
/// Thread: the loop's. Errors: BadData naming the param, and what DurableSubscriptions answers.
class DurableControl {
 public:
  using Answer = std::function<void(Result<Bytes>)>;
  explicit DurableControl(DurableHost& host) : host_(host) {}

  static bool knows(std::string_view method);
  /// `answer` is called once, now or once the records it takes are durable. Params are valid during the call.
  void handle(Now now, std::string_view method, BytesView params, Answer answer);

 private:
  void pending(Answer answer) const;
  void requeue(Now now, BytesView params, Answer answer);
  void subscription(Now now, BytesView params, Answer answer);
  void skip(Now now, const std::string& name, const std::string& stream, std::optional<std::uint64_t> through,
            Answer answer);
  void purge(Now now, BytesView params, Answer answer);
  RequestId expect(Answer answer);

  DurableHost& host_;
};

}  // namespace legion
