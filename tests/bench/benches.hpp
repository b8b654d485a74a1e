// The benchmarks. Each prints its lines; an error ends it without the line that it concerns.
#pragma once

#include <legion/base/error.hpp>

#include "figures.hpp"

namespace legion::bench {

/// Events/s through the frame codec, beside msgpack-cxx with the same values.
Result<void> frame_codec(const Effort& effort);
/// An event to CloudEvents JSON and back, beside nlohmann's parse and dump of the same text.
Result<void> json(const Effort& effort);
/// Typed events beside the same fields read and written by hand: their codec, their check, and both through a frame.
Result<void> typed_event(const Effort& effort);
/// ns for a condition on one event, beside reading the same fields by hand.
Result<void> where(const Effort& effort);
/// Events/s and idle latency from a publisher to a handler of the same node, beside PUSH/PULL of raw libzmq within one
/// process.
Result<void> local_dispatch(const Effort& effort);
/// Structs published to handlers that take the struct, beside data written and read field by field: an embedded node.
Result<void> typed_handler(const Effort& effort);
/// Events/s from a publisher node to handlers in other processes, beside PUB/SUB of raw libzmq: one event type, four in
/// turn, four publishing threads, four subscribers.
Result<void> mesh_throughput(const Effort& effort);
/// From publish() to the handler in another process, at 1,000 events/s, beside PUB/SUB of raw libzmq.
Result<void> mesh_latency(const Effort& effort);
/// The same of critical events while another node floods the same subscriber with low ones that take 5 us each.
Result<void> flood(const Effort& effort);
/// What a stopped subscriber costs three others and the publisher.
Result<void> isolation(const Effort& effort);
/// Events/s from a publisher node to a spool node, every one on its disk: data that compresses like trades, and noise.
Result<void> spool_confirmed(const Effort& effort);
/// From publish() to the confirm at 1,000 events/s, beside an fdatasync of the same disk.
Result<void> spool_confirm_latency(const Effort& effort);
/// Events/s from a spool to a process that reads and decodes them, beside PUB/SUB of raw libzmq.
Result<void> spool_replay(const Effort& effort);
/// How long a durable subscription takes over a gap of about 1,000 events, from the first live event behind it to the
/// last one in it, while another node floods the mesh and the spool.
Result<void> spool_repair(const Effort& effort);
/// What a spool in the mesh costs: delivered rate and the publisher's processor time an event, at half of
/// mesh_throughput, beside the same mesh without durability.
Result<void> spool_overhead(const Effort& effort);
/// The store of a spool alone, in this process: appends with fsync beside SQLite's own blobs, and reading 10 M events.
Result<void> spool_store(const Effort& effort);
/// ms until a store of 10 M events is open.
Result<void> spool_open(const Effort& effort);
/// ms until the events of one correlation id are found among 10 M.
Result<void> trace_lookup(const Effort& effort);
/// Bytes on disk per event: of a flood, and at 1,000 events/s in simulated time (a part of a day is measured).
Result<void> spool_size(const Effort& effort);

}  // namespace legion::bench
