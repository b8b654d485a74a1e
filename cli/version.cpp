#include <ostream>

#include <nlohmann/json.hpp>

#include <legion/base/version.hpp>
#include <legion/cli/table.hpp>
#include <legion/cli/verb.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/frame.hpp>
#include <legion/transport/context.hpp>

namespace legion::cli {
namespace {

class Version : public Verb {
 public:
  void declare(CLI::App&) override {}

  int run(Session& session) override {
    nlohmann::ordered_json json;
    json["legion"] = product_version();
    json["protocol"] = protocol_version;
    json["protocol_min"] = protocol_version_min;
    json["frame"] = frame_version;
    json["libzmq"] = transport::zmq_version();
    if (session.output() == Output::Json) {
      session.out() << json.dump(2) << '\n';
    } else if (session.output() == Output::Jsonl) {
      session.out() << json.dump() << '\n';
    } else {
      Table table({{"PART"}, {"VERSION"}});
      for (const auto& [name, value] : json.items()) {
        table.row({{name}, {value.is_string() ? value.get<std::string>() : value.dump()}});
      }
      if (session.output() == Output::Csv) {
        table.print_csv(session.out());
      } else {
        session.print(table);
      }
    }
    return exit_code::ok;
  }
};

}  // namespace

std::unique_ptr<Verb> make_version() { return std::make_unique<Version>(); }

}  // namespace legion::cli
