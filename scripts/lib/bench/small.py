"""scripts/bench small: many small hashes, what each takes in memory and on disk, and rates with them there.

--hashes hashes of --fields fields (names of 8 bytes, values of 12) are loaded into each system, started
afresh. Bytes are of one node: `resident` is what its process grew by, `table` what Kiwi's table (redis:
used_memory) grew by, `state` its files when all is written and in order (redis: dump.rdb), `log` what lies
beside (Kiwi: the log, cut; redis-aof: its file). Then HSET of a field that exists and HGETALL of hashes drawn
at random, 50 connections with pipelines of 16. A node's cache-state is --room bytes a hash.
"""

import os
import time

from bench import generators, loads, machine, report, systems, tools

SYSTEMS = ("redis", "redis-aof", "kiwi-1", "kiwi-3")
HEAD = ["system", "resident B", "table B", "state B", "log B", "load /s", "command", "op/s", "CPU us/op", "p50 ms",
        "p99 ms"]
LEAST_ROOM = 64 * 2**20


def fill(options, system):
    """Hashes a second."""
    fields = " ".join(f"field{number:03d} @v12@" for number in range(options.fields))
    begun = time.monotonic()
    generators.commands(system.data_port, [f"HSET hash:@s@ {fields}"], clients=8, pipeline=64,
                        requests=options.hashes)
    return options.hashes / (time.monotonic() - begun)


def run_one(options, name):
    settings = {"cache-state": str(LEAST_ROOM + options.room * options.hashes), **tools.settings(options)}
    with systems.Started(options, name, settings) as system:
        before = loads.footprint(system)
        rate = fill(options, system)
        each = loads.grown(before, loads.footprint(system), options.hashes)
        print(f"  {name}: {rate:.0f} hashes/s loaded; " +
              ", ".join(f"{part} {value:.0f} B" for part, value in each.items()) + " each", flush=True)
        system.aim()
        drawn = f"hash:@k{options.hashes}@"
        commands = {"HSET": [f"HSET {drawn} field{number:03d} @v12@" for number in range(options.fields)],
                    "HGETALL": [f"HGETALL {drawn}"]}
        for command, templates in commands.items():
            for _ in range(options.repeats):
                row = loads.measured(system, templates, options.seconds)
                print(f"  {name}: {command} {row['rps']:.0f}/s, {row['cpu_s_per_million']:.1f} us", flush=True)
                yield {"system": name, "command": command, "loaded_per_s": rate, "bytes": each, **row}


def table_rows(rows):
    for system, command in dict.fromkeys((row["system"], row["command"]) for row in rows):
        runs = [row for row in rows if (row["system"], row["command"]) == (system, command)]
        each = runs[0]["bytes"]
        yield [system, *(each[part] for part in ("resident", "table", "state", "log")), runs[0]["loaded_per_s"],
               command, *(report.median_of(runs, key) for key in ("rps", "cpu_s_per_million", "p50_ms", "p99_ms"))]


def parse(words):
    parser = tools.parser("small", __doc__)
    parser.add_argument("--hashes", type=tools.count, default=5_000_000)
    parser.add_argument("--fields", type=int, default=10)
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="of " + ", ".join(SYSTEMS))
    parser.add_argument("--repeats", type=int, default=3, help="runs of each command")
    parser.add_argument("--seconds", type=float, default=3.0, help="each run takes about so long")
    parser.add_argument("--room", type=tools.count, default=600)
    parser.add_argument("--quick", action="store_true", help="50,000 hashes, one run of 0.2 s each: a look")
    options = parser.parse_args(words)
    options.systems = tools.names(parser, options.systems, SYSTEMS, "system")
    if options.quick:
        options.hashes, options.repeats, options.seconds = 50_000, 1, 0.2
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need(options.systems, options)
    begun, rows = time.monotonic(), []
    for name in options.systems:
        rows += run_one(options, name)
    print(f"\n{options.hashes} hashes of {options.fields} fields, bytes a hash and node; medians of "
          f"{options.repeats} runs, {os.cpu_count()} cores.")
    report.print_table(HEAD, list(table_rows(rows)), left=1)
    print(f"took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "hashes": options.hashes,
                                         "fields": options.fields, "settings": tools.settings(options), "rows": rows})
    return 0
