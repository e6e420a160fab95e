"""The linearizability checker itself, on histories known to be good and known to be bad."""
from __future__ import annotations

import random

import pytest

from support import fates
from support.checker import INVALID, VALID, check_history, check_object
from support.history import FOREVER, History, Op
from support.models import (AppendList, Bank, ConsumerGroup, Counter, DeadlineRegister, GrowSet,
                            Queue, Register)


def ok(client, action, argument, called, returned, result=None):
    return Op(client, "k", action, argument, called, returned, fates.OK, result)


def unknown(client, action, argument, called):
    return Op(client, "k", action, argument, called, FOREVER, fates.INFO)


def piped(op, position, pipeline="p"):
    op.place = (pipeline, position)
    return op


def failed(client, action, argument, called, returned):
    return Op(client, "k", action, argument, called, returned, fates.FAIL)


GOOD = {
    "empty": (Register, []),
    "overlapping write is or is not seen": (Register, [
        ok(1, "write", "a", 0, 10), ok(2, "read", None, 2, 4, None), ok(3, "read", None, 5, 9, "a")]),
    "unknown write takes effect late": (Register, [
        unknown(1, "write", "a", 0), ok(2, "write", "b", 1, 2), ok(2, "read", None, 3, 4, "b"),
        ok(2, "read", None, 5, 6, "a")]),
    "unknown write never takes effect": (Register, [
        unknown(1, "write", "a", 0), ok(2, "write", "b", 1, 2), ok(2, "read", None, 3, 4, "b")]),
    "swap returns the old value": (Register, [
        ok(1, "write", "a", 0, 1), ok(2, "swap", "b", 2, 3, "a"), ok(1, "read", None, 4, 5, "b")]),
    "counter with an unknown increment counted": (Counter, [
        ok(1, "add", 1, 0, 1, 1), unknown(2, "add", 1, 0), ok(1, "add", 1, 2, 3, 3)]),
    "counter with an unknown increment lost": (Counter, [
        ok(1, "add", 1, 0, 1, 1), unknown(2, "add", 1, 0), ok(1, "add", 1, 2, 3, 2)]),
    "list": (AppendList, [
        ok(1, "append", 1, 0, 5, 2), ok(2, "append", 2, 0, 5, 1), ok(3, "read", None, 6, 7, (2, 1))]),
    "list with an unknown append read later": (AppendList, [
        unknown(1, "append", 1, 0), ok(2, "append", 2, 1, 2, 1),
        ok(2, "read", None, 3, 4, (2,)), ok(2, "read", None, 5, 6, (2, 1))]),
    "queue": (Queue, [
        ok(1, "push", 7, 0, 5, 2), ok(2, "push", 8, 0, 5, 1), ok(3, "pop", 1, 1, 9, (8,)),
        ok(4, "pop", 3, 6, 9, (7,)), ok(4, "pop", 1, 10, 11, ())]),
    "who was told nil was there before the push": (Queue, [
        ok(1, "pop", 1, 0, 9, ()), ok(2, "push", 7, 1, 2, 1), ok(2, "read", None, 3, 4, (7,))]),
    "an unknown pop took the job": (Queue, [
        ok(1, "push", 7, 0, 1, 1), unknown(2, "pop", 1, 0), ok(1, "read", None, 2, 3, (7,)),
        ok(1, "pop", 1, 4, 5, ())]),
    "an unknown push came late, a list turned": (Queue, [
        unknown(1, "push", 7, 0), ok(2, "push", 8, 1, 2, 1), ok(2, "rotate", None, 3, 4, (8,)),
        ok(3, "pop", 2, 5, 6, (8, 7)), ok(3, "rotate", None, 7, 8, ())]),
    "group: delivered, claimed, acknowledged": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), ok(1, "add", 8, 2, 3, (5, 1)),
        ok(2, "take", ("c1", 1), 4, 5, (((5, 0), 7),)), ok(2, "take", ("c2", 9), 6, 7, (((5, 1), 8),)),
        ok(2, "take", ("c2", 9), 8, 9, ()), ok(1, "pending", None, 10, 11, (((5, 0), "c1"), ((5, 1), "c2"))),
        ok(3, "claim", ("c3", 1), 12, 13, ((5, 0),)), ok(3, "acknowledge", ((5, 1), (9, 9)), 14, 15, 1),
        ok(1, "pending", None, 16, 17, (((5, 0), "c3"),)),
        ok(1, "read", None, 18, 19, (((5, 0), 7), ((5, 1), 8)))]),
    "group: an unknown add is read later, another is not": (ConsumerGroup, [
        unknown(1, "add", 7, 0), unknown(2, "add", 9, 0), ok(1, "add", 8, 1, 2, (5, 0)),
        ok(1, "read", None, 3, 4, (((5, 0), 8),)), ok(1, "read", None, 5, 6, (((5, 0), 8), ((6, 0), 7)))]),
    "group: an unknown delivery took an entry, an unknown acknowledgement none": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), unknown(2, "take", ("c1", 1), 2),
        ok(1, "take", ("c2", 1), 3, 4, ()), unknown(2, "acknowledge", ((5, 0),), 5),
        ok(1, "pending", None, 6, 7, (((5, 0), "c1"),))]),
    "set with removal": (GrowSet, [
        ok(1, "add", 1, 0, 1, 1), ok(1, "remove", 1, 2, 3, 1), ok(1, "add", 1, 4, 5, 1),
        ok(2, "read", None, 6, 7, frozenset({1}))]),
    "bank": (lambda: Bank(2, 10), [
        ok(1, "transfer", (0, 1, 4), 0, 9, (6, 14)), ok(2, "read", None, 1, 2, (10, 10)),
        ok(2, "read", None, 3, 4, (6, 14))]),
    "one pipeline in its order": (Register, [
        piped(ok(1, "write", "a", 0, 10), 0), piped(ok(1, "read", None, 0, 10, "a"), 1),
        piped(ok(1, "write", "b", 0, 10), 2), ok(2, "read", None, 3, 5, "b")]),
    "saved in time": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), ok(2, "read", None, 2, 9, "a"), ok(1, "persist", None, 3, 4, True),
        ok(2, "read", None, 10, 11, "a")]),
    "gone before it could be saved": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), ok(2, "read", None, 2, 9, None), ok(1, "persist", None, 3, 4, False),
        ok(2, "xx", ("b", 0), 5, 6, False), ok(2, "swap", "c", 7, 8, None), ok(3, "read", None, 9, 9, "c")]),
    "an unknown PERSIST saved it": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), unknown(2, "persist", None, 2), ok(1, "fetch", "persist", 3, 4, "a"),
        ok(1, "persist", None, 5, 6, False), ok(1, "read", None, 7, 8, "a")]),
    "an unknown PERSIST came too late": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), unknown(2, "persist", None, 2), ok(1, "read", None, 3, 4, None)]),
    "an unknown SET XX replaced it": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), unknown(2, "xx", ("b", 0), 2), ok(1, "read", None, 3, 4, "b"),
        ok(1, "extend", None, 5, 6, True), ok(1, "read", None, 7, 8, None)]),
}

BAD = {
    "stale read": (Register, [
        ok(1, "write", "a", 0, 1), ok(1, "write", "b", 2, 3), ok(2, "read", None, 4, 5, "a")]),
    "read goes back": (Register, [
        ok(1, "write", "a", 0, 10), ok(2, "read", None, 1, 2, "a"), ok(3, "read", None, 3, 4, None)]),
    "failed write is read (aborted read)": (Register, [
        failed(1, "write", "a", 0, 1), ok(2, "read", None, 2, 3, "a")]),
    "value from nowhere": (Register, [ok(2, "read", None, 2, 3, "x")]),
    "unknown write comes back after it was overwritten and read": (Register, [
        unknown(1, "write", "a", 0), ok(2, "read", None, 1, 2, "a"), ok(2, "write", "b", 3, 4),
        ok(2, "read", None, 5, 6, "a")]),
    "unknown write is read before it was called": (Register, [
        ok(2, "read", None, 0, 1, "a"), unknown(1, "write", "a", 2)]),
    "acknowledged write lost": (Register, [
        ok(1, "write", "a", 0, 1), ok(2, "read", None, 2, 3, None)]),
    "two swaps see the same old value": (Register, [
        ok(1, "write", "a", 0, 1), ok(2, "swap", "b", 2, 9, "a"), ok(3, "swap", "c", 2, 9, "a")]),
    "lost increment": (Counter, [
        ok(1, "add", 1, 0, 5, 1), ok(2, "add", 1, 0, 5, 1)]),
    "increment twice": (Counter, [ok(1, "add", 1, 0, 1, 1), ok(1, "add", 1, 2, 3, 3)]),
    "one unknown increment counted twice": (Counter, [
        unknown(1, "add", 1, 0), ok(2, "read", None, 1, 2, 1), ok(2, "read", None, 3, 4, 2)]),
    "failed increment counted": (Counter, [
        failed(1, "add", 1, 0, 1), ok(2, "read", None, 2, 3, 1)]),
    "duplicated element": (AppendList, [
        ok(1, "append", 1, 0, 1, 1), ok(2, "read", None, 2, 3, (1, 1))]),
    "two orders of one list (split brain)": (AppendList, [
        ok(1, "append", 1, 0, 9, 1), ok(2, "append", 2, 0, 9, 2),
        ok(3, "read", None, 10, 11, (1, 2)), ok(3, "read", None, 12, 13, (2, 1))]),
    "lost element": (AppendList, [
        ok(1, "append", 1, 0, 1, 1), ok(1, "append", 2, 2, 3, 2), ok(3, "read", None, 4, 5, (2,))]),
    "a job had twice": (Queue, [
        ok(1, "push", 7, 0, 1, 1), ok(2, "pop", 1, 0, 9, (7,)), ok(3, "pop", 1, 0, 9, (7,))]),
    "a job that nobody had is gone": (Queue, [
        ok(1, "push", 7, 0, 1, 1), ok(2, "read", None, 2, 3, ())]),
    "nil beside a job (F31)": (Queue, [
        ok(1, "push", 7, 0, 1, 1), ok(2, "pop", 1, 2, 9, ()), ok(1, "read", None, 10, 11, (7,))]),
    "a job told nil, and taken all the same (F31)": (Queue, [
        ok(2, "pop", 1, 0, 3, ()), ok(1, "push", 7, 1, 2, 1), ok(1, "pop", 1, 4, 5, ())]),
    "a later job overtook": (Queue, [
        ok(1, "push", 7, 0, 1, 1), ok(1, "push", 8, 2, 3, 2), ok(2, "pop", 1, 4, 5, (8,))]),
    "one unknown pop took two jobs": (Queue, [
        ok(1, "push", 7, 0, 1, 1), ok(1, "push", 8, 2, 3, 2), unknown(2, "pop", 1, 0),
        ok(1, "read", None, 4, 5, ())]),
    "group: ids do not ascend": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), ok(1, "add", 8, 2, 3, (4, 9))]),
    "group: an acknowledged entry is lost": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), ok(1, "read", None, 2, 3, ())]),
    "group: an entry is delivered twice": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), ok(2, "take", ("c1", 1), 2, 9, (((5, 0), 7),)),
        ok(3, "take", ("c2", 1), 2, 9, (((5, 0), 7),))]),
    "group: an entry is passed over": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), ok(1, "add", 8, 2, 3, (5, 1)),
        ok(2, "take", ("c1", 1), 4, 5, (((5, 1), 8),))]),
    "group: acknowledged twice": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), ok(2, "take", ("c1", 1), 2, 3, (((5, 0), 7),)),
        ok(2, "acknowledge", ((5, 0),), 4, 5, 1), ok(2, "acknowledge", ((5, 0),), 6, 7, 1)]),
    "group: what was delivered is not pending": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), ok(2, "take", ("c1", 1), 2, 3, (((5, 0), 7),)),
        ok(2, "pending", None, 4, 5, ())]),
    "group: a claim is forgotten": (ConsumerGroup, [
        ok(1, "add", 7, 0, 1, (5, 0)), ok(2, "take", ("c1", 1), 2, 3, (((5, 0), 7),)),
        ok(3, "claim", ("c2", 1), 4, 5, ((5, 0),)), ok(2, "pending", None, 6, 7, (((5, 0), "c1"),))]),
    "lost member": (GrowSet, [
        ok(1, "add", 1, 0, 1, 1), ok(1, "add", 2, 0, 1, 1), ok(3, "read", None, 4, 5, frozenset({2}))]),
    "money from nothing": (lambda: Bank(2, 10), [
        ok(1, "transfer", (0, 1, 4), 0, 9, (6, 14)), ok(2, "read", None, 1, 2, (10, 14))]),
    "write skew: both transfers spent the same money": (lambda: Bank(2, 10), [
        ok(1, "transfer", (0, 1, 8), 0, 9, (2, 18)), ok(2, "transfer", (0, 1, 8), 0, 9, (2, 18))]),
    "a read of a pipeline shows a later write of it": (Register, [
        piped(ok(1, "read", None, 0, 10, "a"), 0), piped(ok(1, "write", "a", 0, 10), 1)]),
    "a read of a pipeline misses an earlier write of it": (Register, [
        piped(ok(1, "write", "a", 0, 10), 0), piped(ok(1, "read", None, 0, 10, None), 1)]),
    "a later read of a pipeline is older": (Register, [
        ok(2, "write", "a", 0, 1), ok(2, "write", "b", 2, 9), piped(ok(1, "read", None, 2, 9, "b"), 0),
        piped(ok(1, "read", None, 2, 9, "a"), 1)]),
    "told nil, then saved (F43)": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), ok(2, "read", None, 2, 9, None), ok(1, "persist", None, 3, 4, True)]),
    "nil after it was saved": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), ok(1, "fetch", "persist", 2, 3, "a"), ok(2, "read", None, 4, 5, None)]),
    "back after nil (F9)": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), ok(2, "read", None, 2, 3, None), ok(3, "read", None, 4, 5, "a")]),
    "a new value only if there, after nil": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), ok(2, "read", None, 2, 3, None), ok(3, "xx", ("b", 9), 4, 5, True)]),
    "extended, and then a SET that found nothing": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), ok(1, "persist", None, 2, 3, True), ok(2, "swap", "b", 4, 5, None)]),
    "one unknown PERSIST both saved it and came too late": (DeadlineRegister, [
        ok(1, "set", ("a", 9), 0, 1), unknown(2, "persist", None, 2), ok(1, "persist", None, 3, 4, False),
        ok(1, "read", None, 5, 6, "a"), ok(1, "read", None, 7, 8, None)]),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_histories_pass(name):
    model, ops = GOOD[name]
    verdict = check_object(model(), ops)
    assert verdict.outcome == VALID, verdict.explanation


@pytest.mark.parametrize("name", BAD)
def test_bad_histories_are_caught(name):
    model, ops = BAD[name]
    assert check_object(model(), ops).outcome == INVALID


def random_run(model, actions, rng, clients=6, count=400):
    """A history of an object that is linearizable by construction: each operation takes effect at a
    random instant between its call and its return."""
    ops, busy_until, pending = [], [0] * clients, []
    for _ in range(count):
        client = min(range(clients), key=lambda c: busy_until[c])
        called = busy_until[client] + rng.randrange(1, 5)
        returned = called + rng.randrange(1, 60)
        busy_until[client] = returned
        action, argument = actions(rng)
        pending.append((rng.uniform(called, returned), client, action, argument, called, returned))
    state = model.initial
    for instant, client, action, argument, called, returned in sorted(pending):
        op = ok(client, action, argument, called, returned)
        if rng.random() < 0.05 and action != "read":
            op.fate, op.returned = fates.INFO, FOREVER
            if rng.random() < 0.5:
                ops.append(op)
                continue  # never took effect
        op.result = expected_result(state, op)
        ops.append(op)
        if action != "read":
            state = model.step(state, op, False)
    return ops


def expected_result(state, op):
    if op.action == "read":
        return state
    return {"write": lambda: None, "swap": lambda: state, "append": lambda: len(state) + 1,
            "push": lambda: len(state) + 1, "pop": lambda: state[:op.argument],
            "add": lambda: (int(op.argument not in state) if isinstance(state, frozenset)
                            else state + op.argument)}[op.action]()


def make_actions(kind, rng):
    names = iter(range(10**9))
    write = {"register": ["write", "swap"], "counter": ["add"], "append": ["append"],
             "set": ["add"], "queue": ["push", "push", "pop"]}[kind]

    def actions(rng):
        if rng.random() < 0.4:
            return "read", None
        action = rng.choice(write)
        return action, 1 if kind == "counter" or action == "pop" else next(names)
    return actions


RANDOM_MODELS = {"register": Register, "counter": Counter, "append": AppendList, "set": GrowSet,
                 "queue": Queue}


@pytest.mark.parametrize("kind", RANDOM_MODELS)
def test_random_linearizable_histories_pass_and_damaged_ones_do_not(kind):
    caught = 0
    for seed in range(12):
        rng = random.Random(seed)
        model = RANDOM_MODELS[kind]()
        ops = random_run(model, make_actions(kind, rng), rng)
        verdict = check_object(model, ops, f"seed {seed}")
        assert verdict.outcome == VALID, f"seed {seed}: {verdict.explanation}"
        # A completed write from the first half is struck from every later reply's history: lost.
        reads = [op for op in ops if op.action == "read" and op.called > 300]
        victim = rng.choice(reads)
        older = rng.choice([op for op in ops if op.action == "read" and op.fate == fates.OK
                            and op.returned < victim.called - 200])
        if older.result == victim.result:
            continue
        victim.result = older.result
        assert check_object(model, ops).outcome == INVALID, f"seed {seed}"
        caught += 1
    assert caught >= 6


def random_deadlines(rng, clients=5, count=150):
    """A register with deadlines that is right by construction: it goes at an instant that is drawn."""
    ops, busy_until, pending = [], [0] * clients, []
    for number in range(count):
        client = min(range(clients), key=lambda c: busy_until[c])
        called = busy_until[client] + rng.randrange(1, 5)
        returned = busy_until[client] = called + rng.randrange(1, 60)
        action = rng.choice(["read", "read", "set", "set", "xx", "swap", "persist", "extend", "fetch"])
        lasts = rng.choice([0, rng.randrange(1, 200)])
        argument = {"set": (number, lasts or 50), "xx": (number, lasts), "swap": number,
                    "fetch": "extend" if lasts else "persist"}.get(action)
        pending.append((rng.uniform(called, returned), client, action, argument, lasts or 50, called,
                        returned))
    value, until = None, 0.0
    for instant, client, action, argument, lasts, called, returned in sorted(pending):
        op = ok(client, action, argument, called, returned)
        ops.append(op)
        if rng.random() < 0.03 and action != "read":
            op.fate, op.returned = fates.INFO, FOREVER
            if rng.random() < 0.5:
                continue  # never took effect
        value = value if instant < until else None
        had_deadline = value is not None and until != FOREVER
        op.result = {"set": None, "swap": value, "read": value, "fetch": value,
                     "persist": had_deadline}.get(action, value is not None)
        if action in ("set", "swap") or (action == "xx" and value is not None):
            value = argument if action == "swap" else argument[0]
            until = FOREVER if action == "swap" or not argument[1] else instant + argument[1]
        elif value is not None and action in ("persist", "extend", "fetch"):
            until = FOREVER if "persist" in (action, argument) else instant + lasts
    return ops


def test_random_deadlines_pass_and_a_value_that_comes_back_does_not():
    caught = 0
    for seed in range(40):
        rng = random.Random(seed)
        ops = random_deadlines(rng)
        verdict = check_object(DeadlineRegister(), ops, f"seed {seed}")
        assert verdict.outcome == VALID, f"seed {seed}: {verdict.explanation}"
        reads = [op for op in ops if op.action == "read" and op.fate == fates.OK]
        victims = [op for op in reads if op.result is None and op.called > 300]
        older = [op for op in reads if op.result is not None and op.returned < 250]
        if not victims or not older:
            continue
        victim = rng.choice(victims)
        victim.result = rng.choice(older).result
        outcome = check_object(DeadlineRegister(), ops, seconds=2.0).outcome
        assert outcome != VALID, f"seed {seed}"
        caught += outcome == INVALID  # or the search took too long
    assert caught >= 8


def test_histories_survive_a_file(tmp_path):
    history = History()
    for result in (None, (1, 2), frozenset({"a", "b"}), "x", 7):
        op = history.invoke(1, "k", "read", ("t", 1), node=2)
        history.ok(op, result)
    history.info(history.invoke(2, "k", "write", "v"), "closed")
    history.invoke(2, "k", "write", "w").place = ("2.7", 3)
    history.save(tmp_path / "h.gz")
    loaded = History.load(tmp_path / "h.gz")
    assert loaded.ops == history.ops


def test_keys_are_checked_apart_from_each_other():
    history = History()
    a = history.invoke(1, "a", "write", 1)
    history.ok(a, None)
    b = history.invoke(1, "b", "read", None)
    history.ok(b, 1)
    report = check_history(history, lambda key: Register())
    assert [verdict.key for verdict in report.bad] == ["b"]
    assert "b: NOT linearizable" in report.text()
