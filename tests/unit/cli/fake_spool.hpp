// Spools without processes: what they have is put in by the test, and any answer can be replaced by a worse one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <legion/cli/spool_ask.hpp>
#include <legion/event/frame.hpp>
#include <legion/runtime/spool_queries.hpp>

#include "fake_world.hpp"

namespace legion::cli {

/// An event as tests write it. `at_ms` counts from the time a FakeWorld begins.
struct Told {
  std::int64_t at_ms = 0;
  std::string data = "null";
  std::string source = "alpha/feed";
  std::string correlation{};
  std::string causation{};
  std::string traceparent{};
};

/// One frame of consecutive events.
Bytes make_frame(const StreamId& stream, std::uint64_t first, const std::vector<Told>& events);
/// alpha:7:2:TYPE:0
StreamId stream_of(const std::string& type, const std::string& node = "alpha", Priority lane = Priority::Normal);

class FakeSpool {
 public:
  struct Entry {
    StreamId stream;
    std::uint64_t first = 1;
    std::uint64_t count = 0;
    Bytes frame;
  };
  std::vector<Entry> entries;  ///< the first one has commit number 1
  std::size_t frames_per_page = 100;
  SpoolMarks marks;
  std::vector<CursorState> cursors;
  std::vector<LetterRecord> letters;
  std::vector<JournalState> journals;
  std::map<std::string, std::vector<JournalRecord>> records;  ///< by "alpha:7:confirmed"
  VerifyReport report;
  SpoolInfo info;
  std::vector<std::string> purged;  ///< "EVENT AGENT ROUND"
  std::uint64_t purge_fails_of = 0;
  std::size_t scans_before_failure = SIZE_MAX;

  /// Replace or disturb an answer.
  std::map<std::string, std::function<Result<SpoolReply>(BytesView params)>> methods;
  std::vector<std::string> asked;   ///< the methods, in order
  std::vector<ScanQuery> scans;
  std::vector<Bytes> params;        ///< of `asked`

  void add(const StreamId& stream, std::uint64_t first, const std::vector<Told>& events);
  Result<SpoolReply> answer(std::string_view method, BytesView params);

 private:
  Result<SpoolReply> scan(const ScanQuery& query) const;
  Result<SpoolReply> stream(const StreamQuery& query) const;
  Result<SpoolReply> tails(const TailsQuery& query) const;
  Result<SpoolReply> find_letters(const LetterQuery& query) const;
  Result<SpoolReply> purge(BytesView params);
};

SpoolReply plain_reply(Bytes result);

/// A mesh of nodes at 127.0.0.1:7400, 7500, .. with spools at their sixth port.
class SpoolWorld : public FakeWorld {
 public:
  /// Node `alpha` at 7400 is a spool.
  SpoolWorld();
  FakeSpool& add_spool(const std::string& name, int port);
  void add_node(const std::string& name, int port);
  FakeSpool& spool(const std::string& name) { return *spools_.at(name); }
  FakeNode& node(int port) { return nodes["127.0.0.1:" + std::to_string(port)]; }
  Member& member(const std::string& name);

  Result<std::unique_ptr<SpoolAsk>> connect_spool(const Address& address) override;
  std::vector<Member> roster;

 private:
  std::map<std::string, std::unique_ptr<FakeSpool>> spools_;
  std::map<std::string, std::string> spool_at_;  // host:port -> name
};

}  // namespace legion::cli
