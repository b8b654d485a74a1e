// Questions to a spool over real sockets, from both kinds of askers.
#include <algorithm>
#include <filesystem>

#include <unistd.h>

#include "spool_kit.hpp"

namespace legion::test {
namespace {

namespace ask = spool_question;
const Origin origin_a{"a", 7};
constexpr Duration patience = 60s;

class SpoolAskerTest : public ::testing::Test {
 protected:
  void start(SpoolService::Options options = {}) {
    spool = std::make_unique<TestSpool>(disk, options);
    spool->run();
    asker = spool->asker();
    ASSERT_TRUE(asked(ask::info()));  // connected
  }
  /// Frames 1 .. count of one stream, of `bytes` each.
  void fill(std::size_t count, std::size_t bytes = 100) {
    FakeStore store(disk);
    ASSERT_TRUE(store.bind(origin_a, BootId{{1}}));
    std::vector<JournalRecord> records(count);
    for (std::size_t i = 0; i < count; ++i) {
      records[i].origin = origin_a;
      records[i].journal = JournalKind::Confirmed;
      records[i].first = records[i].last = i + 1;
      records[i].frame = make_frame(origin_a, i % 10 == 3 ? "risk.breached" : "trade.approved", i + 1, 1, bytes);
    }
    ASSERT_TRUE(store.append(records, WallTime{1000}));
  }
  template <class Answer>
  Result<Answer> asked(const SpoolQuestion<Answer>& question) {
    return asker->ask(question, patience);
  }

  std::shared_ptr<FakeDisk> disk = std::make_shared<FakeDisk>();
  std::unique_ptr<TestSpool> spool;
  std::unique_ptr<BlockingSpoolAsker> asker;
};

TEST_F(SpoolAskerTest, ReadsAWholeStorePageByPage) {
  fill(1000, 3000);
  start();
  ScanQuery query;
  query.bytes_max = 100'000;
  SpoolScanner scanner(*asker, query, patience);
  std::vector<CommitNumber> numbers;
  std::size_t pages = 0;
  for (;;) {
    auto page = scanner.next();
    ASSERT_TRUE(page) << page.error().message;
    if (!*page) break;
    ++pages;
    EXPECT_EQ((*page)->store.bytes[0], 42);
    for (const StoredFrame& stored : (*page)->frames) {
      numbers.push_back(stored.number);
      const auto frame = Frame::decode(stored.frame, (*page)->owner);
      ASSERT_TRUE(frame) << frame.error().message;
      EXPECT_EQ((*frame)->header().first_sequence, stored.number);
      EXPECT_EQ(stored.position, stored.number);
      EXPECT_EQ(stored.recorded, WallTime{1000});
    }
  }
  EXPECT_EQ(numbers, up_to(1000));
  EXPECT_GE(pages, 25u);
  EXPECT_EQ(scanner.next_number(), 1001u);
}

TEST_F(SpoolAskerTest, FindsWhatIsRareInAFewPages) {
  fill(1000, 1000);
  start();
  ScanQuery query;
  query.types = {Filter::parse("risk.").value()};
  query.until = 500;
  SpoolScanner scanner(*asker, query, patience);
  std::size_t found = 0;
  std::size_t pages = 0;
  for (auto page = scanner.next(); page && *page; page = scanner.next(), ++pages) found += (*page)->frames.size();
  EXPECT_EQ(found, 50u);
  // One, unless it takes the spool longer to look through them than an answer may be under way.
  EXPECT_LT(pages, 10u);
}

TEST_F(SpoolAskerTest, ReadsAStreamInOrder) {
  fill(40, 1000);
  start();
  StreamQuery query{{origin_a, Priority::Normal, "risk.breached", 0}, 1, UINT64_MAX, 1 << 20};
  const auto page = asked(ask::stream(query));
  ASSERT_TRUE(page) << page.error().message;
  std::vector<std::uint64_t> firsts;
  for (const auto& part : page->page.parts) {
    if (part.kind != StreamPage::Part::Kind::Frame) continue;
    EXPECT_EQ(decode_frame_header(part.frame)->first_sequence, part.first);
    firsts.push_back(part.first);
  }
  EXPECT_EQ(firsts, (std::vector<std::uint64_t>{4, 14, 24, 34}));
  EXPECT_EQ(page->page.stored_to, 34u);
}

TEST_F(SpoolAskerTest, ReadsJournalsForAnotherSpool) {
  fill(30, 1000);
  start();
  const auto journals = asked(ask::journals());
  ASSERT_TRUE(journals) << journals.error().message;
  ASSERT_EQ(journals->journals.size(), 2u);
  EXPECT_EQ(journals->journals[0].ranges, (std::vector<PositionRange>{{1, 30}}));
  EXPECT_FALSE(journals->more);
  JournalsQuery behind;
  behind.after = {origin_a, JournalKind::Confirmed};
  EXPECT_EQ(asked(ask::journals(behind))->journals.size(), 1u);
  const auto records = asked(ask::journal({origin_a, JournalKind::Confirmed, {5, 9}, 1 << 20}));
  ASSERT_TRUE(records) << records.error().message;
  ASSERT_EQ(records->size(), 5u);
  EXPECT_EQ(*records->front().frame, *disk->rows()[4].record.frame);
  EXPECT_EQ(records->front().origin, origin_a);
}

TEST_F(SpoolAskerTest, AnswersSmallQuestions) {
  fill(30);
  start();
  EXPECT_EQ(asked(ask::at(WallTime{1000})).value(), 1u);
  EXPECT_FALSE(asked(ask::at(WallTime{1001})).value());
  EXPECT_EQ(asked(ask::find({"a", 7, Priority::Normal, "risk.breached", 0, 14})).value(), 14u);
  const auto tails = asked(ask::tails({Filter::parse("*").value(), {}, 1}));
  ASSERT_TRUE(tails) << tails.error().message;
  ASSERT_EQ(tails->tails.size(), 1u);
  EXPECT_TRUE(tails->more);
  const auto rest = asked(ask::tails({Filter::parse("*").value(), tails->tails[0].stream, 1}));
  EXPECT_EQ(rest->tails.at(0).next, 31u);
  EXPECT_FALSE(rest->more);
  EXPECT_EQ(asked(ask::mark("before")).value(), 31u);
  EXPECT_EQ(asked(ask::marks()).value(), (SpoolMarks{{"before", 31}}));
  const auto info = asked(ask::info());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->figures.frames, 30u);
  EXPECT_EQ(info->queries_answered, 8u);
}

TEST_F(SpoolAskerTest, ReadsRecordsPageByPage) {
  for (const char* name : {"orders", "audit", "billing"}) {
    CursorState& cursor = disk->cursors.emplace_back();
    cursor.merged.subscription = name;
    cursor.merged.filter = "trade.";
    cursor.merged.generation = {1, "a"};
    cursor.by = origin_a;
  }
  for (int i = 0; i < 5; ++i) {
    disk->attempts.push_back({"orders", "a:7:2:trade.approved:0:" + std::to_string(9 - i), 2, "no", {}, {}});
    LetterRecord& letter = disk->letters.emplace_back();
    letter.event = "a:7:2:trade.approved:0:" + std::to_string(i + 1);
    letter.agent = "a/risk";
    letter.deaths = {{"a/risk", "rejected", 1, "no", {}, {}}};
    letter.frame = *make_frame(origin_a, "trade.approved", static_cast<std::uint64_t>(i) + 1, 1, 900'000);
  }
  start();
  const auto cursors = asked(ask::cursors());
  ASSERT_TRUE(cursors) << cursors.error().message;
  ASSERT_EQ(cursors->size(), 3u);
  EXPECT_EQ(cursors->front().merged.subscription, "audit");
  EXPECT_EQ(asked(ask::cursors("billing"))->size(), 1u);
  EXPECT_TRUE(asked(ask::cursors("orders"))->empty());
  EXPECT_EQ(asked(ask::cursor("billing")).value()->by, origin_a);
  EXPECT_FALSE(asked(ask::cursor("nobody")).value());

  const auto attempts = asked(ask::attempts("orders"));
  ASSERT_TRUE(attempts) << attempts.error().message;
  EXPECT_EQ(attempts->size(), 5u);
  EXPECT_TRUE(std::ranges::is_sorted(*attempts, {}, &AttemptRecord::event));
  EXPECT_EQ(asked(ask::attempts("orders", attempts->at(3).event))->size(), 1u);

  // A page has at most 4 MiB of them, so the fifth comes with the next one.
  LetterQuery query;
  std::vector<std::string> events;
  for (;;) {
    const auto page = asked(ask::letters(query));
    ASSERT_TRUE(page) << page.error().message;
    if (page->empty()) break;
    EXPECT_LE(page->size(), 4u);
    for (const LetterRecord& letter : *page) events.push_back(letter.event);
    EXPECT_EQ(page->back().frame.size(), disk->letters.back().frame.size());
    query.after = page->back().key();
  }
  EXPECT_EQ(events.size(), 5u);
  EXPECT_TRUE(std::ranges::is_sorted(events));
}

TEST_F(SpoolAskerTest, GivesANameToOneMemberAtATime) {
  start();
  const ClaimQuery a{"orders", {"a", 7}, BootId{{1}}};
  const ClaimQuery a_later{"orders", {"a", 8}, BootId{{2}}};
  const ClaimQuery b{"orders", {"b", 1}, BootId{{3}}};
  EXPECT_TRUE(asked(ask::claim(a)));
  EXPECT_TRUE(asked(ask::claim(a)));
  const auto refused = asked(ask::claim(b));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Refused);
  EXPECT_NE(refused.error().message.find("in use by node a"), std::string::npos);

  EXPECT_TRUE(asked(ask::claim(a_later)));
  EXPECT_FALSE(asked(ask::claim(a)));
  EXPECT_TRUE(asked(ask::unclaim(a)));  // not its own any more
  EXPECT_FALSE(asked(ask::claim(b)));
  EXPECT_TRUE(asked(ask::unclaim(a_later)));
  EXPECT_TRUE(asked(ask::claim(b)));
}

TEST_F(SpoolAskerTest, GivesTheNameOfADeadNodeToAnother) {
  spool = std::make_unique<TestSpool>(disk);
  spool->gone_node = "a";
  spool->run();
  asker = spool->asker();
  EXPECT_TRUE(asked(ask::claim({"orders", {"a", 7}, BootId{{1}}})));
  EXPECT_TRUE(asked(ask::claim({"orders", {"b", 1}, BootId{{3}}})));
  EXPECT_FALSE(asked(ask::claim({"orders", {"c", 1}, BootId{{4}}})));
}

TEST_F(SpoolAskerTest, RunsOneLongJobAtATimeAndAnswersTheRestMeanwhile) {
  fill(10);
  start();
  disk->hold();
  const auto ticket = asker->begin("verify", encode_params(StoreReader::Depth::Full), patience);
  const auto other = spool->asker();
  const std::string path = std::filesystem::temp_directory_path() / ("legion-spool-backup-" + std::to_string(getpid()));
  std::optional<Error> busy;
  EXPECT_TRUE(eventually([&] {
    const auto backup = other->ask(ask::backup(path), patience);
    std::filesystem::remove(path);
    if (!backup) busy = backup.error();
    return busy.has_value();
  }));
  EXPECT_EQ(busy->code, ErrorCode::WouldBlock);
  EXPECT_NE(busy->message.find("verify"), std::string::npos);
  EXPECT_EQ(other->ask(ask::info(), patience)->long_job, "verify");
  EXPECT_EQ(other->ask(ask::scan({}), patience)->frames.size(), 10u);

  disk->let_go();
  const auto report = asker->wait(ticket);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(decode_verify_report(report->result)->frames, 10u);
  const auto backup = other->ask(ask::backup(path), patience);
  ASSERT_TRUE(backup) << backup.error().message;
  EXPECT_EQ(*backup, 6u);
  std::filesystem::remove(path);
  EXPECT_EQ(other->ask(ask::backup("relative"), patience).error().code, ErrorCode::InvalidArgument);
}

TEST_F(SpoolAskerTest, EndsAVerifyWhenTheSpoolStops) {
  start();
  disk->hold();
  asker->begin("verify", {}, patience);
  const auto other = spool->asker();
  ASSERT_TRUE(eventually([&] { return other->ask(ask::info(), patience)->long_job == "verify"; }));
  spool->stop();
  spool.reset();
}

TEST_F(SpoolAskerTest, SaysWhatIsWrongWithAQuestion) {
  start();
  const auto unknown = asker->ask("dance", {}, patience);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::NotFound);
  EXPECT_NE(unknown.error().message.find("dance"), std::string::npos);
  const auto missing = asker->ask("stream", {}, patience);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::BadData);
  EXPECT_NE(missing.error().message.find("origin"), std::string::npos);
  const auto event = asker->ask("find", encode_params("event", "not an id"), patience);
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, ErrorCode::BadData);
}

TEST_F(SpoolAskerTest, RefusesWhatIsMoreThanItsReadersMayHave) {
  fill(3);
  start({.readers = {.threads = 1, .waiting_max = 64, .per_peer_max = 2}});
  std::vector<BlockingSpoolAsker::Ticket> tickets;
  for (int i = 0; i < 200; ++i) tickets.push_back(asker->begin("scan", {}, patience));
  std::size_t answered = 0;
  for (const auto ticket : tickets) {
    const auto reply = asker->wait(ticket);
    answered += reply ? 1 : 0;
    EXPECT_TRUE(reply || reply.error().code == ErrorCode::WouldBlock) << reply.error().message;
  }
  EXPECT_GE(answered, 2u);
  EXPECT_LT(answered, 200u);
}

TEST_F(SpoolAskerTest, AsksNoMoreAtOnceThanASpoolTakes) {
  fill(3);
  start();
  std::vector<BlockingSpoolAsker::Ticket> tickets;
  for (int i = 0; i < 200; ++i) tickets.push_back(asker->begin("scan", {}, patience));
  for (const auto ticket : tickets) {
    const auto reply = asker->wait(ticket);
    EXPECT_TRUE(reply) << reply.error().message;
  }
}

TEST_F(SpoolAskerTest, SaysThatNobodyIsThere) {
  const std::uint16_t port = transport::find_free_ports("127.0.0.1", 1).value();
  const auto nobody = BlockingSpoolAsker::open(Address{"127.0.0.1", port}).value();
  const auto reply = nobody->ask(ask::info(), patience);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::Unreachable);
}

TEST_F(SpoolAskerTest, FailsWhatIsOutWhenTheConnectionIsLostAndGoesOnWithTheNext) {
  disk->hold();
  start();
  const auto ticket = asker->begin("verify", {}, patience);
  ASSERT_TRUE(eventually([&] { return spool->asker()->ask(ask::info(), patience)->long_job == "verify"; }));
  const std::string at = spool->uri();
  spool.reset();
  const auto lost = asker->wait(ticket);
  ASSERT_FALSE(lost);
  // The spool may have had the time to say that it stops.
  EXPECT_TRUE(lost.error().code == ErrorCode::Unreachable || lost.error().code == ErrorCode::Closed);

  disk->let_go();
  spool = std::make_unique<TestSpool>(disk, SpoolService::Options{}, at);
  spool->run();
  EXPECT_TRUE(eventually([&] { return asked(ask::info()).has_value(); }));
}

TEST_F(SpoolAskerTest, KeepsManyQuestionsUnderWayOnALoop) {
  fill(100);
  start();
  Sockets sockets;
  auto loop_asker = SpoolAsker::connect(*sockets.context, spool->uri()).value();
  std::vector<CommitNumber> numbers;
  std::function<void(CommitNumber)> go_on = [&](CommitNumber from) {
    ScanQuery query;
    query.from = from;
    query.bytes_max = 1000;
    loop_asker->ask<SpoolPage>(read_clocks(), ask::scan(query), patience, [&](Result<SpoolPage> page) {
      ASSERT_TRUE(page) << page.error().message;
      for (const StoredFrame& frame : page->frames) numbers.push_back(frame.number);
      if (!page->at_end) go_on(page->next);
    });
  };
  go_on(1);
  int infos = 0;
  for (int i = 0; i < 4; ++i) {
    loop_asker->ask<SpoolInfo>(read_clocks(), ask::info(), patience,
                               [&](Result<SpoolInfo> info) { infos += info ? 1 : 0; });
  }
  EXPECT_TRUE(eventually([&] {
    loop_asker->on_turn(read_clocks());
    return loop_asker->outstanding() == 0;
  }));
  EXPECT_EQ(numbers, up_to(100));
  EXPECT_EQ(infos, 4);

  std::optional<ErrorCode> closed;
  loop_asker->ask(read_clocks(), "info", {}, patience,
                  [&](const Result<SpoolReply>& reply) { closed = reply.error().code; });
  loop_asker.reset();
  EXPECT_EQ(closed, ErrorCode::Closed);
}

TEST_F(SpoolAskerTest, GivesUpAfterItsTime) {
  disk->hold();
  start();
  const auto late = asker->ask("verify", {}, 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::TimedOut);
  EXPECT_TRUE(asked(ask::info()));
  disk->let_go();
}

}  // namespace
}  // namespace legion::test
