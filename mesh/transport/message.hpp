// A received message part, without copying it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <legion/base/block_pool.hpp>
#include <legion/base/bytes.hpp>

namespace legion::transport {

/// Recycles the memory of the owners that Message::share() makes.
/// Thread: any. Ownership: may be destroyed before those owners. Bounds: keeps at most `kept_max` of them.
class MessagePool {
 public:
  static constexpr std::uint32_t kept_max = 256;
  static constexpr std::size_t block_bytes = 128;  ///< a zmq_msg_t and the control block of a shared_ptr

  MessagePool() : blocks_(new Blocks(kept_max)) {}

 private:
  friend class Message;
  using Blocks = BlockPool<block_bytes>;
  Blocks::Owner blocks_;
};

/// Thread: one at a time; what share() returned may be dropped by any thread.
/// Ownership: the bytes live as long as the message or any owner from share().
/// Bounds: up to 8 KiB ZeroMQ may lend a slice of its 8 KiB receive batch, so a small message kept for long pins that
/// much; copy what is to be kept.
class Message {
 public:
  Message();
  ~Message();
  /// Views into the moved-from message are void: bodies of up to 33 bytes live inside the object.
  Message(Message&& other) noexcept;
  Message& operator=(Message&& other) noexcept;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  const std::uint8_t* data() const;
  std::size_t size() const;
  BytesView bytes() const { return {data(), size()}; }
  std::string_view text() const { return as_text(bytes()); }

  /// An owner of the bytes; its get() is data(). The first call moves the bytes into that owner, so take views after
  /// it, not before. The message itself stays usable. With a pool the owner's memory comes from there.
  std::shared_ptr<const void> share(MessagePool* pool = nullptr);

  /// The zmq_msg_t of the C API, for this layer.
  void* handle() const;

 private:
  // As large and as aligned as zmq_msg_t, which message.cpp checks.
  struct Storage {
    alignas(void*) std::array<std::byte, 64> bytes;
  };
  struct Shared;
  mutable Storage storage_;
  std::shared_ptr<Shared> shared_;  // shared: decoded frames on other threads outlive the message
};

}  // namespace legion::transport
