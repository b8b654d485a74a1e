// Questions to a spool and its answers: whatever the bytes, an error or a value.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/runtime/spool_queries.hpp>
#include <legion/runtime/spool_queries_group.hpp>
#include <legion/runtime/subscription_change.hpp>
#include <legion/runtime/tails_params.hpp>

namespace {

using namespace legion;

void check_params(BytesView params) {
  (void)decode_scan_query(params);
  (void)decode_stream_query(params);
  (void)decode_journal_query(params);
  (void)decode_journals_query(params);
  (void)decode_tails_query(params);
  (void)decode_page_query(params);
  (void)decode_letter_query(params);
  (void)decode_claim_query(params);
  (void)decode_group_renewal(params);
  (void)decode_depth(params);
  (void)decode_time(params);
  (void)decode_text(params, "name", 64);
  (void)decode_subscription_change(params);
}

void check_result(BytesView result) {
  (void)decode_journals(result);
  (void)decode_tail_page(result);
  (void)decode_cursors(result);
  (void)decode_cursor(result);
  (void)decode_attempts(result);
  (void)decode_letters(result);
  (void)decode_marks(result);
  (void)decode_verify_report(result);
  (void)decode_spool_info(result);
  (void)decode_number(result);
  (void)decode_group_answer(result);
  (void)decode_groups(result);
  (void)decode_tails_answer(result);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const BytesView input(bytes, size);
  if (const auto query = decode_spool_query(input)) check_params(query->params);
  if (const auto answer = decode_spool_answer(input)) check_result(answer->result);
  check_params(input);
  check_result(input);
  return 0;
}
