"""scripts/bench removal: what another client feels while many keys or members go at once.

  due      keys that fall due at the same moment: how long until the last is gone
  steady   keys that are written and fall due at a fixed rate: how many are there meanwhile
  flushall FLUSHALL of many keys, all in memory
  del      DEL of one set with many members, all in memory

Meanwhile another connection sends one SET after the other to the leader; its longest waits are the
stall. It runs in a process of its own, so that filling does not slow it down.
"""

import contextlib
import math
import multiprocessing
import os
import shutil
import socket
import tempfile
import time

import cluster as clusters
import resp

from bench import machine, report, systems, tools
from bench.deep import command

PARTS = ("due", "steady", "flushall", "del")
BATCH = 500  # commands sent at a time
PATIENCE = 600  # seconds
WAITED = (b"-BUSY ", b"-TIMEOUT ", b"-LOADING ", b"-CLUSTERDOWN ")  # answers to a SET that waited: they count as others do


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, math.ceil(share * len(sorted_values)) - 1)] \
        if sorted_values else 0.0


def probe(port, stop, answers):
    """One SET after the other until told to stop; gives (begun, seconds) of each."""
    client = socket.create_connection(("127.0.0.1", port), 30)
    client.settimeout(60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times, number, refused = [], 0, 0
    while not stop.is_set():
        number += 1
        begun = time.monotonic()
        client.sendall(command(b"SET", b"probe:%d" % (number % 100), b"x"))
        answer = client.recv(100)
        times.append((begun, time.monotonic() - begun))
        refused += answer.startswith(WAITED)
        if answer != b"+OK\r\n" and not answer.startswith(WAITED):
            answers.put(f"the probe was answered {answer!r}")
            return
        time.sleep(0.0005)
    answers.put((times, refused))


class Prober:
    def __init__(self, port):
        self._stop, self._answers = multiprocessing.Event(), multiprocessing.Queue()
        self._process = multiprocessing.Process(target=probe,
                                                args=(port, self._stop, self._answers))
        self._process.start()
        time.sleep(0.5)

    def finish(self, since=0.0):
        """What waits it saw from `since` on, in ms."""
        self._stop.set()
        found = self._answers.get(timeout=60)
        self._process.join()
        if isinstance(found, str):
            raise clusters.Failure(found)
        times, refused = found
        waits = sorted(took * 1000 for begun, took in times if begun + took >= since)
        return {"sets": len(waits), "refused": refused, "p50_ms": percentile(waits, 0.5),
                "p99_ms": percentile(waits, 0.99), "max_ms": waits[-1] if waits else 0.0}


def send_all(port, made, count):
    """The commands made(0) .. made(count - 1), BATCH at a time, each batch answered first."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 60)) as client:
        for first in range(0, count, BATCH):
            size = min(BATCH, count - first)
            client.sendall(b"".join(made(number) for number in range(first, first + size)))
            answered = 0
            while answered < size:
                got = client.recv(1 << 16)
                if not got or b"-" in got:
                    raise clusters.Failure(f"the node answered {got[:100]!r}")
                answered += got.count(b"\r\n")


def keys_of(port):
    with resp.Client("127.0.0.1", port, 60) as client:
        return client.call("DBSIZE")


def due(options, system):
    """All keys get the same moment, so that it takes no part how long writing them took."""
    moment = int((time.time() + 2 + options.keys / 20_000) * 1000)
    prober = Prober(system.port)
    send_all(system.port, lambda number: command(b"SET", b"due:%d" % number, b"v" * 16, b"PXAT",
                                                 b"%d" % moment), options.keys)
    time.sleep(max(0.0, moment / 1000 - time.time()))
    begun = time.monotonic()
    while keys_of(system.port) > 100:  # the probe's
        if time.monotonic() - begun > PATIENCE:
            raise clusters.Failure(f"after {PATIENCE} s keys that are due are still there")
        time.sleep(0.02)
    gone = time.monotonic() - begun
    return {"gone_s": gone, **prober.finish(begun)}


def steady(options, system):
    """--rate SETEX a second of --ttl seconds for --seconds; how many keys there are."""
    prober, counts = Prober(system.port), []
    begun, sent, shown = time.monotonic(), 0, 0.0
    with contextlib.closing(socket.create_connection(("127.0.0.1", system.port), 60)) as client:
        while (passed := time.monotonic() - begun) < options.seconds:
            size = min(BATCH, int(passed * options.rate) - sent)
            if size <= 0:
                time.sleep(0.002)
                continue
            client.sendall(b"".join(command(b"SETEX", b"steady:%d" % (sent + number),
                                            b"%d" % options.ttl, b"v" * 16)
                                    for number in range(size)))
            answered = 0
            while answered < size:
                answered += client.recv(1 << 16).count(b"\r\n")
            sent += size
            if passed - shown >= options.ttl / 2:
                shown = passed
                counts.append((round(passed, 1), keys_of(system.port)))
                print(f"    {passed:5.0f} s  {counts[-1][1]} keys", flush=True)
    return {"rate": sent / options.seconds, "keys": counts, **prober.finish(begun)}


def flushall(options, system):
    send_all(system.port, lambda number: command(b"SET", b"key:%d" % number, b"v" * 64),
             options.keys)
    return removed(system, "FLUSHALL")


def delete(options, system):
    members = 100

    def added(number):
        return command(b"SADD", b"big", *(b"member:%d" % (number * members + other)
                                          for other in range(members)))

    send_all(system.port, added, options.members // members)
    return removed(system, "DEL", "big")


def removed(system, *words):
    prober = Prober(system.port)
    begun = time.monotonic()
    with resp.Client("127.0.0.1", system.port, 120) as client:
        client.call(*words)
    took = time.monotonic() - begun
    time.sleep(10)  # what was erased is freed later
    return {"took_ms": took * 1000, **prober.finish(begun)}


RUN = {"due": due, "steady": steady, "flushall": flushall, "del": delete}


def parse(words):
    def count(text):
        return int(float(text))

    parser = tools.parser("removal", __doc__)
    parser.add_argument("--system", default="kiwi-3",
                        choices=[name for name in systems.SYSTEMS if name.startswith("kiwi")])
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--keys", type=count, default=100_000, help="of due and flushall")
    parser.add_argument("--members", type=count, default=1_000_000, help="of del")
    parser.add_argument("--rate", type=count, default=20_000, help="of steady, keys a second")
    parser.add_argument("--ttl", type=count, default=10, help="of steady, seconds")
    parser.add_argument("--seconds", type=float, default=180, help="of steady")
    options = parser.parse_args(words)
    options.parts = options.parts.split(",")
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    server = systems.need([options.system], options)
    results = {}
    for part in options.parts:
        directory = tempfile.mkdtemp(prefix="kiwi-bench-removal-", dir=options.dir)
        settings = {"cache-state": "1gb", **tools.settings(options)}
        system = systems.make(options.system, directory, options.port, settings, server)
        try:
            system.start()
            found = results[part] = RUN[part](options, system)
        finally:
            system.stop()
            shutil.rmtree(directory, ignore_errors=True)
        print(f"{part:<9}" + "  ".join(f"{name} {value:.2f}" if isinstance(value, float) else
                                       f"{name} {value}" for name, value in found.items()
                                       if name != "keys"), flush=True)
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "cores": os.cpu_count(),
                                         "system": options.system, "results": results})
    return 0
