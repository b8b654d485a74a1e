// Dead letters that cannot go on their way, or not to whom they came from.
#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");

std::string key_of(std::uint64_t sequence) { return event_id(trades, sequence) + " c/orders"; }

class DurableLetters : public testing::Test {
 protected:
  /// Letters of the events 1 to `count`.
  void begin_with_letters(std::uint64_t count) {
    kit.subscribe({});
    kit.spool();
    kit.start();
    kit.handler = [](const auto&) { return Outcome::reject("bad day"); };
    for (std::uint64_t n = 1; n <= count; ++n) {
      kit.publish(frame_in(trades, n, 1));
      kit.settle();
    }
    kit.settle(1s);
    ASSERT_THAT(kit.spool().letters, SizeIs(count));
    kit.handler = [](const auto&) { return Outcome::done(); };
    kit.handed.clear();
  }
  void requeue(std::uint64_t sequence) {
    kit.durable.on_requeue(kit.now, sequence, kit.spool().letters.at(key_of(sequence)));
    kit.drain();
  }
  const LetterRecord& letter(std::uint64_t sequence) { return kit.spool().letters.at(key_of(sequence)); }
  std::string answer_to(RequestId request) {
    for (const RequestAnswer& answered : kit.answers) {
      if (answered.request == request) return answered.answer ? *answered.answer : answered.answer.error().message;
    }
    return "none";
  }
  /// The next life of the node, which finds letter 1 on its way.
  std::unique_ptr<DurableKit> reborn_with_a_requeued_letter() {
    begin_with_letters(1);
    requeue(1);
    kit.confirm_records();
    auto next = std::make_unique<DurableKit>();
    next->now = kit.now;
    next->spools = kit.spools;
    return next;
  }

  DurableKit kit;
};

TEST_F(DurableLetters, OneThatIsOnItsWayIsNotPurged) {
  begin_with_letters(1);
  requeue(1);
  kit.confirm_records();
  kit.durable.on_purge(kit.now, 77, letter(1));
  kit.drain();
  EXPECT_EQ(answer_to(77), "it was requeued and is on its way");
  kit.settle();
  EXPECT_EQ(letter(1).state, LetterState::Resolved);
  EXPECT_THAT(kit.handled(), ElementsAre(1));
}

TEST_F(DurableLetters, TooManyAtOnceAreRefusedAndMayComeAgain) {
  constexpr std::uint64_t at_once = 256;
  begin_with_letters(at_once + 1);
  for (std::uint64_t n = 1; n <= at_once + 1; ++n) requeue(n);
  EXPECT_EQ(answer_to(at_once), "none");  // it is being written
  EXPECT_EQ(answer_to(at_once + 1), "too many are on their way");
  EXPECT_EQ(letter(at_once + 1).state, LetterState::Dead);
  kit.settle(1s);
  EXPECT_THAT(kit.handed, SizeIs(at_once));
  kit.answers.clear();
  requeue(at_once + 1);
  kit.settle(1s);
  EXPECT_EQ(answer_to(at_once + 1), "requeued");
  EXPECT_THAT(kit.handed, SizeIs(at_once + 1));
}

TEST_F(DurableLetters, ANodeThatEndsTakesNone) {
  begin_with_letters(1);
  kit.durable.begin_drain(kit.now);
  requeue(1);
  EXPECT_EQ(answer_to(1), "too many are on their way");
  kit.settle(1s);
  EXPECT_EQ(letter(1).state, LetterState::Dead);
  EXPECT_THAT(kit.handed, IsEmpty());
}

TEST_F(DurableLetters, OneOfASubscriptionThatWasRenamedGoesToItsAgent) {
  const auto next = reborn_with_a_requeued_letter();
  const auto other = next->subscribe({.name = "elsewhere"});
  const auto renamed = next->subscribe({.name = "orders2", .start = StartNow{}, .agent = "orders"});
  next->start();
  next->settle(1s);
  EXPECT_THAT(next->handled(renamed), ElementsAre(1));
  EXPECT_EQ(next->spool().letters.at(key_of(1)).state, LetterState::Resolved);
  EXPECT_THAT(next->handled(other), ElementsAre(1));  // its own, from the beginning
}

TEST_F(DurableLetters, OneWhoseAgentTakesItNoMoreStaysWhereItIsAndThatIsSaid) {
  const auto next = reborn_with_a_requeued_letter();
  next->subscribe({.name = "orders", .filter = "order.", .start = StartNow{}});
  next->start();
  next->settle(1s);
  EXPECT_THAT(next->logs, Contains(HasSubstr("stays where it is: no subscription of c/orders takes it")));
  EXPECT_EQ(next->spool().letters.at(key_of(1)).state, LetterState::Requeued);
  EXPECT_THAT(next->handed, IsEmpty());
}

TEST_F(DurableLetters, OneThatBelongsToAnotherNodeIsNobodysBusinessHere) {
  const auto next = reborn_with_a_requeued_letter();
  LetterRecord foreign = next->spool().letters.at(key_of(1));
  foreign.agent = "d/orders";
  next->spool().letters.clear();
  next->spool().letters[foreign.key()] = foreign;
  next->subscribe({.start = StartNow{}});
  next->start();
  next->settle(1s);
  EXPECT_THAT(next->logs, Not(Contains(HasSubstr("stays where it is"))));
  EXPECT_EQ(next->spool().letters.at(foreign.key()).state, LetterState::Requeued);
  EXPECT_THAT(next->handed, IsEmpty());
}

}  // namespace
}  // namespace legion::test
