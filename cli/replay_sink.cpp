#include <legion/cli/replay_sink.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <ostream>

#include <legion/event/json.hpp>

namespace legion::cli {
namespace {

constexpr std::uint64_t refusals_shown_max = 10;

class OutputSink : public ReplaySink {
 public:
  OutputSink(Session& session, std::unique_ptr<EventWriter> writer) : session_(session), writer_(std::move(writer)) {
    writer_->begin();
  }
  Result<void> add(const EventView& event) override {
    writer_->write(event);
    ++figures_.delivered;
    last_ = event.id();
    return {};
  }
  Result<void> flush() override {
    session_.out().flush();
    if (last_) figures_.last = last_->to_string();
    return {};
  }
  Result<void> finish() override {
    writer_->end();
    return flush();
  }

 private:
  Session& session_;
  std::unique_ptr<EventWriter> writer_;
  std::optional<EventId> last_;
};

class FileSink : public ReplaySink {
 public:
  FileSink(std::string path, std::unique_ptr<std::ofstream> file, std::unique_ptr<EventWriter> writer)
      : path_(std::move(path)), file_(std::move(file)), writer_(std::move(writer)) {
    writer_->begin();
  }
  Result<void> add(const EventView& event) override {
    writer_->write(event);
    if (!*file_) return broken();
    ++figures_.delivered;
    last_ = event.id();
    return {};
  }
  Result<void> flush() override {
    file_->flush();
    if (!*file_) return broken();
    if (last_) figures_.last = last_->to_string();
    return {};
  }
  Result<void> finish() override {
    writer_->end();
    return flush();
  }

 private:
  std::unexpected<Error> broken() const {
    return fail(ErrorCode::Io, path_ + ": cannot be written: " + std::strerror(errno != 0 ? errno : EIO));
  }

  std::string path_;
  std::unique_ptr<std::ofstream> file_;
  std::unique_ptr<EventWriter> writer_;
  std::optional<EventId> last_;
};

class NodeSink : public ReplaySink {
 public:
  NodeSink(Session& session, std::unique_ptr<NodeConnection> node, const std::string& to)
      : session_(session),
        node_(std::move(node)),
        publisher_(session.world(), *node_, {.timeout = session.options().timeout, .replay_to = to},
                   [this](const Published& published) { report(published); }) {}

  Result<void> add(const EventView& event) override {
    auto bytes = to_cloudevent_msgpack(event);
    if (!bytes) {
      report({0, "invalid", event.id_string(), bytes.error().message});
      return {};
    }
    ids_.emplace(++line_, event.id_string());
    return publisher_.add(line_, std::move(*bytes));
  }
  Result<void> flush() override { return publisher_.flush(); }
  std::size_t collected() const override { return publisher_.collected(); }

 private:
  void report(const Published& published) {
    const auto found = ids_.find(published.line);
    const std::string id = found == ids_.end() ? published.id : found->second;
    if (found != ids_.end()) ids_.erase(found);
    if (published.accepted()) {
      ++figures_.delivered;
      figures_.last = id;
      return;
    }
    ++figures_.refused;
    if (figures_.refused > refusals_shown_max) return;
    session_.problem(id + ": " + published.status + (published.detail.empty() ? "" : ": " + published.detail));
    if (figures_.refused == refusals_shown_max) session_.note("further refusals are only counted");
  }

  Session& session_;
  std::unique_ptr<NodeConnection> node_;
  Publisher publisher_;
  std::map<std::uint64_t, std::string> ids_;  // of the call that is being collected
  std::uint64_t line_ = 0;
};

}  // namespace

std::unique_ptr<ReplaySink> make_output_sink(Session& session, std::unique_ptr<EventWriter> writer) {
  return std::make_unique<OutputSink>(session, std::move(writer));
}

Result<std::unique_ptr<ReplaySink>> make_file_sink(const std::string& path, Overwrite overwrite, Output output,
                                                   const std::string& format) {
  std::error_code ignored;
  if (overwrite == Overwrite::No && std::filesystem::exists(path, ignored)) {
    return fail(ErrorCode::Io, path + ": exists already; -y writes over it");
  }
  auto file = std::make_unique<std::ofstream>();
  errno = 0;
  file->open(path, std::ios::binary | std::ios::trunc);
  if (!*file) return fail(ErrorCode::Io, path + ": cannot be written: " + std::strerror(errno != 0 ? errno : EIO));
  auto writer = make_event_writer(*file, Paint(Paint::Mode::Off), {output, format, false, 0});
  if (!writer) return std::unexpected(writer.error());
  return std::make_unique<FileSink>(path, std::move(file), std::move(*writer));
}

std::unique_ptr<ReplaySink> make_node_sink(Session& session, std::unique_ptr<NodeConnection> node, const std::string& to) {
  return std::make_unique<NodeSink>(session, std::move(node), to);
}

}  // namespace legion::cli
