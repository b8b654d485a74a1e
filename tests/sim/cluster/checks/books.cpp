// G1: the books balance, and between two looks at them they count exactly what happened.
#include <algorithm>
#include <set>

#include "checks.hpp"

namespace legion::sim {

namespace {

using Json = nlohmann::json;

constexpr Duration news_max = 20s;
constexpr Duration news_on_its_way_max = 200ms;  // and its books are older than the report by what else it was asked

/// What happened to one subscription between the looks, as seen from outside.
struct Seen {
  std::int64_t published = 0;
  std::int64_t delivered = 0;
  std::int64_t uncertain = 0;  ///< the node may have taken it for timed out
};

class BookCheck {
 public:
  BookCheck(const Evidence& evidence, Violations& violations) : evidence_(evidence), violations_(violations) {}

  void judge_balance(const std::vector<NodeReport>& reports) {
    for (std::size_t host = 0; host < reports.size(); ++host) {
      if (reports[host].stats.is_null()) continue;
      std::size_t number = 0;  // of the subscription in the node
      for (const HandlerPlan& handler : evidence_.plan.hosts[host].handlers) {
        for (const std::size_t subscription : handler.subscriptions) {
          const Json& books = reports[host].stats["subscriptions"][number];
          number += evidence_.plan.rows_of(subscription);
          if (books["balance"].get<std::int64_t>() == 0) continue;
          tell(host, books,
               "the books of subscription " + std::to_string(subscription) + " do not balance at " +
                   text_of(reports[host].at));
        }
      }
    }
  }

  /// Nothing from before this life is in its books.
  void judge_beginning(const std::vector<NodeReport>& reports) {
    for (std::size_t host = 0; host < reports.size(); ++host) {
      const Json& stats = reports[host].stats;
      const std::optional<SteadyTime> began = life_of(host, reports[host].at);
      if (stats.is_null() || !began) continue;
      std::size_t number = 0;  // of the subscription in the node
      for (const HandlerPlan& handler : evidence_.plan.hosts[host].handlers) {
        for (const std::size_t subscription : handler.subscriptions) {
          const Json& books = stats["subscriptions"][number];
          number += evidence_.plan.rows_of(subscription);
          if (!can_be_told(static_cast<std::uint32_t>(subscription), Lives::Several)) continue;
          const std::int64_t truth = may_have_gone_out(evidence_.plan.filter(subscription), *began, reports[host].at);
          if (books["published"].get<std::int64_t>() <= truth) continue;
          tell(host, books,
               "since its node began " + std::to_string(truth) + " events were published for subscription " +
                   std::to_string(subscription) + ", and its books have more");
        }
      }
    }
  }

  void judge_difference() {
    for (std::size_t host = 0; host < evidence_.after_books.size(); ++host) {
      const Json& before = evidence_.before_books[host].stats;
      const Json& after = evidence_.after_books[host].stats;
      if (before.is_null() || after.is_null() || before["boot"] != after["boot"]) continue;
      std::size_t number = 0;  // of the subscription in the node
      for (const HandlerPlan& handler : evidence_.plan.hosts[host].handlers) {
        for (const std::size_t subscription : handler.subscriptions) {
          judge_difference(host, static_cast<std::uint32_t>(subscription), before["subscriptions"][number],
                           after["subscriptions"][number]);
          number += evidence_.plan.rows_of(subscription);
        }
      }
    }
  }

 private:
  /// System events and replays come and go by themselves; a gate that is asked by several ways answers outside its
  /// books.
  enum class Lives { One, Several };
  bool can_be_told(std::uint32_t subscription, Lives lives) const {
    const SubscriptionPlan& drawn = evidence_.plan.subscriptions[subscription];
    if (evidence_.is_shared(subscription)) return false;
    if (evidence_.is_durable(subscription) && (lives == Lives::Several || takes_unkept(subscription))) return false;
    return drawn.filter != "*" && !drawn.replays && !(drawn.is_gate() && evidence_.has_durable(drawn.host));
  }

  /// Of a type that nobody stores a durable subscription counts from the first event it meets of each stream.
  bool takes_unkept(std::uint32_t subscription) const {
    const Filter filter = evidence_.plan.filter(subscription);
    return std::ranges::any_of(evidence_.plan.types, [&](const TypePlan& type) {
      return type.durability == Durability::None && filter.matches(type.type);
    });
  }

  std::optional<SteadyTime> life_of(std::size_t host, SteadyTime at) const {
    for (const Life& life : evidence_.history.lives) {
      if (life.host == host && life.began <= at && (!life.ended || *life.ended >= at)) return life.began;
    }
    return std::nullopt;
  }

  std::int64_t numbered(const Filter& filter, SteadyTime from, SteadyTime until) const {
    return std::ranges::count_if(evidence_.history.publishings, [&](const Publishing& one) {
      return one.numbered && *one.numbered > from && *one.numbered <= until &&
             filter.matches(evidence_.plan.types[one.type].type);
    });
  }

  /// What may have gone out since: held events do so later than they are numbered, and of those whose publisher was
  /// killed the number may never have been told.
  std::int64_t may_have_gone_out(const Filter& filter, SteadyTime from, SteadyTime until) const {
    return std::ranges::count_if(evidence_.history.publishings, [&](const Publishing& one) {
      const TypePlan& type = evidence_.plan.types[one.type];
      if (one.at > until || one.answer != PublishStatus::Queued || !filter.matches(type.type)) return false;
      if (!one.numbered || *one.numbered > from) return true;
      return type.deliver == Deliver::AfterConfirm && (!one.confirmed || *one.confirmed > from);
    });
  }

  Seen seen(std::size_t host, std::uint32_t subscription) const {
    const SteadyTime from = evidence_.before_books[host].at;
    const SteadyTime until = evidence_.after_books[host].at;
    const Filter filter = evidence_.plan.filter(subscription);
    Seen seen{.published = numbered(filter, from, until)};
    for (const Evidence::Handed& handed : evidence_.handed()) {
      if (handed.subscription != subscription) continue;
      const auto handled = [&](std::size_t number, bool is_uncertain) {
        const HandOver& one = evidence_.at(number);
        const bool ended = evidence_.answered(one) && (one.ending == Ending::Done || one.ending == Ending::Stop);
        return ended && one.ended > from && one.ended <= until && !one.replayed &&
               !evidence_.was_requeued(subscription, one.place, one.at) &&  // its letter stands in the books
               evidence_.is_uncertain(one) == is_uncertain;
      };
      const auto any = [&](bool is_uncertain) {
        return std::ranges::any_of(handed.numbers, [&](std::size_t number) { return handled(number, is_uncertain); });
      };
      if (any(false)) {
        ++seen.delivered;
      } else if (any(true)) {
        ++seen.uncertain;
      }
    }
    return seen;
  }

  /// Events from before the first look that may become known behind it. Of the last ones a receiver may learn with the
  /// next ones only, where every tail marker since was dropped at a full queue; a durable subscription learns from a
  /// spool of what is as old as it likes.
  std::int64_t late_news(std::size_t host, std::uint32_t subscription) const {
    const SteadyTime until = evidence_.before_books[host].at;
    if (evidence_.is_durable(subscription)) return numbered(evidence_.plan.filter(subscription), SteadyTime{}, until);
    if (evidence_.plan.mark_max == 0) return 0;
    return numbered(evidence_.plan.filter(subscription), until - news_max, until);
  }

  /// Events between the looks of which the host cannot know at the second one: G1 has it know what it lost as soon as
  /// it hears the next frame, tail marker or echo of the stream, and each of them was dropped at a full queue. Markers
  /// of streams that fell silent together go out together every time, so of a queue for four it is always the same ones
  /// that are dropped. A durable subscription learns from a spool.
  std::int64_t not_heard_yet(std::size_t host, std::uint32_t subscription) const {
    if (evidence_.is_durable(subscription)) return 0;
    const SteadyTime from = evidence_.before_books[host].at;
    const SteadyTime until = evidence_.after_books[host].at;
    const Filter filter = evidence_.plan.filter(subscription);
    return std::ranges::count_if(evidence_.history.publishings, [&](const Publishing& one) {
      return one.numbered && *one.numbered > from && *one.numbered <= until && one.place &&
             filter.matches(evidence_.plan.types[one.type].type) &&
             evidence_.history.is_unheard(host, *one.place, until - news_on_its_way_max);
    });
  }

  void judge_difference(std::size_t host, std::uint32_t subscription, const Json& before, const Json& after) {
    if (!can_be_told(subscription, Lives::One)) return;
    const Seen truth = seen(host, subscription);
    const auto more = [&](const char* count) {
      return after[count].get<std::int64_t>() - before[count].get<std::int64_t>();
    };
    const std::int64_t published = more("published");
    if (published < truth.published - not_heard_yet(host, subscription) ||
        published > truth.published + late_news(host, subscription)) {
      tell(host, after,
           "published " + std::to_string(truth.published) + " while the books were watched, and they say " +
               std::to_string(more("published")) + " (subscription " + std::to_string(subscription) +
               ", before: " + before.dump() + ')');
    }
    if (more("delivered") < truth.delivered || more("delivered") > truth.delivered + truth.uncertain) {
      tell(host, after,
           "handled " + std::to_string(truth.delivered) + " while the books were watched, and they say " +
               std::to_string(more("delivered")) + " (subscription " + std::to_string(subscription) +
               ", before: " + before.dump() + ')');
    }
  }

  void tell(std::size_t host, const Json& books, const std::string& what) {
    if (violations_.size() >= violations_per_check_max) return;
    violations_.push_back({"G1 books", evidence_.plan.hosts[host].name + ": " + what + "\n  " + books.dump()});
  }

  const Evidence& evidence_;
  Violations& violations_;
};

}  // namespace

void check_books(const Evidence& evidence, Violations& violations) {
  BookCheck check(evidence, violations);
  if (!evidence.converged) return;
  check.judge_balance(evidence.before_books);
  check.judge_balance(evidence.after_books);
  check.judge_beginning(evidence.before_books);
  check.judge_beginning(evidence.after_books);
  check.judge_difference();
}

}  // namespace legion::sim
