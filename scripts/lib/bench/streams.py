"""scripts/bench streams: a stream of millions of entries, and a group to which all of them are pending.

Bytes an entry in memory and on disk (as in `small`), without a group and what its pending entries add; then
what one client's commands take at that size, one after the other. Ids are 1-0, 1-1, ...; entries are one
field with a value, --entry bytes together.
"""

import os
import random
import time

import resp

from bench import generators, loads, machine, report, systems, tools

SYSTEMS = ("redis", "redis-aof", "kiwi-1", "kiwi-3")
STREAM, GROUP, FIELD = "stream", "group", "field"
CONSUMERS, AT_ONCE = 10, 500
PLACES = 1000  # of which commands that name one draw
HEAD = ["system", "command", "times", "p50 ms", "p99 ms", "max ms", "note"]
BYTES_HEAD = ["system", "bytes of", "resident", "table", "state", "log", "/s"]
LEAST_ROOM = 64 * 2**20


def commands(entries):
    chance = random.Random(3)
    middle = [chance.randrange(entries * 2 // 5, entries * 3 // 5) for _ in range(PLACES)]
    return [
        ("XLEN", [f"XLEN {STREAM}"]),
        ("XINFO STREAM", [f"XINFO STREAM {STREAM}"]),
        ("XINFO STREAM FULL COUNT 10", [f"XINFO STREAM {STREAM} FULL COUNT 10"]),
        ("XINFO GROUPS", [f"XINFO GROUPS {STREAM}"]),
        ("XINFO CONSUMERS", [f"XINFO CONSUMERS {STREAM} {GROUP}"]),
        ("XPENDING summary", [f"XPENDING {STREAM} {GROUP}"]),
        ("XPENDING 10 middle", [f"XPENDING {STREAM} {GROUP} 1-{place} + 10" for place in middle]),
        ("XRANGE 10 middle", [f"XRANGE {STREAM} 1-{place} + COUNT 10" for place in middle]),
        ("XREVRANGE 10 middle", [f"XREVRANGE {STREAM} 1-{place} - COUNT 10" for place in middle]),
        ("XCLAIM middle", [f"XCLAIM {STREAM} {GROUP} other 0 1-{place}" for place in middle]),
        ("XAUTOCLAIM 10 middle", [f"XAUTOCLAIM {STREAM} {GROUP} other 0 1-{place} COUNT 10" for place in middle]),
        ("XACK middle", [f"XACK {STREAM} {GROUP} 1-{place}" for place in middle]),
        ("XDEL middle", [f"XDEL {STREAM} 1-{place}" for place in middle]),
        ("XADD", [f"XADD {STREAM} 1-* {FIELD} @v50@"]),
        ("XADD MAXLEN ~", [f"XADD {STREAM} MAXLEN ~ {entries - entries // 1000} 1-* {FIELD} @v50@"]),
    ]


def load(options, system):
    value = max(1, options.entry - len(FIELD))
    generators.commands(system.data_port, [f"XADD {STREAM} 1-* {FIELD} @v{value}@"], clients=8, pipeline=64,
                        requests=options.entries)


def deliver(options, system):
    """All entries to the group, none acknowledged."""
    with resp.Client("127.0.0.1", system.port, 60) as client:
        client.call("XGROUP", "CREATE", STREAM, GROUP, "0")
    generators.commands(system.port, [f"XREADGROUP GROUP {GROUP} consumer:@k{CONSUMERS}@ COUNT {AT_ONCE} STREAMS "
                                      f"{STREAM} >"], clients=2, requests=options.entries // AT_ONCE + 1)


def step(options, system, name, what, run, before):
    """A row of bytes an entry, and the footprint after it."""
    begun = time.monotonic()
    run(options, system)
    rate = options.entries / (time.monotonic() - begun)
    after = loads.footprint(system)
    row = {"system": name, "what": what, "bytes": loads.grown(before, after, options.entries), "per_s": rate}
    print(f"  {name}: {what}, {rate:.0f}/s; " + ", ".join(f"{part} {value:.1f} B" for part, value
                                                         in row["bytes"].items()), flush=True)
    return row, after


def run_one(options, name):
    settings = {"cache-state": str(LEAST_ROOM + options.room * options.entries), **tools.settings(options)}
    with systems.Started(options, name, settings) as system:
        entry, after = step(options, system, name, "an entry", load, loads.footprint(system))
        pending, _ = step(options, system, name, "a pending entry", deliver, after)
        system.aim()
        rows = []
        for command, templates in commands(options.entries):
            said, note = loads.one_after_other(system, templates, options.rounds, options.seconds)
            rows.append({"system": name, "command": command, "times": said["requests"], "note": note,
                         **{key: said.get(key) for key in ("p50_ms", "p99_ms", "max_ms")}})
        return [entry, pending], rows


def parse(words):
    parser = tools.parser("streams", __doc__)
    parser.add_argument("--entries", type=tools.count, default=10_000_000)
    parser.add_argument("--entry", type=int, default=60, help="bytes")
    parser.add_argument("--systems", default="redis,kiwi-1,kiwi-3", help="of " + ", ".join(SYSTEMS))
    parser.add_argument("--rounds", type=tools.count, default=2000, help="of each command, but at most --seconds")
    parser.add_argument("--seconds", type=tools.count, default=10)
    parser.add_argument("--room", type=tools.count, default=200, help="cache-state, bytes for each entry")
    parser.add_argument("--quick", action="store_true", help="50,000 entries: a look")
    options = parser.parse_args(words)
    options.systems = tools.names(parser, options.systems, SYSTEMS, "system")
    if options.quick:
        options.entries, options.rounds, options.seconds = 50_000, 50, 1
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need(options.systems, options)
    begun, sizes, rows = time.monotonic(), [], []
    for name in options.systems:
        more_sizes, more_rows = run_one(options, name)
        sizes, rows = sizes + more_sizes, rows + more_rows
    print(f"\n{options.entries} entries of {options.entry} B; bytes of one node; {os.cpu_count()} cores.")
    report.print_table(BYTES_HEAD, [[row["system"], row["what"],
                                     *(row["bytes"][part] for part in ("resident", "table", "state", "log")),
                                     row["per_s"]] for row in sizes], left=2)
    report.print_table(HEAD, [[row["system"], row["command"], row["times"], row["p50_ms"], row["p99_ms"],
                               row["max_ms"], row["note"]] for row in rows], left=2)
    print(f"took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "entries": options.entries,
                                         "settings": tools.settings(options), "bytes": sizes, "rows": rows})
    return 0
