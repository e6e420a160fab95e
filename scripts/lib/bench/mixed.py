"""scripts/bench mixed: memory of the nodes beside far more data than `cache-state` holds.

  load  --gigabytes of all types are loaded, then --minutes of reads and writes of them, drawn evenly, by 50
        clients with pipelines of 4: rate, tail and resident memory over time, in slices of --slice seconds
  slow  HGETALL of a hash of --fields fields to a client that reads --reads bytes a second: resident memory
        over time

Kiwi only; --cache-state is 256mb unless told otherwise.
"""

import contextlib
import os
import socket
import threading
import time

import cluster as clusters

from bench import generators, machine, report, systems, tools
from bench.deep import command

PARTS = ("load", "slow")
CLIENTS, PIPELINE = 50, 4
VARIADIC = 250
SHARED = 1000  # zsets, and streams, over which the elements are spread
CHUNK = 1 << 16
PATIENCE = 120
ROWS = 30  # of a table over time
# type -> (command, bytes of data that it brings, its part of all bytes)
DATA = {
    "string": ("SET string:@s@ @v1000@", 1000, 0.4),
    "hash": ("HSET hash:@s@ {10 field:@k1000@ @v64@ }", 820, 0.2),
    "list": ("RPUSH list:@s@ {20 @v50@ }", 1000, 0.1),
    "set": ("SADD set:@s@ {50 member:@k1000000@ }", 950, 0.1),
    "zset": (f"ZADD zset:@k{SHARED}@ {{50 @r1000000000@ member:@s@ }}", 1350, 0.1),
    "stream": (f"XADD stream:@k{SHARED}@ * field @v200@", 205, 0.1),
}


def counts(gigabytes):
    """type -> commands that load it"""
    return {type_: max(1, int(gigabytes * 1e9 * part / size)) for type_, (_, size, part) in DATA.items()}


def mix(loaded):
    """Half reads, half writes; what is written replaces, is popped again or trimmed, so that the data stays as
    much as it was."""
    strings, hashes, lists, sets = (f"{type_}:@k{loaded[type_]}@" for type_ in ("string", "hash", "list", "set"))
    zset, stream, member = f"zset:@k{SHARED}@", f"stream:@k{SHARED}@", f"member:@k{50 * loaded['zset']}@"
    entries = max(100, loaded["stream"] // SHARED)
    return [(20, f"GET {strings}"), (8, f"HGETALL {hashes}"), (6, f"LRANGE {lists} 0 9"),
            (6, f"SISMEMBER {sets} member:@k1000000@"), (4, f"ZRANGE {zset} @r40@ 49"),
            (4, f"ZSCORE {zset} {member}"), (2, f"XREVRANGE {stream} + - COUNT 10"),
            (18, f"SET {strings} @v1000@"), (8, f"HSET {hashes} field:@k1000@ @v64@"),
            (2, f"HDEL {hashes} field:@k1000@"),
            (4, f"RPUSH {lists} @v50@"), (4, f"LPOP {lists}"), (3, f"SADD {sets} member:@k1000000@"),
            (3, f"SPOP {sets}"), (4, f"ZADD {zset} XX @r1000000000@ {member}"),
            (2, f"XADD {stream} MAXLEN ~ {entries} * field @v200@"), (2, f"EXPIRE {strings} 86400")]


class Residents(threading.Thread):
    """MiB of each process, once a second until stop()."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self._pids, self._over, self._begun = pids, threading.Event(), time.monotonic()
        self.samples = []  # (seconds, [MiB of each])
        self.start()

    def run(self):
        while not self._over.wait(1 if self.samples else 0):
            self.samples.append((time.monotonic() - self._begun,
                                 [machine.resident_mib([pid]) for pid in self._pids]))

    def stop(self):
        self._over.set()
        self.join()
        return self.samples


def fill(options, system):
    loaded, begun = counts(options.gigabytes), time.monotonic()
    for type_, (template, _, _) in DATA.items():
        generators.commands(system.data_port, [template], clients=8, pipeline=16, requests=loaded[type_])
        print(f"  {time.monotonic() - begun:5.0f} s  {type_} loaded, "
              f"{machine.resident_mib(system.pids()):.0f} MiB of all nodes", flush=True)
    return loaded


def under_load(options, system):
    loaded = fill(options, system)
    watch, slices, begun = Residents(system.pids()), [], time.monotonic()
    while (passed := time.monotonic() - begun) < options.minutes * 60:
        system.aim()
        cpu = machine.cpu_seconds(system.pids())
        said = generators.commands(system.port, mix(loaded), clients=CLIENTS, pipeline=PIPELINE,
                                   seconds=options.slice, seed=len(slices) + 1)
        cpu = machine.cpu_seconds(system.pids()) - cpu
        slices.append({"s": passed, **generators.seen(said), "cpu_us_per_op": cpu * 1e6 / said["requests"],
                       "mib": [machine.resident_mib([pid]) for pid in system.pids()]})
    samples = watch.stop()
    return {"slices": slices, "samples": samples, "state_bytes": machine.directory_bytes(system.directory)}


def read_slowly(client, options):
    """Bytes and lines of the reply that came until it was whole, the time was over or the server closed."""
    begun, got, lines, wanted = time.monotonic(), 0, 0, 4 * options.fields + 1
    while lines < wanted and time.monotonic() - begun < options.longest:
        ahead = got / options.reads - (time.monotonic() - begun)
        if ahead > 0:
            time.sleep(ahead)
        data = client.recv(CHUNK)
        if not data or (got == 0 and data[:1] != b"*"):
            raise clusters.Failure(f"after {got} bytes the reader was given {data[:100]!r}")
        got, lines = got + len(data), lines + data.count(b"\n")
    return got, lines == wanted


def slow(options, system):
    generators.commands(system.data_port, [f"HSET big {{{VARIADIC} field:@s@ @v12@ }}"], clients=2, pipeline=8,
                        requests=options.fields // VARIADIC)
    system.settle()
    begun = time.monotonic()
    with contextlib.closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)  # what waits must wait at the server
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", system.port))
        watch = Residents(system.pids())
        time.sleep(1.5)  # so that the first samples are from before
        client.sendall(command(b"HGETALL", b"big"))
        got, whole = read_slowly(client, options)
    return {"bytes": got, "whole": whole, "seconds": time.monotonic() - begun, "samples": watch.stop()}


RUN = {"load": under_load, "slow": slow}


def every(rows):
    step = max(1, len(rows) // ROWS)
    return [row for turn, row in enumerate(rows) if turn % step == 0 or row is rows[-1]]


def mib(values):
    return " ".join(f"{value:.0f}" for value in values)


def print_found(options, part, found):
    print()
    if part == "load":
        print(f"{options.gigabytes:g} GB of mixed data, cache-state {options.cache_state}, "
              f"{found['state_bytes'] / 2**30:.1f} GiB on disk of all nodes")
        report.print_table(["s", "op/s", "p50 ms", "p99 ms", "max ms", "CPU us/op", "MiB of each node"],
                           [[f"{row['s']:.0f}", row["rps"], row["p50_ms"], row["p99_ms"], row["max_ms"],
                             row["cpu_us_per_op"], mib(row["mib"])] for row in every(found["slices"])], left=0)
        print("median of the slices: " + ", ".join(
            f"{name} {report.cell(report.median_of(found['slices'], key))}" for name, key in
            (("op/s", "rps"), ("p50 ms", "p50_ms"), ("p99 ms", "p99_ms"), ("CPU us/op", "cpu_us_per_op"))))
    else:
        print(f"HGETALL of {options.fields} fields at {options.reads} B/s: {found['bytes']} bytes"
              f"{'' if found['whole'] else ', not the whole reply,'} in {found['seconds']:.0f} s")
        report.print_table(["s", "MiB of each node"], [[f"{s:.0f}", mib(values)]
                                                       for s, values in every(found["samples"])], left=0)
    first, last = found["samples"][0][1], found["samples"][-1][1]
    most = [max(column) for column in zip(*(values for _, values in found["samples"]))]
    print(f"MiB of each node: {mib(first)} at first, {mib(last)} at last, {mib(most)} at most", flush=True)


def parse(words):
    parser = tools.parser("mixed", __doc__)
    parser.add_argument("--system", default="kiwi-3", choices=("kiwi-1", "kiwi-3"))
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--cache-state", default="256mb")
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--slice", type=int, default=10, help="seconds")
    parser.add_argument("--fields", type=tools.count, default=10_000_000, help="of slow")
    parser.add_argument("--reads", type=tools.count, default=1_000_000, help="of slow, bytes a second")
    parser.add_argument("--longest", type=float, default=900, help="of slow, seconds")
    parser.add_argument("--quick", action="store_true", help="20 MB, 4 s, 20,000 fields, cache-state 4mb: a look")
    options = parser.parse_args(words)
    options.parts = tools.names(parser, options.parts, PARTS, "part")
    if options.quick:
        options.gigabytes, options.minutes, options.slice, options.cache_state = 0.02, 4 / 60, 1, "4mb"
        options.fields, options.longest = 50_000, 3
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need([options.system], options)
    begun, results = time.monotonic(), {}
    for part in options.parts:
        settings = {"cache-state": options.cache_state, **tools.settings(options)}
        with systems.Started(options, options.system, settings) as system:
            results[part] = RUN[part](options, system)
        print_found(options, part, results[part])
    print(f"{os.cpu_count()} cores; took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "system": options.system,
                                         "settings": settings, "results": results})
    return 0
