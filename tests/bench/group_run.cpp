#include "group_run.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "payload.hpp"
#include "settling.hpp"
#include "temporary_folder.hpp"

namespace legion::bench {

namespace {

constexpr Duration start_limit = 20s;

class Group {
 public:
  Group(const Interrupts& interrupts, const GroupSpec& spec)
      : interrupts_(interrupts),
        spec_(spec),
        roles_(spec.roles),
        members_(spec.roles.size()),
        run_(spec.roles.size()) {}

  /// Whatever went wrong, all are told to end before the first is waited for.
  ~Group() { close_inputs(); }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  Result<void> start();
  Result<void> publish();
  Result<void> settle();
  Result<void> end();
  GroupRun take() { return std::move(run_); }

 private:
  struct Member {
    std::unique_ptr<Child> child;
    std::uint16_t port = 0;             // Mesh: of control
    std::uint64_t resident_bytes = 0;   // before the first event
    Duration processor_time{};          // the same
  };

  void close_inputs();
  std::vector<std::size_t> start_order() const;
  Result<void> start_role(std::size_t index);
  Result<void> wait_heard();
  Result<void> collect(std::size_t index);
  Result<void> settle_role(std::size_t index);

  const Interrupts& interrupts_;
  const GroupSpec& spec_;
  const TemporaryFolder folder_;  // goes after the processes that use it
  std::vector<RoleSpec> roles_;
  std::vector<std::uint16_t> ports_;  // of what was started so far
  std::vector<Member> members_;
  GroupRun run_;
  std::array<std::uint64_t, flows_max> published_{};  // by flow
  std::optional<Stopped> stopped_;                    // ends before its process is to end
};

void Group::close_inputs() {
  for (Member& member : members_) {
    if (member.child) member.child->close_input();
  }
}

/// Subscribers of a mesh first, so that the publishers join a mesh that listens; raw subscribers last, since only a
/// bound socket has a port to connect to.
std::vector<std::size_t> Group::start_order() const {
  std::vector<std::size_t> order(roles_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_partition(order, [this](std::size_t index) {
    return spec_.kind == Kind::Mesh ? !roles_[index].meters.empty() : !roles_[index].flows.empty();
  });
  return order;
}

Result<void> Group::start() {
  if (!folder_.exists()) return fail(ErrorCode::Io, "cannot create a temporary folder");
  for (const std::size_t index : start_order()) {
    if (auto started = start_role(index); !started) return started;
  }
  if (auto heard = wait_heard(); !heard) return heard;
  if (spec_.stopped) stopped_.emplace(*members_[*spec_.stopped].child);
  return {};
}

Result<void> Group::start_role(std::size_t index) {
  RoleSpec& role = roles_[index];
  if (role.kind != Kind::Spool) role.kind = spec_.kind;
  role.state_dir = folder_.inside(role.name);
  role.ports = ports_;
  auto child = Child::start(interrupts_, {"--role", nlohmann::json(role).dump()});
  if (!child) return std::unexpected(child.error());
  members_[index].child = std::move(*child);
  const auto ready = members_[index].child->read_line(start_limit);
  if (!ready) return std::unexpected(ready.error());
  const auto ports = ready->at("ready").get<std::vector<std::uint16_t>>();
  ports_.insert(ports_.end(), ports.begin(), ports.end());
  if (!ports.empty()) members_[index].port = ports.front();
  return {};
}

Result<void> Group::wait_heard() {
  for (std::size_t index = 0; index < roles_.size(); ++index) {
    for (std::size_t meter = 0; meter < roles_[index].meters.size(); ++meter) {
      const auto heard = members_[index].child->read_line(start_limit);
      if (!heard) return std::unexpected(heard.error());
    }
  }
  return {};
}

Result<void> Group::publish() {
  for (std::size_t index = 0; index < roles_.size(); ++index) {
    if (roles_[index].flows.empty()) continue;
    const auto memory = members_[index].child->memory();
    if (!memory) return std::unexpected(memory.error());
    members_[index].resident_bytes = memory->resident_bytes;
    const auto used = members_[index].child->processor_time();
    if (!used) return std::unexpected(used.error());
    members_[index].processor_time = *used;
  }
  for (std::size_t index = 0; index < roles_.size(); ++index) {
    if (roles_[index].flows.empty()) continue;
    if (auto went = members_[index].child->write_line("go"); !went) return went;
  }
  for (std::size_t index = 0; index < roles_.size(); ++index) {
    if (roles_[index].flows.empty()) continue;
    if (auto collected = collect(index); !collected) return collected;
  }
  return {};
}

Result<void> Group::collect(std::size_t index) {
  const RoleSpec& role = roles_[index];
  const auto done = members_[index].child->read_line(role.pace.length() + start_limit);
  if (!done) return std::unexpected(done.error());
  const auto used = members_[index].child->processor_time();
  if (!used) return std::unexpected(used.error());
  RoleRun& run = run_[index];
  for (std::size_t i = 0; i < role.flows.size(); ++i) {
    const auto count = done->at("published").at(i).get<std::uint64_t>();
    published_.at(role.flows[i].number) = count;
    run.published += count;
  }
  run.published_per_s = static_cast<double>(run.published) * 1e9 / done->at("elapsed_ns").get<double>();
  run.blocked = done->at("blocked").get<std::uint64_t>();
  const auto spent = static_cast<double>((*used - members_[index].processor_time).count());
  run.cpu_ns_per_event = spent / static_cast<double>(std::max<std::uint64_t>(run.published, 1));
  const auto memory = members_[index].child->memory();
  if (!memory) return std::unexpected(memory.error());
  run.memory_growth_bytes = memory->peak_bytes - std::min(memory->peak_bytes, members_[index].resident_bytes);
  return {};
}

Result<void> Group::settle() {
  for (std::size_t index = 0; index < roles_.size(); ++index) {
    if (index == spec_.stopped) continue;
    if (auto settled = settle_role(index); !settled) return settled;
  }
  stopped_.reset();
  return spec_.stopped ? settle_role(*spec_.stopped) : Result<void>();
}

Result<void> Group::settle_role(std::size_t index) {
  const RoleSpec& role = roles_[index];
  if (role.meters.empty()) return {};
  RoleRun& run = run_[index];
  for (const MeterSpec& meter : role.meters) {
    MeterRun& meter_run = run.meters.emplace_back();
    for (const std::uint8_t flow : meter.flows) meter_run.expected += published_.at(flow);
  }
  Member& member = members_[index];
  return spec_.kind == Kind::Mesh ? settle_mesh(*member.child, member.port, role, run) : settle_raw(*member.child, run);
}

Result<void> Group::end() {
  close_inputs();
  for (Member& member : members_) {
    if (auto ended = member.child->end(); !ended) return ended;
  }
  return {};
}

}  // namespace

Result<GroupRun> run_group(const Interrupts& interrupts, const GroupSpec& spec) {
  Group group(interrupts, spec);
  for (const auto step : {&Group::start, &Group::publish, &Group::settle, &Group::end}) {
    if (auto done = (group.*step)(); !done) return std::unexpected(done.error());
  }
  return group.take();
}

}  // namespace legion::bench
