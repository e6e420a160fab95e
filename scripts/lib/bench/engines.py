"""scripts/bench engines: clients' sockets by epoll and by io_uring, beside redis-server and, with --before,
another tree's server.

  rows    SET and GET of many connections and pipelines: rate, tail, CPU of all servers and of the leader,
          system calls and context switches of the leader an operation (where perf may trace)
  reader  one client that reads beside 49 that write, and half reads, half writes: latencies of both
  idle    connections that asked once and then nothing: memory and CPU of the server they are at
  churn   clients that connect, write once and close, --churn a second: CPU a connection, latencies

All systems run side by side and are measured in turn, the order swapped every time. A figure is the median.
"""

import os
import shutil
import socket
import tempfile
import time

import cluster as clusters

from bench import counts, generators, machine, matrix, report, systems, tools, workloads
from bench.deep import command
from bench.removal import percentile

PARTS = ("rows", "reader", "idle", "churn")
SYSTEMS = ("redis", "redis-aof", "before", "epoll", "uring")
ENGINES = ("epoll", "uring")
PORTS_APART = 20
CLIENTS = (1, 50, 200, 1000)
PIPELINES = (1, 16)
VALUE = 64
COUNTED_SECONDS = 2.0
HEAD = {
    "rows": ["workload", "system", "req/s", "p50 ms", "p99 ms", "CPU s/M", "leader's", "calls/op", "switches/op"],
    "reader": ["load", "system", "GET p50 ms", "GET p99 ms", "SET p50 ms", "SET p99 ms", "GET/s", "SET/s"],
    "idle": ["connections", "system", "B each", "% of a core"],
    "churn": ["a second", "system", "made a second", "CPU us each", "p50 ms", "p99 ms"],
}
CELLS = {
    "rows": ("workload", "system", "rps", "p50_ms", "p99_ms", "cpu_s_per_million", "leader_cpu_s_per_million",
             "calls_per_op", "switches_per_op"),
    "reader": ("load", "system", "get_p50_ms", "get_p99_ms", "set_p50_ms", "set_p99_ms", "get_rps", "set_rps"),
    "idle": ("of", "system", "bytes_each", "percent_of_a_core"),
    "churn": ("of", "system", "rate", "cpu_us_each", "p50_ms", "p99_ms"),
}


def made(options, name, directory, port):
    settings = {"maxclients": "20000", **tools.settings(options)}
    if not name.startswith("redis"):
        if name in ENGINES:
            settings["io-engine"] = name
        server = options.before if name == "before" else options.server
        return systems.make(options.cluster, directory, port, settings, server)
    return systems.make(name, directory, port, settings, None)


def serving_pid(system):
    """Of the process that clients talk to."""
    if not isinstance(system, systems.Kiwi):
        return system.pids()[0]
    return next(node.process.pid() for node in system.cluster.nodes if node.port == system.port)


def traced(system, workload, keys, rate):
    """(system calls, context switches) an operation, of the process that clients talk to."""
    if not shutil.which("perf") or not os.access(counts.TRACING, os.R_OK):
        return None, None
    requests = max(200, int(rate * COUNTED_SECONDS))
    pid = serving_pid(system)
    stat = counts.Stat([pid], ["raw_syscalls:sys_enter"])
    time.sleep(0.3)  # until it has attached
    switches = counts.context_switches(pid)
    generators.run(system, workload, keys, requests)
    switches = counts.context_switches(pid) - switches
    calls = stat.stop().get("raw_syscalls:sys_enter")
    return None if calls is None else calls / requests, switches / requests


def workloads_of(options):
    return [workloads.Workload(kind, clients=clients, pipeline=depth, value=VALUE)
            for kind in ("set", "get") for clients in options.clients for depth in PIPELINES]


def rows_of(options, name, system):
    for workload in workloads_of(options):
        keys = workloads.KEYS if workload.kind == "set" else options.keys
        system.aim()
        pid = serving_pid(system)
        cpu = machine.cpu_seconds([pid])
        row = matrix.measure(system, workload, keys, options.seconds)
        cpu = machine.cpu_seconds([pid]) - cpu
        calls, switches = traced(system, workload, keys, row["rps"]) if options.trace else (None, None)
        # The warm-up of measure() is in the process's CPU, too: a few per cent of the run.
        yield {"part": "rows", "workload": workload.name, "system": name, **row,
               "leader_cpu_s_per_million": cpu / row["requests"] * 1e6, "calls_per_op": calls,
               "switches_per_op": switches}


def together(system, readers, writers, options):
    system.aim()
    about = {"keys": options.keys, "value_bytes": VALUE, "seconds": max(1, round(options.seconds)), "pipeline": 1}
    loads = {kind: generators.Load(system.port, kind, clients=clients, **about)
             for kind, clients in (("get", readers), ("set", writers))}
    try:
        return {kind: load.wait() for kind, load in loads.items()}
    finally:
        for load in loads.values():
            if load.runs():
                load.kill()


def reader_of(options, name, system):
    for readers, writers in ((1, 49), (25, 25)):
        said = together(system, readers, writers, options)
        yield {"part": "reader", "load": f"{readers} GET, {writers} SET", "system": name,
               **{f"{kind}_{key}": said[kind][key] for kind in said for key in ("p50_ms", "p99_ms", "rps")}}


def connected(port):
    client = socket.create_connection(("127.0.0.1", port), 30)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def idle_of(options, name, system):
    system.aim()
    pid = serving_pid(system)
    before, held = 0.0, []
    for number in range(options.idle + 100):
        if number == 100:  # the first ones pay for what comes once
            before = machine.resident_mib([pid])
        held.append(connected(system.port))
        held[-1].sendall(b"*1\r\n$4\r\nPING\r\n")
        if held[-1].recv(64) != b"+PONG\r\n":
            raise clusters.Failure(f"{name} does not serve {number} connections")
    time.sleep(2)
    grown = machine.resident_mib([pid]) - before
    cpu, since = machine.cpu_seconds([pid]), time.monotonic()
    time.sleep(max(3.0, options.seconds))
    cpu = (machine.cpu_seconds([pid]) - cpu) / (time.monotonic() - since)
    for client in held:
        client.close()
    time.sleep(0.5)
    yield {"part": "idle", "of": options.idle, "system": name, "bytes_each": grown * 2**20 / options.idle,
           "percent_of_a_core": 100 * cpu}


def churn_of(options, name, system):
    system.aim()
    pid = serving_pid(system)
    took, asks = [], command(b"SET", b"bench:churn", b"x" * VALUE)
    cpu, begun = machine.cpu_seconds([pid]), time.monotonic()
    while (now := time.monotonic()) - begun < options.seconds * 2:
        client = connected(system.port)
        client.sendall(asks)
        if client.recv(64) != b"+OK\r\n":
            raise clusters.Failure(f"{name} did not answer a client that had just come")
        client.close()
        took.append((time.monotonic() - now) * 1000)
        time.sleep(max(0.0, begun + len(took) / options.churn - time.monotonic()))
    seconds, cpu = time.monotonic() - begun, machine.cpu_seconds([pid]) - cpu
    took.sort()
    yield {"part": "churn", "of": options.churn, "system": name, "rate": len(took) / seconds,
           "cpu_us_each": cpu / len(took) * 1e6, "p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99)}


RUN = {"rows": rows_of, "reader": reader_of, "idle": idle_of, "churn": churn_of}


def measured(options, running):
    """name -> running system. All rows, in the order in which they were measured."""
    for system in running.values():
        generators.fill(system, options.keys, VALUE)
    for repeat in range(options.repeats):
        for part in options.parts:
            if part == "idle" and repeat > 0:
                continue  # memory that was freed is used again
            names = list(running) if repeat % 2 == 0 else list(reversed(running))
            for name in names:
                for row in RUN[part](options, name, running[name]):
                    yield {"repeat": repeat, **row}
            print(f"  {part}, {repeat + 1} of {options.repeats}", flush=True)


def run(options):
    running, directories = {}, []
    try:
        for number, name in enumerate(options.systems):
            directories.append(tempfile.mkdtemp(prefix=f"kiwi-bench-{name}-", dir=options.dir))
            running[name] = made(options, name, directories[-1], options.port + number * PORTS_APART)
            running[name].start()
        return list(measured(options, running))
    finally:
        for system in running.values():
            system.stop()
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)


def medians(part, rows):
    """One row for each system of each load: medians of the figures."""
    groups = {}
    for row in rows:
        if row["part"] == part:
            groups.setdefault(tuple(str(row[name]) for name in CELLS[part][:2]), []).append(row)
    table = []
    for same in groups.values():
        table.append([same[0][name] for name in CELLS[part][:2]] +
                     [report.median_of(same, name) for name in CELLS[part][2:]])
    return table


def parse(words):
    parser = tools.parser("engines", __doc__)
    parser.add_argument("--before", metavar="SERVER", help="another kiwi-server, built from the tree before")
    parser.add_argument("--cluster", default="kiwi-3",
                        choices=[name for name in systems.SYSTEMS if name.startswith("kiwi")])
    parser.add_argument("--systems", default=None, help=f"a list of {', '.join(SYSTEMS)}")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--clients", type=tools.counts, default=list(CLIENTS))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0,
                        help="each run takes about so long; at the begin of each the loop looks at sockets as they come")
    parser.add_argument("--keys", type=tools.count, default=100_000)
    parser.add_argument("--idle", type=tools.count, default=10_000, help="idle connections")
    parser.add_argument("--churn", type=tools.count, default=1000, help="connections a second")
    parser.add_argument("--trace", action="store_true", help="count system calls and switches: one more run each")
    parser.add_argument("--quick", action="store_true", help="a look: one repeat, 50 clients, 1,000 idle ones")
    options = parser.parse_args(words)
    usual = [name for name in SYSTEMS if name != "before" or options.before]
    options.systems = tools.names(parser, options.systems or ",".join(usual), SYSTEMS, "system")
    options.parts = tools.names(parser, options.parts, PARTS, "part")
    if "before" in options.systems and not (options.before and os.access(options.before, os.X_OK)):
        parser.error("the system before needs --before SERVER")
    if options.quick:
        options.repeats, options.clients, options.idle, options.seconds = 1, [50], 1000, 1.0
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = clusters.server_program(options)
    begun = time.monotonic()
    rows = run(options)
    for part in options.parts:
        print()
        report.print_table(HEAD[part], medians(part, rows), left=2)
    print(f"\nmedians of {options.repeats}, {os.cpu_count()} cores; took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "settings": tools.settings(options),
                                         "results": rows})
    return 0
