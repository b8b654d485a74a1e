// What operators may ask of a node's durable subscriptions. docs/protocol.md, "Membership and control".
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/runtime/durable_host.hpp>
#include <legion/runtime/durable_stand_ins.hpp>

namespace legion {

/// Methods: pending, requeue, subscription; at a spool also purge.
/// Thread: the loop's. Errors: BadData naming the param, and what DurableSubscriptions answers.
class DurableControl {
 public:
  using Answer = std::function<void(Result<Bytes>)>;
  DurableControl(DurableHost& host, DurableStandIns& stand_ins) : host_(host), stand_ins_(stand_ins) {}

  static bool knows(std::string_view method);
  /// `answer` is called once, now or once the records it takes are durable. Params are valid during the call.
  void handle(Now now, std::string_view method, BytesView params, Answer answer);

 private:
  void pending(Answer answer) const;
  void requeue(Now now, BytesView params, Answer answer);
  void subscription(Now now, BytesView params, Answer answer);
  void skip(Now now, const SubscriptionChange& change, Answer answer);
  void purge(Now now, BytesView params, Answer answer);
  RequestId expect(Answer answer);

  DurableHost& host_;
  DurableStandIns& stand_ins_;
};

}  // namespace legion
