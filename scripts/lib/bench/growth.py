"""scripts/bench growth: throughput, tail and memory against the number of keys, of connections, and
of nodes, and what an idle connection costs.

Default: up to 1 M keys and 10,000 connections, 1 to 5 nodes, in a few minutes; --full goes to 10 M
keys. 64-byte values; redis-server without persistence beside the first two curves.
"""

import os
import socket
import time

import cluster as clusters

from bench import generators, machine, matrix, report, systems, tools, workloads

VALUE = 64
SETTINGS = {"maxclients": "20000"}
CURVES = ("keys", "connections", "idle", "nodes")
HEAD = ["curve", "system", "of", "load", "req/s", "p50 ms", "p99 ms", "max ms", "CPU s/M",
        "MiB a node", "load avg"]


def started(options, name):
    return systems.Started(options, name, {**SETTINGS, **tools.settings(options)})


def measured(options, system, curve, name, of, workload, keys):
    row = matrix.measure(system, workload, keys, options.seconds)
    row = {"curve": curve, "system": name, "of": of, "workload": f"{workload.kind} "
           f"c{workload.clients} p{workload.pipeline}", **row,
           "mib_per_node": row["resident_mib"] / system.node_count}
    print(f"  {curve} {of:>9}  {name:<8} {row['workload']:<15} {row['rps']:9.0f}/s  p99 "
          f"{row['p99_ms']:8.2f} ms  {row['mib_per_node']:6.0f} MiB a node", flush=True)
    return row


def keys_curve(options):
    """One start; it is filled more and more."""
    for name in options.systems:
        with started(options, name) as system:
            filled = 0
            for keys in options.keys:
                generators.load(system.data_port, "fill", clients=8, first=filled,
                                keys=keys - filled, value_bytes=VALUE)
                filled = keys
                time.sleep(0.5)
                for kind in ("get", "set"):
                    workload = workloads.Workload(kind, pipeline=16, value=VALUE)
                    yield measured(options, system, "keys", name, keys, workload, keys)


def connections_curve(options):
    for name in options.systems:
        with started(options, name) as system:
            generators.fill(system, workloads.KEYS, VALUE)
            for clients in options.connections:
                for kind in ("get", "set"):
                    workload = workloads.Workload(kind, clients=clients, value=VALUE)
                    yield measured(options, system, "connections", name, clients, workload,
                                   workloads.KEYS)


def nodes_curve(options):
    for nodes in options.nodes:
        with started(options, f"kiwi-{nodes}") as system:
            generators.fill(system, workloads.KEYS, VALUE)
            for kind, depth in (("get", 1), ("get", 16), ("set", 1), ("set", 16)):
                workload = workloads.Workload(kind, pipeline=depth, value=VALUE)
                yield measured(options, system, "nodes", f"kiwi-{nodes}", nodes, workload,
                               workloads.KEYS)


def idle_curve(options):
    """Connections that asked once and then nothing."""
    for name in options.systems:
        with started(options, name) as system:
            for clients in (1, max(options.connections)):  # the first one pays for what comes once
                before = machine.resident_mib(system.pids())
                held = [socket.create_connection(("127.0.0.1", system.port), 10)
                        for _ in range(clients)]
                for connection in held:
                    connection.sendall(b"*1\r\n$4\r\nPING\r\n")
                for connection in held:
                    if connection.recv(64) != b"+PONG\r\n":
                        raise clusters.Failure(f"{name} does not serve {clients} connections")
                time.sleep(1)
                cpu, since = machine.cpu_seconds(system.pids()), time.monotonic()
                time.sleep(min(3.0, 2 * options.seconds))
                cpu = (machine.cpu_seconds(system.pids()) - cpu) / (time.monotonic() - since)
                grown = machine.resident_mib(system.pids()) - before
                for connection in held:
                    connection.close()
                time.sleep(0.2)
            row = {"curve": "idle", "system": name, "of": clients,
                   "bytes_per_connection": grown * 2**20 / clients,
                   "cpu_percent_of_a_core": 100 * cpu / system.node_count}
            print(f"  idle {clients:>9}  {name:<8} {row['bytes_per_connection']:.0f} B per "
                  f"connection, {row['cpu_percent_of_a_core']:.2f} % of a core per node with all "
                  "of them idle", flush=True)
            yield row


RUN = {"keys": keys_curve, "connections": connections_curve, "nodes": nodes_curve,
       "idle": idle_curve}


def print_rows(rows):
    print()
    report.print_table(HEAD, [[row["curve"], row["system"], row["of"], row["workload"], row["rps"],
                               row["p50_ms"], row["p99_ms"], row["max_ms"],
                               row["cpu_s_per_million"], row["mib_per_node"], row["load"]]
                              for row in rows if row["curve"] != "idle"], left=2)
    for row in rows:
        if row["curve"] == "idle":
            print(f"{row['of']} idle connections, {row['system']}: "
                  f"{row['bytes_per_connection']:.0f} B each, {row['cpu_percent_of_a_core']:.2f} % "
                  "of a core per node")


def draw(options, rows):
    from bench import plots

    charts = []
    for curve in ("keys", "connections", "nodes"):
        mine = [row for row in rows if row["curve"] == curve]
        for key, what in (("rps", "requests/s"), ("p99_ms", "p99 ms"),
                          ("mib_per_node", "MiB a node")):
            lines = {}
            for row in mine:
                label = row["workload"].split()[0] if curve != "nodes" else row["workload"]
                system = "" if curve == "nodes" else row["system"] + " "
                lines.setdefault(system + label, []).append((row["of"], row[key]))
            if lines:
                charts.append((f"{what} by {curve}", curve, what, curve != "nodes", lines))
    plots.curves(options.plot, "scripts/bench growth", charts)


def numbers(text):
    return sorted({int(float(word)) for word in text.split(",")})


def parse(words):
    parser = tools.parser("growth", __doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="each run takes about so long")
    parser.add_argument("--full", action="store_true", help="10 M keys too, and runs of 4 s")
    parser.add_argument("--keys", type=numbers, default=numbers("1e3,1e4,1e5,1e6"))
    parser.add_argument("--connections", type=numbers, default=numbers("1,10,100,1000,10000"))
    parser.add_argument("--nodes", type=numbers, default=numbers("1,3,5"))
    parser.add_argument("--curves", default=",".join(CURVES), help="of " + ", ".join(CURVES))
    parser.add_argument("--systems", default="kiwi-3,redis")
    options = parser.parse_args(words)
    options.curves, options.systems = options.curves.split(","), options.systems.split(",")
    for name in options.curves:
        if name not in RUN:
            parser.error(f"there is no curve '{name}'")
    if not set(options.systems) <= set(systems.SYSTEMS) - {"etcd-3"} or \
            not set(options.nodes) <= {1, 3, 5}:
        parser.error("--systems are " + ", ".join(systems.SYSTEMS) + " but etcd-3, --nodes 1, 3, 5")
    if options.full:
        options.seconds = 4.0
        options.keys = sorted({*options.keys, 10_000_000})
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need([*options.systems, "kiwi-3"], options)
    begun, rows = time.monotonic(), []
    for curve in options.curves:
        rows += RUN[curve](options)
    print_rows(rows)
    print(f"\n{os.cpu_count()} cores; took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "rows": rows})
    if options.plot:
        draw(options, rows)
    return 0
