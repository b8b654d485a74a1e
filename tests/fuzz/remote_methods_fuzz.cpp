// What a client of a remote agent says: an error that says why, or values within their bounds.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/core/messages.hpp>
#include <legion/runtime/remote_methods.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const BytesView input(bytes, size);
  const auto said = decode_rpc_notification(input);
  LEGION_ASSERT(!said || is_rpc_notification(input));
  const BytesView params = said ? BytesView(said->params) : input;
  if (const auto addressed = decode_remote_addressed(params)) {
    for (const char* method : {"agent.ack", "agent.nack", "agent.stop", "agent.reject", "agent.defer"}) {
      const auto answers = decode_remote_answers(method, addressed->rest);
      if (!answers) {
        LEGION_ASSERT(!answers.error().message.empty());
        continue;
      }
      for (const RemoteAnswer& answer : *answers) LEGION_ASSERT(answer.first <= answer.last);
    }
  }
  const auto attach = decode_remote_attach(params);
  if (!attach) {
    LEGION_ASSERT(!attach.error().message.empty());
    return 0;
  }
  LEGION_ASSERT(!attach->credit || *attach->credit <= remote_limits::credit_max);
  LEGION_ASSERT(!attach->lease || *attach->lease <= remote_limits::lease_max);
  return 0;
}
