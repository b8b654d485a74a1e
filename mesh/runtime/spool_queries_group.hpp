// The spool queries "group" and "groups": docs/protocol.md, "Groups".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/core/group_home.hpp>
#include <legion/core/group_types.hpp>
#include <legion/runtime/spool_asker_questions.hpp>

namespace legion {

Bytes encode_params(const GroupRenewal& renewal);
/// Errors: BadData naming the member. What the members say is for the home to judge.
Result<GroupRenewal> decode_group_renewal(BytesView params);

Bytes encode_result(const GroupAnswer& answer);
Result<GroupAnswer> decode_group_answer(BytesView result);

Bytes encode_result(const std::vector<GroupHome::View>& groups);
Result<std::vector<GroupHome::View>> decode_groups(BytesView result);

namespace spool_question {
SpoolQuestion<GroupAnswer> group(const GroupRenewal& renewal);
SpoolQuestion<std::vector<GroupHome::View>> groups();
}  // namespace spool_question

}  // namespace legion
