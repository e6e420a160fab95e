"""Progress of long work for a person who waits: one line that is written anew on a terminal, elsewhere a
line now and then, and nothing at all of what is done at once."""

import sys
import time

PATIENCE_SECONDS = 1.0  # what is done sooner needs no words
TERMINAL_SECONDS, FILE_SECONDS = 0.2, 5.0  # between two lines
UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def size(count):
    """Bytes as a person reads them."""
    for unit, factor in UNITS:
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{int(count)} B"


def part(done, total):
    """'3.0 MiB of 12.0 MiB, 25 %'; without a total only what is done."""
    if total <= 0:
        return size(done)
    return f"{size(done)} of {size(total)}, {min(100, 100 * done // total)} %"


class Progress:
    """tell() as often as one likes; close() before anything else is printed."""

    def __init__(self, name, out=sys.stdout, clock=time.monotonic):
        self._name, self._out, self._clock = name, out, clock
        self._begin = clock()
        self._last = self._begin + PATIENCE_SECONDS - self._pause()
        self._width, self._told = 0, ""

    def _pause(self):
        return TERMINAL_SECONDS if self._out.isatty() else FILE_SECONDS

    def tell(self, what):
        now = self._clock()
        if now - self._last < self._pause() or (what == self._told and not self._out.isatty()):
            return
        self._last, self._told = now, what
        line = f"{self._name}: {what} ({now - self._begin:.0f} s)"
        if not self._out.isatty():
            print(line, file=self._out, flush=True)
            return
        print("\r" + line.ljust(self._width), end="", file=self._out, flush=True)
        self._width = len(line)

    def close(self):
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=self._out, flush=True)
        self._width = 0
