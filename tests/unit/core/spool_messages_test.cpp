#include <gtest/gtest.h>

#include <limits>

#include <legion/base/rng.hpp>
#include <legion/core/spool_messages.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

BootId some_boot() {
  BootId boot;
  boot.bytes.fill(0xab);
  return boot;
}

StoreId some_store() {
  StoreId store;
  store.bytes.fill(0xcd);
  return store;
}

std::vector<ToSpool> all_to_spool() {
  return {OpenLink{1, 3, most, {"node-1", 7}, some_boot()},
          AppendFrame{5, JournalKind::Confirmed, position_max, 4, nullptr},
          AppendVoid{5,
                     JournalKind::Captured,
                     {1, 9},
                     {{Priority::Low, "a.b", 255, 1, 3}, {Priority::Critical, "~record", 0, 4, 4}}},
          AppendVoid{5, JournalKind::Captured, {1, 1}, {}},
          SkipRange{5, JournalKind::Confirmed, {7, position_max}},
          Released{5, JournalKind::Confirmed, 2, 0},
          CloseLink{5, 12, 0}};
}

std::vector<FromSpool> all_from_spool() {
  LinkOpened opened{.session = 5, .store = some_store()};
  opened.journals[0] = {4, most, {{6, 6}, {8, 20}}};
  return {opened, LinkRefused{5, "refused", "another boot"}, Acknowledged{5, JournalKind::Captured, 3, 0},
          Rewind{5, JournalKind::Confirmed, 0}};
}

Result<ToSpool> read(const ToSpool& message) {
  return decode_to_spool(encode(message).head, std::holds_alternative<AppendFrame>(message));
}

/// The message of the error, or "" where there is none.
std::string trouble(const ToSpool& message) {
  const auto decoded = read(message);
  return decoded ? "" : decoded.error().message;
}

std::string trouble(const FromSpool& message) {
  const auto decoded = decode_from_spool(encode(message));
  return decoded ? "" : decoded.error().message;
}

TEST(SpoolMessages, ComeBackAsTheyWere) {
  for (const ToSpool& message : all_to_spool()) {
    const auto decoded = read(message);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, message);
  }
  for (const FromSpool& message : all_from_spool()) {
    const auto decoded = decode_from_spool(encode(message));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, message);
  }
}

TEST(SpoolMessages, AreTheBytesOfTheProtocol) {
  EXPECT_EQ(encode(ToSpool{AppendFrame{0x0102030405060708, JournalKind::Confirmed, 300, 2, nullptr}}).head,
            (Bytes{0x95, 2, 0xcf, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0xcd, 1, 44, 2}));
  EXPECT_EQ(encode(ToSpool{SkipRange{9, JournalKind::Captured, {1, 2}}}).head, (Bytes{0x95, 4, 9, 2, 1, 2}));
  EXPECT_EQ(encode(FromSpool{Acknowledged{9, JournalKind::Captured, 5, 70000}}),
            (Bytes{0x95, 10, 9, 2, 5, 0xce, 0, 1, 0x11, 0x70}));
  EXPECT_EQ(encode(FromSpool{Rewind{9, JournalKind::Confirmed, 5}}), (Bytes{0x94, 11, 9, 1, 5}));
}

TEST(SpoolMessages, OnlyAnAppendedFrameHasASecondPart) {
  const auto frame = std::make_shared<const Bytes>(Bytes{1, 2, 3});
  EXPECT_EQ(encode(ToSpool{AppendFrame{5, JournalKind::Captured, 1, 0, frame}}).frame, frame);
  EXPECT_FALSE(decode_to_spool(encode(ToSpool{AppendFrame{5, JournalKind::Captured, 1, 0, frame}}).head, false));
  EXPECT_FALSE(decode_to_spool(encode(ToSpool{CloseLink{5, 0, 0}}).head, true));
}

TEST(SpoolMessages, WrongMembersAreNamed) {
  const std::vector<std::pair<std::string, ToSpool>> to_spool = {
      {"session", CloseLink{0, 1, 1}},
      {"vmax", OpenLink{2, 1, 5, {"node-1", 7}, some_boot()}},
      {"node", OpenLink{1, 1, 5, {"Node", 7}, some_boot()}},
      {"incarnation", OpenLink{1, 1, 5, {"node-1", 0}, some_boot()}},
      {"incarnation", OpenLink{1, 1, 5, {"node-1", std::uint64_t{1} << 63}, some_boot()}},
      {"journal", AppendFrame{5, JournalKind{3}, 1, 0, nullptr}},
      {"position", AppendFrame{5, JournalKind::Confirmed, 0, 0, nullptr}},
      {"position", AppendFrame{5, JournalKind::Confirmed, position_max + 1, 0, nullptr}},
      {"held for", AppendFrame{5, JournalKind::Confirmed, 1, 5, nullptr}},
      {"journal", AppendVoid{5, JournalKind::Confirmed, {1, 1}, {}}},
      {"first", AppendVoid{5, JournalKind::Captured, {0, 1}, {}}},
      {"last", AppendVoid{5, JournalKind::Captured, {2, 1}, {}}},
      {"lane", AppendVoid{5, JournalKind::Captured, {1, 1}, {{Priority{4}, "a", 0, 1, 1}}}},
      {"type", AppendVoid{5, JournalKind::Captured, {1, 1}, {{Priority::Low, "A", 0, 1, 1}}}},
      {"first sequence", AppendVoid{5, JournalKind::Captured, {1, 1}, {{Priority::Low, "a", 0, 0, 1}}}},
      {"last sequence", AppendVoid{5, JournalKind::Captured, {1, 1}, {{Priority::Low, "a", 0, 2, 1}}}},
      {"spans", AppendVoid{5,
                           JournalKind::Captured,
                           {1, 1},
                           std::vector<StreamSpan>(void_spans_max + 1, {Priority::Low, "a", 0, 1, 1})}},
      {"last", SkipRange{5, JournalKind::Captured, {3, 2}}},
      {"spools", Released{5, JournalKind::Confirmed, 0, 1}},
      {"spools", Released{5, JournalKind::Confirmed, 5, 1}},
      {"captured", CloseLink{5, 1, most}}};
  for (const auto& [member, message] : to_spool) EXPECT_TRUE(trouble(message).starts_with(member + ":")) << member;

  LinkOpened touching{.session = 5, .store = some_store()};
  touching.journals[1] = {4, 0, {{5, 6}}};
  LinkOpened falling = touching;
  falling.journals[1] = {4, 0, {{9, 10}, {6, 7}}};
  LinkOpened many = touching;
  many.journals[1].beyond.clear();
  for (Position i = 0; i <= have_ranges_max; ++i) many.journals[1].beyond.push_back({10 * i + 10, 10 * i + 10});
  const std::vector<std::pair<std::string, FromSpool>> from_spool = {
      {"beyond", touching},
      {"beyond", falling},
      {"beyond", many},
      {"code", LinkRefused{5, "", "x"}},
      {"through", Acknowledged{5, JournalKind::Captured, most, 0}},
      {"session", Rewind{0, JournalKind::Captured, 1}}};
  for (const auto& [member, message] : from_spool) EXPECT_TRUE(trouble(message).starts_with(member + ":")) << member;
}

TEST(SpoolMessages, OfAnotherVersionOnlyTheSessionIsRead) {
  MsgpackWriter out;
  out.array(5);
  for (const std::uint64_t member : {1, 2, 9, 77}) out.uint(member);
  out.str("something new");
  const auto open = decode_to_spool(out.take(), false);
  ASSERT_TRUE(open) << open.error().message;
  EXPECT_EQ(std::get<OpenLink>(*open).session, 77u);
  EXPECT_FALSE(std::get<OpenLink>(*open).speaks_our_version());

  LinkOpened opened{.version = 2, .session = 5, .store = some_store()};
  EXPECT_EQ(decode_from_spool(encode(FromSpool{opened})).error().code, ErrorCode::WrongVersion);
}

TEST(SpoolMessages, UnknownKindsAreNotFound) {
  EXPECT_EQ(decode_to_spool(Bytes{0x94, 16, 1, 2, 3}, false).error().code, ErrorCode::NotFound);
  EXPECT_EQ(decode_from_spool(Bytes{0x94, 1, 1, 2, 3}).error().code, ErrorCode::NotFound);
  EXPECT_EQ(decode_to_spool(Bytes{}, false).error().code, ErrorCode::BadData);
  EXPECT_EQ(decode_from_spool(Bytes{0x05}).error().code, ErrorCode::BadData);
}

TEST(SpoolMessages, TextForPeopleIsCutAndNeverCostsTheMessage) {
  const auto decoded = decode_from_spool(encode(FromSpool{LinkRefused{5, "io", std::string(5000, 'x')}}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<LinkRefused>(*decoded).message.size(), limits::error_text_bytes_max);
  EXPECT_EQ(std::get<LinkRefused>(*decode_from_spool(encode(FromSpool{LinkRefused{5, "io", "\xff"}}))).message, "?");
}

TEST(SpoolMessages, BeginningsAndLongerOnesAreRefused) {
  for (const ToSpool& message : all_to_spool()) {
    Bytes head = encode(message).head;
    const bool has_frame = std::holds_alternative<AppendFrame>(message);
    for (std::size_t size = 0; size < head.size(); ++size)
      EXPECT_FALSE(decode_to_spool(BytesView(head).first(size), has_frame));
    head.push_back(0);
    EXPECT_FALSE(decode_to_spool(head, has_frame));
  }
  for (const FromSpool& message : all_from_spool()) {
    Bytes head = encode(message);
    for (std::size_t size = 0; size < head.size(); ++size) EXPECT_FALSE(decode_from_spool(BytesView(head).first(size)));
    head.push_back(0);
    EXPECT_FALSE(decode_from_spool(head));
  }
}

// Flipped bytes never throw, and what is accepted can be written again.
TEST(SpoolMessages, DamagedBytesAreErrorsOrMessages) {
  Rng rng(7);
  for (int round = 0; round < 20000; ++round) {
    const auto messages = all_to_spool();
    Bytes head = encode(messages[rng.below(messages.size())]).head;
    head[rng.below(head.size())] = static_cast<std::uint8_t>(rng.next());
    for (const bool has_frame : {false, true}) {
      const auto decoded = decode_to_spool(head, has_frame);
      if (decoded) {
        EXPECT_EQ(*read(*decoded), *decoded);
      }
    }
  }
}

}  // namespace
}  // namespace legion
