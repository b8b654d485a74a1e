"""The JSON lines an exec agent speaks with its node (docs: "Exec agents"), as one small class.

    def on_trade(agent, event):
        agent.publish("signal.generated", {"action": "buy"})

    Agent().run(on_trade)

A handler that returns has done its work and the event is acknowledged. One that raises has failed: the event comes
again, and after the last attempt it is a dead letter. Raise Stop or Reject for the other two answers.
"""

import collections
import json
import os
import sys
import time


class Stop(Exception):
    """Done, and not for the agents of later tiers. What a gate raises to hold an event back."""


class Reject(Exception):
    """Never to be tried again: a dead letter at once."""


class Refused(Exception):
    """The node did not take an event. Left to fly, it makes the event being handled come again."""


class Agent:
    def __init__(self):
        self.node = os.environ["LEGION_NODE"]
        self.name = os.environ["LEGION_AGENT"]
        self._early = collections.deque()  # events that came while publish() waited for its answer
        self._delivery = None
        self._references = 0

    def run(self, handle):
        """Hands every event to handle(agent, event) until the node ends the input."""
        while (event := self._next_event()) is not None:
            self._delivery = number = event["delivery"]
            try:
                handle(self, event)
                self._send(ack=number)
            except Stop:
                self._send(stop=number)
            except Reject as why:
                self._send(reject=number, error=str(why))
            except Exception as error:
                self._send(nack=number, error=f"{type(error).__name__}: {error}")

    def publish(self, event_type, data, patience=5.0, **attributes):
        """Publishes as a consequence of the event being handled and returns the new event's id.

        "cause" makes the node copy correlation and trace from that event, so that a whole workflow can be followed. The
        answer is awaited, so that no event is acknowledged whose consequence was not taken.
        """
        deadline = time.monotonic() + patience
        while True:
            self._references += 1
            event = {"type": event_type, "data": data, **attributes}
            self._send(publish=event, ref=self._references, cause=self._delivery)
            answer = self._answer_to(self._references)
            if "published" in answer:
                return answer["id"]
            if answer["reason"] != "would_block" or time.monotonic() > deadline:
                raise Refused(f"{event_type}: {answer['reason']}")
            time.sleep(0.01)  # a queue of the node is full

    def log(self, text, level="info"):
        self._send(log=text, level=level)

    def _answer_to(self, reference):
        while (message := self._read()) is not None:
            if reference in (message.get("published"), message.get("refused")):
                return message
            self._early.append(message)
        raise Refused("the node ended the input")

    def _next_event(self):
        return self._early.popleft() if self._early else self._read()

    @staticmethod
    def _read():
        line = sys.stdin.readline()
        return json.loads(line) if line else None

    @staticmethod
    def _send(**message):
        print(json.dumps(message), flush=True)
