#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_spool.hpp"

namespace legion::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

JournalState journal_of(std::vector<PositionRange> ranges, std::vector<PositionRange> voids = {}, Position floor = 0) {
  JournalState state;
  state.origin = {"alpha", 7};
  state.journal = JournalKind::Confirmed;
  state.boot.bytes.fill(3);
  state.ranges = std::move(ranges);
  state.voids = std::move(voids);
  state.floor = floor;
  return state;
}

std::vector<JournalRecord> frames(Position first, Position last) {
  std::vector<JournalRecord> records;
  for (Position position = first; position <= last; ++position) {
    JournalRecord record;
    record.first = record.last = position;
    record.frame = std::make_shared<const Bytes>(make_frame(stream_of("demo.x"), position, {{}}));
    records.push_back(record);
  }
  return records;
}

TEST(Spool, InfoHasARowPerSpool) {
  SpoolWorld world;
  FakeSpool& alpha = world.spool("alpha");
  alpha.info.figures.events = 12'345;
  alpha.info.figures.bytes_on_disk = 5 << 20;
  alpha.info.commit_p99 = 2'500'000ns;
  FakeSpool& beta = world.add_spool("beta", 7500);
  beta.info.frozen = "disk full";
  beta.info.figures.quarantined = 1;
  const Ran ran = run(world, {"spool", "info"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("alpha  ok       12345  5.0MiB"));
  EXPECT_THAT(ran.out, HasSubstr("2.50ms"));
  EXPECT_THAT(ran.out, HasSubstr("beta   frozen"));
  EXPECT_THAT(ran.err, HasSubstr("beta confirms nothing until it is restarted: disk full"));
  EXPECT_THAT(ran.err, HasSubstr("beta has 1 damaged block"));
  const auto rows = json::parse(run(world, {"spool", "info", "alpha", "-j"}).out);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["events"], 12'345);
  EXPECT_TRUE(rows[0]["frozen"].is_null());
}

TEST(Spool, InfoOfASilentSpoolIsAPartialSuccess) {
  SpoolWorld world;
  world.add_spool("beta", 7500).methods["info"] = [](BytesView) { return fail(ErrorCode::TimedOut, "no answer"); };
  EXPECT_EQ(run(world, {"spool", "info"}).code, exit_code::partial);
  EXPECT_EQ(run(world, {"spool", "info", "beta"}).code, exit_code::timed_out);
  world.spool("alpha").methods["info"] = [](BytesView) { return plain_reply({0x80}); };
  EXPECT_EQ(run(world, {"spool", "info", "alpha"}).code, exit_code::bad_data);
}

TEST(Spool, VerifyNamesDamageAndHoles) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  spool.report.blocks = 4;
  spool.report.events = 100;
  const Ran sound = run(world, {"spool", "verify"});
  EXPECT_EQ(sound.code, exit_code::ok);
  EXPECT_THAT(sound.out, HasSubstr("alpha  sound  4 blocks, 0 frames, 100 events"));
  spool.report.holes = {{"alpha:7:confirmed", {5, 9}}};
  EXPECT_EQ(run(world, {"spool", "verify"}).code, exit_code::partial);
  spool.report.damage = {{3, 10, 20, "checksum"}};
  const Ran damaged = run(world, {"spool", "verify"});
  EXPECT_EQ(damaged.code, exit_code::failed);
  EXPECT_THAT(damaged.out, HasSubstr("block 3 (commits 10 to 20): checksum"));
  EXPECT_THAT(damaged.out, HasSubstr("missing alpha:7:confirmed positions 5 to 9"));
  const auto report = json::parse(run(world, {"spool", "verify", "-j"}).out)[0];
  EXPECT_EQ(report["sound"], false);
  EXPECT_EQ(report["damage"][0]["block"], 3);
  EXPECT_EQ(report["chain"], std::string(64, '0'));
}

TEST(Spool, VerifyDecodesEverythingOnlyWhenTold) {
  SpoolWorld world;
  std::vector<StoreReader::Depth> depths;
  world.spool("alpha").methods["verify"] = [&](BytesView params) {
    depths.push_back(decode_depth(params).value());
    return plain_reply(encode_result(VerifyReport{}));
  };
  run(world, {"spool", "verify"});
  run(world, {"spool", "verify", "--full"});
  EXPECT_THAT(depths, ElementsAre(StoreReader::Depth::Checksums, StoreReader::Depth::Full));
}

TEST(Spool, ComparesTwoAsSets) {
  SpoolWorld world;
  FakeSpool& alpha = world.spool("alpha");
  FakeSpool& beta = world.add_spool("beta", 7500);
  alpha.journals = {journal_of({{1, 10}})};
  beta.journals = {journal_of({{1, 4}, {5, 10}})};
  const Ran same = run(world, {"spool", "verify", "alpha", "--against", "beta"});
  EXPECT_EQ(same.code, exit_code::ok) << same.err;
  EXPECT_THAT(same.out, HasSubstr("alpha and beta have the same: 10 positions of 1 journals compared"));
  beta.journals = {journal_of({{1, 3}, {6, 12}}, {{8, 9}})};
  const auto result = json::parse(run(world, {"spool", "verify", "alpha", "--against", "beta", "-j"}).out);
  EXPECT_EQ(result["same"], false);
  EXPECT_EQ(result["differences"],
            json::parse(R"([{"journal":"alpha:7:confirmed","first":4,"last":5,"what":"only in alpha"},
                            {"journal":"alpha:7:confirmed","first":11,"last":12,"what":"only in beta"},
                            {"journal":"alpha:7:confirmed","first":8,"last":9,"what":"a void in beta"}])"));
  EXPECT_EQ(run(world, {"spool", "verify", "alpha", "--against", "beta"}).code, exit_code::failed);
  beta.journals.clear();
  EXPECT_EQ(run(world, {"spool", "verify", "alpha", "--against", "beta"}).code, exit_code::failed);
}

TEST(Spool, WhatRetentionTookIsNotADifference) {
  SpoolWorld world;
  world.spool("alpha").journals = {journal_of({{1, 10}})};
  world.add_spool("beta", 7500).journals = {journal_of({{6, 10}}, {}, 5)};
  const auto result = json::parse(run(world, {"spool", "verify", "alpha", "--against", "beta", "-j"}).out);
  EXPECT_EQ(result["same"], true);
  EXPECT_EQ(result["positions"], 5);
  EXPECT_EQ(result["not_compared"], 5);
}

TEST(Spool, ComparesEveryByteWhenTold) {
  SpoolWorld world;
  FakeSpool& alpha = world.spool("alpha");
  FakeSpool& beta = world.add_spool("beta", 7500);
  alpha.journals = beta.journals = {journal_of({{1, 10}})};
  alpha.records["alpha:7:confirmed"] = frames(1, 10);
  beta.records["alpha:7:confirmed"] = frames(1, 10);
  alpha.frames_per_page = 3;
  beta.frames_per_page = 4;
  const std::vector<std::string> compare{"spool", "verify", "alpha", "--against", "beta", "--full", "-j"};
  EXPECT_EQ(json::parse(run(world, compare).out)["same"], true);
  beta.records["alpha:7:confirmed"][6] = frames(8, 8).front();
  beta.records["alpha:7:confirmed"][6].first = beta.records["alpha:7:confirmed"][6].last = 7;
  const auto other = json::parse(run(world, compare).out)["differences"];
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(other[0]["first"], 7);
  EXPECT_EQ(other[0]["what"], "other bytes");
  beta.records["alpha:7:confirmed"].resize(5);  // it says it has them and does not give them
  EXPECT_EQ(json::parse(run(world, compare).out)["differences"][0]["what"], "not to be read from both");
}

TEST(Spool, ARecordThatWasDroppedIsNoDifference) {
  SpoolWorld world;
  FakeSpool& alpha = world.spool("alpha");
  FakeSpool& beta = world.add_spool("beta", 7500);
  JournalRecord dropped;  // what a spool gives for records that count no more
  dropped.first = 2;
  dropped.last = 3;
  auto both = frames(1, 5);
  for (const Position position : {2, 3, 5}) {
    both[position - 1].frame = std::make_shared<const Bytes>(make_frame(stream_of("~record", "alpha", Priority::High), position, {{}}));
  }
  alpha.journals = {journal_of({{1, 5}})};
  alpha.records["alpha:7:confirmed"] = {both[0], dropped, both[3], both[4]};
  beta.journals = {journal_of({{1, 5}}, {{2, 3}})};  // was given that void
  beta.records["alpha:7:confirmed"] = {both[0], dropped, both[3], both[4]};
  const std::vector<std::string> positions{"spool", "verify", "alpha", "--against", "beta", "-j"};
  std::vector<std::string> bytes = positions;
  bytes.push_back("--full");
  EXPECT_EQ(json::parse(run(world, positions).out)["differences"], json::array());
  EXPECT_EQ(json::parse(run(world, bytes).out)["differences"], json::array());

  alpha.records["alpha:7:confirmed"] = both;  // has not dropped them yet
  EXPECT_EQ(json::parse(run(world, positions).out)["differences"], json::array());
  beta.journals = {journal_of({{1, 5}})};     // has dropped them itself
  EXPECT_EQ(json::parse(run(world, bytes).out)["differences"], json::array());

  JournalRecord given_up;
  given_up.first = given_up.last = 4;
  beta.records["alpha:7:confirmed"][2] = given_up;  // an event
  EXPECT_EQ(json::parse(run(world, bytes).out)["differences"][0]["first"], 4);
  beta.journals = {journal_of({{1, 5}}, {{2, 4}})};
  const auto differences = json::parse(run(world, positions).out)["differences"];
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0], json::parse(R"({"journal":"alpha:7:confirmed","first":4,"last":4,"what":"a void in beta"})"));
}

TEST(Spool, MarksEverySpool) {
  SpoolWorld world;
  FakeSpool& beta = world.add_spool("beta", 7500);
  world.spool("alpha").add(stream_of("demo.x"), 1, {{}});
  const Ran ran = run(world, {"spool", "mark", "before-the-fix"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_EQ(ran.out,
            "MARK            SPOOL  NUMBER\n"
            "before-the-fix  alpha       2\n"
            "before-the-fix  beta        1\n");
  EXPECT_EQ(run(world, {"spool", "mark", "other", "--spool", "beta"}).code, exit_code::ok);
  EXPECT_EQ(beta.marks.size(), 2u);
  const auto listed = json::parse(run(world, {"spool", "mark", "-j"}).out);
  ASSERT_EQ(listed.size(), 3u);
  EXPECT_EQ(listed[0], (json{{"mark", "before-the-fix"}, {"spool", "alpha"}, {"number", 2}}));
}

TEST(Spool, BacksUpOneSpoolToItsOwnHost) {
  SpoolWorld world;
  std::string path;
  world.spool("alpha").methods["backup"] = [&](BytesView params) {
    path = decode_text(params, "path", 4096).value();
    return plain_reply(data_from_json(R"({"bytes":4096})").value());
  };
  const Ran ran = run(world, {"spool", "backup", "/var/backups/spool.db"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_EQ(path, "/var/backups/spool.db");
  EXPECT_EQ(ran.out, "backed up alpha to /var/backups/spool.db (4096 bytes)\n");
  world.add_spool("beta", 7500);
  EXPECT_EQ(run(world, {"spool", "backup", "/var/backups/spool.db"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"spool", "backup", "/var/backups/spool.db", "--spool", "alpha"}).code, exit_code::ok);
}

TEST(Spool, AFileThatIsNoStoreIsNamed) {
  SpoolWorld world;
  const Ran ran = run(world, {"spool", "info", "./no-such-store.db"});
  EXPECT_EQ(ran.code, exit_code::nothing_found);
  EXPECT_THAT(ran.err, HasSubstr("no-such-store.db"));
  EXPECT_THAT(world.connected, IsEmpty());
}

TEST(Spool, RefusesWhatCannotBeMeant) {
  SpoolWorld world;
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"spool"}, {"spool", "check"}, {"spool", "backup"}, {"spool", "backup", "relative.db"}, {"spool", "mark", "a b"},
           {"spool", "mark", "a", "b"}, {"spool", "info", "--full"}, {"spool", "info", "--against", "beta"},
           {"spool", "verify", "--against", "beta"}, {"spool", "info", "--spool", "alpha"}}) {
    EXPECT_EQ(run(world, arguments).code, exit_code::usage) << arguments.back();
  }
}

}  // namespace
}  // namespace legion::cli
