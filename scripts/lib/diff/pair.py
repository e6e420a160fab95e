"""Two servers that are given the same commands, ours first.

Commands that draw at random run here first; what they took is then taken from the other by name, and
what they only picked must be there. SCAN and its like are walked to the end on both: cursors may
differ, what a walk finds may not. Inside MULTI, where none of that is possible, they are left out.
"""

import time

from diff import compare, settle
from diff.blocked import Blocked
from diff.grammar import BLOCK, EXPIRE_NOW, UNBLOCK
from diff.wire import Error, parse

SCANS = {"scan": 1, "sscan": 2, "hscan": 2, "zscan": 2}  # where the cursor stands
WALK_MOST = 10_000
# How long both servers have for a deadline of EXPIRE_MS.
EXPIRE_MS, EXPIRE_WAIT = b"10", 0.03
# A watched key may stop a transaction here that Redis lets through, if the database was emptied.
ABORTS_MORE = {"flushdb", "flushall", "swapdb"}


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


def elements(raw):
    """The replies of which the array `raw` is made."""
    at, out = raw.index(b"\r\n") + 2, []
    for _ in range(int(raw[1:at - 2])):
        _, end = parse(raw, at)
        out.append((raw[at:end], parse(raw, at)[0]))
        at = end
    return out


class Pair:
    def __init__(self, ours, theirs, containers=()):
        self.ours, self.theirs, self.containers = ours, theirs, containers
        self.sent = 0
        self.queued = None  # what MULTI took, until EXEC
        self.watching = False
        self.blocked = Blocked(self)

    def close(self):
        self.blocked.close()
        self.ours.close()
        self.theirs.close()

    def both(self, *argv):
        self.ours.send(argv)
        self.theirs.send(argv)
        got = []
        for side, connection in (("kiwi", self.ours), ("redis", self.theirs)):
            try:
                got.append(connection.receive())
            except OSError as error:
                raise type(error)(f"{side} gave no answer to {argv!r}: {error}") from error
        return tuple(got)

    def must_agree(self, argv, name, ours, theirs):
        if not compare.equal(name, ours, theirs, argv):
            raise Difference(self.sent, argv, ours[0], theirs[0])

    def refuse(self, argv, ours, theirs):
        raise Difference(self.sent, argv, ours, theirs)

    def run(self, argv):
        """True: it was executed and answered without an error; of one that waits, that it began to."""
        self.sent += 1
        if argv[0] == BLOCK:
            return self.blocked.begin(argv[1:], name_of(argv[1:], self.containers))
        if argv[0] == UNBLOCK:
            return self.blocked.end(argv[1:])
        if argv[0] == EXPIRE_NOW:
            good = self.queued is None and self.expire(argv[1])
        else:
            good = self.run_here(argv, name_of(argv, self.containers))
        self.blocked.look()
        return good

    def run_here(self, argv, name):
        if name == "multi" and self.blocked.several_keys():
            return False
        if name in ABORTS_MORE and self.watching:
            return False
        if self.queued is not None:
            return self.run_in_block(argv, name)
        if name in SCANS:
            return self.walk(argv, name)
        if name in settle.INSTEAD:
            return settle.INSTEAD[name](self, argv)
        ours, theirs = self.both(*argv)
        self.must_agree(argv, name, ours, theirs)
        good = not isinstance(ours[1], Error)
        if good and name in settle.AFTER:
            settle.AFTER[name](self, argv, ours[1])
        if good and name == "multi":
            self.queued = []
        self.watching = (self.watching or name == "watch") and name not in ("unwatch", "discard")
        return good

    def run_in_block(self, argv, name):
        if name in SCANS or name in settle.INSTEAD or settle.cannot_queue(argv, name):
            return False
        ours, theirs = self.both(*argv)
        if name == "exec" and len(argv) == 1:
            return self.end_block(argv, ours, theirs)
        self.must_agree(argv, name, ours, theirs)
        if name == "discard" and not isinstance(ours[1], Error):
            self.queued, self.watching = None, False
        elif ours[1] == b"QUEUED":
            self.queued.append((name, argv))
        return False

    def end_block(self, argv, ours, theirs):
        queued, self.queued, self.watching = self.queued, None, False
        lists = [isinstance(side[1], list) for side in (ours, theirs)]
        if not all(lists):
            self.must_agree(argv, "exec", ours, theirs)
            return False
        replies = [elements(side[0]) for side in (ours, theirs)]
        if [len(side) for side in replies] != [len(queued)] * 2:
            self.refuse(argv, ours[0], theirs[0])
        for (name, inner), mine, other in zip(queued, *replies):
            self.must_agree([*argv, b":", *inner], name, mine, other)
        return True

    def expire(self, key):
        """A deadline passes on both. Writes to the key must see that it is over."""
        argv = [b"PEXPIRE", key, EXPIRE_MS]
        self.must_agree(argv, "pexpire", *self.both(*argv))
        time.sleep(EXPIRE_WAIT)
        argv = [b"EXISTS", key]
        self.must_agree(argv, "exists", *self.both(*argv))
        return False

    def walk(self, argv, name):
        at = SCANS[name]
        ours, theirs = self.both(*argv)
        good = [isinstance(side[1], list) and len(side[1]) == 2 for side in (ours, theirs)]
        if not all(good) or len(argv) <= at or argv[at] != b"0":
            if good[0] == good[1] and all(good):
                return False  # a cursor of nobody's: only that it is taken
            self.must_agree(argv, name, ours, theirs)
            return False
        found = [self.walk_to_end(side, argv, at, first[1])
                 for side, first in ((self.ours, ours), (self.theirs, theirs))]
        if found[0] != found[1]:
            self.refuse(argv, repr(sorted(found[0])).encode(), repr(sorted(found[1])).encode())
        return True

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

    def leave_block(self):
        """What a list of commands began and did not end."""
        if self.queued is not None:
            self.queued = None
            self.both(b"DISCARD")
        self.both(b"UNWATCH")
        self.watching = False
        self.blocked.look()
        self.blocked.end()
