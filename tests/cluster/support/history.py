"""Histories: what each client asked, when, and what it was told.

One process records all clients, so `time.monotonic_ns()` is one clock for the whole history.
"""
from __future__ import annotations

import gzip
import json
import math
import time
from dataclasses import dataclass

from . import fates

FOREVER = math.inf


@dataclass(slots=True)
class Op:
    """One operation. `result` is what the reply said (None while unknown)."""

    client: int
    key: str
    action: str
    argument: object
    called: float
    returned: float = FOREVER
    fate: str = fates.INFO
    result: object = None
    node: int = 0
    note: str = ""
    place: tuple = ()  # (pipeline, position in it): those of one pipeline happen in this order

    def describe(self) -> str:
        end = "..." if self.returned == FOREVER else f"{self.returned / 1e6:.3f}"
        what = self.result if self.fate == fates.OK else f"[{self.fate}] {self.note}"
        return (f"client {self.client} node {self.node} {self.key} {self.action}"
                f"({_short(self.argument)}) -> {_short(what)}   {self.called / 1e6:.3f} .. {end} ms")


def _short(value: object, limit: int = 160) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit // 2]} ... {text[-limit // 2:]}"


class History:
    """Append-only; list.append is atomic, so client threads share one without a lock."""

    def __init__(self):
        self.ops: list[Op] = []
        self.started = time.monotonic_ns()

    def invoke(self, client: int, key: str, action: str, argument: object, node: int = 0) -> Op:
        op = Op(client, key, action, argument, self.now(), node=node)
        self.ops.append(op)
        return op

    def now(self) -> int:
        return time.monotonic_ns() - self.started

    def ok(self, op: Op, result: object) -> None:
        op.returned = self.now()
        op.result = result
        op.fate = fates.OK

    def fail(self, op: Op, note: str = "") -> None:
        op.returned = self.now()
        op.fate = fates.FAIL
        op.note = note

    def info(self, op: Op, note: str = "") -> None:
        op.fate = fates.INFO
        op.note = note

    def settle(self, op: Op, reply: object, decode=lambda value: value) -> None:
        """By the reply's fate."""
        fate = fates.of_reply(reply)
        if fate == fates.OK:
            self.ok(op, decode(reply))
        elif fate == fates.FAIL:
            self.fail(op, str(reply))
        else:
            self.info(op, str(reply))

    def counts(self) -> dict[str, int]:
        totals = {fates.OK: 0, fates.FAIL: 0, fates.INFO: 0}
        for op in self.ops:
            totals[op.fate] += 1
        return totals

    def by_key(self) -> dict[str, list[Op]]:
        keys: dict[str, list[Op]] = {}
        for op in self.ops:
            keys.setdefault(op.key, []).append(op)
        return keys

    def save(self, path) -> None:
        with gzip.open(path, "wt") as out:
            for op in self.ops:
                returned = None if op.returned == FOREVER else op.returned
                out.write(json.dumps([op.client, op.key, op.action, _plain(op.argument), op.called,
                                      returned, op.fate, _plain(op.result), op.node, op.note, op.place])
                          + "\n")

    @staticmethod
    def load(path) -> "History":
        history = History()
        with gzip.open(path, "rt") as lines:
            for line in lines:
                fields = json.loads(line)
                fields[3], fields[7] = _tupled(fields[3]), _tupled(fields[7])
                fields[10:] = [tuple(place) for place in fields[10:]]
                if fields[5] is None:
                    fields[5] = FOREVER
                history.ops.append(Op(*fields))
        return history


def _plain(value):
    if isinstance(value, frozenset):
        return {"set": sorted(value)}
    return value


def _tupled(value):
    if isinstance(value, dict):
        return frozenset(value["set"])
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value
