"""scripts/bench pair: this tree's server against another one, such as the one before a change.

Two clusters run side by side on the same disk, and each workload is measured on them in turn, the
order swapped every time, so that a pair of runs lies seconds apart and what the machine does
meanwhile hits both. A figure is the median of the quotients within pairs, with its quartiles: a
change is real when they do not reach over 1.
"""

import os
import shutil
import statistics
import tempfile
import time

import cluster as clusters

from bench import machine, matrix, report, systems, tools, workloads

WORKLOADS = ("set c1 p1 64 B", "set c50 p1 64 B", "set c50 p16 64 B",
             "get c50 p1 64 B", "get c50 p16 64 B")
HEAD = ["workload", "rate", "quartiles", "CPU/op", "quartiles", "p50", "p99", "before req/s",
        "after req/s", "before CPU s/M", "after CPU s/M"]
PORTS_APART = 20
BEFORE, AFTER = "before", "after"


def quotients(results, workload, key):
    """after / before of each pair."""
    sides = [[row[key] for row in results if row["workload"] == workload and row["side"] == side]
             for side in (BEFORE, AFTER)]
    return [after / before for before, after in zip(*sides) if before]


def quartiles(values):
    if len(values) < 2:
        return "-"
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{low:.3f}-{high:.3f}"


def table_row(results, workload):
    def side(name, key):
        return statistics.median(row[key] for row in results
                                 if row["workload"] == workload and row["side"] == name)

    rate, cpu = (quotients(results, workload, key) for key in ("rps", "cpu_s_per_million"))
    return [workload, f"{statistics.median(rate):.3f}", quartiles(rate),
            f"{statistics.median(cpu):.3f}", quartiles(cpu),
            *(f"{statistics.median(quotients(results, workload, key)):.3f}"
              for key in ("p50_ms", "p99_ms")),
            *(side(name, key) for key in ("rps", "cpu_s_per_million") for name in (BEFORE, AFTER))]


def measure_pairs(options, pair):
    """pair: side -> running system. Rows of both sides, in the order they were measured."""
    data = dict.fromkeys(pair)
    for workload in options.rows:
        for repeat in range(options.repeats):
            for side in (BEFORE, AFTER) if repeat % 2 == 0 else (AFTER, BEFORE):
                keys = workload.keys(options.system, 0)
                data[side] = matrix.filled(pair[side], workload, keys, data[side])
                row = matrix.measure(pair[side], workload, keys, options.seconds)
                yield {"side": side, "repeat": repeat, "workload": workload.name, **row}
        print(f"  {workload.name}: {options.repeats} pairs", flush=True)


def run(options):
    programs = {BEFORE: options.before, AFTER: options.server}
    pair, directories = {}, []
    try:
        for number, side in enumerate(programs):
            directories.append(tempfile.mkdtemp(prefix=f"kiwi-pair-{side}-", dir=options.dir))
            pair[side] = systems.make(options.system, directories[-1],
                                      options.port + number * PORTS_APART, tools.settings(options),
                                      programs[side])
            pair[side].start()
        return list(measure_pairs(options, pair))
    finally:
        for system in pair.values():
            system.stop()
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)


def parse(words):
    parser = tools.parser("pair", __doc__)
    parser.add_argument("--before", required=True, metavar="SERVER",
                        help="the other kiwi-server, built from the tree before")
    parser.add_argument("--system", default="kiwi-3",
                        choices=[name for name in systems.SYSTEMS if name.startswith("kiwi")])
    parser.add_argument("--repeats", type=int, default=9, help="pairs of each workload")
    parser.add_argument("--seconds", type=float, default=2.0, help="each run takes about so long")
    parser.add_argument("--workloads", default=",".join(WORKLOADS),
                        help="names or patterns, as in scripts/bench matrix")
    options = parser.parse_args(words)
    if not os.access(options.before, os.X_OK):
        parser.error(f"--before {options.before}: there is no such program")
    options.rows = [row for row in workloads.chosen(options.workloads) if not row.cold]
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = clusters.server_program(options)
    begun = time.monotonic()
    results = run(options)
    rows = [table_row(results, workload.name) for workload in options.rows]
    print(f"\n{options.system}, after / before: medians of {options.repeats} pairs, "
          f"{os.cpu_count()} cores.")
    report.print_table(HEAD, rows, left=1)
    print(f"took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "system": options.system,
                                         "settings": tools.settings(options), "results": results})
    return 0
