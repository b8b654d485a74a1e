// A cluster of Membership cores on a simulated network: seeded, without threads, sockets or clocks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
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

/// Bounds: everything happens inside run_for(); the same seed and the same calls give the same run.
class SimCluster {
 public:
  struct Options {
    MembershipConfig config{};
    bool through_wire = true;  ///< encode and decode every message
    Duration delay_max = 5ms;
    double heartbeat_loss = 0;
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
  Rng& rng() { return rng_; }
  SteadyTime time() const { return time_; }

 private:
  struct Process;
  struct Happening {
    SteadyTime at;
    std::uint64_t order = 0;
    std::function<void()> happen;
    friend bool operator>(const Happening& a, const Happening& b) {
      return std::pair(a.at, a.order) > std::pair(b.at, b.order);
    }
  };

  Process& at(const std::string& label);
  const Process& at(const std::string& label) const;
  Now now(const Process& process) const;
  Process* listening_at(const std::string& address);
  bool blocked(const Process& from, const Process& to) const;
  Duration some_delay();
  void after(Duration delay, std::function<void()> happen);
  /// Runs in this process's present life, later if it is paused, never if it has ended.
  void deliver(Process& process, Duration delay, std::function<void(Process&)> input);
  void input(Process& process, const std::function<void(Process&)>& input);
  void boot(Process& process);
  void stop(Process& process);
  void tick(const std::string& label, std::uint64_t life);
  void carry_out(Process& process);
  void apply(Process& process, const MembershipEffect& effect);
  void hello(Process& process, const effect::SendHello& hello);
  void answer_hello(Process& asker, const std::string& address, std::uint64_t call, const HelloRequest& request);
  void end_hello(Process& asker, std::uint64_t call, Duration delay, std::function<void(Process&)> input);
  void fetch_roster(Process& process, const std::string& address);
  void connect(Process& process, const Member& peer);
  void sync(const std::string& receiver, std::uint64_t life, const std::string& name, std::uint64_t link);
  void heartbeat(Process& process, const effect::PublishHeartbeat& heartbeat);

  Options options_;
  Rng rng_;
  SteadyTime time_{1'000'000'000};
  std::uint64_t orders_ = 0;
  std::uint64_t lives_ = 0;
  std::uint64_t calls_ = 0;
  std::uint32_t hosts_ = 0;
  std::map<std::string, std::unique_ptr<Process>> processes_;
  std::priority_queue<Happening, std::vector<Happening>, std::greater<>> happenings_;
  std::set<std::pair<std::string, std::string>> blocked_;
  std::map<std::pair<std::string, std::string>, SteadyTime> usable_from_;  // (sender, receiver) after a heal
  std::set<std::string> silent_hosts_;
  std::map<std::string, std::string> hosts_by_address_;  // control address -> label
};

/// LEGION_SEED if it is set, otherwise `fallback`; printed, so that a failure can be repeated.
std::uint64_t seed_or(std::uint64_t fallback);

}  // namespace legion::sim
