"""scripts/bench types: the usual commands of each type, 50 connections with pipelines of 16.

Writes on three nodes beside redis-server with appendfsync always; reads there too, and on one node beside
redis-server without persistence. The rows are `matrix` workloads (type_commands.py says what each works
on), measured as there: systems afresh in turn in every repeat, medians of the repeats.
"""

import dataclasses
import os
import time

import cluster as clusters

from bench import machine, matrix, report, systems, tools, type_commands, verdicts, workloads

WRITERS = ("redis-aof", "kiwi-3")
READERS = ("redis-aof", "kiwi-3", "redis", "kiwi-1")
BESIDE = {"kiwi-3": "redis-aof", "kiwi-1": "redis"}
HEAD = ["type", "command", "does", "system", "op/s", "CPU us/op", "p50 ms", "p99 ms", "beside", "op/s", "CPU us/op",
        "rate x", "CPU x"]


def rows_of(types):
    """Workloads of these types, in the order of the types; each with the systems it is about."""
    found = [row for row in workloads.WORKLOADS.values()
             if row.kind in (*type_commands.COMMANDS, *type_commands.OTHERS)
             and (row.clients, row.pipeline, row.value, row.cold) == (50, 16, 64, False)
             and type_commands.about(row.kind)[0] in types]
    found.sort(key=lambda row: type_commands.TYPES.index(type_commands.about(row.kind)[0]))
    return [dataclasses.replace(row, systems=WRITERS if type_commands.about(row.kind)[1] ==
                                          type_commands.WRITE else READERS) for row in found]


def table_row(results, row, system):
    def figures(of):
        return [verdicts.median(results, of, row.name, key)
                for key in ("rps", "cpu_s_per_million", "p50_ms", "p99_ms")]

    mine, other = figures(system), figures(BESIDE[system])
    type_, does = type_commands.about(row.kind)
    return [type_, row.kind, does, system, *mine, BESIDE[system], *other[:2],
            matrix.quotient(mine[0], other[0]), matrix.quotient(mine[1], other[1])]


def parse(words):
    parser = tools.parser("types", __doc__)
    parser.add_argument("--types", default=",".join(type_commands.TYPES), help="of " + ", ".join(type_commands.TYPES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="each run takes about so long")
    parser.add_argument("--systems", default=",".join(READERS), help="of " + ", ".join(READERS))
    parser.add_argument("--quick", action="store_true",
                        help="one repeat of 0.1 s each, one write and one read of each type: a look, no measurement")
    options = parser.parse_args(words)
    options.types, options.systems = options.types.split(","), options.systems.split(",")
    if unknown := set(options.types) - set(type_commands.TYPES) or set(options.systems) - set(READERS):
        parser.error(f"there is no {', '.join(sorted(unknown))} here")
    options.workloads, options.cache_state = None, 0
    options.rows = rows_of(options.types)
    if options.quick:
        options.repeats, options.seconds = 1, 0.1
        last = {type_commands.about(row.kind): row for row in options.rows}
        options.rows = list(last.values())
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need(options.systems, options)
    begun = time.monotonic()
    results, floors = matrix.run(options)
    measured = {(row["workload"], row["system"]) for row in results}
    if not measured:
        raise clusters.Failure("none of these systems has any of these commands")
    print(f"\nMedians of {options.repeats}, -c 50 -P 16, {os.cpu_count()} cores; CPU of all server processes.")
    report.print_table(HEAD, [table_row(results, row, system) for row in options.rows for system in BESIDE
                              if (row.name, system) in measured], left=4)
    print(f"fdatasync of 4 KiB, three processes at once, medians: {', '.join(f'{ms:.3f}' for ms in floors)} ms; "
          f"took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "repeats": options.repeats,
                                         "seconds": options.seconds, "settings": tools.settings(options),
                                         "fdatasync_ms": floors, "results": results})
    return 0
