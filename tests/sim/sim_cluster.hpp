// A cluster of Membership cores on a simulated network: seeded, without threads, sockets or clocks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/core/membership.hpp>

namespace legion::sim {

/// A process is known by its label; several may run under one node name (duplicates after a partition).
struct NodeOptions {
  std::string name{};               ///< empty: as the label
  std::vector<std::string> join{};  ///< labels whose control address is joined, or whole URIs
  Duration clock_offset{};          ///< of its wall clock
};

enum class Disk : std::uint8_t { Kept, Lost };
enum class Place : std::uint8_t { SameAddress, NewAddress };
enum class HostAfterCrash : std::uint8_t { Refuses, Silent };

/// What all processes have sent so far.
struct Traffic {
  std::uint64_t hellos = 0;
  std::uint64_t roster_pages = 0;  ///< in answers to hello and to roster
  std::uint64_t heartbeats = 0;    ///< as received
  std::uint64_t tail_questions = 0;
  std::uint64_t control_bytes = 0;    ///< requests and answers; only `through_wire`
  std::uint64_t heartbeat_bytes = 0;  ///< the data of heartbeats, as received; only `through_wire`
};

/// Bounds: everything happens inside run_for(); the same seed and the same calls give the same run.
class SimCluster {
 public:
  struct Options {
    MembershipConfig config{};
    bool through_wire = true;  ///< encode and decode every message
    Duration delay_max = 5ms;
    Duration slot = 10us;      ///< how finely time is told; wider ones make large clusters faster
    double heartbeat_loss = 0;
    Disk disk = Disk::Kept;    ///< Lost: nothing is ever written, for clusters too large to keep every roster
  };

  SimCluster(std::uint64_t seed, Options options);
  explicit SimCluster(std::uint64_t seed) : SimCluster(seed, Options{}) {}
  ~SimCluster();

  void add(const std::string& label, NodeOptions options = {});
  void start(const std::string& label);
  void crash(const std::string& label, HostAfterCrash host = HostAfterCrash::Refuses);
  void restart(const std::string& label, Disk disk = Disk::Kept, Place place = Place::SameAddress);
  void pause(const std::string& label);
  void resume(const std::string& label);
  void leave(const std::string& label);

  /// Nothing passes between nodes of different groups; nodes in no group reach everybody.
  void partition(const std::set<std::string>& a, const std::set<std::string>& b);
  /// Nothing passes from the one to the other; the way back is open.
  void block(const std::string& from, const std::string& to);
  void heal();
  void set_heartbeat_loss(double share) { options_.heartbeat_loss = share; }

  void run_for(Duration duration);
  /// How long it took; nothing when it did not happen within `limit`.
  std::optional<Duration> run_until_converged(Duration limit);

  /// Every running process is known by every other in its present life, all call exactly these alive, their rosters
  /// have one hash, every one may publish and is connected to every other.
  bool converged() const { return disagreement().empty(); }
  /// The first thing that speaks against it, as a sentence.
  std::string disagreement() const;

  const Membership& core(const std::string& label) const;
  bool running(const std::string& label) const;
  bool paused(const std::string& label) const;
  std::optional<int> exit_code(const std::string& label) const;
  std::string exit_message(const std::string& label) const;
  std::string control_address(const std::string& label) const;
  MemberState state_seen_by(const std::string& observer, const std::string& name) const;
  std::vector<std::string> labels() const;
  /// The tails asked for by this process so far.
  const std::vector<effect::CollectTails>& collected(const std::string& label) const;
  const Traffic& traffic() const { return traffic_; }
  Rng& rng() { return rng_; }
  SteadyTime time() const { return time_; }

 private:
  struct Process;
  class Happenings;

  Process& at(const std::string& label);
  const Process& at(const std::string& label) const;
  Now now(const Process& process) const;
  Process* listening_at(const std::string& address);
  bool blocked(const Process& from, const Process& to) const;
  Duration some_delay();
  void after(Process& process, Duration delay, std::function<void()> happen);
  void hear(Process& hearer, std::uint64_t life, const std::shared_ptr<const Heartbeat>& heartbeat);
  /// Runs in this process's present life, later if it is paused, never if it has ended.
  void deliver(Process& process, Duration delay, std::function<void(Process&)> input);
  void input(Process& process, const std::function<void(Process&)>& input);
  void boot(Process& process);
  void stop(Process& process);
  void tick(Process& process, std::uint64_t life);
  void carry_out(Process& process);
  void apply(Process& process, MembershipEffect& effect);
  void hello(Process& process, effect::SendHello& hello);
  void answer_hello(Process& asker, const std::string& address, std::uint64_t call, HelloRequest request);
  void lose_hello(Process& asker, const std::string& address, std::uint64_t call);
  void end_hello(Process& asker, std::uint64_t call, Duration delay, std::function<void(Process&)> input);
  void fetch_roster(Process& process, const std::string& address);
  void connect(Process& process, const Member& peer);
  void disconnect(Process& process, const std::string& name);
  void disconnect_all(Process& process);
  void sync(Process& process, std::uint64_t life, const std::string& name, std::uint64_t link);
  void heartbeat(Process& process, const effect::PublishHeartbeat& heartbeat);

  Options options_;
  Rng rng_;
  SteadyTime time_{1'000'000'000};
  std::uint64_t lives_ = 0;
  std::uint64_t calls_ = 0;
  std::uint32_t hosts_ = 0;
  Traffic traffic_;
  std::map<std::string, std::unique_ptr<Process>> processes_;  // never removed, so pointers to them stay good
  std::size_t blocks_ = 0;                                     // pairs between which nothing passes
  std::unique_ptr<Happenings> happenings_;
  std::set<std::string> silent_hosts_;
  std::unordered_map<std::string, Process*> hosts_by_address_;            // by control address
  std::unordered_map<std::string, std::vector<Process*>> listeners_;      // by control address: whose lanes lead there
};

/// LEGION_SEED if it is set, otherwise `fallback`; printed, so that a failure can be repeated.
std::uint64_t seed_or(std::uint64_t fallback);

}  // namespace legion::sim
