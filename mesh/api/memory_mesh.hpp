// A mesh without a network: what its nodes publish reaches the handlers of all of them within this process. Internal.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <legion/base/log.hpp>
#include <legion/core/dispatcher_types.hpp>
#include <legion/event/frame_pool.hpp>
#include <legion/event/policy.hpp>
#include <legion/event/schema.hpp>
#include <legion/runtime/executor.hpp>
#include <legion/runtime/intake.hpp>

namespace legion {

class MemoryNode;

/// Numbers events and offers them, in the order in which it takes them from the nodes.
///
/// Thread: with threads, one takes the events and one runs callbacks; by hand, the caller of turn() and run_callbacks()
/// does both. Everything else from any. Ownership: shared by its nodes.
class MemoryMesh {
 public:
  enum class Runs : std::uint8_t { ByThreads, ByHand };
  enum class Confirms : std::uint8_t { AtOnce, Held };
  struct Options {
    Runs runs = Runs::ByThreads;
    Confirms confirms = Confirms::AtOnce;
    enum class History : bool { Forgotten, Kept } history = History::Forgotten;
    std::vector<TopicRule> topics{};
    std::vector<MiddlewareSpec> middleware{};
    std::vector<EventSchema> types{};  ///< declared besides the built-in ones
    Intake::Capacity queue{8192, 8192, 8192, 8192};
    std::uint64_t journal_bytes = 64ull << 20;  ///< what unconfirmed events may take per node
    std::uint64_t seed = 1;
    LogSink log{};
    std::function<Now()> clock{};
  };
  explicit MemoryMesh(Options options);
  ~MemoryMesh();
  MemoryMesh(const MemoryMesh&) = delete;
  MemoryMesh& operator=(const MemoryMesh&) = delete;

  const Options& options() const { return options_; }
  /// A life of a node of this name, of which there is one at a time. Errors: InvalidArgument.
  Result<Incarnation> claim(const std::string& name);
  void release(const std::string& name);
  void add(MemoryNode& node);
  void remove(MemoryNode& node);
  /// Which handlers there are has changed.
  void routes_changed();
  std::size_t size() const;
  /// By hand only: others may see one go.
  std::vector<MemoryNode*> nodes() const;

  /// Something may have been published: signalled by publishers, which may outlive the mesh.
  class Signal {
   public:
    void raise() {
      raised_.fetch_add(1);
      raised_.notify_one();
    }
    std::uint32_t raised() const { return raised_.load(); }
    void wait(std::uint32_t since) const { raised_.wait(since); }

   private:
    std::atomic<std::uint32_t> raised_{0};
  };
  const std::shared_ptr<Signal>& signal() const { return signal_; }
  /// Takes what was published, and offers it. Whether there was anything.
  bool turn();
  /// By hand: what is to be called back. Whether there was anything.
  bool run_callbacks();
  /// With threads: returns once everything that was to be called back by now has been. Not from a callback.
  void finish_callbacks();

  /// Of Confirms::Held: settles what waits, oldest first. How many events.
  std::size_t settle(Confirm::Status status);

  struct Letter {
    EventPtr event;
    Death death;
  };
  void on_letters(MemoryNode& node, std::vector<DeadLetter> letters);
  std::vector<Letter> letters() const;
  std::vector<EventPtr> history() const;

 private:
  struct StreamRoutes {
    StreamKey key = 0;
    std::uint64_t version = 0;
    std::vector<std::pair<MemoryNode*, std::vector<Route>>> to;
  };
  struct Held {
    FramePtr frame;
    std::vector<Asked> askers;
    std::uint64_t reserved = 0;
    std::weak_ptr<Intake> origin;  // that gets them back
    enum class Live : bool { Yes, AfterConfirm } live = Live::Yes;
  };

  void run();
  bool take(MemoryNode& node);
  void send(MemoryNode& node, UnnumberedFrame& frame, std::vector<Asked>& asked);
  void offer(const FramePtr& frame);
  void tell(std::vector<Asked>& askers, const FrameHeader& header, Asker::When when, Confirm::Status status);
  void call_later(std::function<void()> call);

  const Options options_;
  FramePool frames_;
  mutable std::mutex mutex_;  // guards what follows, up to the next comment
  std::vector<std::string> names_;  // claimed
  Incarnation last_incarnation_;
  std::vector<MemoryNode*> nodes_;  // that run
  std::unordered_map<std::string, StreamRoutes> streams_;
  std::uint64_t version_ = 1;
  std::vector<Held> held_;
  std::vector<EventPtr> history_;
  std::vector<UnnumberedFrame> taken_;
  std::vector<Asked> asked_;

  mutable std::mutex letters_mutex_;  // guards what follows; taken last
  std::vector<Letter> letters_;
  std::vector<std::function<void()>> callbacks_;

  const std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();  // shared with publishers
  std::atomic<bool> stopping_{false};
  std::optional<Executor> executor_;
  std::thread thread_;
};

}  // namespace legion
