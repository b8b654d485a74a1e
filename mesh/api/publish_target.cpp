#include <legion/api/publish_target.hpp>

#include <exception>
#include <string>
#include <utility>

namespace legion {

namespace {

template <class Argument>
void guard(std::function<void(Argument)>& callback, const LogSink& log) {
  if (!callback) return;
  callback = [inner = std::move(callback), log](Argument argument) {
    std::string what = "no std::exception";
    try {
      return inner(std::move(argument));
    } catch (const std::exception& error) {
      what = error.what();
    } catch (...) {
    }
    if (log) log(LogLevel::Error, "a callback of publish() has thrown: " + what);
  };
}

}  // namespace

void guard_callbacks(PublishOptions& options, const LogSink& log) {
  guard(options.on_numbered, log);
  guard(options.on_confirmed, log);
  guard(options.on_settled, log);
}

}  // namespace legion
