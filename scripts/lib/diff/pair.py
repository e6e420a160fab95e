"""Two servers that are given the same commands, ours first.

Commands that draw at random run here first; what they took is then taken from the other by name.
SCAN and its like are walked to the end on both: cursors may differ, what a walk finds may not.
"""

from diff import compare
from diff.wire import Error

SCANS = {"scan": 1, "sscan": 2, "hscan": 2, "zscan": 2}  # where the cursor stands
WALK_MOST = 10_000


class Difference(Exception):
    def __init__(self, number, argv, ours, theirs):
        super().__init__(f"command {number}: {show(argv)}\n  kiwi:  {ours[:300]!r}\n"
                         f"  redis: {theirs[:300]!r}")
        self.number, self.argv, self.ours, self.theirs = number, argv, ours, theirs


def show(argv):
    return " ".join(repr(word)[1:] if not word.isalnum() else word.decode() for word in argv)


def name_of(argv, containers):
    name = argv[0].decode("latin1").lower()
    if name in containers and len(argv) > 1:
        return f"{name} {argv[1].decode('latin1').lower()}"
    return name


class Pair:
    def __init__(self, ours, theirs, containers=()):
        self.ours, self.theirs, self.containers = ours, theirs, containers
        self.sent = 0

    def both(self, *argv):
        self.ours.send(argv)
        self.theirs.send(argv)
        return self.ours.receive(), self.theirs.receive()

    def must_agree(self, argv, name, ours, theirs):
        if not compare.equal(name, ours, theirs):
            raise Difference(self.sent, argv, ours[0], theirs[0])

    def run(self, argv):
        self.sent += 1
        name = name_of(argv, self.containers)
        if name == "spop":
            return self.spop(argv)
        if name in SCANS:
            return self.walk(argv, name)
        ours, theirs = self.both(*argv)
        self.must_agree(argv, name, ours, theirs)
        return None

    def spop(self, argv):
        """Ours draws; theirs must have what was drawn, and loses it."""
        self.ours.send(argv)
        ours = self.ours.receive()
        if isinstance(ours[1], Error) or ours[1] is None or ours[1] == []:  # a member may be empty
            self.theirs.send(argv)
            return self.must_agree(argv, "spop", ours, self.theirs.receive())
        drawn = list(ours[1]) if isinstance(ours[1], list) else [ours[1]]
        had = self.theirs.call("SCARD", argv[1])
        removed = self.theirs.call("SREM", argv[1], *drawn)
        count = int(argv[2]) if len(argv) > 2 else 1
        if removed != len(drawn) or len(drawn) != min(count, had) or \
                ours[0][:1] != (b"$" if len(argv) == 2 else ours[0][:1]):
            raise Difference(self.sent, argv, ours[0], b"%d of %d members" % (removed, had))
        return None

    def walk(self, argv, name):
        at = SCANS[name]
        ours, theirs = self.both(*argv)
        good = [isinstance(side[1], list) and len(side[1]) == 2 for side in (ours, theirs)]
        if not all(good) or len(argv) <= at or argv[at] != b"0":
            if good[0] == good[1] and all(good):
                return None  # a cursor of nobody's: only that it is taken
            return self.must_agree(argv, name, ours, theirs)
        found = [self.walk_to_end(side, argv, at, first[1])
                 for side, first in ((self.ours, ours), (self.theirs, theirs))]
        if found[0] != found[1]:
            raise Difference(self.sent, argv, repr(sorted(found[0])).encode(),
                             repr(sorted(found[1])).encode())
        return None

    def walk_to_end(self, side, argv, at, page):
        width = 2 if argv[0].lower() in (b"hscan", b"zscan") else 1
        found = set()
        for _ in range(WALK_MOST):
            items = page[1]
            found |= set(zip(*(iter(items),) * width)) if items else set()
            if page[0] == b"0":
                return found
            argv = [*argv[:at], page[0], *argv[at + 1:]]
            page = side.call(*argv)
        raise Difference(self.sent, argv, b"a walk without end", b"")

    def compare_states(self, keys):
        """Every key of the pool by content and deadline, in databases 0 to 2."""
        for database in (b"0", b"1", b"2"):
            self.run([b"SELECT", database])
            for key in keys:
                kind = self.theirs.call("TYPE", key)
                for argv in CONTENTS.get(kind, ()):
                    self.run([word if word != b"KEY" else key for word in argv])
                for word in (b"TYPE", b"PTTL", b"EXISTS"):
                    self.run([word, key])
        self.run([b"SELECT", b"0"])


CONTENTS = {
    b"string": ((b"GET", b"KEY"),),
    b"list": ((b"LRANGE", b"KEY", b"0", b"-1"),),
    b"set": ((b"SMEMBERS", b"KEY"),),
    b"hash": ((b"HGETALL", b"KEY"),),
    b"zset": ((b"ZRANGE", b"KEY", b"0", b"-1", b"WITHSCORES"),),
    b"stream": ((b"XRANGE", b"KEY", b"-", b"+"), (b"XINFO", b"STREAM", b"KEY", b"FULL", b"COUNT", b"0")),
}
