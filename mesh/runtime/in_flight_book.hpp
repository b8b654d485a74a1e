// Which slot of the in-flight file stands for which delivery, and when it may say something else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <legion/core/dispatcher_types.hpp>
#include <legion/runtime/in_flight_file.hpp>

namespace legion {

/// The contract of InFlightEntry, kept for the deliveries of one process: in hands before an event is handed over,
/// failed once it was answered badly or its agent went down, gone when it was handled or is over. What the process
/// before this one left is replaced by the next hand-over of the same event.
///
/// Thread: the owner's lock around every call but advance(), which belongs to whoever has the slot. Bounds: the slots
/// of the file; what failed takes at most `failed_max` of them, beyond which it is forgotten and may be tried once more
/// after a kill -9.
class InFlightBook {
 public:
  /// Who a delivery is for, by SubscriptionId.
  struct Owner {
    std::string name;   ///< as in InFlightFile::Run
    std::string agent;  ///< node/agent
  };
  /// `held` are those of `file`, which outlives the book.
  InFlightBook(InFlightFile* file, std::vector<Owner> owners, const std::vector<InFlightFile::Held>& held,
               std::size_t failed_max);

  /// Of the next SubscriptionId.
  void add_owner(Owner owner) { owners_.push_back(std::move(owner)); }

  using Slot = std::uint32_t;
  /// Before a run is handed to an agent that answers at once. Nothing: neither durable nor a gate before it, or there
  /// is no room.
  std::optional<Slot> begin_run(const Task& task);
  /// Event k of the run is about to be handed over.
  void advance(Slot slot, std::uint32_t k) { file_->advance(slot, k); }
  /// The run was answered: `answered` events, the last of which ended as `last`.
  void end_run(Slot slot, const Task& task, std::size_t answered, OutcomeKind last);

  /// Before an event is handed to an agent that answers later.
  void begin(const Task& task);
  /// An answer to a task of its own or to a deferred one; others are ignored.
  void answered(TaskId task, OutcomeKind kind);
  /// What the agent had in hands failed.
  void agent_down(AgentId agent);

  /// InFlightOver: nothing has to be known of this event any more.
  void over(const std::string& agent, const std::string& event, InFlightPath path);

  std::size_t free_slots() const { return free_.size(); }

 private:
  using Key = std::tuple<std::string, std::string, InFlightPath>;  // agent, event
  struct Noted {
    AgentId agent;
    std::uint32_t subscription = 0;
    Slot slot = 0;
    FramePtr frame;
    std::uint64_t sequence = 0;
    InFlightPath path{};
  };
  struct Left {
    enum class In : std::uint8_t { Slot, Held } in = In::Slot;
    std::uint32_t number = 0;
  };

  std::optional<Slot> take_slot(const Task& task);
  void give_back(Slot slot);
  void keep_failed(const Noted& noted, InFlightEntry::Stage how);
  void answer(const Noted& noted, OutcomeKind kind);
  void forget(const Key& key);
  Key key_of(std::uint32_t subscription, const FrameHeader& header, std::uint64_t sequence, InFlightPath path) const;

  InFlightFile* file_;
  std::vector<Owner> owners_;
  std::size_t failed_max_;
  std::size_t failed_ = 0;
  std::vector<Slot> free_;
  std::map<TaskId, Noted> noted_;  // in hands, answered later
  std::map<Key, std::vector<Left>> left_;  // what failed, and what the process before this one left
  std::size_t runs_ = 0;  // being handled
  std::map<TaskId, OutcomeKind> early_;  // answers that came before the report of their run
};

}  // namespace legion
