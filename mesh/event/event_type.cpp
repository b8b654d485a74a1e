#include <legion/event/event_type.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#include <legion/base/limits.hpp>
#include <legion/event/policy.hpp>

namespace legion {
namespace {

enum class Kind : std::uint8_t { Other, Word, Dot };

// A table, because every event that is published goes through it.
constexpr std::array<Kind, 256> kinds_of_characters() {
  std::array<Kind, 256> kinds{};
  for (std::size_t c = 'a'; c <= 'z'; ++c) kinds[c] = Kind::Word;
  for (std::size_t c = '0'; c <= '9'; ++c) kinds[c] = Kind::Word;
  kinds['_'] = Kind::Word;
  kinds['.'] = Kind::Dot;
  return kinds;
}
constexpr std::array<Kind, 256> kind_of = kinds_of_characters();

// Parts of [a-z0-9_]+ with single dots between them.
bool is_dotted_name(std::string_view name) {
  Kind before = Kind::Dot;
  for (const char c : name) {
    const Kind kind = kind_of[static_cast<unsigned char>(c)];
    if (kind == Kind::Other || (kind == Kind::Dot && before == Kind::Dot)) return false;
    before = kind;
  }
  return before == Kind::Word;
}

}  // namespace

bool is_event_type(std::string_view type) {
  return type.size() <= limits::event_type_bytes_max && is_dotted_name(type);
}

bool is_wire_type(std::string_view type) {
  if (!is_reserved(type)) return is_event_type(type);
  return type.size() <= limits::wire_type_bytes_max && is_dotted_name(type.substr(1));
}

std::string_view original_type(std::string_view wire_type) {
  for (const std::string_view prefix : {replay_prefix, replay_to_prefix}) {
    if (wire_type.starts_with(prefix)) return wire_type.substr(prefix.size());
  }
  return wire_type;
}

Result<Filter> Filter::parse(std::string_view text) {
  if (text == "*") return Filter(std::string(text));
  if (text.ends_with('.') && is_event_type(text.substr(0, text.size() - 1))) return Filter(std::string(text));
  std::string type = canonical_type(text);
  if (is_event_type(type)) return Filter(std::move(type));
  return fail(ErrorCode::InvalidArgument, "'" + std::string(text.substr(0, 160)) +
                                              "' is not a subscription; expected an event type (trade.approved), a "
                                              "family ending in a dot (trade.) or *");
}

Filter Filter::of_replays() const {
  return Filter(std::string(replay_prefix) + (text_ == "*" ? std::string() : text_));
}

Filter Filter::replays_to_agents() { return Filter(std::string(replay_to_prefix)); }

bool Filter::matches(std::string_view type) const {
  if (is_reserved(type) != is_reserved(text_)) return false;
  if (text_ == "*") return true;
  if (text_.ends_with('.')) return type.starts_with(text_);
  return type == text_;
}

std::string Filter::zmq_prefix() const {
  if (text_ == "*") return {};
  if (text_.ends_with('.')) return text_;
  return text_ + '\0';
}

}  // namespace legion
