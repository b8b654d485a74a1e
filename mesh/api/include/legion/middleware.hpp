// Steps around publish() and around handlers, as [[middleware]] in TOML, and conditions on events.
//
//     options.middleware = {
//         {.name = "no-tests", .on = MiddlewareSpec::On::Publish, .settings = WhereStep{*Where::parse("data.test != true")}},
//         {.name = "once", .settings = DeduplicateStep{.window_events = 10'000, .window = 60s}},
//         {.name = "mine", .settings = OwnStep{[] { return std::make_unique<MyStep>(); }}},
//     };
//
// They go in their order: those on publish() on the publishing thread before the event is encoded, those on dispatch on
// the handlers' threads, one set for each handler. What each of them does to an event, and what becomes of it, is
// said with the steps; docs/operations.md, "Middleware".
#pragma once

#include <legion/core/middleware.hpp>
#include <legion/core/middleware_spec.hpp>
#include <legion/event/redact.hpp>
#include <legion/event/where.hpp>
