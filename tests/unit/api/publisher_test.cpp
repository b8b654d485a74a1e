#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api_kit.hpp"

namespace legion {
namespace {

using test::plain_event;

class PublisherTest : public testing::Test {
 protected:
  std::shared_ptr<test::RecordingTarget> target_ = std::make_shared<test::RecordingTarget>();
  Publisher publisher_{target_, "feed"};
};

TEST_F(PublisherTest, ABatchSaysWhichEventsWereRefused) {
  const std::vector<Event> batch(4, plain_event("test.tick"));
  target_->refused_until = 2;
  const BatchResult result = publisher_.publish_batch(batch);
  EXPECT_FALSE(result);
  EXPECT_EQ(result.queued, 2u);
  ASSERT_EQ(result.refused.size(), 2u);
  EXPECT_EQ(result.refused[1].index, 1u);
  EXPECT_EQ(result.refused[1].result.status, PublishStatus::WouldBlock);
}

TEST_F(PublisherTest, TriesAgainWhileItWouldBlock) {
  target_->refused_until = 2;
  EXPECT_TRUE(publisher_.publish_with_retry(plain_event("test.tick"), {.attempts = 5, .delay = 10ms, .backoff = 3}));
  EXPECT_THAT(target_->waited, testing::ElementsAre(10ms, 30ms));
}

TEST_F(PublisherTest, GivesUpAfterItsAttemptsAndAtOnceWhenTryingIsOfNoUse) {
  target_->refused_until = 100;
  EXPECT_EQ(publisher_.publish_with_retry(plain_event("test.tick"), {.attempts = 3}).status, PublishStatus::WouldBlock);
  EXPECT_EQ(target_->asked, 3u);
  target_->refused_until = 0;
  target_->answer = {PublishStatus::TooBig, "no"};
  EXPECT_EQ(publisher_.publish_with_retry(plain_event("test.tick")).status, PublishStatus::TooBig);
  EXPECT_EQ(target_->asked, 4u);
}

TEST_F(PublisherTest, AFutureIsReadyAtOnceWhenTheEventIsNotTaken) {
  auto confirmed = publisher_.publish_confirmed(plain_event("test.order"));
  EXPECT_EQ(confirmed.wait_for(0s), std::future_status::timeout);
  target_->confirms.at(0)({.id = "x", .status = Confirm::Status::Unconfirmed});
  const Confirmed result = confirmed.get();
  EXPECT_FALSE(result);
  EXPECT_EQ(result.confirm->status, Confirm::Status::Unconfirmed);

  target_->answer = {PublishStatus::Closed, "gone"};
  auto refused = publisher_.publish_confirmed(plain_event("test.order"));
  ASSERT_EQ(refused.wait_for(0s), std::future_status::ready);
  const Confirmed none = refused.get();
  EXPECT_EQ(none.taken.status, PublishStatus::Closed);
  EXPECT_FALSE(none.confirm);
}

}  // namespace
}  // namespace legion
