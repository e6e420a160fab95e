"""scripts/bench: Kiwi beside redis-server, on this machine and in the same run.

Every repeat starts each system afresh in turn, so that what the machine does meanwhile hits all of
them. Per row: requests per second and latencies as redis-benchmark saw them, CPU seconds of all
server processes per million operations (kernel threads such as the file system's journal are not
in it), syncs of the log per operation, resident memory, and how quiet the machine was.
"""

import argparse
import csv
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import cluster as clusters
import resp
from processes import Process

CLIENTS = 50
KEYS = 100_000
VALUE_BYTES = 64
PORT = 27379


class Redis:
    """One redis-server."""

    def __init__(self, directory, *options):
        self._dir = directory
        self._process = Process(os.path.join(directory, "pid"))
        self._options = options

    def start(self):
        argv = ["redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--dir", self._dir,
                "--save", "", *self._options]
        self._process.start(argv, os.path.join(self._dir, "log"), self._dir)
        deadline = time.monotonic() + 10
        while True:
            try:
                with resp.Client("127.0.0.1", PORT) as client:
                    client.call("PING")
                return PORT
            except (OSError, resp.ServerError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def pids(self):
        return [self._process.pid()]

    def syncs(self):
        return None

    def stop(self):
        self._process.kill()


class Kiwi:
    """A Kiwi cluster; clients talk to its leader, or to a follower."""

    def __init__(self, directory, nodes, follower=False):
        self._cluster = clusters.Cluster(directory)
        self._cluster.define(nodes, PORT, "bench", {})
        self._follower = follower

    def start(self):
        nodes = self._cluster.nodes
        for node in nodes:
            node.check_ports()
            node.start(SERVER)
        clusters.wait_for_leader(nodes, nodes)
        for node in nodes:
            if (node.info().get("raft_role") == "leader") != self._follower:
                return node.port
        raise clusters.Failure("the cluster has no leader")

    def pids(self):
        return [node.process.pid() for node in self._cluster.nodes]

    def syncs(self):
        return sum(int(node.info().get("raft_fsync_count", 0)) for node in self._cluster.nodes)

    def stop(self):
        clusters.stop_nodes(self._cluster.nodes)


# One line adds a system or a workload.
SYSTEMS = {
    "redis": lambda d: Redis(d, "--appendonly", "no"),
    "redis-aof": lambda d: Redis(d, "--appendonly", "yes", "--appendfsync", "always"),
    "kiwi-1": lambda d: Kiwi(d, 1),
    "kiwi-3": lambda d: Kiwi(d, 3),
    "kiwi-3-follower": lambda d: Kiwi(d, 3, follower=True),
}
BASELINE = "redis-aof"
# name: redis-benchmark's test, pipeline depth, requests
WORKLOADS = {
    "set P=1": ("set", 1, 100_000),
    "get P=1": ("get", 1, 100_000),
    "set P=16": ("set", 16, 800_000),
    "get P=16": ("get", 16, 800_000),
}


def cpu_seconds(pids):
    """User and system time of processes and of their ended children."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def resident_mib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/statm") as file:
            total += int(file.read().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


def machine_seconds():
    """(busy, stolen, all) of the whole machine."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    scale = os.sysconf("SC_CLK_TCK")
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle - ticks[7]) / scale, ticks[7] / scale, sum(ticks) / scale


def client_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(system, port, workload, scale):
    test, pipeline, requests = workload
    requests = max(1000, int(requests * scale))
    pids, syncs = system.pids(), system.syncs()
    before, machine, client = cpu_seconds(pids), machine_seconds(), client_seconds()
    started = time.monotonic()
    done = subprocess.run(
        ["redis-benchmark", "-p", str(port), "-t", test, "-c", str(CLIENTS), "-P", str(pipeline),
         "-n", str(requests), "-r", str(KEYS), "-d", str(VALUE_BYTES), "--csv"],
        capture_output=True, text=True)
    seconds = time.monotonic() - started
    rows = [row for row in csv.DictReader(io.StringIO(done.stdout)) if row.get("rps")]
    if done.returncode != 0 or not rows:
        raise clusters.Failure(f"redis-benchmark failed: {done.stdout}{done.stderr}")
    cpu = cpu_seconds(pids) - before
    busy, stolen, total = (now - then for now, then in zip(machine_seconds(), machine))
    others = max(0.0, busy - cpu - (client_seconds() - client))
    synced = system.syncs()
    return {
        "rps": float(rows[0]["rps"]), "p50_ms": float(rows[0]["p50_latency_ms"]),
        "p99_ms": float(rows[0]["p99_latency_ms"]), "max_ms": float(rows[0]["max_latency_ms"]),
        "cpu_s_per_million": cpu / requests * 1e6,
        "syncs_per_op": None if synced is None else (synced - syncs) / requests,
        "resident_mib": resident_mib(pids), "requests": requests, "seconds": seconds,
        "steal_percent": 100 * stolen / total, "others_percent": 100 * others / total,
        "load": os.getloadavg()[0],
    }


def run(options):
    results = []
    for repeat in range(options.repeats):
        for name in options.systems:
            directory = tempfile.mkdtemp(prefix=f"kiwi-bench-{name}-", dir=options.dir)
            system = SYSTEMS[name](directory)
            try:
                port = system.start()
                for workload in options.workloads:
                    row = measure(system, port, WORKLOADS[workload], options.scale)
                    results.append({"repeat": repeat, "system": name, "workload": workload, **row})
                    print(f"  {repeat + 1}/{options.repeats}  {name:<16} {workload:<9} "
                          f"{row['rps']:9.0f}/s  {row['cpu_s_per_million']:8.1f} CPU s/M",
                          flush=True)
            finally:
                system.stop()
                shutil.rmtree(directory, ignore_errors=True)
    return results


def print_table(options, results):
    head = ["workload", "system", "req/s", "p50 ms", "p99 ms", "CPU s/M (min-max)",
            f"x {BASELINE}", "syncs/op", "MiB", "steal %", "others %", "load"]
    table = [head]
    for workload in options.workloads:
        def rows_of(system):
            return [r for r in results if r["workload"] == workload and r["system"] == system]

        def median(system, key):
            values = [r[key] for r in rows_of(system) if r[key] is not None]
            return statistics.median(values) if values else None

        base = median(BASELINE, "cpu_s_per_million")
        for system in options.systems:
            cpu = [r["cpu_s_per_million"] for r in rows_of(system)]
            middle, syncs = statistics.median(cpu), median(system, "syncs_per_op")
            table.append([workload, system, f"{median(system, 'rps'):.0f}",
                          f"{median(system, 'p50_ms'):.2f}", f"{median(system, 'p99_ms'):.2f}",
                          f"{middle:.1f} ({min(cpu):.1f}-{max(cpu):.1f})",
                          f"{middle / base:.2f}" if base else "-",
                          "-" if syncs is None else f"{syncs:.4f}",
                          f"{median(system, 'resident_mib'):.0f}",
                          f"{median(system, 'steal_percent'):.1f}",
                          f"{median(system, 'others_percent'):.1f}",
                          f"{median(system, 'load'):.1f}"])
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    print(f"\nmedians of {options.repeats}; {CLIENTS} clients, {KEYS} keys, {VALUE_BYTES} B "
          f"values, {os.cpu_count()} cores; CPU of all server processes together")
    for row in table:
        print("  ".join(cell.rjust(w) if i > 1 else cell.ljust(w)
                        for i, (cell, w) in enumerate(zip(row, widths))))


def parse(argv):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual requests")
    parser.add_argument("--quick", action="store_true", help="one repeat, a tenth of the requests")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="of " + ", ".join(SYSTEMS))
    parser.add_argument("--workloads", default=",".join(WORKLOADS),
                        help="of " + ", ".join(WORKLOADS))
    parser.add_argument("--dir", default=os.path.join(clusters.ROOT, "run", "bench"),
                        help="where the data goes: a disk, /tmp may be none")
    parser.add_argument("--json", help="also write every single figure here")
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args(argv)
    options.systems = options.systems.split(",")
    options.workloads = options.workloads.split(",")
    for name in options.systems + options.workloads:
        if name not in SYSTEMS and name not in WORKLOADS:
            parser.error(f"there is no system or workload '{name}'")
    if options.quick:
        options.repeats, options.scale = 1, 0.1
    return options


def main(argv):
    global SERVER
    options = parse(argv)
    os.makedirs(options.dir, exist_ok=True)
    try:
        if any(name.startswith("kiwi") for name in options.systems):
            SERVER = clusters.server_program(options)
        results = run(options)
    except clusters.Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    print_table(options, results)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"clients": CLIENTS, "keys": KEYS, "value_bytes": VALUE_BYTES,
                       "cores": os.cpu_count(), "results": results}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
