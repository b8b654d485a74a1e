// What a zmq_msg_t holds in the simulation: one part of a message.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace legion::sim {

/// Bytes that several messages share; counted by hand, because everything is one thread.
struct Body;

/// Up to inline_max bytes lie inside, as in libzmq; longer ones are shared by those who got them.
class Msg {
 public:
  static constexpr std::size_t inline_max = 33;
  using Free = void (*)(void* data, void* hint);

  Msg() = default;
  static Msg copy_of(const void* data, std::size_t size);
  static Msg copy_of(std::string_view text) { return copy_of(text.data(), text.size()); }
  /// `free` is called when nobody needs the bytes any more.
  static Msg around(void* data, std::size_t size, Free free, void* hint);
  Msg(Msg&& other) noexcept
      : more(other.more),
        source(other.source),
        body_(std::exchange(other.body_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        inline_(other.inline_) {}
  Msg& operator=(Msg&& other) noexcept {
    if (this == &other) return *this;
    clear();
    more = other.more;
    source = other.source;
    body_ = std::exchange(other.body_, nullptr);
    size_ = std::exchange(other.size_, 0);
    inline_ = other.inline_;
    return *this;
  }
  ~Msg() { clear(); }
  /// Empty again.
  void clear() {
    if (body_ != nullptr) release(std::exchange(body_, nullptr));
    size_ = 0;
    more = false;
    source = -1;
  }
  /// Another reference to the same bytes.
  Msg share() const;
  /// Its own bytes, in place of some that belong to whoever gave them: what a kernel makes of a message it takes.
  void make_own();

  const std::uint8_t* data() const;
  std::size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data()), size_}; }

  bool more = false;             ///< further parts follow
  std::int32_t source = -1;      ///< descriptor of the connection it came over

 private:
  static void release(Body* body);

  Body* body_ = nullptr;
  std::uint32_t size_ = 0;
  std::array<std::uint8_t, inline_max> inline_;  // the first size_ of them, unless there is a body
};
static_assert(sizeof(Msg) <= 64);

}  // namespace legion::sim
