"""scripts/diff: what it draws, what it takes for equal, how it shrinks."""
import random

import pytest

from diff import compare, documented, grammar, pools, settle, shrink, states, wire
from diff.pair import Difference, Pair, elements

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


SADD = [b"sadd", [b"group", b"set", b"arguments",
                  [[b"name", b"key", b"type", b"key"],
                   [b"name", b"member", b"type", b"string", b"flags", [b"multiple"]]]]]


def generator(seed, docs=None):
    return grammar.Generator(random.Random(seed), documented.commands(docs or DOCS), 1_700_000_000)


def drawn(seed, count=200, docs=None):
    made = generator(seed, docs)
    return [made.next() for _ in range(count)]


def test_the_same_seed_draws_the_same_commands():
    assert drawn(3) == drawn(3) != drawn(4)


def test_what_is_drawn_has_the_shape_of_the_documentation():
    names = {argv[0].upper() for argv in drawn(1)}
    assert names == {b"SET", b"LMPOP", b"OBJECT"}
    sets = [argv for argv in drawn(1) if argv[0].upper() == b"SET" and len(argv) >= 3]
    assert sum(argv[1] in pools.KEYS for argv in sets) > 0.9 * len(sets)
    assert sum(argv[1] in pools.FAVOURITES["string"] for argv in sets) > len(sets) / 2
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


def test_collections_reach_every_threshold():
    sizes = [len(set(argv[2:])) for argv in drawn(1, 4000, SADD)]
    for count in pools.COUNTS:
        assert any(size >= count for size in sizes)
    together = [sum(map(len, set(argv[2:]))) + 2 * len(set(argv[2:])) for argv in drawn(2, 4000, SADD)]
    assert any(abs(size - pools.PACKED_BYTES) < 100 for size in together)


def test_choices_are_noted_and_what_was_never_met_is_said():
    command = documented.commands(DOCS)["lmpop"]
    assert command.choices == {"key...", "where/left:LEFT", "where/right:RIGHT"}
    coverage = documented.Coverage(documented.commands(DOCS))
    for argv in drawn(1, 60):
        coverage.add(argv.name, argv.choices, argv.name == "lmpop" and b"LEFT" in argv[-1].upper())
    lines = list(coverage.lines())
    assert lines[0].startswith("coverage: 1 of 3 commands, 2 of 4")
    assert "never without an error: object encoding, set" in lines[1]
    assert lines[2] == "  lmpop without: where/right:RIGHT"


def test_blocks_begin_and_end():
    words = [argv[0] for argv in generator(1).sequence(3000)]
    ends = [word for word in words if word in (b"EXEC", b"DISCARD")]
    assert words.count(b"MULTI") == len(ends) > 20 and b"DISCARD" in ends and b"WATCH" in words
    assert grammar.EXPIRE_NOW in words


QUEUED = b"+QUEUED\r\n"


def test_the_replies_of_a_block_are_compared_one_by_one():
    assert elements(b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n") == [(b"*1\r\n:1\r\n", [1]), (b"$1\r\na\r\n", b"a")]
    one = b"*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    other = b"*1\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n"

    def run(command):
        pair = Pair(Side(b"+OK\r\n", QUEUED, one), Side(b"+OK\r\n", QUEUED, other))
        for argv in ([b"MULTI"], command, [b"EXEC"]):
            pair.run(argv)

    run([b"SMEMBERS", b"s"])
    with pytest.raises(Difference):
        run([b"LRANGE", b"l", b"0", b"-1"])


def test_what_nobody_could_settle_is_left_out_of_blocks():
    ours, theirs = Side(b"+OK\r\n"), Side(b"+OK\r\n")
    pair = Pair(ours, theirs)
    for argv in ([b"MULTI"], [b"SPOP", b"s"], [b"SCAN", b"0"], [grammar.EXPIRE_NOW, b"k"],
                 [b"GEOSEARCHSTORE", b"d", b"g", b"BYRADIUS"]):
        pair.run(argv)
    assert ours.sent == theirs.sent == [(b"MULTI",)]


def test_a_random_pick_must_be_a_member_over_there():
    picked = b"*2\r\n$1\r\na\r\n$1\r\n1\r\n"
    command = [b"HRANDFIELD", b"h", b"1", b"WITHVALUES"]
    Pair(Side(picked), Side(picked, b"$1\r\n1\r\n")).run(command)
    for theirs in (b"$-1\r\n", b"$1\r\n2\r\n"):
        with pytest.raises(Difference):
            Pair(Side(picked), Side(picked, theirs)).run(command)
    twice = b"*2\r\n$1\r\na\r\n$1\r\na\r\n"
    with pytest.raises(Difference):
        Pair(Side(twice), Side(twice, b":1\r\n", b":1\r\n")).run([b"SRANDMEMBER", b"s", b"2"])


def test_stored_distances_may_differ_in_their_last_digits_and_are_made_equal():
    def run(theirs):
        other = Side(b":1\r\n", b"*2\r\n$1\r\na\r\n$%d\r\n%s\r\n" % (len(theirs), theirs), b":1\r\n", b":1\r\n")
        Pair(Side(b":1\r\n", b"*2\r\n$1\r\na\r\n$18\r\n166274.15156960033\r\n"), other).run(
            [b"GEORADIUS", b"g", b"1", b"2", b"3", b"m", b"STOREDIST", b"d"])
        return other.sent[-1]

    assert run(b"166274.15156960036") == (b"ZADD", b"d", b"166274.15156960033", b"a")
    with pytest.raises(Difference):
        run(b"166274.1516")
    assert settle.destination_of([b"GEORADIUS", b"store", b"1", b"2", b"3", b"m"]) == (None, False)
    assert settle.destination_of([b"GEOSEARCHSTORE", b"d", b"g", b"STOREDIST"]) == (b"d", True)


def test_searches_may_take_either_of_two_equally_far_away_and_no_other():
    def answer(*members):
        return b"*%d\r\n" % len(members) + b"".join(
            b"*2\r\n$1\r\n%s\r\n$3\r\n%s\r\n" % member for member in members)

    def agree(ours, theirs, *words):
        return compare.equal("geosearch", (ours, wire.parse(ours)[0]), (theirs, wire.parse(theirs)[0]),
                             [b"GEOSEARCH", b"g", *words])

    one, tie, far = answer((b"a", b"1.0")), answer((b"b", b"1.0")), answer((b"b", b"2.0"))
    assert agree(one, tie, b"COUNT", b"1", b"WITHDIST")
    assert not agree(one, far, b"COUNT", b"1", b"WITHDIST") and not agree(one, tie, b"WITHDIST")


def test_each_value_goes_through_dump_and_restore_both_ways():
    class Store:
        """A server that can do little, and whose payloads the other may not understand."""

        def __init__(self, reads=b"v1:"):
            self.values, self.reads, self.sent = {b"k": b"x"}, reads, []

        def call(self, *argv):
            name, key, *rest = [word if isinstance(word, bytes) else word.encode() for word in argv]
            self.sent.append(name)
            if name == b"DUMP":
                return b"v1:" + self.values[key] if key in self.values else None
            if name == b"RESTORE":
                if not rest[1].startswith(self.reads):
                    return wire.Error(b"ERR Bad data format")
                self.values[key] = rest[1][3:]
                return b"OK"
            if name == b"DEL":
                return 1 if self.values.pop(key, None) is not None else 0
            return {b"TYPE": b"string" if key in self.values else b"none", b"GET": self.values.get(key)}.get(name, 1)

        def send(self, argv):
            self.argv = argv

        def receive(self):
            value = self.call(*self.argv) if len(self.argv) > 1 else b"OK"
            return repr(value).encode(), value

    assert states.compare(Pair(Store(), Store()), [b"k", b"none"]) == 3
    with pytest.raises(Difference):
        states.compare(Pair(Store(), Store(b"v0:")), [b"k"])
