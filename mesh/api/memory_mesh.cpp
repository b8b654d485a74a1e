#include <legion/api/memory_mesh.hpp>

#include <algorithm>
#include <utility>

#include <legion/api/memory_node.hpp>
#include <legion/base/assert.hpp>
#include <legion/base/ids.hpp>
#include <legion/base/threads.hpp>
#include <legion/runtime/latch.hpp>
#include <legion/runtime/letter_words.hpp>

namespace legion {

namespace {

constexpr std::size_t events_per_take = 1024;

std::string stream_of(const FrameHeader& header) {
  std::string name(header.origin);
  name.append(1, '\0').append(1, static_cast<char>(header.lane)).append(1, static_cast<char>(header.shard));
  return name.append(header.type);
}

}  // namespace

MemoryMesh::MemoryMesh(Options options)
    : options_(std::move(options)), last_incarnation_(static_cast<Incarnation>(options_.clock().wall.ns)) {
  if (options_.runs == Runs::ByHand) return;
  executor_.emplace();
  thread_ = std::thread([this] { run(); });
}

MemoryMesh::~MemoryMesh() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  signal_->raise();
  thread_.join();
}

Result<Incarnation> MemoryMesh::claim(const std::string& name) {
  if (!is_node_name(name)) {
    return fail(ErrorCode::InvalidArgument,
                "\"" + name.substr(0, 80) + "\" is not a name of a node: 1 to 64 of a-z, 0-9 and -");
  }
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(names_, name) != names_.end()) {
    return fail(ErrorCode::InvalidArgument, "there is a node " + name + " in this mesh already");
  }
  names_.push_back(name);
  return ++last_incarnation_;
}

void MemoryMesh::release(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::erase(names_, name);
}

void MemoryMesh::add(MemoryNode& node) {
  const std::lock_guard lock(mutex_);
  nodes_.push_back(&node);
  ++version_;
}

void MemoryMesh::remove(MemoryNode& node) {
  const std::lock_guard lock(mutex_);
  std::erase(nodes_, &node);
  for (auto& [name, stream] : streams_) stream.to.clear();
  ++version_;
}

void MemoryMesh::routes_changed() {
  const std::lock_guard lock(mutex_);
  ++version_;
}

std::size_t MemoryMesh::size() const {
  const std::lock_guard lock(mutex_);
  return nodes_.size();
}

std::vector<MemoryNode*> MemoryMesh::nodes() const {
  const std::lock_guard lock(mutex_);
  return nodes_;
}

void MemoryMesh::run() {
  name_this_thread("legion-memory");
  while (!stopping_.load()) {
    const std::uint32_t seen = signal_->raised();
    if (!turn()) signal_->wait(seen);
  }
}

// --- from publishers to handlers -------------------------------------------------------------------------------------

bool MemoryMesh::turn() {
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (MemoryNode* node : nodes_) any = take(*node) || any;
  return any;
}

bool MemoryMesh::take(MemoryNode& node) {
  bool any = false;
  for (const Priority lane : all_priorities) {
    if (node.intake().take(lane, events_per_take, taken_, asked_) == 0) continue;
    any = true;
    for (UnnumberedFrame& frame : taken_) send(node, frame, asked_);
    taken_.clear();
    asked_.clear();
  }
  return any;
}

void MemoryMesh::send(MemoryNode& node, UnnumberedFrame& own, std::vector<Asked>& asked) {
  std::vector<Asked> askers;
  std::erase_if(asked, [&](Asked& one) {
    if (one.place.frame != own.serial) return false;
    askers.push_back(std::move(one));
    return true;
  });
  const Journalling journalling = own.journalling;
  const bool confirmed = journalling.journal == JournalKind::Confirmed;
  const std::uint64_t reserved = Intake::reserved(own);
  if (node.egress().number(options_.clock(), own) == 0) {
    for (const auto when : {Asker::When::Numbered, Asker::When::Confirmed, Asker::When::Settled}) {
      tell(askers, {}, when, Confirm::Status::Refused);
    }
    node.intake().give_back(reserved);
    return;
  }
  const auto decoded = Frame::decode(std::exchange(own.bytes, frames_.take_buffer()), &frames_);
  LEGION_ASSERT(decoded.has_value());
  const FramePtr& frame = *decoded;
  node.intake().recycle(own.lane, std::move(own.bytes));
  if (options_.history == Options::History::Kept) {
    for (std::uint32_t k = 0; k < frame->header().event_count; ++k) history_.push_back(Frame::event_ptr(frame, k));
  }
  tell(askers, frame->header(), Asker::When::Numbered, Confirm::Status::Numbered);
  if (!confirmed) tell(askers, frame->header(), Asker::When::Settled, Confirm::Status::Numbered);
  if (confirmed && options_.confirms == Confirms::Held) {
    const bool waits = journalling.deliver == Deliver::AfterConfirm;
    held_.push_back({.frame = frame,
                     .askers = std::move(askers),
                     .reserved = reserved,
                     .origin = node.shared_intake(),
                     .live = waits ? Held::Live::AfterConfirm : Held::Live::Yes});
    if (!waits) offer(frame);
    return;
  }
  node.intake().give_back(reserved);
  offer(frame);
  for (const auto when : {Asker::When::Confirmed, Asker::When::Settled}) {
    tell(askers, frame->header(), when, Confirm::Status::Confirmed);
  }
}

void MemoryMesh::offer(const FramePtr& frame) {
  const FrameHeader& header = frame->header();
  StreamRoutes& stream = streams_.try_emplace(stream_of(header)).first->second;
  if (stream.version == 0) stream.key = static_cast<StreamKey>(streams_.size() - 1);
  if (stream.version != version_) {
    stream.version = version_;
    stream.to.clear();
    for (MemoryNode* node : nodes_) {
      if (auto routes = node->routes(header.type); !routes.empty()) stream.to.emplace_back(node, std::move(routes));
    }
  }
  for (const auto& [node, routes] : stream.to) node->dispatch().offer(frame, stream.key, routes);
}

std::size_t MemoryMesh::settle(Confirm::Status status) {
  const std::lock_guard lock(mutex_);
  std::size_t events = 0;
  for (Held& held : std::exchange(held_, {})) {
    events += held.frame->header().event_count;
    if (const auto intake = held.origin.lock()) intake->give_back(held.reserved);
    for (const auto when : {Asker::When::Confirmed, Asker::When::Settled}) {
      tell(held.askers, held.frame->header(), when, status);
    }
    const bool goes_live = held.live == Held::Live::AfterConfirm && status == Confirm::Status::Confirmed;
    if (goes_live) offer(held.frame);
  }
  return events;
}

void MemoryMesh::tell(std::vector<Asked>& askers, const FrameHeader& header, Asker::When when, Confirm::Status status) {
  std::erase_if(askers, [&](Asked& asked) {
    if (asked.asker.when != when) return false;
    Confirm confirm{.id = {}, .status = status};
    if (header.event_count > 0) {
      confirm.id = EventId{std::string(header.origin), header.incarnation, header.lane,
                           std::string(header.type),   header.shard,       header.first_sequence + asked.place.index}
                       .to_string();
    }
    call_later(
        [call = std::move(asked.asker.call), confirm = std::move(confirm)]() mutable { call(std::move(confirm)); });
    return true;
  });
}

// --- callbacks -------------------------------------------------------------------------------------------------------

void MemoryMesh::call_later(std::function<void()> call) {
  if (executor_) return executor_->post(std::move(call));
  const std::lock_guard lock(letters_mutex_);
  callbacks_.push_back(std::move(call));
}

bool MemoryMesh::run_callbacks() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(letters_mutex_);
    callbacks.swap(callbacks_);
  }
  for (const auto& call : callbacks) call();
  return !callbacks.empty();
}

void MemoryMesh::finish_callbacks() {
  if (!executor_) return;
  const auto done = std::make_shared<Latch>();  // with the executor
  executor_->post([done] { done->set(); });
  while (!done->wait(1s)) {
  }
}

// --- dead letters ----------------------------------------------------------------------------------------------------

void MemoryMesh::on_letters(MemoryNode& node, std::vector<DeadLetter> letters) {
  for (DeadLetter& letter : letters) {
    node.log(LogLevel::Error, line_of(letter));
    if (letter.event->type != "system.dead_letter") {
      Event event;
      event.type = "system.dead_letter";
      event.data = data_of(letter);
      node.intake().publish(event, "!node", PublishedBy::Node, PublishOptions::PriorityFrom::Policy, {},
                            options_.clock().wall);
    }
    if (options_.runs != Runs::ByHand) continue;  // nobody would ask for them
    const std::lock_guard lock(letters_mutex_);
    letters_.push_back({std::move(letter.event), std::move(letter.death)});
  }
}

std::vector<MemoryMesh::Letter> MemoryMesh::letters() const {
  const std::lock_guard lock(letters_mutex_);
  return letters_;
}

std::vector<EventPtr> MemoryMesh::history() const {
  const std::lock_guard lock(mutex_);
  return history_;
}

}  // namespace legion
