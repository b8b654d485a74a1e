#include <legion/runtime/roster_pages.hpp>

#include <utility>

#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

// Somebody who always says that there is more must not keep us asking.
constexpr std::size_t pages_max = limits::roster_entries_max / limits::roster_page_members + 2;

struct Fetch {
  ControlCaller& caller;
  const Now& now;
  std::string address;
  Duration timeout;
  std::function<void(Result<RosterPage>)> on_page;
  std::size_t pages = 0;
};

void fetch_next(Fetch fetch, std::string_view after) {
  ControlCaller& caller = fetch.caller;
  const Now now = fetch.now;
  const std::string address = fetch.address;
  const Duration timeout = fetch.timeout;
  caller.call(now, address, "roster", roster_params(after), timeout,
              [fetch = std::move(fetch)](Result<Bytes> result) mutable {
                if (!result) return fetch.on_page(std::unexpected(result.error()));
                auto page = decode_roster_page(*result);
                if (!page) return fetch.on_page(std::unexpected(page.error()));
                page->more = page->more && ++fetch.pages < pages_max;
                const std::string last = page->more ? page->members.back().name : std::string();
                fetch.on_page(std::move(page));
                if (!last.empty()) fetch_next(std::move(fetch), last);
              });
}

}  // namespace

Bytes roster_params(std::string_view after) {
  MsgpackWriter params;
  params.map(1);
  params.str("after");
  params.str(after);
  return params.take();
}

void fetch_roster_pages(ControlCaller& caller, const Now& now, const std::string& address, Duration timeout,
                        std::function<void(Result<RosterPage>)> on_page) {
  fetch_next({caller, now, address, timeout, std::move(on_page)}, {});
}

}  // namespace legion
