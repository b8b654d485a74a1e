// What the process after this one would find in the file, after whatever befell a delivery.
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include <unistd.h>

#include <gmock/gmock.h>

#include <legion/runtime/in_flight_book.hpp>

namespace legion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Stage = InFlightEntry::Stage;
using enum OutcomeKind;

constexpr std::uint32_t orders = 0, watch = 1;  // subscriptions: a durable one and a plain one, each of its own agent

FramePtr frame_of(std::uint64_t first, std::uint32_t count) {
  Event event;
  event.type = "trade.approved";
  event.source = "a/desk";
  FrameBuilder builder;
  builder.begin({"a", 7}, Priority::High, event.type, 0, first);
  for (std::uint32_t k = 0; k < count; ++k) builder.append(encode_event(event, 0, 1000)->bytes);
  return *Frame::decode(builder.finish());
}

class InFlightBookTest : public testing::Test {
 protected:
  InFlightBookTest() {
    std::string name = (std::filesystem::temp_directory_path() / "legion-book-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    begin();
  }
  ~InFlightBookTest() override { std::filesystem::remove_all(folder_); }

  /// A process begins.
  void begin(std::uint32_t slots = 4, std::size_t failed_max = 2) {
    book.reset();
    file_.reset();
    auto opened = InFlightFile::open(folder_ / "in-flight", slots);
    ASSERT_TRUE(opened) << opened.error().message;
    file_.emplace(std::move(opened->file));
    book.emplace(&*file_, std::vector<InFlightBook::Owner>{{"orders", "c/orders"}, {"/watch", "c/watch"}}, opened->held,
                 failed_max);
  }

  using Seen = std::tuple<std::string, std::uint64_t, std::uint32_t, Stage>;
  /// Name, sequence, attempt and stage, as the next process finds them: it reads a copy.
  std::vector<Seen> found() const {
    const auto copy = folder_ / "copy";
    std::filesystem::copy_file(folder_ / "in-flight", copy, std::filesystem::copy_options::overwrite_existing);
    const auto opened = InFlightFile::open(copy, 1);
    EXPECT_TRUE(opened && opened->trouble.empty());
    std::vector<Seen> out;
    for (const auto& held : opened->held) {
      out.emplace_back(held.subscription, held.in_hands(), held.attempt, held.stage);
    }
    return out;
  }

  static Task task(TaskId id, std::uint64_t sequence, std::uint32_t attempt = 1, std::uint32_t subscription = orders) {
    return {.id = id,
            .agent = {subscription},
            .subscription = {subscription},
            .frame = frame_of(sequence, 1),
            .attempt = attempt,
            .durable = 3,
            .path = InFlightPath{}};
  }
  static Task run(std::uint64_t first, std::uint32_t count) {
    return {.id = 77,
            .agent = {orders},
            .subscription = {orders},
            .frame = frame_of(first, count),
            .count = count,
            .durable = 3,
            .path = InFlightPath{}};
  }
  static std::string id_of(std::uint64_t sequence) {
    return EventId{"a", 7, Priority::High, "trade.approved", 0, sequence}.to_string();
  }

  std::optional<InFlightBook> book;

 private:
  std::filesystem::path folder_;
  std::optional<InFlightFile> file_;
};

TEST_F(InFlightBookTest, WhatIsHandledLeavesNothing) {
  book->begin(task(1, 5));
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 1, Stage::InHands}));
  book->answered(1, Done);
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_EQ(book->free_slots(), 4u);
}

TEST_F(InFlightBookTest, PlainDeliveriesAreNotNoted) {
  Task plain = task(1, 5, 1, watch);
  plain.durable = no_stream;
  plain.path.reset();
  book->begin(plain);
  EXPECT_FALSE(book->begin_run(plain));
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(InFlightBookTest, ARequeueToAPlainSubscriptionIsNotedUnderItsAgent) {
  book->begin(task(1, 5, 2, watch));
  EXPECT_THAT(found(), ElementsAre(Seen{"/watch", 5, 2, Stage::InHands}));
}

TEST_F(InFlightBookTest, AGateBeforeADurableDeliveryIsNotedUntilItAnswers) {
  const InFlightPath gate{InFlightPath::Role::Gate, 0};
  for (const OutcomeKind kind : {Done, Stop, Reject}) {
    Task task = this->task(1, 5, 1, watch);
    task.durable = no_stream;
    task.path = gate;
    book->begin(task);
    EXPECT_THAT(found(), ElementsAre(Seen{"/watch", 5, 1, Stage::InHands}));
    book->answered(1, kind);
    EXPECT_THAT(found(), IsEmpty());
  }
  Task task = this->task(2, 5, 2, watch);
  task.path = gate;
  book->begin(task);
  book->answered(2, Retry);
  book->over("c/watch", id_of(5), {});
  EXPECT_THAT(found(), ElementsAre(Seen{"/watch", 5, 2, Stage::Failed}));
  book->over("c/watch", id_of(5), gate);
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_EQ(book->free_slots(), 4u);
}

TEST_F(InFlightBookTest, AttemptsByOneWayStandBesideThoseByAnother) {
  Task requeued = task(1, 5, 2);
  requeued.path = InFlightPath{.round = 1};
  book->begin(task(2, 5, 1));
  book->begin(requeued);
  begin();
  EXPECT_THAT(found(), testing::UnorderedElementsAre(Seen{"orders", 5, 1, Stage::InHands},
                                                     Seen{"orders", 5, 2, Stage::InHands}));
  requeued.attempt = 3;
  book->begin(requeued);
  book->answered(1, Done);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 1, Stage::InHands}));
}

TEST_F(InFlightBookTest, AFailedAttemptStaysUntilTheNextOne) {
  book->begin(task(1, 5));
  book->answered(1, Retry);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 1, Stage::Failed}));
  book->begin(task(2, 5, 2));
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 2, Stage::InHands}));
  book->answered(2, Done);
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_EQ(book->free_slots(), 4u);
}

TEST_F(InFlightBookTest, WhatIsRejectedStaysUntilItIsOver) {
  book->begin(task(1, 5));
  book->answered(1, Reject);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 1, Stage::Rejected}));
  book->over("c/watch", id_of(5), {});
  book->over("c/orders", id_of(6), {});
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 1, Stage::Rejected}));
  begin();  // another process, that knows it from the file, and one after it
  begin();
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 1, Stage::Rejected}));
  book->over("c/orders", id_of(5), {});
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_EQ(book->free_slots(), 4u);
}

TEST_F(InFlightBookTest, AnAgentThatGoesDownFailsWhatItHad) {
  book->begin(task(1, 5));
  book->begin(task(2, 6, 1, watch));
  book->agent_down({orders});
  EXPECT_THAT(found(),
              testing::UnorderedElementsAre(Seen{"orders", 5, 1, Stage::Failed}, Seen{"/watch", 6, 1, Stage::InHands}));
}

TEST_F(InFlightBookTest, ADeferredEventStaysInHands) {
  book->begin(task(1, 5));
  book->answered(1, Deferred);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 1, Stage::InHands}));
  book->answered(1, Done);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(InFlightBookTest, OfARunTheEventInHandsIsNamed) {
  const Task task = run(10, 3);
  const auto slot = book->begin_run(task);
  ASSERT_TRUE(slot);
  book->advance(*slot, 1);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 11, 1, Stage::InHands}));
  book->end_run(*slot, task, 2, Retry);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 11, 1, Stage::Failed}));
  const Task rest = run(12, 1);
  book->end_run(*book->begin_run(rest), rest, 1, Done);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 11, 1, Stage::Failed}));
}

TEST_F(InFlightBookTest, OfARunTheDeferredEventStaysInHands) {
  const Task task = run(10, 3);
  const auto slot = book->begin_run(task);
  book->advance(*slot, 1);
  book->end_run(*slot, task, 2, Deferred);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 11, 1, Stage::InHands}));
  book->answered(task_of(task, 1), Done);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(InFlightBookTest, AnAnswerThatComesBeforeTheReportOfItsRunCounts) {
  const Task task = run(10, 3);
  const auto slot = book->begin_run(task);
  book->advance(*slot, 1);
  book->answered(task_of(task, 1), Done);
  book->end_run(*slot, task, 2, Deferred);
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_EQ(book->free_slots(), 4u);
}

TEST_F(InFlightBookTest, AHandlerThatWasGivenUpIsForgottenWithItsEvent) {
  book->begin(task(1, 5, 3));  // it never answers, and the last attempt timed out
  book->over("c/orders", id_of(5), {});
  EXPECT_THAT(found(), IsEmpty());
  book->answered(1, Done);  // after all
  EXPECT_EQ(book->free_slots(), 4u);
}

TEST_F(InFlightBookTest, WhatFailedTakesNoMoreThanItsShare) {
  for (TaskId n = 1; n <= 3; ++n) {
    book->begin(task(n, n));
    book->answered(n, Retry);
  }
  EXPECT_EQ(book->free_slots(), 2u);
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 1, 1, Stage::Failed}, Seen{"orders", 2, 1, Stage::Failed}));
}

TEST_F(InFlightBookTest, WhatTheLifeBeforeLeftStaysUntilItIsHandedOverAgainOrOver) {
  book->begin(task(1, 5));
  book->begin(task(2, 6, 2));
  book->answered(2, Retry);
  begin();
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 1, Stage::InHands}, Seen{"orders", 6, 2, Stage::Failed}));
  begin();  // another crash does not forget it
  book->begin(task(1, 5, 2));
  EXPECT_THAT(found(), ElementsAre(Seen{"orders", 5, 2, Stage::InHands}, Seen{"orders", 6, 2, Stage::Failed}));
  book->answered(1, Done);
  book->over("c/orders", id_of(6), {});
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace legion
