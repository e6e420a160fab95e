"""scripts/bench [matrix]: Kiwi beside redis-server and etcd, on this machine and in the same run.

Every repeat starts each system afresh in turn, so that what the machine does meanwhile hits all of
them. Per row: requests per second and latencies as the load generator saw them, CPU seconds of all
server processes per million operations (kernel threads such as the file system's journal are not
in it), fdatasync and bytes given to the disk per operation (by anybody, the file system's journal
too), resident memory, and how quiet the machine was. Without --workloads: the rows that the verdicts
at the end need.
"""

import os
import shutil
import statistics
import tempfile
import time

import cluster as clusters

from bench import counts, generators, machine, report, syncs, systems, tools, verdicts, workloads

HEAD = ["workload", "system", "req/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms",
        "CPU s/M (min-max)", "syncs/1000 op", "disk B/op", "MiB", "CPU x AOF", "rate x AOF",
        "rate x MEM", "steal %", "others %", "load"]
AOF, MEM = "redis-aof", "redis"
MEGABYTE = 2**20
ATTEMPTS = 4


def warm_up(system, workload, keys):
    """Connections, caches and pages as they will be; gives the rate, so that runs can be sized."""
    requests = min(workload.clients * workload.pipeline * 40 + 200, 40_000 + workload.clients)
    generators.prepare(system, workload, requests)
    return generators.run(system, workload, keys, requests)["rps"]


def measure(system, workload, keys, seconds):
    """Once more when the leader changed meanwhile: clients would have talked to another role."""
    for attempt in range(ATTEMPTS):
        system.aim()
        row = measure_once(system, workload, keys, seconds)
        if system.aim():
            return {**row, "leader_changes": attempt}
        print("  the leader changed: once more", flush=True)
    raise clusters.Failure(f"the leader changed in {ATTEMPTS} runs of '{workload.name}'")


def measure_once(system, workload, keys, seconds):
    rate = warm_up(system, workload, keys)
    requests = max(200, int(rate * seconds))
    generators.prepare(system, workload, requests)
    synced = SyncCount(system)
    watch, begun = machine.Watch(system.pids(), system.directory), time.monotonic()
    said = generators.run(system, workload, keys, requests)
    took = time.monotonic() - begun
    used = watch.stop(requests)
    syncs_ = synced.stop()
    return {**said, **used, "syncs_per_op": None if syncs_ is None else syncs_ / requests,
            "requests": requests, "seconds": took}


class SyncCount:
    """fdatasync and fsync of a system from here to stop(): Kiwi counts its own, the others' are
    counted by perf where it is installed and may trace; else None."""

    def __init__(self, system):
        self._system, self._before, self._stat = system, system.syncs(), None
        if self._before is None and shutil.which("perf") and os.access(counts.TRACING, os.R_OK):
            self._stat = counts.Stat(system.pids(), counts.SYNCS)
            time.sleep(0.2)  # until it has attached

    def stop(self):
        if self._stat is None:
            return None if self._before is None else self._system.syncs() - self._before
        found = self._stat.stop()
        return sum(found.values()) if found else None


def filled(system, workload, keys, before):
    """Puts in the data that reads need, unless it is there; gives what is there then."""
    wanted = (keys, workload.value)
    if workload.kind in workloads.READS and before != wanted:
        begun = time.monotonic()
        generators.fill(system, *wanted)
        if workload.cold:
            system.settle()
            print(f"  filled {keys} keys in {time.monotonic() - begun:.0f} s", flush=True)
    elif workload.kind in ("set", "mset") and before != wanted:
        return None
    return wanted if workload.kind in workloads.READS else before


def run_system(options, name, rows, repeat):
    """One start of one system and all its rows."""
    settings = tools.settings(options)
    if rows[0].cold:
        settings["cache-state"] = str(options.cache_state)
    directory = tempfile.mkdtemp(prefix=f"kiwi-bench-{name}-", dir=options.dir)
    system = systems.make(name, directory, options.port, settings, options.server)
    try:
        system.start()
        data = None
        for workload in rows:
            keys = workload.keys(name, options.cache_state)
            data = filled(system, workload, keys, data)
            row = measure(system, workload, keys, options.seconds)
            print(f"  {repeat + 1}/{options.repeats}  {name:<16} {workload.name:<22} "
                  f"{row['rps']:9.0f}/s  {row['cpu_s_per_million']:8.1f} CPU s/M", flush=True)
            yield {"repeat": repeat, "system": name, "workload": workload.name, "keys": keys, **row}
    finally:
        system.stop()
        shutil.rmtree(directory, ignore_errors=True)


def rows_for(options, name):
    """Its workloads: those that share a start; those with a small cache, which get their own."""
    rows = [row for row in options.rows if row.supported_by(name)
            and (options.workloads or not row.systems or name in row.systems)]
    return [part for part in ([row for row in rows if not row.cold],
                              [row for row in rows if row.cold]) if part]


def run(options):
    """(results, median fdatasync per repeat)"""
    results, floors = [], []
    for repeat in range(options.repeats):
        floors.append(syncs.median_ms(options.dir, min(2.0, options.seconds)))
        print(f"  {repeat + 1}/{options.repeats}  fdatasync, three at once: {floors[-1]:.3f} ms",
              flush=True)
        for name in options.systems:
            for rows in rows_for(options, name):
                results += run_system(options, name, rows, repeat)
    return results, floors


def quotient(value, base):
    return value / base if value is not None and base else None


def table_row(results, workload, system):
    def median(key, of=system):
        return verdicts.median(results, of, workload, key)

    cpu = [row["cpu_s_per_million"] for row in results
           if row["workload"] == workload and row["system"] == system]
    per_op = median("syncs_per_op")
    return [workload, system, median("rps"), median("p50_ms"), median("p99_ms"), median("p999_ms"),
            median("max_ms"), f"{statistics.median(cpu):.1f} ({min(cpu):.1f}-{max(cpu):.1f})",
            None if per_op is None else per_op * 1000, median("bytes_per_op"),
            median("resident_mib"),
            quotient(median("cpu_s_per_million"), median("cpu_s_per_million", AOF)),
            quotient(median("rps"), median("rps", AOF)),
            quotient(median("rps"), median("rps", MEM)),
            median("steal_percent"), median("others_percent"), median("load")]


def print_results(options, results, floors):
    measured = {(row["workload"], row["system"]) for row in results}
    rows = [table_row(results, workload.name, system) for workload in options.rows
            for system in options.systems if (workload.name, system) in measured]
    print(f"\nMedians of {options.repeats}; {workloads.KEYS} keys (8192 of 16 KiB), {os.cpu_count()} "
          "cores; CPU and memory of all server processes together.")
    report.print_table(HEAD, rows, left=2)
    print("Load: redis-benchmark 7.0 for set, get, incr, mset; our own (scripts/lib/bench/load.cpp, "
          "one thread, epoll)\nfor mixed, stale and for all of etcd, there by gRPC over HTTP/2 to "
          f"its leader, reads over {workloads.ETCD_KEYS} keys.\nmixed: every command is SET or GET by "
          "chance. stale: the connection said READONLY (redis: a plain GET).")
    cold = [row for row in options.rows if row.cold]
    if cold:
        print(f"cold: cache-state {options.cache_state / MEGABYTE:g} MiB, keys and values of twice "
              "that; the kernel's page cache may hold the files.")
    print(f"fdatasync of 4 KiB, three processes at once, median: {statistics.median(floors):.3f} ms "
          f"({min(floors):.3f}-{max(floors):.3f})")


def draw(options, results):
    from bench import plots

    charts = []
    for workload in options.rows:
        for key, what in (("rps", "requests/s"), ("cpu_s_per_million", "CPU s per M op"),
                          ("p99_ms", "p99 ms")):
            shown = []
            for system in options.systems:
                values = [row[key] for row in results
                          if row["system"] == system and row["workload"] == workload.name]
                if values:
                    shown.append((system, statistics.median(values), min(values), max(values)))
            if shown:
                charts.append((f"{workload.name}: {what}", shown))
    plots.bars(options.plot, f"scripts/bench, medians of {options.repeats}, min to max", charts)


def size(text):
    units = {"kb": 2**10, "mb": 2**20, "gb": 2**30}
    return int(text[:-2]) * units[text[-2:].lower()] if text[-2:].lower() in units else int(text)


def parse(words):
    parser = tools.parser("[matrix]", __doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="each run takes about so long")
    parser.add_argument("--quick", action="store_true",
                        help="one repeat of 0.2 s each, a cold run of 8 MiB: a look, no measurement")
    parser.add_argument("--systems", default=",".join(systems.USUAL),
                        help="of " + ", ".join(systems.SYSTEMS))
    parser.add_argument("--workloads", help="all, or patterns of names separated by commas, such as "
                                            "'get*,set c200 *'")
    parser.add_argument("--list", action="store_true", help="the names of all workloads")
    parser.add_argument("--cache-state", type=size, default=size("32mb"),
                        help="Kiwi's in cold runs (32mb)")
    options = parser.parse_args(words)
    options.systems = options.systems.split(",")
    for name in options.systems:
        if name not in systems.SYSTEMS:
            parser.error(f"there is no system '{name}'")
    options.rows = workloads.chosen(options.workloads)
    if options.quick:
        options.repeats, options.seconds, options.cache_state = 1, 0.2, size("8mb")
    return options


def main(words):
    options = parse(words)
    if options.list:
        for row in workloads.WORKLOADS.values():
            print(f"{row.name}{'   (default run)' if row.must_show else ''}")
        return 0
    tools.prepare(options)
    options.server = systems.need(options.systems, options)
    begun = time.monotonic()
    results, floors = run(options)
    if not results:
        raise clusters.Failure("none of these systems has any of these workloads")
    print_results(options, results, floors)
    judged = verdicts.judge(results, statistics.median(floors))
    shown = [row for row in judged if row["measured"] is not None or not options.workloads]
    if shown:
        print("\n" + "\n".join(verdicts.lines(shown)))
    print(f"\ntook {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {
            "machine": machine.describe(), "repeats": options.repeats, "seconds": options.seconds,
            "keys": workloads.KEYS, "cache_state": options.cache_state, "settings":
            tools.settings(options), "fdatasync_ms": floors, "results": results,
            "verdicts": judged})
    if options.plot:
        draw(options, results)
    return 0
