#include <legion/core/messages.hpp>

#include <algorithm>
#include <charconv>
#include <string>

#include <xxhash.h>

#include <legion/base/assert.hpp>

namespace legion {
namespace {

constexpr std::string_view sync_prefix = "~sync.";
constexpr std::size_t nonce_digits = 16;
constexpr std::size_t observer_digits_max = 32;

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_receiver(std::string_view receiver) {
  if (receiver.empty() || receiver.front() != '~') return is_node_name(receiver);
  const std::string_view digits = receiver.substr(1);
  return !digits.empty() && digits.size() <= observer_digits_max && is_lower_hex(digits);
}

}  // namespace

std::string_view to_string(MemberState state) {
  switch (state) {
    case MemberState::Alive: return "alive";
    case MemberState::Suspect: return "suspect";
    case MemberState::Dead: return "dead";
    case MemberState::Left: return "left";
  }
  LEGION_UNREACHABLE();
}

std::string SyncTopic::to_string() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text{sync_prefix};
  text.append(origin).append(".").append(receiver).append(".");
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[(nonce >> shift) & 0xf];
  return text;
}

Result<SyncTopic> SyncTopic::parse(std::string_view topic) {
  if (!topic.starts_with(sync_prefix)) return fail(ErrorCode::BadData, "a sync topic begins with ~sync.");
  const std::string_view rest = topic.substr(sync_prefix.size());
  const std::size_t first = rest.find('.');
  const std::size_t second = first == std::string_view::npos ? first : rest.find('.', first + 1);
  if (second == std::string_view::npos) {
    return fail(ErrorCode::BadData, "a sync topic has the form ~sync.origin.receiver.nonce");
  }
  const std::string_view origin = rest.substr(0, first);
  const std::string_view receiver = rest.substr(first + 1, second - first - 1);
  const std::string_view nonce = rest.substr(second + 1);
  if (!is_node_name(origin)) return fail(ErrorCode::BadData, "the origin in a sync topic is not a node name");
  if (!is_receiver(receiver)) {
    return fail(ErrorCode::BadData, "the receiver in a sync topic is neither a node name nor an observer");
  }
  if (nonce.size() != nonce_digits || !is_lower_hex(nonce)) {
    return fail(ErrorCode::BadData, "the nonce in a sync topic is not 16 hex digits");
  }
  SyncTopic parsed{.origin = std::string(origin), .receiver = std::string(receiver), .nonce = 0};
  std::from_chars(nonce.data(), nonce.data() + nonce.size(), parsed.nonce, 16);
  return parsed;
}

std::uint64_t member_hash(const Member& member) {
  std::uint64_t hash = member.incarnation;
  const auto add = [&](std::string_view text) { hash = XXH3_64bits_withSeed(text.data(), text.size(), hash); };
  add(member.name);
  add(member.endpoints.control);
  for (const std::string& lane : member.endpoints.lanes) add(lane);
  add(member.endpoints.spool);
  return hash;
}

std::uint64_t roster_hash(const std::vector<Member>& members) {
  std::uint64_t sum = 0;
  for (const Member& member : members) {
    if (member.state != MemberState::Left) sum += member_hash(member);
  }
  return sum;
}

}  // namespace legion
