"""The disk's floor: the median time of write + fdatasync while three processes do it at once, each
4 KiB after 4 KiB into a zero-filled file of its own, as three nodes' logs would."""

import multiprocessing
import os
import statistics
import tempfile
import time

WRITERS = 3
BLOCK = 4096
BLOCKS = 4096  # per file, then from its start again


def _write(path, seconds, start, results):
    with open(path, "wb") as file:
        file.write(bytes(BLOCK * BLOCKS))
        file.flush()
        os.fsync(file.fileno())
    file = os.open(path, os.O_WRONLY)
    start.wait()
    times, block, turn = [], b"k" * BLOCK, 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        begun = time.monotonic()
        os.pwrite(file, block, turn % BLOCKS * BLOCK)
        os.fdatasync(file)
        times.append(time.monotonic() - begun)
        turn += 1
    os.close(file)
    results.put(statistics.median(times))


def median_ms(directory, seconds):
    """The median of one of the writers (the middle one of their three)."""
    with tempfile.TemporaryDirectory(prefix="kiwi-bench-syncs-", dir=directory) as where:
        context = multiprocessing.get_context("fork")
        start, results = context.Barrier(WRITERS), context.Queue()
        writers = [context.Process(target=_write, args=(os.path.join(where, str(number)), seconds,
                                                        start, results))
                   for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        medians = [results.get(timeout=60) for _ in writers]
        for writer in writers:
            writer.join()
    return statistics.median(medians) * 1000
