#include <legion/runtime/state_dir.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <legion/runtime/open_file.hpp>

namespace legion {

namespace {

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<StateDir> StateDir::open(const std::filesystem::path& path) {
  std::error_code code;
  const bool made = std::filesystem::create_directories(path, code);
  if (code) return fail(ErrorCode::Io, path.string() + ": cannot create the state directory: " + code.message());
  if (made) ::chmod(path.c_str(), 0700);  // a folder somebody else made keeps its mode
  const auto lock_path = path / "lock";
  const int fd = ::open(lock_path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return io_error(lock_path, "open");
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return fail(ErrorCode::Refused, path.string() + ": another process uses this state directory");
  }
  return StateDir(path, fd);
}

StateDir::StateDir(StateDir&& other) noexcept : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

StateDir::~StateDir() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Result<void> StateDir::replace(const char* name, std::string_view content) const {
  const auto target = path_ / name;
  auto temporary = target;
  temporary += ".new";
  {
    const OpenFile file(::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
    if (file.fd < 0) return io_error(temporary, "create");
    if (!write_all(file.fd, content) || ::fsync(file.fd) != 0) return io_error(temporary, "write");
  }
  if (::rename(temporary.c_str(), target.c_str()) != 0) return io_error(target, "replace");
  const OpenFile folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) return io_error(path_, "sync");
  return {};
}

Result<std::string> StateDir::read(const char* name) const {
  const auto path = path_ / name;
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0 && errno == ENOENT) return fail(ErrorCode::NotFound, path.string() + ": not there");
  if (file.fd < 0) return io_error(path, "open");
  std::string content;
  char chunk[65536];
  for (;;) {
    const ssize_t got = ::read(file.fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error(path, "read");
    if (got == 0) return content;
    content.append(chunk, static_cast<std::size_t>(got));
    if (content.size() > limits::message_bytes_max) return fail(ErrorCode::TooBig, path.string() + ": too big");
  }
}

Result<Incarnation> StateDir::load_incarnation() const {
  auto text = read("incarnation");
  if (!text && text.error().code == ErrorCode::NotFound) return Incarnation{0};
  if (!text) return std::unexpected(text.error());
  Incarnation value = 0;
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = code == std::errc() && (end == text->data() + text->size() || *end == '\n');
  if (!whole) return fail(ErrorCode::BadData, (path_ / "incarnation").string() + ": not a number");
  return value;
}

Result<void> StateDir::save_incarnation(Incarnation incarnation) {
  return replace("incarnation", std::to_string(incarnation) + "\n");
}

Result<std::vector<Member>> StateDir::load_roster() const {
  auto text = read("roster");
  if (!text && text.error().code == ErrorCode::NotFound) return std::vector<Member>{};
  if (!text) return std::unexpected(text.error());
  auto members = decode_roster({reinterpret_cast<const std::uint8_t*>(text->data()), text->size()});
  if (!members) return fail(ErrorCode::BadData, (path_ / "roster").string() + ": " + members.error().message);
  return members;
}

Result<void> StateDir::save_roster(const std::vector<Member>& members) {
  const Bytes bytes = encode(members);
  return replace("roster", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<void> StateDir::save_endpoints(const Endpoints& endpoints) {
  std::string text = "control=" + endpoints.control + "\n";
  for (const Priority lane : all_priorities) {
    text += std::string(to_string(lane)) + "=" + endpoints.lanes[lane_index(lane)] + "\n";
  }
  return replace("endpoints", text);
}

}  // namespace legion
