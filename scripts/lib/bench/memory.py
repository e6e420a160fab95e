"""scripts/bench memory: what INFO says of a node's memory, beside what the system and the allocator say.

Each system is started afresh and filled up to each of --keys strings of --bytes; of Kiwi's nodes the leader is
asked. `rss` is the kernel's figure of the process, the rest is in INFO memory: `used` what is allocated (Kiwi:
jemalloc's `allocated`), `active` and `resident` the allocator's pages, `known` what Kiwi accounts for by name
(table, memtables, block cache), `differs` by how much a node's own `rss` is off the kernel's, of all nodes the most.
A node is given time to write out and to give pages back first.
"""

import time

import resp

from bench import generators, machine, report, systems, tools

SYSTEMS = ("redis", "kiwi-1", "kiwi-3")
KNOWN = ("mem_table", "mem_memtables", "mem_block_cache")
HEAD = ["system", "keys", "rss MiB", "INFO rss", "used", "allocated", "active", "resident", "dataset", "overhead",
        "known", "rss/used", "differs %"]
ASKED = {"info_rss": "used_memory_rss", "used": "used_memory", "allocated": "allocator_allocated",
         "active": "allocator_active", "resident": "allocator_resident", "dataset": "used_memory_dataset",
         "overhead": "used_memory_overhead"}
ROOM = 300  # bytes of cache-state a key


def asked(port, pid):
    """MiB of one process."""
    with resp.Client("127.0.0.1", port, 60) as client:
        said = client.info("memory")
        rss = machine.resident_mib([pid])
    found = {"rss": rss, **{name: int(said[field]) / 2**20 for name, field in ASKED.items()}}
    known = [int(said[field]) for field in KNOWN if field in said]
    return {**found, "known": sum(known) / 2**20 if known else None}


def nodes_of(system):
    """(port, pid) of each, the one that is filled first."""
    if not hasattr(system, "cluster"):
        return [(system.port, system.pids()[0])]
    pids = dict(zip((node.port for node in system.cluster.nodes), system.pids()))
    return [(port, pids[port]) for port in system.ports()]


def run_one(options, name):
    settings = {"cache-state": str(2**26 + ROOM * max(options.keys)), **tools.settings(options)} \
        if name.startswith("kiwi") else {}
    with systems.Started(options, name, settings) as system:
        filled = 0
        for keys in options.keys:
            if keys > filled:
                generators.load(system.data_port, "fill", clients=8, pipeline=16, first=filled, keys=keys - filled,
                                value_bytes=options.bytes)
                filled = keys
            time.sleep(options.rest)
            all_nodes = [asked(*node) for node in nodes_of(system)]
            off = max(abs(node["info_rss"] - node["rss"]) / node["rss"] * 100 for node in all_nodes)
            yield {"system": name, "keys": keys, **all_nodes[0], "off_percent": off}


def table_row(row):
    return [row["system"], row["keys"], row["rss"], row["info_rss"], row["used"], row["allocated"], row["active"],
            row["resident"], row["dataset"], row["overhead"], row["known"], row["rss"] / row["used"], row["off_percent"]]


def parse(words):
    parser = tools.parser("memory", __doc__)
    parser.add_argument("--keys", type=tools.counts, default=[0, 1_000_000, 5_000_000])
    parser.add_argument("--bytes", type=int, default=64, help="of a value")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="of " + ", ".join(SYSTEMS))
    parser.add_argument("--rest", type=float, default=15, help="seconds before each look")
    parser.add_argument("--quick", action="store_true", help="0 and 20,000 keys, 1 s of rest: a look")
    options = parser.parse_args(words)
    options.systems = tools.names(parser, options.systems, SYSTEMS, "system")
    options.keys.sort()
    if options.quick:
        options.keys, options.rest = [0, 20_000], 1
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    options.server = systems.need(options.systems, options)
    begun, rows = time.monotonic(), []
    for name in options.systems:
        for row in run_one(options, name):
            rows.append(row)
            print("  " + "  ".join(report.cell(value) for value in table_row(row)), flush=True)
    print(f"\nMiB; values of {options.bytes} B.")
    report.print_table(HEAD, [table_row(row) for row in rows])
    print(f"took {time.monotonic() - begun:.0f} s")
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "settings": tools.settings(options),
                                         "rows": rows})
    return 0
