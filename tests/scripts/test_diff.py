"""scripts/diff: what it draws, what it takes for equal, how it shrinks."""
import random

import pytest

from diff import compare, grammar, pools, shrink, wire
from diff.pair import Difference, Pair

DOCS = [b"set", [b"group", b"string", b"since", b"1.0.0", b"arguments",
                 [[b"name", b"key", b"type", b"key"], [b"name", b"value", b"type", b"string"],
                  [b"name", b"get", b"type", b"pure-token", b"token", b"GET", b"flags", [b"optional"]]]],
        b"lmpop", [b"group", b"list", b"arguments",
                   [[b"name", b"numkeys", b"type", b"integer"],
                    [b"name", b"key", b"type", b"key", b"flags", [b"multiple"]],
                    [b"name", b"where", b"type", b"oneof", b"arguments",
                     [[b"name", b"left", b"type", b"pure-token", b"token", b"LEFT"],
                      [b"name", b"right", b"type", b"pure-token", b"token", b"RIGHT"]]]]],
        b"object", [b"subcommands", [b"object|encoding", [b"arguments", [[b"name", b"key", b"type", b"key"]]]]]]


def drawn(seed, count=200):
    made = grammar.Generator(random.Random(seed), grammar.commands(DOCS), 1_700_000_000)
    return [made.next() for _ in range(count)]


def test_the_same_seed_draws_the_same_commands():
    assert drawn(3) == drawn(3) != drawn(4)


def test_what_is_drawn_has_the_shape_of_the_documentation():
    names = {argv[0].upper() for argv in drawn(1)}
    assert names == {b"SET", b"LMPOP", b"OBJECT"}
    sets = [argv for argv in drawn(1) if argv[0].upper() == b"SET" and len(argv) >= 3]
    assert all(argv[1] in pools.KEYS for argv in sets)
    assert any(len(argv) == 4 and argv[3].upper() == b"GET" for argv in sets)
    counted = [argv for argv in drawn(1) if argv[0].upper() == b"LMPOP" and argv[-1].upper() in (b"LEFT", b"RIGHT")]
    right = [argv for argv in counted if argv[1] == b"%d" % (len(argv) - 3)]
    assert len(right) > len(counted) / 2 and len(right) < len(counted)


@pytest.mark.parametrize("raw, value", [
    (b"+OK\r\n", b"OK"), (b":-5\r\n", -5), (b"$-1\r\n", None), (b"_\r\n", None), (b"$3\r\na\r\n\r\n", b"a\r\n"),
    (b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", [1, [b"x"]]), (b"%1\r\n$1\r\na\r\n:1\r\n", [(b"a", 1)]),
    (b",1.5\r\n", ("double", b"1.5")), (b"-ERR x\r\n", b"ERR x")])
def test_replies_are_read_whole_or_not_at_all(raw, value):
    assert wire.parse(raw) == (value, len(raw))
    for end in range(len(raw)):
        with pytest.raises((IndexError, ValueError)):
            wire.parse(raw[:end])


def both(name, ours, theirs):
    return compare.equal(name, (ours, wire.parse(ours)[0]), (theirs, wire.parse(theirs)[0]))


def test_only_what_redis_does_not_promise_may_differ():
    one, other = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"
    assert both("smembers", one, other) and not both("lrange", one, other)
    assert not both("smembers", one, b"*2\r\n$1\r\na\r\n$1\r\nc\r\n")
    assert both("pttl", b":5000\r\n", b":5900\r\n") and not both("pttl", b":5000\r\n", b":-1\r\n")
    assert not both("get", b"$-1\r\n", b"_\r\n")
    assert not both("hgetall", b"*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n",
                    b"*4\r\n$1\r\na\r\n$1\r\nd\r\n$1\r\nc\r\n$1\r\nb\r\n")


def test_shrinking_keeps_what_fails_and_nothing_else():
    commands = [[b"%d" % number] for number in range(100)]
    asked = []

    def fails(some):
        asked.append(len(some))
        return [b"13"] in some and [b"77"] in some

    assert shrink.shrink(commands, fails) == [[b"13"], [b"77"]]
    assert len(asked) < 200


class Side:
    """A server of canned replies."""

    def __init__(self, *replies):
        self.replies, self.sent = list(replies), []

    def send(self, argv):
        self.sent.append(argv)

    def receive(self):
        raw = self.replies.pop(0)
        return raw, wire.parse(raw)[0]

    def call(self, *argv):
        self.send(argv)
        return self.receive()[1]


def test_what_spop_drew_here_is_taken_from_the_other():
    ours, theirs = Side(b"*1\r\n$1\r\nx\r\n"), Side(b":3\r\n", b":1\r\n")
    Pair(ours, theirs).run([b"SPOP", b"s", b"1"])
    assert theirs.sent[-1] == ("SREM", b"s", b"x")
    with pytest.raises(Difference):  # it has no such member
        Pair(Side(b"*1\r\n$1\r\nx\r\n"), Side(b":3\r\n", b":0\r\n")).run([b"SPOP", b"s", b"1"])
    with pytest.raises(Difference):  # two were wanted, and there
        Pair(Side(b"*1\r\n$1\r\nx\r\n"), Side(b":3\r\n", b":1\r\n")).run([b"SPOP", b"s", b"2"])


def test_a_walk_finds_the_same_whatever_its_cursors():
    def pages(*cursors):
        return [b"*2\r\n$1\r\n%s\r\n*1\r\n$1\r\n%s\r\n" % (cursor, member) for cursor, member in cursors]

    Pair(Side(*pages((b"5", b"a"), (b"0", b"b"))), Side(*pages((b"7", b"b"), (b"0", b"a")))).run([b"SCAN", b"0"])
    with pytest.raises(Difference):
        Pair(Side(*pages((b"0", b"a"))), Side(*pages((b"0", b"b")))).run([b"SCAN", b"0"])


def test_an_empty_member_that_spop_drew_is_a_member():
    theirs = Side(b":1\r\n", b":1\r\n")
    Pair(Side(b"$0\r\n\r\n"), theirs).run([b"SPOP", b"s"])
    assert theirs.sent[-1] == ("SREM", b"s", b"")
