#include <legion/transport/local_pair.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <cstring>

#include <legion/transport/tcp_options.hpp>

namespace legion::transport {
namespace {

constexpr std::string_view ipc = "ipc://";

/// Binds a listening descriptor of our own, because ZeroMQ removes the path of its own ones in an I/O thread after the
/// socket was closed, when it may already belong to the next process.
Result<void> bind_ipc(Socket& socket, const std::string& uri) {
  const std::string path = uri.substr(ipc.size());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);

  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(error_from_errno(errno, "cannot open a socket"));
  const auto failed = [&] {
    auto error = error_from_errno(errno, "cannot listen on " + uri);
    close(fd);
    return std::unexpected(std::move(error));
  };
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return failed();
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed();
  if (listen(fd, backlog) != 0) return failed();

  if (!socket.set(ZMQ_USE_FD, fd)) return failed();
  const auto bound = socket.bind(uri);
  if (!bound) {
    close(fd);
    return std::unexpected(bound.error());
  }
  // A second bind with the descriptor still set would abort the process.
  return socket.set(ZMQ_USE_FD, -1);
}

Result<void> check_path(const std::string& uri) {
  const std::size_t bytes = uri.size() - ipc.size();
  if (bytes <= LocalPair::path_bytes_max) return {};
  return fail(ErrorCode::TooBig, uri.substr(ipc.size()) + " is " + std::to_string(bytes) +
                                     " bytes long and a socket path has at most " +
                                     std::to_string(LocalPair::path_bytes_max) + ": choose a shorter state directory");
}

Result<Socket> make_xsub(Context& context, int high_water_mark) {
  auto socket = Socket::open(context, SocketType::Xsub);
  if (!socket) return socket;
  SocketOptions set(*socket);
  set.set(ZMQ_SNDHWM, 0)
      .set(ZMQ_RCVHWM, high_water_mark)
      .set(ZMQ_HANDSHAKE_IVL, handshake_ms)
      .set_int64(ZMQ_MAXMSGSIZE, wire_message_bytes_max)
      .set_uint64(ZMQ_AFFINITY, affinity_bulk);
  if (!set.result()) return std::unexpected(set.result().error());
  return socket;
}

Result<Xpub> make_xpub(Context& context, int high_water_mark) {
  auto socket = Socket::open(context, SocketType::Xpub);
  if (!socket) return std::unexpected(socket.error());
  SocketOptions set(*socket);
  set.set(ZMQ_SNDHWM, high_water_mark).set(ZMQ_HANDSHAKE_IVL, handshake_ms).set_uint64(ZMQ_AFFINITY, affinity_bulk);
  if (!set.result()) return std::unexpected(set.result().error());
  return Xpub::create(std::move(*socket));
}

}  // namespace

Result<std::unique_ptr<LocalPair>> LocalPair::create(Context& context, const LocalPairOptions& options) {
  const std::string publish_uri = std::string(ipc) + options.directory + "/publish.sock";
  const std::string subscribe_uri = std::string(ipc) + options.directory + "/subscribe.sock";
  for (const auto* uri : {&publish_uri, &subscribe_uri}) {
    if (auto fits = check_path(*uri); !fits) return std::unexpected(fits.error());
  }
  auto lock = DirectoryLock::acquire(options.directory);
  if (!lock) return std::unexpected(lock.error());
  auto xsub = make_xsub(context, options.high_water_mark);
  if (!xsub) return std::unexpected(xsub.error());
  auto xpub = make_xpub(context, options.high_water_mark);
  if (!xpub) return std::unexpected(xpub.error());

  auto pair = std::unique_ptr<LocalPair>(new LocalPair(std::move(*lock), std::move(*xsub), std::move(*xpub)));
  // PUB sockets send only what is asked for; this asks for everything, now and from everyone who connects later.
  const std::uint8_t everything[] = {1};
  if (pair->xsub_.send(BytesView(everything)) != SendResult::Sent) {
    return fail(ErrorCode::Closed, "the ZeroMQ context is closed");
  }
  if (auto bound = bind_ipc(pair->xsub_, publish_uri); !bound) return std::unexpected(bound.error());
  pair->publish_uri_ = publish_uri;
  if (auto bound = bind_ipc(pair->xpub_.socket(), subscribe_uri); !bound) return std::unexpected(bound.error());
  pair->subscribe_uri_ = subscribe_uri;
  return pair;
}

LocalPair::~LocalPair() {
  for (const auto* uri : {&publish_uri_, &subscribe_uri_}) {
    if (!uri->empty()) unlink(uri->c_str() + ipc.size());
  }
}

std::size_t LocalPair::recv_published(const std::function<void(std::span<Message> parts)>& report,
                                      std::size_t messages_max) {
  std::size_t messages = 0;
  for (; messages < messages_max; ++messages) {
    parts_.clear();
    More more = More::Yes;
    while (more == More::Yes) {
      auto part = xsub_.receive(more);
      if (!part) break;
      if (parts_.size() < parts_kept_max) parts_.push_back(std::move(*part));
    }
    if (parts_.empty()) break;
    report(parts_);
  }
  return messages;
}

}  // namespace legion::transport
