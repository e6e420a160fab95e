"""scripts/bench disk: what the log, the state and snapshots take on disk over a long run of writes.

redis-benchmark writes the same keys again and again (-P 64) on the leader of a cluster; every second
the blocks of each node's files are counted, by what they are for. The log must be cut as it goes:
the maximum is the figure. --set raft.snapshot-entries=... and the like change when it is cut.
"""

import os
import shutil
import subprocess
import tempfile
import time

import cluster as clusters

from bench import machine, report, systems, tools

MEBI = 2**20
PARTS = ("log", "state", "other")  # other: checkpoints, what is being received, old states


def sizes(node):
    """MiB per part of one node's directory."""
    found = dict.fromkeys(PARTS, 0.0)
    live = node.info().get("raft_snapshot_filename", "state-1")
    group = os.path.join(node.data, "group-1")
    try:
        names = os.listdir(group)
    except OSError:
        names = []
    for name in names:
        part = "log" if name == "log" else "state" if name == live else "other"
        found[part] += machine.directory_bytes(os.path.join(group, name)) / MEBI
    return found


def sample(system, begun):
    nodes = [sizes(node) for node in system.cluster.nodes]
    return {"s": time.monotonic() - begun, "nodes": nodes,
            "total": max(sum(node.values()) for node in nodes),
            **{part: max(node[part] for node in nodes) for part in PARTS}}


def write_and_watch(options, system):
    """(samples, seconds that the writes took)"""
    argv = ["redis-benchmark", "-p", str(system.port), "-t", "set", "-c", "50", "-P", "64", "-r",
            str(options.keys), "-d", str(options.value), "-n", str(options.writes), "-q"]
    begun = time.monotonic()
    samples = [sample(system, begun)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as load:
        try:
            while load.poll() is None:
                try:
                    load.wait(max(0.05, samples[-1]["s"] + 1 - (time.monotonic() - begun)))
                except subprocess.TimeoutExpired:
                    pass
                samples.append(sample(system, begun))
            took = time.monotonic() - begun
            complaint = load.stderr.read()
        finally:
            load.kill()
    if load.returncode != 0:
        raise clusters.Failure(f"redis-benchmark failed: {complaint[-500:]}")
    for _ in range(options.after):
        time.sleep(1)
        samples.append(sample(system, begun))
    return samples, took


def run(options, directory):
    system = systems.make(options.system, directory, options.port, tools.settings(options),
                          systems.need([options.system], options))
    try:
        system.start()
        samples, took = write_and_watch(options, system)
        info = system.cluster.leader().info()
        cuts = int(info.get("raft_snapshots_created", 0))
        return samples, took, cuts
    finally:
        system.stop()


def print_samples(options, samples, took, cuts):
    step = max(1, len(samples) // 30)
    rows = [[f"{s['s']:.0f}", *(s[part] for part in PARTS), s["total"]]
            for turn, s in enumerate(samples) if turn % step == 0 or s is samples[-1]]
    data = options.keys * (options.value + 16) / MEBI
    print(f"\nMiB on disk, the largest node's, {options.writes} writes of {options.value} B to "
          f"{options.keys} keys ({data:.1f} MiB of data), {options.writes / took:.0f} writes/s, the "
          f"log was cut {cuts} times")
    report.print_table(["s", *PARTS, "total"], rows, left=0)
    for part in (*PARTS, "total"):
        highest = max(samples, key=lambda s, part=part: s[part])
        print(f"maximum {part}: {highest[part]:.1f} MiB after {highest['s']:.0f} s; "
              f"at the end {samples[-1][part]:.1f} MiB")


def draw(options, samples):
    from bench import plots

    lines = {part: [(s["s"], s[part]) for s in samples] for part in (*PARTS, "total")}
    plots.curves(options.plot, f"{options.writes} writes to {options.keys} keys",
                 [("disk use of the largest node", "s", "MiB", False, lines)])


def main(words):
    parser = tools.parser("disk", __doc__)
    parser.add_argument("--writes", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--value", type=int, default=100, help="bytes")
    parser.add_argument("--after", type=int, default=5, help="seconds to watch when all is written")
    parser.add_argument("--system", default="kiwi-3", choices=("kiwi-1", "kiwi-3"))
    options = parser.parse_args(words)
    tools.prepare(options)
    directory = tempfile.mkdtemp(prefix="kiwi-bench-disk-", dir=options.dir)
    try:
        samples, took, cuts = run(options, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print_samples(options, samples, took, cuts)
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "writes": options.writes,
                                         "keys": options.keys, "value_bytes": options.value,
                                         "seconds": took, "log_cuts": cuts, "samples": samples})
    if options.plot:
        draw(options, samples)
    return 0
