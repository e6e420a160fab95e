"""The cluster of scripts/cluster: its nodes, what cluster.json says of it, and waiting for it."""

import contextlib
import fcntl
import json
import os
import time

import certificates
import resp
from processes import Process, port_is_free, port_owner

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEER_PORT_OFFSET = 10000
TLS_PORT_OFFSET = 500
FACE_PORT_OFFSETS = {"cluster-client-port": 2000, "sentinel-port": 20000}  # with --faces
START_SECONDS = 30
STOP_SECONDS = 20
PATIENCE_SECONDS = 2  # how long a missing majority may be a node that is about to answer


class Failure(Exception):
    """Ends the command with one sentence."""


class Node:
    """One of the cluster's nodes: where it lives, and its process while it runs."""

    def __init__(self, cluster, number):
        self.number = number
        self.cluster = cluster
        self.port = cluster.port + number - 1
        self.tls_port = self.port + TLS_PORT_OFFSET  # if the cluster has any
        self.dir = os.path.join(cluster.dir, f"node-{number}")
        self.data = os.path.join(self.dir, "data")
        self.log = os.path.join(self.dir, "log")
        self.conf = os.path.join(self.dir, "kiwi.conf")
        self.process = Process(os.path.join(self.dir, "pid"))

    def write_conf(self):
        os.makedirs(self.dir, exist_ok=True)
        peers = ",".join(f"{n}@127.0.0.1:{self.cluster.port + n - 1}"
                         for n in range(1, self.cluster.count + 1))
        lines = ["# Written by scripts/cluster at every start; change it with --set.",
                 f"port {self.port}", "bind 127.0.0.1", f'dir "{self.data}"',
                 f"raft.id {self.number}", f"raft.cluster-secret {self.cluster.secret}"]
        if self.number > self.cluster.count:
            others = [n for n in self.cluster.nodes if n is not self]
            lines.append("raft.join " + ",".join(f"127.0.0.1:{n.port}" for n in others))
        elif self.cluster.count > 1:
            lines.append(f"raft.peers {peers}")
        if self.cluster.tls:
            lines.append(f"tls-port {self.tls_port}")
            lines += [f'{name} "{value}"' for name, value in
                      certificates.server_options(self.cluster.tls_dir).items()]
        lines += [f"{name} {port}" for name, port in self.face_ports().items()]
        lines += [f'{name} "{value}"' for name, value in self.cluster.settings.items()]
        with open(self.conf, "w") as file:
            os.chmod(self.conf, 0o600)
            file.write("\n".join(lines) + "\n")

    def face_ports(self):
        offsets = FACE_PORT_OFFSETS if self.cluster.faces else {}
        return {name: self.port + offset for name, offset in offsets.items()}

    def check_ports(self):
        tls = [self.tls_port] if self.cluster.tls else []
        for port in (self.port, self.port + PEER_PORT_OFFSET, *tls, *self.face_ports().values()):
            if not port_is_free(port):
                owner = port_owner(port)
                raise Failure(f"port {port}, which node {self.number} needs, is in use"
                              f"{' by ' + owner if owner else ''}; stop that, or choose other "
                              "ports with --port (wipe first if this cluster has data)")

    def start(self, server):
        self.write_conf()
        self.log_start = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        self.child = self.process.start([server, self.conf], self.log, self.dir)

    def check_alive(self):
        """After start(): fails with the end of the log if the server has ended."""
        code = self.child.poll()
        if code is None:
            return
        with open(self.log, errors="replace") as file:
            file.seek(self.log_start)
            tail = "".join("    " + line for line in file.read().splitlines(True)[-15:])
        how = f"exit status {code}" if code >= 0 else f"signal {-code}"
        raise Failure(f"node {self.number} ended ({how}) while starting; it said:\n{tail}"
                      f"  its whole log: {self.log}")

    def is_awake(self):
        return bool(self.process.pid()) and not self.process.is_paused()

    def why_silent(self):
        if not self.process.pid():
            return "stopped"
        return "paused" if self.process.is_paused() else "no answer"

    def connect(self, timeout=1.0):
        return resp.Client("127.0.0.1", self.port, timeout, self.cluster.password())

    def info(self):
        """INFO raft, or {} if the node does not answer."""
        if not self.is_awake():
            return {}
        try:
            with self.connect() as client:
                return client.info("raft")
        except (OSError, resp.ServerError):
            return {}


class Cluster:
    """What cluster.json says. `count` nodes founded the cluster, numbers 1 to count; `members` are
    the numbers of those that belong to it now; `next` was never used."""

    def __init__(self, directory):
        self.dir = os.path.abspath(directory)
        self.file = os.path.join(self.dir, "cluster.json")
        self.nodes = []
        self.count, self.port, self.secret, self.settings = 0, 0, "", {}
        self.tls, self.tls_dir = False, os.path.join(self.dir, "tls")
        self.faces = False  # listeners for other kinds of clients
        if os.path.exists(self.file):
            with open(self.file) as file:
                saved = json.load(file)
            self.faces = saved.get("faces", False)
            self.define(saved["nodes"], saved["port"], saved["secret"], saved["settings"],
                        saved.get("members"), saved.get("next"))
            self.tls = saved.get("tls", False)

    def exists(self):
        return bool(self.nodes)

    def password(self):
        """Of the default user: it may have changed since the nodes were told one at their start."""
        return os.environ.get("KIWI_PASSWORD") or self.settings.get("requirepass")

    def leader(self, infos=None):
        """The node that leads and serves, by what the nodes say; None if none does."""
        infos = infos or {node: node.info() for node in self.nodes}
        leading = [(int(info.get("raft_current_term", 0)), node.number, node)
                   for node, info in infos.items()
                   if info.get("raft_role") == "leader" and info.get("raft_state") == "up"]
        return max(leading)[2] if leading else None

    def define(self, count, port, secret, settings, members=None, unused=None):
        self.count, self.port, self.secret, self.settings = count, port, secret, settings
        self.next = unused or count + 1
        self.nodes = [Node(self, number) for number in members or range(1, count + 1)]

    def speak_tls(self):
        """Every node, from its next start on."""
        self.tls = True
        try:
            certificates.make(self.tls_dir)
        except certificates.CertificateError as error:
            raise Failure(str(error)) from None

    def save(self):
        os.makedirs(self.dir, exist_ok=True)
        with open(self.file + ".new", "w") as file:
            os.chmod(file.name, 0o600)
            json.dump({"nodes": self.count, "port": self.port, "secret": self.secret,
                       "settings": self.settings, "next": self.next, "tls": self.tls, "faces": self.faces,
                       "members": [node.number for node in self.nodes]}, file, indent=1)
        os.rename(self.file + ".new", self.file)

    def node(self, number):
        if not self.exists():
            raise Failure(f"there is no cluster in {self.dir}; scripts/cluster start makes one")
        for node in self.nodes:
            if node.number == number:
                return node
        names = ", ".join(str(node.number) for node in self.nodes)
        raise Failure(f"which node? This cluster has the nodes {names}")

    @contextlib.contextmanager
    def locked(self):
        """One command at a time changes a cluster."""
        os.makedirs(self.dir, exist_ok=True)
        with open(os.path.join(self.dir, ".lock"), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                print("cluster: waiting for another scripts/cluster to finish", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def running(self):
        return [node for node in self.nodes if node.process.pid()]


# ---------------------------------------------------------------- status

def shortest(path):
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def status_rows(cluster):
    rows, leaders = [], set()
    for node in cluster.nodes:
        pid = node.process.pid()
        info = node.info()
        role = info.get("raft_role", "no answer")
        if info and info.get("raft_state") != "up":
            role = f"{info.get('raft_state')} ({role})"
        if not pid:
            role = "stopped"
        elif node.process.is_paused():
            role = "paused"
        if info.get("raft_role") == "leader":
            leaders.add(node.number)
        rows.append([node.number, pid or "-", role, info.get("raft_current_term", "-"),
                     info.get("raft_commit_index", "-"),
                     info.get("raft_last_applied_index", "-"),
                     f"127.0.0.1:{node.port}", shortest(node.data)])
    return rows, leaders


def print_status(cluster):
    rows, leaders = status_rows(cluster)
    table = [["node", "pid", "role", "term", "commit", "applied", "address", "data"]]
    table += [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return leaders


def print_lines_to_try(cluster, leaders):
    ports = [node.port for node in cluster.nodes]
    print("\ntry:")
    print(f"  redis-cli -p {ports[0]} set greeting hello")
    print(f"  redis-cli -p {ports[-1]} get greeting")
    if cluster.tls:
        words = " ".join(shortest(word) if word.startswith("/") else word
                         for word in certificates.client_words(cluster.tls_dir))
        print(f"  redis-cli -p {cluster.nodes[0].tls_port} {words} get greeting")
    if len(ports) > 1 and leaders:
        print(f"  scripts/cluster kill {min(leaders)} && scripts/cluster status"
              "   # another node leads within a second")
        print("  scripts/cluster start      # brings the killed node back")
    if cluster.faces:
        port = cluster.nodes[0].face_ports()["cluster-client-port"]
        print(f"  redis-cli -c -p {port} cluster nodes      # as a Redis Cluster")
        port = cluster.nodes[0].face_ports()["sentinel-port"]
        print(f"  redis-cli -p {port} sentinel masters     # as a Sentinel")
    print("  scripts/cluster stop")


def quorum_missing(cluster, infos):
    """Why no leader can be: which voters do not answer; "" if a majority of them does."""
    voting = [info for info in infos.values() if info.get("raft_is_voting") == "yes"]
    if not voting:
        return ""  # a cluster that is about to form
    voters = max(int(info.get("raft_num_voting_nodes", 0)) for info in voting)
    if 2 * len(voting) > voters:
        return ""
    silent = [f"{node.number} ({node.why_silent()})" for node in cluster.nodes
              if not infos.get(node)]
    empty = [f"{node.number} (has lost its data)" for node, info in infos.items()
             if info and info.get("raft_is_voting") != "yes"]
    return (f"no node can lead: {voters // 2 + 1} of {voters} voting nodes are needed, and only "
            f"{len(voting)} answer; missing: {', '.join(silent + empty)}")


def wait_for_leader(nodes, started):
    """Until a leader serves and every started node follows it; says so when that takes too long or
    cannot be."""
    cluster = nodes[0].cluster
    nodes = [node for node in nodes if node in started or not node.process.is_paused()]
    begin = possible = time.monotonic()
    waiting = set(nodes)
    if 2 * len(nodes) <= len(cluster.nodes):
        print("cluster: too few nodes run for a majority, so none leads; scripts/cluster start "
              "starts the others")
        return
    while time.monotonic() < begin + START_SECONDS:
        for node in started:
            node.check_alive()
        infos = {node: node.info() for node in nodes}
        leader = cluster.leader(infos)
        waiting = {node for node, info in infos.items() if info.get("raft_state") != "up" or
                   leader is None or info.get("raft_leader_id") != str(leader.number)}
        if leader and not waiting:
            return
        missing = "" if leader else quorum_missing(cluster, infos)
        # For so long without a pause: founders of a slow start join one after the other.
        possible = possible if missing else time.monotonic()
        if missing and time.monotonic() > possible + PATIENCE_SECONDS:
            print(f"cluster: {missing}")
            return
        time.sleep(0.05)
    names = ", ".join(str(node.number) for node in sorted(waiting, key=lambda n: n.number))
    print(f"cluster: after {START_SECONDS} s node(s) {names} follow no leader yet; "
          "scripts/cluster logs N shows why")
