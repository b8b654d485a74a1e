#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <istream>
#include <limits>
#include <ostream>
#include <system_error>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/data_check.hpp>
#include <legion/cli/event_lines.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/line_reader.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/publish_outcome.hpp>
#include <legion/cli/publisher.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

std::unexpected<Error> unreadable(const std::string& name, const std::error_code& why) {
  return fail(ErrorCode::BadData, name + ": cannot be read: " + why.message());
}

/// A folder can be opened, but has no lines.
Result<void> open(std::ifstream& file, const std::string& name) {
  std::error_code ignored;
  if (std::filesystem::is_directory(name, ignored)) {
    return unreadable(name, std::make_error_code(std::errc::is_a_directory));
  }
  errno = 0;
  file.open(name, std::ios::binary);
  if (!file) return unreadable(name, std::error_code(errno != 0 ? errno : EIO, std::system_category()));
  return {};
}

/// At a limited rate a call holds what falls due within this time, so that the rate stays even.
constexpr Duration rate_slice = 20ms;

class Publish : public Verb {
 public:
  void declare(CLI::App& app) override {
    app.add_option("TYPE", type_, "the event's type; '-' for a stream of CloudEvents lines on standard input")->type_name("");
    data_option_ = app.add_option("DATA", data_,
                                  "its data as JSON (default null); '-': each line of standard input is an event")
                       ->type_name("")
                       ->allow_extra_args(false);
    add_text(app, "--file", file_, "FILE", "publish the JSON lines of a file, as tail -o jsonl writes them ('-': standard input)");
    add_text(app, "--priority", priority_, "PRIORITY", "critical, high, normal or low (default: as the type's policy says)");
    add_text(app, "--correlation", changes_.correlation_id, "ID", "correlation id");
    add_text(app, "--causation", changes_.causation_id, "ID", "causation id");
    add_text(app, "--key", changes_.key, "KEY", "key: events of one key stay in order");
    add_text(app, "--source", changes_.source, "SOURCE", "who publishes, as NODE/AGENT (default: the node's own /control)");
    add_duration(app, "--ttl", changes_.ttl, "the event expires after this time");
    add_count(app, "--schema-version", schema_version_, "version of the data (default 1, as without versions)");
    add_count(app, "--count", count_, "publish the event N times");
    add_count(app, "--rate", rate_, "at most N events a second");
    add_text(app, "--check", check_, "strict|warn|off",
             "data that is not what its type declares: turn it away, warn, or do not look (default: strict for a "
             "single event, warn for a stream)");
    app.add_flag("--confirm", confirm_, "wait until spools have recorded each event; 75 when that takes longer than --timeout");
  }

  int run(Session& session) override {
    if (const int code = check(session); code != exit_code::ok) return code;
    std::ifstream file;
    std::istream* in = nullptr;
    if (const auto name = stream_name()) {
      in = &session.console().in;
      if (*name != "-") {
        if (const auto opened = open(file, *name); !opened) return session.fail(opened.error());
        in = &file;
      }
    }
    std::optional<IncomingEvent> single;
    if (in == nullptr) {
      if (data_.empty() && data_option_->count() > 0) {
        return session.fail({ErrorCode::BadData, "the data is empty and not JSON; write null, or leave it out"});
      }
      auto event = event_of(type_, data_, changes_);
      if (!event) return session.fail(event.error());
      single = std::move(*event);
    }
    DataCheck data_check(session, check_mode_.value_or(single ? CheckMode::Strict : CheckMode::Warn));
    if (single) {
      const auto checked = data_check.look(single->event, "");
      if (!checked) {
        return session.fail({ErrorCode::BadData, checked.error().message + " (--check off: publish it all the same)"});
      }
    }
    const auto target = session.target();
    if (!target) return session.fail(target.error());
    auto node = session.connect(target->address);
    if (!node) return session.fail(node.error());

    session.world().take_interrupts();
    using Answer = PublisherOptions::Answer;
    const PublisherOptions options{session.options().timeout, confirm_ ? Answer::Confirmed : Answer::Numbered};
    PublishOutcome outcome(session, in == nullptr ? "" : *stream_name() == "-" ? "standard input" : *stream_name(),
                           options.answer);
    Publisher publisher(session.world(), **node, options,
                        [&](const Published& published) { outcome.report(published); });
    begin_ = session.world().now().steady;
    outcome.begin();
    const auto sent = single ? repeat_event(session, publisher, outcome, *single)
                             : stream(session, publisher, outcome, data_check, *in);
    data_check.finish();
    return outcome.finish(sent, publisher.first_unknown());
  }

 private:
  /// The stream to read, if it is one.
  std::optional<std::string> stream_name() const {
    if (!file_.empty()) return file_;
    if (type_ == "-" || data_ == "-") return "-";
    return std::nullopt;
  }

  int check(Session& session) {
    if (type_.empty() && file_.empty()) return session.usage("publish: a TYPE or --file is needed");
    if (!file_.empty() && !type_.empty()) return session.usage("publish: --file takes the types from its lines; leave TYPE out");
    if (type_ == "-" && !data_.empty()) return session.usage("publish: '-' in place of TYPE takes no DATA");
    if (count_ && stream_name()) return session.usage("publish: --count repeats a single event; a stream has its own number");
    if (!type_.empty() && type_ != "-") {
      type_ = canonical_type(type_);
      if (!is_event_type(type_)) return session.usage("publish: '" + type_ + "' is not an event type such as trade.approved");
    }
    if (schema_version_ && *schema_version_ > std::numeric_limits<std::uint32_t>::max()) {
      return session.usage("--schema-version: at most " + std::to_string(std::numeric_limits<std::uint32_t>::max()));
    }
    if (schema_version_) changes_.schema_version = static_cast<std::uint32_t>(*schema_version_);
    if (!check_.empty()) check_mode_ = parse_check_mode(check_);
    if (!check_.empty() && !check_mode_) return session.usage("--check: '" + check_ + "' is none of strict, warn, off");
    if (priority_.empty()) return exit_code::ok;
    changes_.priority = parse_priority(priority_);
    return changes_.priority ? exit_code::ok
                             : session.usage("--priority: '" + priority_ + "' is none of critical, high, normal, low");
  }

  /// Ends at the first refusal that the next copy would meet too.
  Result<void> repeat_event(Session& session, Publisher& publisher, const PublishOutcome& outcome,
                            const IncomingEvent& event) {
    IncomingEvent copy = event;
    for (std::uint64_t i = 1; i <= count_.value_or(1) && !session.world().interrupted(); ++i) {
      if (outcome.refused_for_good()) break;
      if (changes_.ttl) copy.event.expires_at = session.world().now().wall + *changes_.ttl;
      if (auto added = add(session, publisher, i, encode_for_publish(copy)); !added) return added;
      // Alone, so that what refuses every copy says so once.
      if (i > 1) continue;
      if (auto sent = publisher.flush(); !sent) return sent;
    }
    return publisher.flush();
  }

  Result<void> stream(Session& session, Publisher& publisher, PublishOutcome& outcome, DataCheck& data_check,
                      std::istream& in) {
    LineReader reader(in, limits::json_line_bytes_max);
    for (;;) {
      // Whoever writes slowly is not made to wait for a full call.
      if (!reader.ready()) {
        if (auto sent = publisher.flush(); !sent) return sent;
      }
      const auto line = session.world().interrupted() ? std::nullopt : reader.next();
      if (!line) {
        auto sent = publisher.flush();
        return sent && reader.error() ? unreadable(outcome.stream(), reader.error()) : sent;
      }
      if (line->text.find_first_not_of(" \t") == std::string::npos && !line->too_long) continue;
      auto event = line->too_long ? fail(ErrorCode::TooBig, "the line is longer than " + format_size(limits::json_line_bytes_max))
                                  : read_event_line(line->text, type_ == "-" ? "" : type_, changes_);
      if (event) {
        const std::string where = outcome.stream() + ':' + std::to_string(line->number) + ": ";
        const auto checked = data_check.look(event->event, where);
        if (!checked) event = std::unexpected(checked.error());
      }
      if (event && changes_.ttl) event->event.expires_at = session.world().now().wall + *changes_.ttl;
      if (!event) {
        // Results come in the order of the lines.
        if (auto sent = publisher.flush(); !sent) return sent;
        outcome.report({line->number, "invalid", "", event.error().message});
        continue;
      }
      if (auto added = add(session, publisher, line->number, encode_for_publish(*event)); !added) return added;
    }
  }

  /// Adds the event when the rate lets it.
  Result<void> add(Session& session, Publisher& publisher, std::uint64_t line, Bytes event) {
    if (rate_) {
      const auto due = begin_ + Duration(static_cast<std::int64_t>(static_cast<double>(added_) * 1e9 /
                                                                   static_cast<double>(*rate_)));
      const SteadyTime now = session.world().now().steady;
      if (due > now + rate_slice || (due > now && publisher.collected() == 0)) {
        if (auto sent = publisher.flush(); !sent) return sent;
        const Duration left = due - session.world().now().steady;
        if (left > Duration::zero()) session.world().wait(left);
        if (session.world().interrupted()) return {};
      }
    }
    ++added_;
    return publisher.add(line, std::move(event));
  }

  std::string type_;
  std::string data_;
  CLI::Option* data_option_ = nullptr;  ///< owned by the parser
  std::string file_;
  std::string priority_;
  std::optional<std::uint64_t> schema_version_;
  std::string check_;
  std::optional<CheckMode> check_mode_;
  EventChanges changes_;
  std::optional<std::uint64_t> count_;
  std::optional<std::uint64_t> rate_;
  bool confirm_ = false;
  SteadyTime begin_;
  std::uint64_t added_ = 0;
};

}  // namespace

std::unique_ptr<Verb> make_publish() { return std::make_unique<Publish>(); }

}  // namespace legion::cli
