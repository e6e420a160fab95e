"""Is a history linearizable? The search of Wing and Gong with Lowe's memory of visited states, as in
Porcupine, one object (key) at a time: linearizability is local (Herlihy and Wing 1990, theorem 1).

Completed operations must each take effect once between call and return, those of one pipeline in
its order. Unknown ones may take effect once, any time after their call, or never.
"""
from __future__ import annotations

import time
from dataclasses import dataclass, field

from . import fates
from .history import FOREVER, History, Op
from .models import REJECT, Model

VALID, INVALID, UNDECIDED = "linearizable", "NOT linearizable", "undecided"


@dataclass
class Verdict:
    key: str
    outcome: str
    operations: int = 0
    steps: int = 0
    explanation: str = ""


class _Search:
    """Depth first over orders; `done` is a bit set of the operations placed so far."""

    def __init__(self, model: Model, ops: list[Op], deadline: float):
        self.model, self.deadline = model, deadline
        self.must = sorted((op for op in ops if op.returned != FOREVER), key=lambda op: op.called)
        self.may = sorted((op for op in ops if op.returned == FOREVER), key=lambda op: op.called)
        self.all_completed = (1 << len(self.must)) - 1
        self.steps = 0
        self.best: tuple[int, object, list[Op]] = (-1, model.initial, [])
        self.behind = self._behind()
        self._link()

    def _behind(self) -> dict[int, int]:
        """index -> the completed operation that comes before it in its pipeline."""
        pipelines: dict[int, list[tuple[int, int]]] = {}
        for index, op in enumerate(self.must):
            if op.place:
                pipelines.setdefault(op.place[0], []).append((op.place[1], index))
        behind = {}
        for places in pipelines.values():
            places.sort()
            behind.update({later: earlier for (_, earlier), (_, later) in zip(places, places[1:])})
        return behind

    def _link(self) -> None:
        """Events of the completed operations as a doubly linked list: calls as i, returns as ~i.
        At equal times calls come first: the two operations then overlap."""
        events = []
        for index, op in enumerate(self.must):
            events.append((op.called, 0, index))
            events.append((op.returned, 1, ~index))
        events.sort()
        self.event_of: dict[int, int] = {}
        self.events = [None] + [event[2] for event in events]
        for position, event in enumerate(self.events[1:], 1):
            self.event_of[event] = position
        count = len(self.events)
        self.next = list(range(1, count)) + [0]
        self.previous = [count - 1] + list(range(0, count - 1))

    def _unlink(self, position: int) -> None:
        self.next[self.previous[position]] = self.next[position]
        self.previous[self.next[position]] = self.previous[position]

    def _relink(self, position: int) -> None:
        self.next[self.previous[position]] = position
        self.previous[self.next[position]] = position

    def _lift(self, index: int) -> None:
        self._unlink(self.event_of[index])
        self._unlink(self.event_of[~index])

    def _unlift(self, index: int) -> None:
        self._relink(self.event_of[~index])
        self._relink(self.event_of[index])

    def _candidates(self, done: int, with_unknown: bool = True) -> list[int]:
        """Who may come next: completed operations called before the first return that is left,
        then one of each kind of unknown ones called before it. Unknowns are numbered after."""
        first = []
        position = self.next[0]
        horizon = FOREVER
        while position:
            event = self.events[position]
            if event < 0:
                horizon = self.must[~event].returned
                break
            if event not in self.behind or done >> self.behind[event] & 1:
                first.append(event)
            position = self.next[position]
        kinds = set()
        for offset, op in enumerate(self.may):
            if not with_unknown or op.called > horizon:
                break
            index = len(self.must) + offset
            kind = self.model.twin(op)
            if not done >> index & 1 and kind not in kinds:
                kinds.add(kind)
                first.append(index)
        return first

    def _op(self, index: int) -> Op:
        return self.must[index] if index < len(self.must) else self.may[index - len(self.must)]

    def run(self) -> str:
        """Most unknown operations never happened, and an order that is wrong early must not be tried with
        each selection of them: so first none may take effect, then one, two, four, ..."""
        allowed = 0
        while (outcome := self._run(allowed)) == INVALID and allowed < len(self.may):
            allowed = min(2 * allowed or 1, len(self.may))
        return outcome

    def _run(self, allowed: int) -> str:
        left = len(self.must)
        state, done = self.model.initial, 0
        seen: dict[tuple[int, object], list[int]] = {}
        stack: list[tuple[int, object, object]] = []  # index placed, state before, rest to try
        order: list[int] = []
        rest = iter(self._candidates(done, allowed > 0))
        while left:
            self.steps += 1
            if self.steps % 4096 == 0 and time.monotonic() > self.deadline:
                return UNDECIDED
            placed = self._place_one(rest, state, done, seen)
            if placed is not None:
                index, new_state = placed
                stack.append((index, state, rest))
                order.append(index)
                state, done = new_state, done | 1 << index
                if index < len(self.must):
                    self._lift(index)
                    left -= 1
                else:
                    allowed -= 1
                if len(order) > self.best[0]:
                    self.best = (len(order), state, [self._op(i) for i in order[-5:]])
                    self.stuck = self._candidates(done)
                rest = iter(self._candidates(done, allowed > 0))
                continue
            if not stack:
                return INVALID
            index, state, rest = stack.pop()
            order.pop()
            done &= ~(1 << index)
            if index < len(self.must):
                self._unlift(index)
                left += 1
            else:
                allowed += 1
        return VALID

    def _place_one(self, rest, state, done, seen):
        for index in rest:
            op = self._op(index)
            new_state = self.model.step(state, op, op.fate == fates.OK)
            if new_state is REJECT:
                continue
            if self._is_new(done | 1 << index, new_state, seen):
                return index, new_state
        return None

    def _is_new(self, done: int, state, seen) -> bool:
        """Whoever was in this state with the same completed operations placed, and no unknown one that
        this order has not placed as well, could do all that is possible from here."""
        unknown = done >> len(self.must)
        been = seen.setdefault((done & self.all_completed, state), [])
        if any(fewer & unknown == fewer for fewer in been):
            return False
        been[:] = [more for more in been if more & unknown != unknown] + [unknown]
        return True

    def explain(self) -> str:
        placed, state, last = self.best
        lines = [f"placed {max(placed, 0)} of {len(self.must)} (+{len(self.may)} unknown); then "
                 f"the object is {self.model.show(state)}", "  last placed:"]
        lines += [f"    {op.describe()}" for op in last]
        lines.append("  none of these can come next:")
        stuck = getattr(self, "stuck", None)
        stuck = self._candidates(0) if stuck is None else stuck
        lines += [f"    {self._op(index).describe()}" for index in stuck[:12]]
        return "\n".join(lines)


def check_object(model: Model, ops: list[Op], key: str = "", seconds: float = 30.0) -> Verdict:
    prepared = model.prepare(ops)
    search = _Search(model, prepared, time.monotonic() + seconds)
    outcome = search.run()
    verdict = Verdict(key, outcome, len(prepared), search.steps)
    if outcome != VALID:
        verdict.explanation = search.explain()
    return verdict


@dataclass
class Report:
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def bad(self) -> list[Verdict]:
        return [v for v in self.verdicts if v.outcome == INVALID]

    @property
    def undecided(self) -> list[Verdict]:
        return [v for v in self.verdicts if v.outcome == UNDECIDED]

    def outcome(self) -> str:
        return INVALID if self.bad else UNDECIDED if self.undecided else VALID

    def text(self) -> str:
        lines = [f"{len(self.verdicts)} objects, {sum(v.operations for v in self.verdicts)} "
                 f"operations, {sum(v.steps for v in self.verdicts)} steps: {self.outcome()}"]
        for verdict in (self.bad + self.undecided)[:5]:
            lines.append(f"{verdict.key}: {verdict.outcome}: {verdict.explanation}")
        return "\n".join(lines)


def check_history(history: History, model_of, seconds_per_object: float = 30.0) -> Report:
    """model_of(key) names the model of each key, or None to skip it."""
    report = Report()
    for key, ops in history.by_key().items():
        model = model_of(key)
        if model is not None:
            report.verdicts.append(check_object(model, ops, key, seconds_per_object))
    return report
