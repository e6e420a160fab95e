"""A stream and a group of consumers under faults: entries are added, delivered, acknowledged, claimed by
others, and looked at. Ids ascend, each acknowledged entry is there, and what is pending is what was
delivered and not acknowledged.
"""
from __future__ import annotations

from . import fates
from .resp import RespError
from .workload import Workload, run

GROUP = "group"
CONSUMERS = 3
ALL = 100_000


class StreamWorkload(Workload):
    name = "stream"
    slots = 2
    ops_per_key = 120

    def __init__(self, history, tag=""):
        super().__init__(history, tag)
        self._opened: set[tuple[int, str]] = set()
        self._taken: dict[str, list] = {}

    def _open(self, connection, key: str, client: int) -> bool:
        """Every client makes the group before it first uses the stream; all but one are told that it is
        there, and so is a late copy of anybody's."""
        if (client, key) in self._opened:
            return True
        reply = connection.call("XGROUP", "CREATE", key, GROUP, "0", "MKSTREAM")
        if isinstance(reply, RespError) and reply.code != "BUSYGROUP":
            fates.of_error(reply)
            return False
        self._opened.add((client, key))
        return True

    def step(self, connection, rng, client, node):
        key = self.key(rng)
        if not self._open(connection, key, client):
            return None
        action, argument, command, decode = self.choose(key, rng)
        op = self.history.invoke(client, key, action, argument, node)
        run(self.history, op, connection, command, decode)
        if action == "take" and op.fate == fates.OK:
            self._taken.setdefault(key, []).extend(entry for entry, _ in op.result)
        return op

    def choose(self, key, rng):
        kind = rng.random()
        consumer = f"c{rng.randrange(CONSUMERS)}"
        if kind < 0.4:
            value = next(self.values)
            return "add", value, ("XADD", key, "*", "v", value), id_of
        if kind < 0.6:
            count = rng.randrange(1, 5)
            waits = ("BLOCK", rng.randrange(20, 400)) if rng.random() < 0.6 else ()  # F31
            return ("take", (consumer, count),
                    ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, *waits, "STREAMS", key, ">"),
                    lambda reply: entries_of(reply[0][1] if reply else ()))
        taken = self._taken.get(key, [])
        if kind < 0.75 and taken:
            ids = tuple(sorted(set(rng.choices(taken, k=rng.randrange(1, 4)))))
            return "acknowledge", ids, ("XACK", key, GROUP, *map(id_text, ids)), int
        if kind < 0.8:
            count = rng.randrange(1, 4)
            return ("claim", (consumer, count),
                    ("XAUTOCLAIM", key, GROUP, consumer, 0, "-", "COUNT", count, "JUSTID"),
                    lambda reply: tuple(id_of(one) for one in reply[1]))
        if kind < 0.9:
            return "pending", None, *self._pending(key)
        return "read", None, *self.read(key)

    def read(self, key):
        return ("XRANGE", key, "-", "+"), entries_of

    @staticmethod
    def _pending(key):
        return (("XPENDING", key, GROUP, "-", "+", ALL),
                lambda reply: tuple((id_of(row[0]), row[1].decode()) for row in reply))

    def final_read(self, connection, key):
        """Both; without a group, nobody ever used the stream."""
        op = self.history.invoke(0, key, "pending", None)
        run(self.history, op, connection, *self._pending(key))
        return super().final_read(connection, key)


def id_of(text: bytes) -> tuple[int, int]:
    milliseconds, sequence = text.split(b"-")
    return int(milliseconds), int(sequence)


def id_text(entry: tuple[int, int]) -> str:
    return f"{entry[0]}-{entry[1]}"


def entries_of(reply) -> tuple:
    """((id, value), ...)"""
    return tuple((id_of(entry), int(fields[1])) for entry, fields in reply)
