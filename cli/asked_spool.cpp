#include <legion/cli/asked_spool.hpp>

#include <legion/runtime/spool_asker.hpp>

namespace legion::cli {
namespace {

class AskedSpool : public SpoolAsk {
 public:
  explicit AskedSpool(std::unique_ptr<BlockingSpoolAsker> asker) : asker_(std::move(asker)) {}
  Result<SpoolReply> ask(std::string_view method, BytesView params, Duration timeout) override {
    return asker_->ask(method, params, timeout);
  }

 private:
  std::unique_ptr<BlockingSpoolAsker> asker_;
};

}  // namespace

Result<std::unique_ptr<SpoolAsk>> open_spool_ask(const Address& address) {
  auto asker = BlockingSpoolAsker::open(address);
  if (!asker) return std::unexpected(asker.error());
  return std::make_unique<AskedSpool>(std::move(*asker));
}

}  // namespace legion::cli
