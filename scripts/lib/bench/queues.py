"""scripts/bench queues: what clients in blocking commands cost, beside redis-server.

  latency  one client pushes, another waits in BLPOP: from before the push to the element's arrival.
           `same`: both at the leader; `follower`: both at one follower; `out`: pushed at the leader,
           waited for at a follower; `in`: the other way; `across`: at two followers
  herd     many clients wait for one key, and one push follows the other: log entries and CPU a push,
           and serves that found nothing
  idle     many clients poll with a timeout of one second, and nobody pushes: CPU of all servers a
           second, log entries a second

Waiting clients of `herd` and `idle` are spread over the nodes.
"""

import contextlib
import os
import select
import shutil
import socket
import tempfile
import time

import cluster as clusters

from bench import machine, report, systems, tools
from bench.deep import command
from bench.removal import percentile

PARTS = ("latency", "herd", "idle")
SYSTEMS = ("redis", "redis-aof", "kiwi-3")
KEY = b"bench:queue"
SETTLE = 0.004  # seconds: until a client that asked waits
QUIET = 2.0     # until many have


def connected(port):
    client = socket.create_connection(("127.0.0.1", port), 30)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def ports_of(system):
    """The leader's, then the followers'; one for all where there is one server."""
    if not isinstance(system, systems.Kiwi):
        return [system.port] * 3
    leader = systems.wait_for(system.cluster.leader, "the cluster has no leader")
    others = [node.port for node in system.cluster.nodes if node is not leader]
    return [leader.port, *(others or [leader.port] * 2)]


def places(ports):
    """name -> (where is pushed, where is waited)"""
    leader, one, other = ports[0], ports[1], ports[2] if len(ports) > 2 else ports[1]
    if leader == one:
        return {"same": (leader, leader)}
    return {"same": (leader, leader), "follower": (one, one), "out": (leader, one), "in": (one, leader),
            "across": (one, other)}


def handed_over(pusher, waiter, rounds):
    """Milliseconds of each push, sorted."""
    waits, took = command(b"BLPOP", KEY, b"0"), []
    for number in range(rounds):
        element = b"%d" % number
        waiter.sendall(waits)
        time.sleep(SETTLE)
        begun = time.monotonic()
        pusher.sendall(command(b"RPUSH", KEY, element))
        answer = b""
        while not answer.endswith(b"\r\n%s\r\n" % element):
            got = waiter.recv(1 << 12)
            if not got or answer[:1] == b"-":
                raise clusters.Failure(f"who waits was answered {answer + got!r}")
            answer += got
        took.append((time.monotonic() - begun) * 1000)
        if pusher.recv(1 << 12)[:1] != b":":
            raise clusters.Failure("the push was answered an error")
    return sorted(took)


def latency(options, system):
    found = {}
    for name, (push_at, wait_at) in places(ports_of(system)).items():
        with contextlib.closing(connected(push_at)) as pusher, contextlib.closing(connected(wait_at)) as waiter:
            handed_over(pusher, waiter, 20)
            took = handed_over(pusher, waiter, options.rounds)
        found[f"{name}_p50_ms"], found[f"{name}_p99_ms"] = percentile(took, 0.5), percentile(took, 0.99)
    return found


class Crowd:
    """Clients that ask the same again as soon as they are answered."""

    def __init__(self, ports, count, asks):
        self._asks, self.answers = asks, 0
        self._poll, self._sockets = select.epoll(), {}
        for number in range(count):
            client = connected(ports[number % len(ports)])
            client.sendall(asks)
            self._sockets[client.fileno()] = client
            self._poll.register(client.fileno(), select.EPOLLIN)

    def serve(self, until):
        """Until that time, or that many answers more: until(answers so far)."""
        while not until():
            for number, _ in self._poll.poll(0.02):
                client = self._sockets[number]
                got = client.recv(1 << 12)
                if not got or got[:1] == b"-":
                    raise clusters.Failure(f"a client that waits was answered {got[:100]!r}")
                self.answers += 1
                client.sendall(self._asks)

    def close(self):
        for client in self._sockets.values():
            client.close()
        self._poll.close()


class Counted:
    """CPU and log entries from here to stop()."""

    def __init__(self, system):
        self._system, self._begun = system, time.monotonic()
        self._cpu, self._entries, self._vain = machine.cpu_seconds(system.pids()), *self._told()

    def _told(self):
        """(log entries, serves in vain of all nodes)"""
        if not isinstance(self._system, systems.Kiwi):
            return 0, 0
        nodes = self._system.cluster.nodes
        vain = 0
        for node in nodes:
            with node.connect(10) as client:
                vain += int(client.info("raft_clients").get("raft_serves_in_vain", 0))
        return max(int(node.info().get("raft_last_applied_index", 0)) for node in nodes), vain

    def stop(self):
        seconds = time.monotonic() - self._begun
        cpu = machine.cpu_seconds(self._system.pids()) - self._cpu
        entries, vain = self._told()
        return seconds, cpu, entries - self._entries, vain - self._vain


def until_time(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def herd(options, system):
    ports = ports_of(system)
    crowd = Crowd(ports, options.waiters, command(b"BLPOP", KEY, b"0"))
    with contextlib.closing(crowd), contextlib.closing(connected(ports[0])) as pusher:
        crowd.serve(until_time(QUIET + options.waiters / 10_000))
        counted = Counted(system)
        for number in range(options.pushes):
            pusher.sendall(command(b"RPUSH", KEY, b"%d" % number))
            pusher.recv(1 << 12)
            wanted, late = number + 1, until_time(10)
            crowd.serve(lambda wanted=wanted, late=late: crowd.answers >= wanted or late())
        seconds, cpu, entries, vain = counted.stop()
    if crowd.answers != options.pushes:
        raise clusters.Failure(f"{options.pushes} elements were pushed, and {crowd.answers} clients had one")
    return {"ms_per_push": seconds * 1000 / options.pushes, "cpu_ms_per_push": cpu * 1000 / options.pushes,
            "entries_per_push": entries / options.pushes, "in_vain_per_push": vain / options.pushes,
            "resident_mib": machine.resident_mib(system.pids())}


def idle(options, system):
    crowd = Crowd(ports_of(system), options.waiters, command(b"BLPOP", KEY, b"1"))
    with contextlib.closing(crowd):
        crowd.serve(until_time(QUIET + options.waiters / 10_000))
        before, counted = crowd.answers, Counted(system)
        crowd.serve(until_time(options.seconds))
        seconds, cpu, entries, _ = counted.stop()
    return {"polls_per_s": (crowd.answers - before) / seconds, "cpu_percent": cpu * 100 / seconds,
            "cpu_s_per_million": cpu * 1e6 / max(1, crowd.answers - before), "entries_per_s": entries / seconds}


RUN = {"latency": latency, "herd": herd, "idle": idle}


def parse(words):
    def count(text):
        return int(float(text))

    parser = tools.parser("queues", __doc__)
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="of " + ", ".join(SYSTEMS + ("kiwi-1",)))
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--rounds", type=count, default=1000, help="of latency, for each place")
    parser.add_argument("--waiters", type=count, default=10_000, help="of herd and idle")
    parser.add_argument("--pushes", type=count, default=1000, help="of herd")
    parser.add_argument("--seconds", type=float, default=10, help="of idle")
    options = parser.parse_args(words)
    options.systems, options.parts = options.systems.split(","), options.parts.split(",")
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if unknown := set(options.systems) - set(systems.SYSTEMS) or {n for n in options.systems if n.startswith("etcd")}:
        parser.error(f"there is no system {', '.join(sorted(unknown))} here")
    return options


def main(words):
    options = parse(words)
    tools.prepare(options)
    server = systems.need(options.systems, options)
    results = []
    for part in options.parts:
        for name in options.systems:
            directory = tempfile.mkdtemp(prefix=f"kiwi-bench-queues-{name}-", dir=options.dir)
            settings = {"maxclients": "20000", **tools.settings(options)}
            system = systems.make(name, directory, options.port, settings, server)
            try:
                system.start()
                found = RUN[part](options, system)
            finally:
                system.stop()
                shutil.rmtree(directory, ignore_errors=True)
            results.append({"part": part, "system": name, **found})
            print(f"{part:<9}{name:<11}" + "  ".join(f"{what} {value:.3f}" for what, value in found.items()),
                  flush=True)
    if options.json:
        report.write_json(options.json, {"machine": machine.describe(), "cores": os.cpu_count(),
                                         "results": results})
    return 0
