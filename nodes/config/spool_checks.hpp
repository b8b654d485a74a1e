// Checks of everything that has to do with spools: [spool], [journal], durable subscriptions.
#pragma once

#include <map>
#include <string>

#include <legion/config/reader.hpp>

namespace legion {

void check_spool(Reader& reader, const NodeConfig& config);
void check_journal(Reader& reader, const NodeConfig& config);

/// Looks at subscriptions one after the other, as the plain tables and [[topic]] of `config` have been read already.
class DurableChecks {
 public:
  DurableChecks(Reader& reader, const NodeConfig& config);
  void check(const Section& section, const SubscribeConfig& subscription);

 private:
  /// False where something is wrong.
  bool check_group(const Section& section, const SubscribeConfig& subscription);

  Reader& reader_;
  PolicyTable policies_;
  bool expects_spools_;
  std::map<std::string, std::string> names_;  // durable name -> where it was used first
};

}  // namespace legion
