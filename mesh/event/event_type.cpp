#include <legion/event/event_type.hpp>

#include <legion/base/limits.hpp>
#include <legion/event/policy.hpp>

namespace legion {
namespace {

// Parts of [a-z0-9_]+ with single dots between them.
bool is_dotted_name(std::string_view name) {
  bool in_part = false;
  for (const char c : name) {
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!is_word && !(c == '.' && in_part)) return false;
    in_part = is_word;
  }
  return in_part;
}

}  // namespace

bool is_event_type(std::string_view type) {
  return type.size() <= limits::event_type_bytes_max && is_dotted_name(type);
}

bool is_wire_type(std::string_view type) {
  if (!is_reserved(type)) return is_event_type(type);
  return type.size() <= limits::wire_type_bytes_max && is_dotted_name(type.substr(1));
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

bool Filter::matches(std::string_view type) const {
  if (is_reserved(type)) return false;
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
