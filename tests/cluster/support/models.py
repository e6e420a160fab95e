"""Sequential models for the checker: what one object does when operations happen one by one.

A model is: initial state, `step(state, op, known)` -> new state or REJECT (known False: the result
was never told, any result will do), and `prepare(ops)`, which removes failed operations and settles
unknown ones where that is sound, so that the search stays small.
"""
from __future__ import annotations

from dataclasses import replace

from . import fates
from .history import FOREVER, Op

REJECT = object()


class Model:
    initial: object = None
    reads: frozenset = frozenset({"read"})

    def step(self, state, op: Op, known: bool):
        raise NotImplementedError

    def prepare(self, ops: list[Op]) -> list[Op]:
        """Failed operations did not happen; a read nobody got an answer to constrains nothing."""
        return [op for op in ops if op.fate == fates.OK
                or (op.fate == fates.INFO and op.action not in self.reads)]

    def twin(self, op: Op):
        """Unknown operations with equal twins are interchangeable: only the oldest is tried."""
        return (op.action, op.argument)

    def show(self, state) -> str:
        text = repr(state)
        return text if len(text) < 400 else text[:200] + " ... " + text[-200:]


class _UniqueValues(Model):
    """Every write carries a value no other write has. Then an unknown write that no reply shows can
    be dropped (in any linearization that has it, it can be moved away: nothing saw it), and one that
    some reply shows did happen, and before that reply was given."""

    drops_unseen = True  # False where replies count writes without naming them

    def observed(self, op: Op):
        """Values that the reply of `op` shows."""
        raise NotImplementedError

    def prepare(self, ops: list[Op]) -> list[Op]:
        kept = super().prepare(ops)
        seen_by: dict[object, float] = {}
        for op in kept:
            if op.fate == fates.OK:
                for value in self.observed(op):
                    seen_by[value] = min(seen_by.get(value, FOREVER), op.returned)
        result = []
        for op in kept:
            if op.fate == fates.INFO and op.argument not in seen_by:
                if self.drops_unseen:
                    continue
            elif op.fate == fates.INFO:
                op = replace(op, returned=max(seen_by[op.argument], op.called))
            result.append(op)
        return result


class Register(_UniqueValues):
    """write(v), swap(v) -> old value, read -> value. Values are unique; None = never written."""

    def step(self, state, op, known):
        if op.action == "read":
            return state if op.result == state else REJECT
        if op.action == "write":
            return op.argument
        if op.action == "swap":
            return op.argument if not known or op.result == state else REJECT
        raise ValueError(op.action)

    def observed(self, op):
        return [op.result] if op.action in ("read", "swap") and op.result is not None else []


class Counter(Model):
    """add(n) -> new value, read -> value."""

    initial = 0

    def step(self, state, op, known):
        if op.action == "read":
            return state if op.result == state else REJECT
        value = state + op.argument
        return value if not known or op.result == value else REJECT


class AppendList(_UniqueValues):
    """append(v) -> new length, read -> all elements. Values are unique."""

    initial = ()
    drops_unseen = False  # the lengths told to later appends count them

    def step(self, state, op, known):
        if op.action == "read":
            return state if tuple(op.result) == state else REJECT
        if known and op.result != len(state) + 1:
            return REJECT
        return state + (op.argument,)

    def observed(self, op):
        return op.result if op.action == "read" else []

    def twin(self, op):
        return op.action  # those left unknown by prepare() were never read: one is like another


class Queue(Model):
    """push(v) -> new length, pop(n) -> up to n elements from the head (none: nil), rotate -> the head,
    which is the tail then (none: nil), read -> all elements. Values are unique. Who was told nil was
    there when it was empty: waiting adds nothing to that."""

    initial = ()

    def step(self, state, op, known):
        if op.action == "read":
            return state if tuple(op.result) == state else REJECT
        if op.action == "push":
            if known and op.result != len(state) + 1:
                return REJECT
            return state + (op.argument,)
        size = op.argument if op.action == "pop" else 1
        if known and tuple(op.result) != state[:size]:
            return REJECT
        return state[size:] + (state[:1] if op.action == "rotate" else ())

    def prepare(self, ops):
        """An unknown push that some reply shows came before that reply."""
        kept = super().prepare(ops)
        seen_by: dict[object, float] = {}
        for op in kept:
            if op.fate == fates.OK and op.action != "push":
                for value in op.result:
                    seen_by[value] = min(seen_by.get(value, FOREVER), op.returned)
        return [replace(op, returned=max(seen_by[op.argument], op.called))
                if op.fate == fates.INFO and op.action == "push" and op.argument in seen_by else op
                for op in kept]

    def twin(self, op):
        return op.action if op.action == "push" else (op.action, op.argument)


class ConsumerGroup(Model):
    """A stream with one group. add(v) -> id, which is above all; take((consumer, n)) -> the next up to n
    entries; acknowledge(ids) -> how many of them were pending; claim((consumer, n)) -> ids of the first
    n that are pending, which are the consumer's then; pending -> ((id, consumer), ...); read -> all
    entries. Values are unique.

    State: entries, how many of them were taken, what is pending."""

    initial = ((), 0, frozenset())
    reads = frozenset({"read", "pending"})

    def step(self, state, op, known):
        entries, taken, pending = state
        result = _tuples(op.result)
        if op.action == "read":
            return state if result == entries else REJECT
        if op.action == "pending":
            return state if result == tuple(sorted(pending)) else REJECT
        if op.action == "add":
            if entries and result <= entries[-1][0]:
                return REJECT
            return entries + ((result, op.argument),), taken, pending
        if op.action == "acknowledge":
            ids = set(_tuples(op.argument))
            left = frozenset(one for one in pending if one[0] not in ids)
            return REJECT if known and result != len(pending) - len(left) else (entries, taken, left)
        consumer, count = op.argument
        if op.action == "take":
            got = entries[taken:taken + count]
            if known and result != got:
                return REJECT
            return entries, taken + len(got), pending | {(entry, consumer) for entry, _ in got}
        first = sorted(pending)[:count]
        if known and result != tuple(entry for entry, _ in first):
            return REJECT
        return entries, taken, (pending - set(first)) | {(entry, consumer) for entry, _ in first}

    def prepare(self, ops):
        """An unknown add has the id that the first reply shows beside its value, and came before that
        reply; one that no reply shows can be moved away, for whoever could tell would have shown it."""
        kept = super().prepare(ops)
        seen: dict[object, tuple] = {}
        for op in sorted(kept, key=lambda op: op.returned):
            if op.fate == fates.OK and op.action in ("read", "take"):
                for entry, value in _tuples(op.result):
                    seen.setdefault(value, (entry, op.returned))
        result = []
        for op in kept:
            if op.fate == fates.INFO and op.action == "add":
                if op.argument not in seen:
                    continue
                entry, returned = seen[op.argument]
                op = replace(op, fate=fates.OK, result=entry, returned=max(returned, op.called))
            result.append(op)
        return result

    def twin(self, op):
        return op.action, _tuples(op.argument)


def _tuples(value):
    """A history that was kept has lists."""
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


class GrowSet(_UniqueValues):
    """add(v) -> 1 if new, remove(v) -> 1 if it was there, read -> members."""

    initial = frozenset()

    def step(self, state, op, known):
        if op.action == "read":
            return state if frozenset(op.result) == state else REJECT
        there = op.argument in state
        if op.action == "add":
            return state | {op.argument} if not known or op.result == int(not there) else REJECT
        if op.action == "remove":
            return state - {op.argument} if not known or op.result == int(there) else REJECT
        raise ValueError(op.action)

    def observed(self, op):
        return op.result if op.action == "read" else []

    def prepare(self, ops):
        # With removals a value may have come and gone unseen: then nothing is settled beforehand.
        if any(op.action == "remove" for op in ops):
            return Model.prepare(self, ops)
        return super().prepare(ops)


class Bank(Model):
    """Accounts with a constant total. transfer((from, to, amount)) -> the two new balances; read ->
    all balances."""

    def __init__(self, accounts: int = 5, opening: int = 100):
        self.initial = (opening,) * accounts

    def step(self, state, op, known):
        if op.action == "read":
            return state if tuple(op.result) == state else REJECT
        source, target, amount = op.argument
        if state[source] < amount:
            return REJECT  # clients only send transfers that their WATCHed read allows
        balances = list(state)
        balances[source] -= amount
        balances[target] += amount
        if known and tuple(op.result) != (balances[source], balances[target]):
            return REJECT
        return tuple(balances)


GONE, VOLATILE, KEPT, UNSURE = "gone", "volatile", "kept", "unsure"


class DeadlineRegister(Model):
    """A value that may have a deadline. set((v, ms)), xx((v, ms)) -> was there, swap(v) -> old value,
    persist -> had a deadline, extend -> was there, fetch(what) -> value (GETEX), read -> value.

    When a deadline passes is not modelled: from `volatile` the value may go at any moment. But going
    is for good, and only that lets a reply deny it: who was told nil knows that it was gone, who was
    told a value knows that it was not. `unsure`: kept, or gone before, by an unknown operation."""

    initial = (None, GONE)

    def step(self, state, op, known):
        value, mode = state
        if op.action == "set":
            return self._fresh(op.argument)
        if op.action == "swap":
            seen = self._seen(state, op.result) if known else state
            return REJECT if seen is REJECT else (op.argument, KEPT)
        if not known:
            return self._unknown(state, op)
        if op.action in ("read", "fetch"):
            seen = self._seen(state, op.result)
            return seen if op.action == "read" else self._after(seen, op.argument)
        if op.action == "persist":
            if op.result:
                return (value, KEPT) if mode == VOLATILE else REJECT
            return (None, GONE) if mode == VOLATILE else state
        there = self._seen(state, value if op.result else None)
        if op.result and mode == GONE:
            return REJECT
        if not op.result or there is REJECT:
            return there
        return self._fresh(op.argument) if op.action == "xx" else self._after(there, "extend")

    @staticmethod
    def _fresh(argument):
        value, milliseconds = argument
        return (value, VOLATILE if milliseconds else KEPT)

    @staticmethod
    def _seen(state, told):
        """What the state is when it shows that value (None: that it is gone)."""
        value, mode = state
        if told is None:
            return REJECT if mode == KEPT else (None, GONE)
        if mode == GONE or told != value:
            return REJECT
        return (value, KEPT) if mode == UNSURE else state

    @staticmethod
    def _after(state, what):
        if state is REJECT or state[1] == GONE or not what:
            return state
        return (state[0], KEPT if what == "persist" else VOLATILE)

    def _unknown(self, state, op):
        value, mode = state
        if mode == GONE:
            return state
        if op.action == "xx":
            value, milliseconds = op.argument
            if milliseconds:
                return (value, VOLATILE)
            return (value, KEPT if mode == KEPT else UNSURE)
        what = "persist" if op.action == "persist" else "extend" if op.action == "extend" else op.argument
        if what == "persist":
            return (value, UNSURE if mode == VOLATILE else mode)
        return (value, VOLATILE)


MODELS = {"register": Register, "pipeline": Register, "longread": Register,
          "deadline": DeadlineRegister, "counter": Counter, "append": AppendList, "set": GrowSet,
          "transfer": Bank, "queue": Queue, "stream": ConsumerGroup}
