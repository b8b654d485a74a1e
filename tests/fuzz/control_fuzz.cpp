// What arrives on a control port, at either end: an error, or a message that is the same after a round trip.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/core/messages.hpp>

namespace {

using namespace legion;

/// The bytes of what was read read back as the same bytes: unknown members are gone, nothing else is.
template <class Message>
void check(BytesView input, Result<Message> (*decode)(BytesView)) {
  const auto decoded = decode(input);
  if (!decoded) return LEGION_ASSERT(!decoded.error().message.empty());
  const Bytes bytes = encode(*decoded);
  const auto again = decode(bytes);
  LEGION_ASSERT(again.has_value());
  LEGION_ASSERT(encode(*again) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const BytesView input(bytes, size);
  check<RpcRequest>(input, decode_rpc_request);
  check<RpcReply>(input, decode_rpc_reply);
  check<RpcNotification>(input, decode_rpc_notification);
  check<HelloRequest>(input, decode_hello_request);
  check<HelloReply>(input, decode_hello_reply);
  check<std::vector<Member>>(input, decode_roster);
  check<RosterPage>(input, decode_roster_page);
  check<std::vector<Tail>>(input, decode_tails);
  // What is inside an envelope is read as what may be there.
  if (const auto request = decode_rpc_request(input)) check<HelloRequest>(request->params, decode_hello_request);
  if (const auto reply = decode_rpc_reply(input)) {
    check<HelloReply>(reply->result, decode_hello_reply);
    check<RosterPage>(reply->result, decode_roster_page);
    check<std::vector<Tail>>(reply->result, decode_tails);
  }
  return 0;
}
