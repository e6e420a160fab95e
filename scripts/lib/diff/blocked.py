"""A client of its own on each side, in a blocking command, beside the pair's other commands.

Redis serves who waits within the command that made its key grow, Kiwi a moment after that. So behind
each command of the pair those who wait are looked at: either both wait on, or both were answered, alike.
"""

import re
import select
import time

from diff.wire import Error

PATIENCE = 10.0
AT_ONCE = 0.002
SHORT = b"0.01"  # a timeout that passes
# INFO of each side: the section, and its line that counts who waits.
OURS = ("raft_clients", "raft_waiting_clients")
THEIRS = ("clients", "blocked_clients")


class Side:
    """A connection that waits, and one that looks: the pair's own may be inside MULTI."""

    def __init__(self, pairs_own, counted):
        self.waits, self._looks, self._counted = pairs_own.another(), pairs_own.another(), counted
        self._number = self.waits.call("CLIENT", "ID")

    def waiting(self):
        section, line = self._counted
        found = re.search(line.encode() + rb":(\d+)", self._looks.call("INFO", section))
        return found is not None and found[1] != b"0"

    def answered(self):
        return self.waits.has_bytes() or select.select([self.waits], [], [], 0)[0] != []

    def unblock(self, reason):
        words = ("CLIENT", "UNBLOCK", str(self._number), *reason)
        self._looks.send(words)
        return self._looks.receive()

    def close(self):
        self.waits.close()
        self._looks.close()


class Blocked:
    def __init__(self, pair):
        self._pair = pair
        self._sides = None
        self.argv = None  # what both wait in

    def several_keys(self):
        """One block of MULTI may fill several: which of them is taken from is a known difference."""
        return self.argv is not None and len(set(self.argv[1:])) > 2

    def begin(self, argv, name):
        """True: both wait, or both were answered without an error."""
        if self.argv is not None or self._pair.queued is not None:
            return False
        if self._sides is None:
            self._sides = [Side(self._pair.ours, OURS), Side(self._pair.theirs, THEIRS)]
        for side in self._sides:  # those of an earlier pair are seen to leave
            self._until(lambda side=side: not side.waiting())
            side.waits.send(argv)
        self.argv, self._name = list(argv), name
        ours, theirs = self._sides
        if SHORT in self.argv:
            self._until(theirs.answered)
            return self._both_answer()
        self._until(lambda: theirs.answered() or theirs.waiting())
        self._until(lambda: ours.answered() or ours.waiting())
        return self.look()

    def look(self):
        """Behind every command of the pair. False: both were answered an error."""
        if self.argv is None:
            return True
        ours, theirs = self._sides
        if not theirs.answered() and theirs.waiting():
            if ours.answered():
                self._pair.refuse(self.argv, ours.waits.receive()[0], b"(it waits)")
            return True
        return self._both_answer()

    def _both_answer(self):
        argv, self.argv = self.argv, None
        ours, theirs = self._sides
        if not self._until(ours.answered):
            self._pair.refuse(argv, b"(it waits)", theirs.waits.receive()[0])
        replies = [side.waits.receive() for side in self._sides]
        self._pair.must_agree(argv, self._name, *replies)
        return not isinstance(replies[0][1], Error)

    def end(self, reason=()):
        """The wait ends by CLIENT UNBLOCK."""
        if self.argv is None:
            return False
        answers = [side.unblock(reason) for side in self._sides]
        self._pair.must_agree([b"CLIENT", b"UNBLOCK", b"*", *reason], "client unblock", *answers)
        if isinstance(answers[0][1], Error):
            return self.end()
        self._both_answer()
        return True

    @staticmethod
    def _until(true):
        """False: it never was."""
        begun = time.monotonic()
        while not true():
            if time.monotonic() - begun > PATIENCE:
                return False
            time.sleep(AT_ONCE)
        return True

    def close(self):
        for side in self._sides or ():
            side.close()
