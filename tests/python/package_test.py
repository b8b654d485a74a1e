"""The Python package without a node: settings, events, handlers, the bus in memory."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"))

import msgpack  # noqa: E402

import legion  # noqa: E402
from legion import Consumer, Event, Outcome, Reject, Settings, Stop, on  # noqa: E402
from legion.consumer import canonical_type  # noqa: E402
from legion.past import events_of_frame  # noqa: E402
from legion.testing import MemoryBus, open_publisher  # noqa: E402


class SettingsFromTheEnvironment(unittest.TestCase):
    def test_every_variable_of_the_replaced_buses_is_honoured(self):
        settings = Settings.from_env({
            "LEGION_CONSUMER_BUFFER_SIZE": "500", "LEGION_CONSUMER_MAX_RETRIES": "5", "LEGION_CONSUMER_RETRY_DELAY_MS": "250",
            "LEGION_PUBLISHER_PRIORITY": "HIGH", "LEGION_PUBLISHER_BATCH_SIZE": "100", "LEGION_LOG_LEVEL": "debug",
            "LEGION_LOG_EVENTS": "true", "LEGION_NODE": "localhost", "PATH": "/bin"})

        self.assertEqual((500, 5, 0.25, "high", 100, "debug", True, "localhost:7400"), (
            settings.buffer_size, settings.max_retries, settings.retry_delay, settings.publisher_priority,
            settings.batch_size, settings.log_level, settings.log_events, settings.node))
        self.assertEqual("tcp://localhost:7400", settings.address)
        self.assertEqual({"node", "broker", "buffer_size", "max_retries", "retry_delay", "publisher_priority", "batch_size",
                          "log_level", "log_events", "call_timeout", "lease"}, set(settings.dump()))
        self.assertIn('"buffer_size": 500', str(settings))

    def test_what_cannot_be_meant_is_an_error_that_names_the_variable(self):
        for name, value in (("LEGION_CONSUMER_BUFFER_SIZE", "many"), ("LEGION_CONSUMER_BUFER_SIZE", "5"),
                            ("LEGION_PUBLISHER_PRIORITY", "urgent"), ("LEGION_NODE", "risk"), ("LEGION_NODE", "host:0"),
                            ("LEGION_LOG_EVENTS", "perhaps"), ("LEGION_BROKER", "redis"), ("LEGION_LOG_LEVEL", "loud")):
            with self.assertRaises(legion.ConfigurationError, msg=name) as raised:
                Settings.from_env({name: value})
            self.assertIn(name, str(raised.exception))
        for values in ({"buffer_size": 0}, {"lease": 0.1}, {"batch_size": 10 ** 6}):
            with self.assertRaises(legion.ConfigurationError):
                Settings(**values)


class Events(unittest.TestCase):
    def test_a_consequence_takes_correlation_and_trace_from_its_cause(self):
        cause = Event("a.b", id="n:1:2:a.b:0:1", correlation_id="w", traceparent="00-1-2-01", tracestate="s")
        event = Event("c.d", 1).caused_by(cause)
        self.assertEqual(("n:1:2:a.b:0:1", "w", "00-1-2-01", "s"),
                         (event.causation_id, event.correlation_id, event.traceparent, event.tracestate))
        self.assertEqual("x", Event("c.d", correlation_id="x").caused_by(cause).correlation_id)
        self.assertEqual({"type": "c.d", "data": 1, "partitionkey": "k", "tenant": "t"},
                         Event("c.d", 1, key="k", extensions={"tenant": "t"}).to_cloudevent())

    def test_the_upper_case_names_of_the_catalog_are_understood(self):
        for name, type_ in (("TRADE_APPROVED", "trade.approved"), ("MARKET_DATA_RECEIVED", "market.data_received"),
                            ("DEPTH_SNAPSHOT", "market.depth_snapshot"), ("CANDIDATE_TRADE", "signal.candidate_trade"),
                            ("trade.", "trade."), ("*", "*"), ("job.done", "job.done")):
            self.assertEqual(type_, canonical_type(name))

    def test_the_frame_of_the_protocol_page_reads_as_it_says_there(self):
        frame = bytes.fromhex("74726164652e617070726f766564000097 01a66e6f64652d31cf010203040506070800cf000000000000002acc00"
                              "dd0000000195cf1876b51b8590fef4ab6e6f64652d312f7269736b018081a57072696365cb3ff8000000000000")
        event, = events_of_frame(frame)
        self.assertEqual(("node-1:72623859790382856:0:trade.approved:0:42", "trade.approved", "critical", "node-1/risk"),
                         (event.id, event.type, event.priority, event.source))
        self.assertEqual({"price": 1.5}, event.data)
        self.assertEqual(0x1876b51b8590fef4, event.time)
        with self.assertRaises(legion.LegionError):
            list(events_of_frame(b"x\0\0" + msgpack.packb([2, "n", 1, 0, 1, 0, []])))


class Handlers(unittest.TestCase):
    def test_mistakes_in_a_consumer_are_said_when_it_is_made(self):
        class Twice(Consumer):
            name = "x"

            @on("trade.approved")
            def one(self, event):
                pass

            @on("TRADE_APPROVED")
            def two(self, event):
                pass

        class Nothing(Consumer):
            name = "x"

        class Nameless(Consumer):
            @on("a.b")
            def take(self, event):
                pass

        for consumer, text in ((Twice, "has a handler already"), (Nothing, "no handler"), (Nameless, "no name")):
            with self.assertRaises(legion.ConfigurationError) as raised:
                consumer(Settings())
            self.assertIn(text, str(raised.exception))
        with self.assertRaises(legion.ConfigurationError):
            on("a.b", tier="urgent")

    def test_what_is_asked_of_the_node_is_what_the_handlers_say(self):
        class Both(Consumer):
            name = "x"

            @on("A.B".lower(), tier="critical", thread=True)
            def one(self, event):
                pass

            @on("order.", durable="orders", start="beginning", replay=True)
            def two(self, event):
                pass

        self.assertEqual([{"type": "a.b", "tier": "critical"},
                          {"type": "order.", "tier": "normal", "durable": "orders", "start": "beginning", "replay": True}],
                         sorted(Both(Settings()).subscriptions(), key=lambda s: s["type"]))


class InMemory(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.waits = []

        async def sleep(seconds):
            self.waits.append(seconds)
        self.bus = MemoryBus(Settings(broker="memory", max_retries=2), sleep=sleep)
        self.seen = []

    def consumer(self, name, type_, do=None, **subscription):
        test = self

        class Made(Consumer):
            @on(type_, **subscription)
            async def take(self, event):
                test.seen.append((name, event.data))
                if do:
                    return await do(self, event)
                return None
        return self.bus.add(Made(self.bus.settings, name=name))

    async def test_gates_come_first_then_the_tiers_and_a_gate_that_says_no_ends_it(self):
        async def veto(consumer, event):
            if event.data > 10:
                raise Reject("too large")
        self.consumer("low", "order.ready", tier="low")
        self.consumer("gate", "order.ready", veto, tier="critical")
        self.consumer("high", "order.", tier="high")

        await self.bus.publish("order.ready", 5)
        await self.bus.publish("order.ready", 50)

        self.assertEqual([("gate", 5), ("high", 5), ("low", 5), ("gate", 50)], self.seen)
        self.assertEqual([("gate", "rejected", "too large")],
                         [(d.agent, d.reason, d.error) for d in self.bus.dead_letters])

    async def test_a_failing_handler_is_tried_again_then_its_event_is_a_dead_letter_and_others_go_on(self):
        async def fail(consumer, event):
            raise ValueError("no quote")
        self.consumer("bad", "x.y", fail)
        self.consumer("good", "x.y", tier="low")

        await self.bus.publish("x.y", 1)

        self.assertEqual([("bad", 1)] * 3 + [("good", 1)], self.seen)
        self.assertEqual([0.1, 0.2], self.waits)
        letter, = self.bus.dead_letters
        self.assertEqual(("bad", "handler_error", 3, "ValueError: no quote"),
                         (letter.agent, letter.reason, letter.attempts, letter.error))

    async def test_what_a_handler_publishes_is_a_consequence_and_urgent_events_come_first(self):
        async def answer(consumer, event):
            await consumer.publish("slow.thing", "later")
            await consumer.publish("risk.alert", "now")
        self.consumer("asker", "ask.it", answer)
        self.consumer("all", "slow.thing")
        self.consumer("alerts", "risk.alert")

        await self.bus.publish("ask.it", 0)

        self.assertEqual([("asker", 0), ("alerts", "now"), ("all", "later")], self.seen)
        asked, *answers = self.bus.replay()
        self.assertEqual({asked.id}, {a.causation_id for a in answers} | {a.correlation_id for a in answers})
        self.assertEqual(["now"], [e.data for e in self.bus.replay("risk.")])

    async def test_stop_keeps_an_event_from_the_later_tiers(self):
        async def stop(consumer, event):
            if event.data == "raise":
                raise Stop
            return Outcome.STOP
        self.consumer("first", "x.y", stop, tier="high")
        self.consumer("second", "x.y", tier="low")

        await self.bus.publish("x.y", "raise")
        await self.bus.publish("x.y", "return")

        self.assertEqual([("first", "raise"), ("first", "return")], self.seen)
        self.assertEqual([], self.bus.dead_letters)

    async def test_a_program_without_a_node_may_fall_back_to_memory(self):
        publisher = await open_publisher(Settings(node="127.0.0.1:1", call_timeout=0.2), self.bus)
        self.consumer("all", "x.y")
        results = await publisher.publish_batch([("x.y", 1), Event("x.y", 2), ("Not A Type", 3)])
        await self.bus.drain()
        self.assertEqual(["queued", "queued", "invalid"], [r.status for r in results])
        self.assertEqual([("all", 1), ("all", 2)], self.seen)


if __name__ == "__main__":
    unittest.main()
