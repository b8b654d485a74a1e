// Fetching the roster of another node, page by page.
#pragma once

#include <functional>
#include <string>

#include <legion/core/messages.hpp>
#include <legion/runtime/control_caller.hpp>

namespace legion {

/// The params of the control method `roster` for the page behind this name; "" asks for the first.
Bytes roster_params(std::string_view after);

/// Calls `on_page` with each page in turn, or once with the error that ended it. `caller` and `now` outlive the calls.
void fetch_roster_pages(ControlCaller& caller, const Now& now, const std::string& address, Duration timeout,
                        std::function<void(Result<RosterPage>)> on_page);

}  // namespace legion
