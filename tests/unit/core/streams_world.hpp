// A model of one origin and its receivers: real Egress and Ledgers, links that lose, and a second bookkeeping that
// knows the truth because it sees both ends.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <legion/base/rng.hpp>

#include "streams_kit.hpp"

namespace legion::streams_kit {

class StreamsWorld {
 public:
  explicit StreamsWorld(std::uint64_t seed);

  /// One random thing happens, then the links move a little.
  void step();
  /// Faults end: everything reconnects, every queue is long enough, syncs complete, markers find the last losses.
  void settle();
  /// What the ledgers say against what the model knows. Empty: all agree.
  std::string disagreement() const;
  std::uint64_t lost_in_total() const;
  std::uint64_t received_in_total() const;

 private:
  using StreamName = std::tuple<Incarnation, Priority, std::string, std::uint8_t>;
  using Tails = std::map<StreamName, std::uint64_t>;

  struct Down {  // one part on its way to a receiver
    std::shared_ptr<const OutFrame> frame;
    std::shared_ptr<const Tails> tails;  // of an echo: what the origin stood at
  };
  struct Up {
    bool subscribe = true;
    std::string prefix;
  };
  struct Link {
    bool connected = true;
    std::deque<Down> down;
    std::deque<Up> up;
    std::set<std::string> wanted;    // the receiver's XSUB
    std::set<std::string> in_force;  // the origin's XPUB, for this connection
    std::map<std::uint64_t, std::size_t> covers;  // nonce of a sync -> subscriptions there were when it began
    std::size_t covered = 0;
    bool synced = false;
  };
  struct Subscription {
    Filter filter;
    bool removed = false;
    std::uint64_t received = 0;                   // with a booked route
    std::map<StreamName, std::uint64_t> last;     // delivered, for the order
    std::map<std::pair<Incarnation, Priority>, std::shared_ptr<const Tails>> baseline;
  };
  struct Receiver {
    std::string name;
    Ledger ledger;
    std::array<Link, 2> links;
    std::vector<Subscription> subscriptions;
    std::map<StreamName, std::vector<std::pair<std::uint64_t, std::uint64_t>>> dropped;  // first, end
  };
  static constexpr std::array<Priority, 2> lanes{Priority::Normal, Priority::Low};

  Link& link(Receiver& receiver, Priority lane) { return receiver.links[lane == lanes[0] ? 0 : 1]; }
  void publish();
  void restart();
  void add_subscription(Receiver& receiver);
  void remove_subscription(Receiver& receiver);
  void disconnect(Receiver& receiver, Priority lane);
  void reconnect(Receiver& receiver, Priority lane);
  void begin_sync(Receiver& receiver, Priority lane);
  void unsubscribe_retired(Receiver& receiver);
  void send(std::vector<OutFrame> frames, std::shared_ptr<const Tails> tails);
  void note_dropped(Receiver& receiver, const OutFrame& frame);
  void move_up(Receiver& receiver, Priority lane);
  void move_down(Receiver& receiver, Priority lane);
  void receive(Receiver& receiver, Priority lane, const Down& down);
  void deliver(Receiver& receiver, const FrameHeader& header, const FrameVerdict& verdict);
  std::shared_ptr<const Tails> tails_now() const;
  std::string disagreement(const Receiver& receiver, std::size_t subscription) const;

  Rng rng_;
  Duration time_ = 0s;
  Incarnation incarnation_ = 100;
  std::optional<Egress> egress_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  Tails ended_;  // where the streams of earlier incarnations ended
  std::size_t capacity_;
  std::string out_of_order_;
};

}  // namespace legion::streams_kit
