"""scripts/bench profile [WORKLOAD]: where the work of a command goes.

Three short runs of one workload (a name of scripts/bench --list, or a pattern; "set c50 p16 64 B"):
perf's samples of every server process; then counts per operation of system calls, context switches,
messages between actors and between nodes; then, on servers started anew with a preloaded counter,
allocations and copies. --callgrind adds exact instructions per operation on one node. Debian's
linux-perf is installed if it is missing; tracing needs root.
"""

import glob
import os
import shutil
import subprocess
import tempfile
import time

import cluster as clusters

from bench import counts, generators, machine, matrix, report, sampling, systems, tools, workloads

INFO = ("raft_messages_sent", "raft_messages_received", "raft_proposals", "raft_proposed_commands",
        "raft_proxy_reqs", "raft_read_rounds", "raft_fsync_count", "raft_appendreq_received")
CALLGRIND_OPERATIONS = 20_000


def labels(system):
    """What the processes are, in the order of pids()."""
    if not isinstance(system, systems.Kiwi):
        return [f"server {number + 1}" for number in range(system.node_count)]
    leader = system.cluster.leader()
    return [f"{'leader' if node is leader else 'follower'} (node {node.number})"
            for node in system.cluster.nodes]


def info_of(system):
    if not isinstance(system, systems.Kiwi):
        return [{} for _ in system.pids()]
    return [{name: int(node.info().get(name, 0)) for name in INFO}
            for node in system.cluster.nodes]


def started(options, directory):
    system = systems.make(options.system, directory, options.port, tools.settings(options),
                          options.server)
    system.start()
    return system


def prepared(system, workload, keys):
    """Filled and warm, with who leads now as the target; gives the rate."""
    system.aim()
    if workload.kind in workloads.READS:
        generators.fill(system, keys, workload.value)
    return matrix.warm_up(system, workload, keys)


def sampled(options, system, workload, keys, directory):
    """(label -> Samples, rate of the workload while it was watched)"""
    rate = prepared(system, workload, keys)
    names = labels(system)
    requests = max(200, int(rate * options.seconds * 1.2))
    generators.prepare(system, workload, requests)
    finish = sampling.record(system.pids(), options.seconds, directory)
    said = generators.run(system, workload, keys, requests)
    found = finish()
    return {label: found[pid] for label, pid in zip(names, system.pids()) if pid in found}, \
        said["rps"]


def counted(options, system, workload, keys, rate):
    """label -> name -> per operation"""
    requests = max(200, int(rate * options.seconds))
    generators.prepare(system, workload, requests)
    before, cpu = info_of(system), [machine.cpu_seconds([pid]) for pid in system.pids()]
    rows = counts.count(system.pids(), lambda: generators.run(system, workload, keys, requests))
    after = info_of(system)
    if not system.aim():
        raise clusters.Failure("the leader changed meanwhile; try again on a quieter machine")
    found = {}
    for label, pid, row, then, now, used in zip(labels(system), system.pids(), rows, before, after,
                                                cpu):
        row["CPU microseconds"] = (machine.cpu_seconds([pid]) - used) * 1e6
        row.update({name: now[name] - then[name] for name in now})
        found[label] = {name: value / requests for name, value in row.items()}
    return found


def allocated(options, workload, keys, directory):
    """label -> name -> per operation"""
    preload = counts.Preload(directory)
    try:
        system = started(options, os.path.join(directory, "counting"))
    finally:
        preload.started()
    try:
        rate = prepared(system, workload, keys)
        requests = max(200, int(rate * options.seconds))
        generators.prepare(system, workload, requests)
        before = [preload.read(pid) for pid in system.pids()]
        generators.run(system, workload, keys, requests)
        return {label: {name: (value - then[name]) / requests
                        for name, value in preload.read(pid).items()}
                for label, pid, then in zip(labels(system), system.pids(), before)}
    finally:
        system.stop()


def instructions(options, workload, keys, directory):
    """(per operation, [(per operation, function)]) of one Kiwi node under callgrind."""
    tools.need_packages("valgrind")
    system = systems.make("kiwi-1", directory, options.port, tools.settings(options), None)
    node = system.cluster.nodes[0]
    node.write_conf()
    out = os.path.join(directory, "callgrind.out")
    node.child = node.process.start(
        ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}",
         options.server, node.conf], node.log, node.dir)
    node.log_start = 0

    def switch(on):
        subprocess.run(["callgrind_control", "-i", "on" if on else "off", str(node.process.pid())],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    try:
        clusters.wait_for_leader([node], [node])
        system.port = system.data_port = node.port
        if workload.kind in workloads.READS:
            generators.fill(system, keys, workload.value)
        generators.prepare(system, workload, 2 * CALLGRIND_OPERATIONS)
        generators.run(system, workload, keys, CALLGRIND_OPERATIONS // 10)
        switch(True)
        generators.run(system, workload, keys, CALLGRIND_OPERATIONS)
        switch(False)
    finally:
        system.stop()
    files = glob.glob(out + "*")
    said = subprocess.run(["callgrind_annotate", "--threshold=90", "--show-percs=yes", *files[:1]],
                          capture_output=True, text=True).stdout
    total, rows = counts.parse_callgrind(said)
    return total / CALLGRIND_OPERATIONS, [(number / CALLGRIND_OPERATIONS, function)
                                          for number, function in rows]


def print_samples(options, samples):
    everything = sum(found.total for found in samples.values())
    print("\nCPU time by what the code belongs to, % of each process's samples")
    groups = sorted({name for found in samples.values() for name in found.groups},
                    key=lambda name: -sum(found.groups[name] for found in samples.values()))
    report.print_table(["", *samples], [[name, *(100 * found.groups[name] / max(1, found.total)
                                                 for found in samples.values())]
                                        for name in groups])
    for label, found in samples.items():
        print(f"\n{label}: {100 * found.total / everything:.0f} % of the servers' CPU time; by "
              "thread: " + ", ".join(f"{name} {100 * many / found.total:.0f} %"
                          for name, many in found.threads.most_common(6)))
        for (symbol, where), many in found.functions.most_common(options.top):
            share = 100 * many / found.total
            print(f"  {share:5.1f} %  {symbol[:100]}  [{os.path.basename(where)}]")


def print_counts(title, found):
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    names = [name for name in names if any(row.get(name) for row in found.values())]
    print(f"\n{title}")
    report.print_table(["per operation", *found, "all"],
                       [[name, *(row.get(name) for row in found.values()),
                         sum(row.get(name, 0) for row in found.values())] for name in names])


def parse(words):
    parser = tools.parser("profile", __doc__)
    parser.add_argument("workload", nargs="?", default="set c50 p16 64 B")
    parser.add_argument("--system", default="kiwi-3", choices=sorted(systems.SYSTEMS))
    parser.add_argument("--seconds", type=float, default=4.0, help="each of the runs")
    parser.add_argument("--top", type=int, default=15, help="functions per process")
    parser.add_argument("--callgrind", action="store_true",
                        help="instructions per operation on one node, slow but exact")
    options = parser.parse_args(words)
    options.row = workloads.chosen(options.workload)[0]
    if not options.row.supported_by(options.system):
        parser.error(f"{options.system} has no '{options.row.name}'")
    return options


def run(options, directory):
    workload, keys = options.row, options.row.keys(options.system, 0) or workloads.KEYS
    for part in ("watched", "counting", "callgrind"):
        os.makedirs(os.path.join(directory, part))
    system = started(options, os.path.join(directory, "watched"))
    try:
        samples, rate = sampled(options, system, workload, keys, directory)
        found = counted(options, system, workload, keys, rate)
    finally:
        system.stop()
    print(f"{workload.name} on {options.system}: {rate:.0f} operations/s while watched")
    print_samples(options, samples)
    print_counts("system calls, switches and messages (INFO's since its names begin with raft_)",
                 found)
    if not any("instructions:u" in row for row in found.values()):
        print("this machine does not count instructions; see CPU microseconds, or --callgrind")
    memory = allocated(options, workload, keys, directory)
    print_counts("memory (another run; copies are the calls of libc's memcpy and memmove)", memory)
    result = {"workload": workload.name, "system": options.system, "rate": rate,
              "groups": {label: dict(one.groups) for label, one in samples.items()},
              "functions": {label: [[symbol, where, many] for (symbol, where), many
                                    in one.functions.most_common(50)]
                            for label, one in samples.items()},
              "per_operation": {label: {**row, **memory.get(label, {})}
                                for label, row in found.items()}}
    if options.callgrind:
        total, rows = instructions(options, workload, keys, os.path.join(directory, "callgrind"))
        print(f"\ninstructions per operation, one node under callgrind: {total:.0f}")
        for number, function in rows[:2 * options.top]:
            print(f"  {number:10.1f}  {function[:110]}")
        result["instructions_per_operation"] = total
    return result


def main(words):
    options = parse(words)
    tools.prepare(options)
    tools.need_packages("linux-perf", "binutils")
    options.server = systems.need([options.system, "kiwi-1"], options)
    directory = tempfile.mkdtemp(prefix="kiwi-bench-profile-", dir=options.dir)
    begun = time.monotonic()
    try:
        result = run(options, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"\ntook {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), **result})
    return 0
