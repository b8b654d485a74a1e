// Leads a run through its phases: faults, healing, convergence, the watched books, the end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster.hpp"
#include "environment.hpp"
#include "evidence.hpp"
#include "operators.hpp"
#include "run.hpp"
#include "store_watch.hpp"

namespace legion::sim {

/// Thread: the scheduler's.
class Driver {
 public:
  explicit Driver(Plan plan);
  RunResult run();

 private:
  std::size_t durable_copies(const Place& place);
  void boot_all();
  void schedule(const std::vector<FaultPlan>& faults);
  void begin(const FaultPlan& fault);
  void end(const FaultPlan& fault);
  void begin_at_host(const FaultPlan& fault);
  void sample_later();
  void look_at_stores_later();
  void heal();
  bool converge(std::vector<NodeReport>& reports, const char* after);
  std::vector<NodeReport> ask_all();
  void end_all();
  void end_hosts(const std::vector<std::size_t>& hosts);
  void read_stores();
  void read_records(StoreReader& reader, StoreContents& contents);
  void read_store(std::size_t host, StoreContents& contents);
  void judge();
  bool run_while(Duration limit, const std::function<bool()>& going_on);
  void cut_link(std::size_t from, std::size_t to, int by);
  void cut_links(const FaultPlan& fault, int by);
  void break_connections(const FaultPlan& fault);
  void flap(const FaultPlan& fault, SteadyTime until, bool up);

  Plan plan_;
  History history_;
  World world_;
  Environment environment_;
  Cluster cluster_;
  Operators operators_;
  Evidence evidence_;
  StoreWatch store_watch_;
  std::vector<FaultPlan> going_on_;  // that hold up what is sent
  std::vector<int> cuts_;  // of every way of every link: the faults that cut it now
  std::vector<std::pair<std::size_t, std::shared_ptr<NodeReport>>> samples_;
  std::uint32_t phase_ = 0;  // what was scheduled in an earlier one does nothing any more
  RunResult result_;
};

}  // namespace legion::sim
