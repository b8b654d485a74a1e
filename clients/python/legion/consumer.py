"""Consuming: a class with handlers, served by an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .connection import Connection
from .errors import ConfigurationError, ConnectionLost, LegionError, NodeError, Reject, Stop
from .events import PRIORITIES, Event, Outcome, of_run
from .publisher import Published, Publisher
from .session import Session
from .settings import Settings

log = logging.getLogger("legion")

Handler = Callable[..., "Outcome | None | Awaitable[Outcome | None]"]
F = TypeVar("F", bound=Callable[..., Any])

_RETRY_MIN, _RETRY_MAX = 0.1, 2.0
_TRY_AGAIN = ("name_taken", "would_block", "closed")
_ERROR_BYTES_MAX = 1000

_handling: contextvars.ContextVar[Event | None] = contextvars.ContextVar("legion_handling", default=None)


def on(type: str, *, tier: str = "normal", where: str = "", durable: str = "", start: str = "now",
       group: str = "", home: str = "", shares: int = 8, replay: bool = False, thread: bool = False) -> Callable[[F], F]:
    """Makes a method of a Consumer the handler of a subscription.

    `type` is an event type (trade.approved or TRADE_APPROVED), a family ("trade.") or "*". `tier` "critical" makes it a
    gate. `where` is a condition on the event (`data.size > 10 and key == "BTC"`), which the node asks. `durable` is a
    name, unique in the mesh, under which the spools remember how far it got; `start` says where it begins when none knows
    it yet (now, beginning, an RFC 3339 time, an event id). `group` makes it a member of a group: consumers of that name
    on different nodes share the shards of sharded types, each event is handed to one of them, those of one key in order;
    `home` is the spool that says who has which share, `shares` (1 to 256) into how many parts the shards are divided, both
    the same at every member. One member a node, and `durable` under the group's name. A program that is away for longer
    than the mesh waits for a silent node gives its shares to the others until it is back. `replay`: takes replays into the
    mesh too. `thread`: a plain function is called on a thread of a pool, for work that blocks; otherwise on the event loop.
    """
    if tier not in PRIORITIES:
        raise ConfigurationError(f"@on({type!r}): tier {tier!r} is none of {PRIORITIES}")
    if bool(group) != bool(home):
        raise ConfigurationError(f"@on({type!r}): group and home go together")
    if not 1 <= shares <= 256:
        raise ConfigurationError(f"@on({type!r}): shares are 1 to 256, not {shares}")
    of_group = {"group": group, "home": home, "shares": shares} if group else {}

    def mark(function: F) -> F:
        marks = getattr(function, "__legion_on__", [])
        function.__legion_on__ = [*marks, {"type": type, "tier": tier, "where": where, "durable": durable,
                                           "start": start, "replay": replay, "thread": thread, **of_group}]  # type: ignore[attr-defined]
        return function
    return mark


class Consumer:
    """A base class for agents. A subclass names itself and has handlers:

        class Risk(Consumer):
            name = "risk"

            @on("order.requested", tier="critical")
            async def check(self, event):
                if event.data["size"] > 10:
                    raise Reject("too large")
                await self.publish("order.ready", event.data)

        Risk().run()

    A handler that returns has acknowledged the event; one that raises has not: the event comes again with the next
    `attempt`, and after max_attempts it is a dead letter with the text of the exception. Handlers of an agent with a
    concurrency of 1 get the events of a stream in order, one at a time, and nothing overtakes an event that failed. What
    a handler publishes with `self.publish` is a consequence: correlation, causation and trace context are filled in.

    The connection comes back by itself, with all subscriptions. Thread: everything on one event loop, handlers with
    `thread=True` excepted. A handler that blocks the loop for longer than the lease counts as away.
    """

    name: str = ""
    concurrency: int | None = None
    handler_timeout: float | None = None

    def __init__(self, settings: Settings | None = None, *, name: str = ""):
        self.settings = settings or Settings.from_env()
        self.name = name or self.name
        if not self.name:
            raise ConfigurationError(f"{type(self).__name__} has no name")
        self.counters = {"handled": 0, "failed": 0, "rejected": 0, "attached": 0}
        self.publisher: Publisher = Publisher(self.settings)
        self.session: Session | None = None
        self._handlers = _handlers_of(self)
        self._attached = asyncio.Event()
        self._stopping: asyncio.Event | None = None
        self._connection: Connection | None = None
        self._busy: set[asyncio.Task[None]] = set()
        self._early: list[tuple[str, list[Any]]] = []

    # --- for subclasses ------------------------------------------------------------------------------------------------
    async def on_start(self) -> None:
        """Called once before the first attachment."""

    async def on_stop(self) -> None:
        """Called once after the last event."""

    async def publish(self, event: Event | str, data: Any = None, **attributes: Any) -> str:
        """Publisher.publish() over this connection, as a consequence of the event in hands."""
        attributes.setdefault("cause", _handling.get())
        return await self.publisher.publish(event, data, **attributes)

    async def publish_batch(self, events: list[Event]) -> list[Published]:
        """Publisher.publish_batch(), likewise."""
        cause = _handling.get()
        return await self.publisher.publish_batch([e.caused_by(cause) for e in events] if cause else events)

    # --- running -------------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """Serves until SIGTERM or SIGINT, or stop(). For a program that does nothing else."""
        asyncio.run(self._run_until_signal())

    async def _run_until_signal(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        await self.serve()

    def stop(self) -> None:
        """Ends serve(): the events in hands are finished and answered, then the agent detaches. On the loop's thread."""
        if self._stopping is not None:
            self._stopping.set()

    async def wait_attached(self, timeout: float = 30.0) -> Session:
        """The session, as soon as there is one."""
        await asyncio.wait_for(self._attached.wait(), timeout)
        assert self.session is not None
        return self.session

    async def serve(self) -> None:
        """Attaches and handles events until stop(), through losses of the connection and restarts of the node. Errors:
        ConfigurationError and NodeError when the node does not accept the agent as it is."""
        self._stopping = asyncio.Event()
        self._connection = Connection(self.settings.address)
        self._connection.on_notification = self._on_notification
        self._connection.on_down = self._end_session
        self.publisher = Publisher(self.settings, connection=self._connection)
        try:
            await self.on_start()
            while not self._stopping.is_set():
                session = await self._attach()
                if session is not None:
                    await self._serve_session(session)
            await self.on_stop()
        finally:
            self._end_session()
            self._connection.close()

    def subscriptions(self) -> list[dict[str, Any]]:
        """What is asked of the node."""
        return [{k: v for k, v in wanted.items() if k != "thread" and v and not (k == "start" and v == "now")}
                for wanted, _ in self._handlers.values()]

    async def _attach(self) -> Session | None:
        params: dict[str, Any] = {"name": self.name, "subscriptions": self.subscriptions(),
                                  "credit": self.settings.buffer_size, "lease_ms": int(self.settings.lease * 1000)}
        if self.concurrency is not None:
            params["concurrency"] = self.concurrency
        if self.handler_timeout is not None:
            params["handler_timeout_ms"] = int(self.handler_timeout * 1000)
        pause, told = _RETRY_MIN, ""
        self._early = []
        while not self._stopping.is_set():
            try:
                answer = await self._unless_stopping(self._connection.call("agent.attach", params,
                                                                           self.settings.call_timeout))
                if answer is None:
                    return None
                return self._begin(answer)
            except (NodeError, ConnectionLost) as error:
                # What is wrong from the start is said; a node that was restarted without the agent may get it back.
                if isinstance(error, NodeError) and error.code not in _TRY_AGAIN and not self.counters["attached"]:
                    raise
                if str(error) != told:
                    log.warning("%s: not attached yet: %s", self.name, error)
                    told = str(error)
            await self._unless_stopping(asyncio.sleep(pause))
            pause = min(pause * 2, _RETRY_MAX)
        return None

    async def _unless_stopping(self, what: Awaitable[Any]) -> Any:
        """The result, or None once stop() was called."""
        task = asyncio.ensure_future(what)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return await task if task.done() else None
        finally:
            for one in (task, stopping):
                one.cancel()

    def _begin(self, answer: dict[str, Any]) -> Session:
        session = Session(self._connection, answer)
        for declared in session.subscriptions:
            if declared["type"] not in self._handlers:
                raise ConfigurationError(f"{self.name}: node {session.node} declares a subscription to "
                                         f"{declared['type']}, and there is no handler for it")
        self.session = session
        early, self._early = self._early, []
        for method, params in early:
            self._on_notification(method, params)
        self.counters["attached"] += 1
        self._attached.set()
        log.info("%s: attached to node %s", self.name, session.node)
        return session

    def _end_session(self) -> None:
        if self.session is None:
            return
        log.info("%s: the session is over", self.name)
        self.session.end()
        self.session = None
        self._attached.clear()

    def _on_notification(self, method: str, params: list[Any]) -> None:
        session = self.session
        if session is None:
            # What follows the answer to agent.attach at once is read before the task that waits for it goes on.
            self._early.append((method, params))
            return
        if not params or params[0] != session.number:
            return
        if method == "agent.deliver":
            session.on_deliver(params[1])
        elif method == "agent.void":
            session.on_void(params[1], params[2])
        elif method == "agent.closed":
            log.warning("%s: the node has ended the session: %s", self.name, params[2])
            self._end_session()

    # --- one session ---------------------------------------------------------------------------------------------------
    async def _serve_session(self, session: Session) -> None:
        beats = asyncio.create_task(self._beat(session))
        work = asyncio.create_task(self._work(session))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await self._leave(session, work)
            if work.done() and not work.cancelled():
                work.result()
        finally:
            for task in (beats, work, stopping):
                task.cancel()
            await asyncio.gather(beats, work, stopping, return_exceptions=True)

    async def _leave(self, session: Session, work: asyncio.Task[None]) -> None:
        """Takes nothing new, finishes what is in hands, detaches."""
        self._connection.notify("agent.credit", [session.number, 0])
        self._leaving = True
        session.on_deliver([])
        session._runs.put_nowait(None)
        limit = session.handler_timeout or self.settings.call_timeout
        await asyncio.wait({work, *self._busy}, timeout=limit)
        try:
            await self._connection.call("agent.detach", {"session": session.number}, self.settings.call_timeout)
        except LegionError as error:
            log.warning("%s: not detached: %s", self.name, error)

    async def _beat(self, session: Session) -> None:
        while not session.over.is_set():
            await asyncio.sleep(session.lease / 3)
            try:
                await self._connection.call("agent.beat", {"session": session.number}, session.lease)
            except NodeError:
                self._end_session()
            except ConnectionLost:
                if not session.over.is_set():
                    log.warning("%s: the node is silent; dialling anew", self.name)
                    self._connection.reopen()

    async def _work(self, session: Session) -> None:
        handlers = [self._handlers[declared["type"]] for declared in session.subscriptions]
        self._leaving = False
        one_by_one = session.concurrency == 1
        while not self._leaving:
            run = await session.next_run()
            if run is None:
                return
            wanted, handler = handlers[run[1]]
            if one_by_one:
                await self._handle_run(session, run, handler, wanted["thread"])
                await asyncio.sleep(0)  # beats, answers and what was read get their turn
            else:
                task = asyncio.create_task(self._handle(session, of_run(run, 0, session), handler, wanted["thread"]))
                self._busy.add(task)
                task.add_done_callback(self._busy.discard)

    async def _handle_run(self, session: Session, run: list[Any], handler: Handler, thread: bool) -> None:
        first = run[0]
        for k in range(len(run[7])):
            if session.over.is_set() or self._leaving:
                return  # what is left comes again
            if session._void and session.is_void(first + k):
                continue
            if not await self._handle(session, of_run(run, k, session), handler, thread):
                return  # what stands behind it in the run is void

    async def _handle(self, session: Session, event: Event, handler: Handler, thread: bool) -> bool:
        """Whether the events behind it in its run may be handled."""
        _handling.set(event)
        try:
            if thread:
                result = await asyncio.to_thread(handler, event)
            else:
                result = handler(event)
            if inspect.isawaitable(result):
                result = await result
        except Stop:
            result = Outcome.STOP
        except Reject as error:
            self.counters["rejected"] += 1
            session.answer("agent.reject", event.delivery, _text(error))
            return False
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever a handler raises is its failure, and the node's to judge
            self.counters["failed"] += 1
            log.warning("%s: %s failed (attempt %d): %s", self.name, event.id, event.attempt, _text(error))
            session.answer("agent.nack", event.delivery, _text(error))
            return False
        finally:
            _handling.set(None)
        self.counters["handled"] += 1
        if self.settings.log_events:
            log.info("event handled: %s", event.id)
        if result is None or result is Outcome.DONE:
            session.answer("agent.ack", event.delivery)
        else:
            session.answer("agent." + Outcome(result).value, event.delivery)
        return result is not Outcome.DEFER


def _text(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}" if str(error) and not isinstance(error, Reject) else str(error)
    return (text or type(error).__name__).encode(errors="replace")[:_ERROR_BYTES_MAX].decode(errors="ignore")


def _handlers_of(consumer: Consumer) -> dict[str, tuple[dict[str, Any], Handler]]:
    """By the type as the node writes it."""
    found: dict[str, tuple[dict[str, Any], Handler]] = {}
    for name, member in inspect.getmembers(consumer, callable):
        for wanted in getattr(member, "__legion_on__", []):
            type_ = wanted["type"]
            if type_ == type_.upper() and type_ != "*":
                type_ = canonical_type(type_)
            if type_ in found:
                raise ConfigurationError(f"{type(consumer).__name__}.{name}: {type_} has a handler already; one handler "
                                         "for each type or family")
            found[type_] = ({**wanted, "type": type_}, member)
    if not found:
        raise ConfigurationError(f"{type(consumer).__name__} has no handler; mark methods with @on(..)")
    return found


# The upper-case names whose dotted type is not simply the name with its first "_" as a dot.
_CATALOG = {"DEPTH_SNAPSHOT": "market.depth_snapshot", "FUNDING_UPDATE": "market.funding_update",
            "CANDIDATE_TRADE": "signal.candidate_trade"}


def canonical_type(name: str) -> str:
    """TRADE_APPROVED as trade.approved; anything else as it is."""
    if not name or name != name.upper() or not name.replace("_", "").isalnum():
        return name
    return _CATALOG.get(name) or name.lower().replace("_", ".", 1)
