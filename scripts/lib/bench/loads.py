"""What several measurements do with loads of templates: rates with their cost, latencies of one client,
and what data takes in memory and on disk."""

import os
import time

import cluster as clusters
import resp

from bench import disk, generators, machine, systems
from bench.removal import WAITED, Prober, percentile

NOTE = 80  # letters of an error that are kept
PATIENCE = 900  # seconds that one command may take
MEBI = 2**20
WARM_UP_ROUNDS = 20  # pipelines of each client


def measured(system, templates, seconds, clients=50, pipeline=16):
    """A closed loop for about so long, after a warm-up: rate, tail, CPU of all server processes."""
    warm = generators.commands(system.port, templates, clients=clients, pipeline=pipeline,
                               requests=clients * pipeline * WARM_UP_ROUNDS)
    requests = max(200, int(warm["rps"] * seconds))
    watch = machine.Watch(system.pids(), system.directory)
    said = generators.commands(system.port, templates, clients=clients, pipeline=pipeline, requests=requests)
    return {**generators.seen(said), **watch.stop(requests), "requests": requests}


def one_after_other(system, templates, rounds, seconds, seed=1):
    """One client, so many commands or seconds: (figures of load, the server's error if it refused)."""
    try:
        return generators.commands(system.port, templates, clients=1, requests=rounds, seconds=seconds, seed=seed), ""
    except clusters.Failure as failure:
        return {"requests": 0}, str(failure).rsplit("the first: ", 1)[-1][:NOTE]


def tails(milliseconds):
    waits = sorted(milliseconds)
    return {"p50_ms": percentile(waits, 0.5), "p99_ms": percentile(waits, 0.99), "max_ms": percentile(waits, 1)}


def until_served(ports):
    """Until each node answers a read: one that applies a long command says BUSY, or nothing."""
    for port in ports:
        with resp.Client("127.0.0.1", port, PATIENCE) as client:
            while True:
                try:
                    client.call("EXISTS", "none")
                    break
                except resp.ServerError as error:
                    if not f"-{error}".encode().startswith(WAITED):
                        raise
                time.sleep(0.02)


def beside_others(system, after, *words):
    """One command while a client on each node sends one SET after the other, and so many seconds longer, for
    what it leaves to be done: (milliseconds, the answer or the server's error, the longest SET on each node,
    milliseconds until all nodes answered reads again)."""
    ports = system.ports()
    probers = [Prober(port) for port in ports]
    begun = time.monotonic()
    with resp.Client("127.0.0.1", system.port, PATIENCE) as client:
        try:
            said = client.call(*words)
        except resp.ServerError as error:
            said = error
    took = (time.monotonic() - begun) * 1000
    until_served(ports)
    busy = (time.monotonic() - begun) * 1000
    time.sleep(after)
    return took, said, [prober.finish(begun)["max_ms"] for prober in probers], busy


def footprint(system):
    """Bytes of a node: resident, in the table (redis: used_memory), on disk. Written out first: what is in
    memory only is in no file, and the log is cut. Of several nodes the mean."""
    if not isinstance(system, systems.Kiwi):
        with resp.Client("127.0.0.1", system.port, PATIENCE) as client:
            used = int(client.info("memory")["used_memory"])
            resident = machine.resident_mib(system.pids()) * MEBI  # before SAVE, which changes none of it
            client.call("SAVE")
        log = os.path.join(system.directory, "appendonlydir")
        return {"resident": resident, "table": used, "log": machine.directory_bytes(log),
                "state": os.path.getsize(os.path.join(system.directory, "dump.rdb"))}
    nodes = system.cluster.nodes
    table = 0
    for node in nodes:
        with node.connect(PATIENCE) as client:
            table += int(client.info().get("state_cache_bytes", 0))
    resident = machine.resident_mib(system.pids()) * MEBI
    system.settle()
    sizes = [disk.sizes(node) for node in nodes]
    return {"resident": resident / len(nodes), "table": table / len(nodes),
            **{part: sum(size[part] for size in sizes) * MEBI / len(nodes) for part in ("log", "state")}}


def grown(before, after, count):
    """Bytes for each of so many."""
    return {part: (after[part] - before[part]) / count for part in after}
