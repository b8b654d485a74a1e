// Reports what became of published events and decides how the command ends.
#pragma once

#include <cstdint>
#include <string>

#include <legion/cli/figures.hpp>
#include <legion/cli/publisher.hpp>
#include <legion/cli/session.hpp>

namespace legion::cli {

/// Results of accepted events go to standard output; of the others too where the form has room for them (json, jsonl,
/// csv), and always a line to standard error.
class PublishOutcome {
 public:
  /// `stream` is the name of what is read; empty for a single event.
  PublishOutcome(Session& session, std::string stream,
                 PublisherOptions::Answer answer = PublisherOptions::Answer::Numbered)
      : session_(session), stream_(std::move(stream)), answer_(answer) {}

  const std::string& stream() const { return stream_; }
  void begin();
  void report(const Published& published);
  /// An event was turned away for what it is: the same one would be again.
  bool refused_for_good() const { return refused_ > blocked_; }
  /// `sent` is how the conversation with the node ended. Returns the exit code: 0 all accepted, 3 some, 65 none because all
  /// were bad, 75 none because its queues stayed full or some without the confirm that was asked for, 1 none for other
  /// reasons, otherwise that of the error.
  int finish(const Result<void>& sent, std::uint64_t first_unknown);

 private:
  JsonTree to_json(const Published& published) const;
  bool unconfirmed(const Published& published) const;
  void print_accepted(const Published& published);

  Session& session_;
  std::string stream_;
  PublisherOptions::Answer answer_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t bad_ = 0;      ///< of refused_
  std::uint64_t blocked_ = 0;  ///< of refused_
  std::uint64_t unconfirmed_ = 0;  ///< of accepted_
};

}  // namespace legion::cli
