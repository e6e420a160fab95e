"""The systems that are measured. One line in SYSTEMS adds one.

A system is made with a directory, a first port and options for Kiwi's servers; start() brings it up;
`directory` is where its files are, `port` where clients go, `data_port` where data is filled in.
aim() sets the ports by who leads now, and says whether they are still what they were.
"""

import json
import os
import shutil
import tempfile
import time
import urllib.request

import certificates
import cluster as clusters
import resp
from processes import Process

from bench import machine, tools

START_SECONDS = 20


def wait_for(ready, what):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            found = ready()
            if found:
                return found
        except (OSError, resp.ServerError):
            pass
        if time.monotonic() > deadline:
            raise clusters.Failure(f"after {START_SECONDS} s {what}")
        time.sleep(0.05)


class Redis:
    """One redis-server."""

    protocol = "redis"
    node_count = 1

    def __init__(self, directory, port, _, *options, tls=False):
        self.directory = directory
        self._process = Process(os.path.join(directory, "pid"))
        self._options = options
        self.port = self.data_port = port
        self.tls_words = []  # what redis-benchmark needs to be told
        if tls:
            self.port += clusters.TLS_PORT_OFFSET
            where = os.path.join(directory, "tls")
            certificates.make(where)
            self.tls_words = certificates.client_words(where)
            self._options += ("--tls-port", str(self.port))
            for name, value in certificates.server_options(where).items():
                self._options += (f"--{name}", value)

    def start(self):
        argv = ["redis-server", "--port", str(self.data_port), "--bind", "127.0.0.1", "--dir",
                self.directory, "--save", "", "--maxclients", "20000", *self._options]
        self._process.start(argv, os.path.join(self.directory, "log"), self.directory)

        def answers():
            with resp.Client("127.0.0.1", self.data_port) as client:
                return client.call("PING") == "PONG"

        wait_for(answers, f"redis-server does not answer; its log is in {self.directory}")

    def aim(self):
        return True

    def settle(self):
        pass

    def ports(self):
        return [self.port]

    def pids(self):
        return [self._process.pid()]

    def syncs(self):
        return None

    def stop(self):
        self._process.kill()


class Kiwi:
    """A Kiwi cluster; clients talk to its leader, or to a follower."""

    protocol = "redis"

    def __init__(self, directory, port, settings, nodes, follower=False, tls=False):
        self.directory = directory
        self.cluster = clusters.Cluster(directory)
        self.cluster.define(nodes, port, "bench", settings)
        self.tls_words = []
        if tls:
            self.cluster.speak_tls()
            self.tls_words = certificates.client_words(self.cluster.tls_dir)
        self.node_count = nodes
        self._follower = follower
        self.port = self.data_port = None
        self.server = None  # its path, given before start()

    def start(self):
        nodes = self.cluster.nodes
        for node in nodes:
            node.check_ports()
            node.start(self.server)
        clusters.wait_for_leader(nodes, nodes)
        self.aim()

    def aim(self):
        before, leader = self.data_port, wait_for(self.cluster.leader, "the cluster has no leader")
        self.data_port = leader.port
        aimed = next(n for n in self.cluster.nodes if n is not leader) if self._follower else leader
        self.port = aimed.tls_port if self.tls_words else aimed.port
        return before == self.data_port

    def settle(self):
        """All of the state in its files, and those in order as far as RocksDB wants it."""
        for node in self.cluster.nodes:
            with node.connect(60) as client:
                client.call("RAFT.DEBUG", "COMPACT")
        quiet = time.monotonic()
        files = machine.files(self.directory)
        while time.monotonic() < quiet + 1:
            time.sleep(0.1)
            now = machine.files(self.directory)
            if now != files:
                quiet, files = time.monotonic(), now

    def restart(self, settings):
        """With other options, and the data it has."""
        clusters.stop_nodes(self.cluster.nodes)
        self.cluster.settings.update(settings)
        self.start()

    def ports(self):
        """The leader's, then the followers'."""
        leader = wait_for(self.cluster.leader, "the cluster has no leader")
        return [leader.port, *(node.port for node in self.cluster.nodes if node is not leader)]

    def pids(self):
        pids = [node.process.pid() for node in self.cluster.nodes]
        for node, pid in zip(self.cluster.nodes, pids):
            if pid is None:
                node.check_alive()
        return pids

    def syncs(self):
        return sum(int(node.info().get("raft_fsync_count", 0)) for node in self.cluster.nodes)

    def stop(self):
        clusters.stop_nodes(self.cluster.nodes)


class Etcd:
    """Three etcd on the loopback, as Debian packages it, default options; clients talk to the
    leader, which is etcd's best case."""

    protocol = "etcd"
    node_count = 3

    def __init__(self, directory, port, _):
        self.directory = directory
        self._ports = [port + number for number in range(self.node_count)]
        self._processes = [Process(os.path.join(directory, f"pid-{number}"))
                           for number in range(self.node_count)]
        self.port = self.data_port = None

    def start(self):
        def url(port):
            return f"http://127.0.0.1:{port}"

        names = [f"n{number}={url(port + clusters.PEER_PORT_OFFSET)}"
                 for number, port in enumerate(self._ports)]
        for number, (port, process) in enumerate(zip(self._ports, self._processes)):
            peer = url(port + clusters.PEER_PORT_OFFSET)
            process.start(["etcd", "--name", f"n{number}", "--initial-cluster", ",".join(names),
                           "--data-dir", os.path.join(self.directory, f"data-{number}"),
                           "--listen-client-urls", url(port), "--advertise-client-urls", url(port),
                           "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                           "--log-level", "error"],
                          os.path.join(self.directory, f"log-{number}"), self.directory)
        self.aim()

    def aim(self):
        before = self.port
        self.port = self.data_port = wait_for(self._leader_port, "etcd has no leader; its logs are "
                                              f"in {self.directory}")
        return before == self.port

    def _leader_port(self):
        """Through the HTTP gateway; None unless all answer and know a leader."""
        found = None
        for port in self._ports:
            question = urllib.request.Request(f"http://127.0.0.1:{port}/v3/maintenance/status",
                                              data=b"{}")
            with urllib.request.urlopen(question, timeout=1) as answer:
                status = json.load(answer)
            if status.get("leader") == status["header"]["member_id"]:
                found = port
        return found

    def pids(self):
        return [process.pid() for process in self._processes]

    def syncs(self):
        return None

    def stop(self):
        for process in self._processes:
            process.kill()


SYSTEMS = {
    "redis": lambda *where: Redis(*where, "--appendonly", "no"),
    "redis-aof": lambda *where: Redis(*where, "--appendonly", "yes", "--appendfsync", "always"),
    "kiwi-1": lambda *where: Kiwi(*where, nodes=1),
    "kiwi-3": lambda *where: Kiwi(*where, nodes=3),
    "kiwi-3-follower": lambda *where: Kiwi(*where, nodes=3, follower=True),
    # Links between its nodes are not encrypted; who asks for it names it (--systems).
    "kiwi-3-plain-links": lambda directory, port, settings: Kiwi(
        directory, port, {**settings, "raft.tls-enabled": "no"}, nodes=3),
    "kiwi-5": lambda *where: Kiwi(*where, nodes=5),
    # Clients speak TLS; who asks for them names them (--systems).
    "redis-tls": lambda *where: Redis(*where, "--appendonly", "no", tls=True),
    "redis-aof-tls": lambda *where: Redis(*where, "--appendonly", "yes", "--appendfsync", "always", tls=True),
    "kiwi-1-tls": lambda *where: Kiwi(*where, nodes=1, tls=True),
    "kiwi-3-tls": lambda *where: Kiwi(*where, nodes=3, tls=True),
    "etcd-3": lambda *where: Etcd(*where),
}


USUAL = ("redis", "redis-aof", "kiwi-1", "kiwi-3", "kiwi-3-follower", "etcd-3")


def need(names, options):
    """Builds or installs what these systems run; gives the path of Kiwi's server, if it is in."""
    if any(name.startswith("etcd") for name in names):
        tools.need_packages("etcd-server", "etcd-client")
    if any(name.startswith("kiwi") for name in names):
        return clusters.server_program(options)
    return None


def make(name, directory, port, settings, server):
    system = SYSTEMS[name](directory, port, settings)
    if isinstance(system, Kiwi):
        system.server = server
    return system


class Started:
    """A system in a directory of its own, for a with statement. options has dir, port and server."""

    def __init__(self, options, name, settings):
        self._dir = tempfile.mkdtemp(prefix=f"kiwi-bench-{name}-", dir=options.dir)
        self.system = make(name, self._dir, options.port, settings, options.server)

    def __enter__(self):
        try:
            self.system.start()
        except BaseException:
            self.__exit__()
            raise
        return self.system

    def __exit__(self, *_):
        self.system.stop()
        shutil.rmtree(self._dir, ignore_errors=True)
