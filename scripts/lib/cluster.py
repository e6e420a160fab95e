"""scripts/cluster: starts, shows, breaks and stops a Kiwi cluster on this machine."""

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

import resp
from processes import Process, port_is_free, port_owner

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEER_PORT_OFFSET = 10000
START_SECONDS = 30
STOP_SECONDS = 20

HELP = """\
A Kiwi cluster on this machine.

  start        build, start every node that does not run, wait for a leader
  status       what runs, who leads, how far each node is
  stop         stop all nodes (SIGTERM; their data stays)
  restart [N]  build, stop and start all nodes, or node N
  kill N       kill -9
  pause N      SIGSTOP            resume N     SIGCONT
  logs N       the end of node N's log; logs N -f follows it
  wipe [N]     delete all data, or node N's alone; what runs must be stopped first

options, before or after the command:
  --nodes 1|3|5   how many nodes a new cluster has (3)
  --port P        client port of node 1, the others follow (6379); peers use P + 10000
  --dir D         where the cluster lives (run/ in the tree, or $KIWI_CLUSTER_DIR)
  --set name=v    one more server option, for all nodes; may be repeated
  --no-build      start the server that is already built

KIWI_SERVER names another server program.
"""


class Failure(Exception):
    """Ends the command with one sentence."""


class Node:
    def __init__(self, cluster, number):
        self.number = number
        self.cluster = cluster
        self.port = cluster.port + number - 1
        self.dir = os.path.join(cluster.dir, f"node-{number}")
        self.data = os.path.join(self.dir, "data")
        self.log = os.path.join(self.dir, "log")
        self.conf = os.path.join(self.dir, "kiwi.conf")
        self.process = Process(os.path.join(self.dir, "pid"))

    def write_conf(self):
        os.makedirs(self.dir, exist_ok=True)
        peers = ",".join(f"{n.number}@127.0.0.1:{n.port}" for n in self.cluster.nodes)
        lines = ["# Written by scripts/cluster at every start; change it with --set.",
                 f"port {self.port}", "bind 127.0.0.1", f'dir "{self.data}"',
                 f"raft.id {self.number}", f"raft.cluster-secret {self.cluster.secret}"]
        if len(self.cluster.nodes) > 1:
            lines.append(f"raft.peers {peers}")
        lines += [f'{name} "{value}"' for name, value in self.cluster.settings.items()]
        with open(self.conf, "w") as file:
            os.chmod(self.conf, 0o600)
            file.write("\n".join(lines) + "\n")

    def check_ports(self):
        for port in (self.port, self.port + PEER_PORT_OFFSET):
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

    def connect(self, timeout=1.0):
        return resp.Client("127.0.0.1", self.port, timeout,
                           self.cluster.settings.get("requirepass"))

    def info(self):
        """INFO raft, or {} if the node does not answer."""
        if not self.process.pid() or self.process.is_paused():
            return {}
        try:
            with self.connect() as client:
                return client.info("raft")
        except (OSError, resp.ServerError):
            return {}


class Cluster:
    """What cluster.json says."""

    def __init__(self, directory):
        self.dir = os.path.abspath(directory)
        self.file = os.path.join(self.dir, "cluster.json")
        self.nodes = []
        self.count, self.port, self.secret, self.settings = 0, 0, "", {}
        if os.path.exists(self.file):
            with open(self.file) as file:
                saved = json.load(file)
            self.define(saved["nodes"], saved["port"], saved["secret"], saved["settings"])

    def exists(self):
        return bool(self.nodes)

    def define(self, count, port, secret, settings):
        self.count, self.port, self.secret, self.settings = count, port, secret, settings
        self.nodes = [Node(self, number) for number in range(1, count + 1)]

    def save(self):
        os.makedirs(self.dir, exist_ok=True)
        with open(self.file + ".new", "w") as file:
            os.chmod(file.name, 0o600)
            json.dump({"nodes": self.count, "port": self.port, "secret": self.secret,
                       "settings": self.settings}, file, indent=1)
        os.rename(self.file + ".new", self.file)

    def node(self, number):
        if not self.exists():
            raise Failure(f"there is no cluster in {self.dir}; scripts/cluster start makes one")
        if number is None or not 1 <= number <= self.count:
            raise Failure(f"which node? This cluster has nodes 1 to {self.count}")
        return self.nodes[number - 1]

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
    if len(ports) > 1 and leaders:
        print(f"  scripts/cluster kill {min(leaders)} && scripts/cluster status"
              "   # another node leads within a second")
        print("  scripts/cluster start      # brings the killed node back")
    print("  scripts/cluster stop")


def wait_for_leader(nodes, started):
    """Until a leader serves and every started node follows it; False when that takes too long."""
    deadline = time.monotonic() + START_SECONDS
    waiting = set(nodes)
    if 2 * len(nodes) <= len(nodes[0].cluster.nodes):
        print("cluster: too few nodes run for a majority, so none leads; scripts/cluster start "
              "starts the others")
        return
    while time.monotonic() < deadline:
        for node in started:
            node.check_alive()
        infos = {node: node.info() for node in nodes}
        leader = [n.number for n, info in infos.items()
                  if info.get("raft_role") == "leader" and info.get("raft_state") == "up"]
        waiting = {node for node, info in infos.items() if info.get("raft_state") != "up" or
                   info.get("raft_leader_id") not in [str(number) for number in leader]}
        if leader and not waiting:
            return
        time.sleep(0.05)
    names = ", ".join(str(node.number) for node in sorted(waiting, key=lambda n: n.number))
    print(f"cluster: after {START_SECONDS} s node(s) {names} follow no leader yet; "
          "scripts/cluster logs N shows why")


# ---------------------------------------------------------------- commands

def server_program(options):
    program = os.environ.get("KIWI_SERVER")
    if program:
        return os.path.abspath(program)
    build_dir = os.environ.get("KIWI_BUILD_DIR") or os.path.join(ROOT, "build")
    if not options.no_build:
        if subprocess.call([os.path.join(ROOT, "scripts", "build"), "--dir", build_dir,
                            "kiwi-server"]) != 0:
            raise Failure("the server was not built, so nothing was started")
    program = os.path.join(build_dir, "actors", "kiwi-server")
    if not os.access(program, os.X_OK):
        raise Failure(f"there is no server at {program}; build it with scripts/build")
    return program


def settle(cluster, options):
    """Takes what the options ask for into a new cluster; an existing one keeps what it is."""
    settings = dict(pair.split("=", 1) for pair in options.set or [])
    if not cluster.exists():
        count, port = options.nodes or 3, options.port or 6379
        if not 1 <= port <= 65535 - PEER_PORT_OFFSET - count:
            raise Failure(f"--port {port} leaves no room: nodes use ports from it on, and the same "
                          "plus 10000 for each other")
        cluster.define(count, port, secrets.token_hex(16), settings)
    for asked, has, what in ((options.nodes, cluster.count, "nodes"),
                             (options.port, cluster.port, "port")):
        if asked and asked != has:
            raise Failure(f"the cluster in {cluster.dir} has --{what} {has}: scripts/cluster stop "
                          "and wipe it to begin another, or choose another --dir")
    cluster.settings.update(settings)


def start(cluster, options, only=None):
    settle(cluster, options)
    missing = [n for n in cluster.nodes if not n.process.pid() and (only is None or n is only)]
    if not missing:
        print("cluster: already started")
        print_lines_to_try(cluster, print_status(cluster))
        return
    server = server_program(options)
    for node in missing:
        node.check_ports()
    cluster.save()
    try:
        for node in missing:
            node.start(server)
        wait_for_leader(cluster.running(), missing)
    except Failure:
        for node in missing:  # half a cluster helps nobody
            node.process.signal(signal.SIGTERM)
        for node in missing:
            if not node.process.wait_gone(STOP_SECONDS):
                node.process.kill()
        raise
    names = ", ".join(str(node.number) for node in missing)
    print(f"cluster: started node(s) {names}")
    print_lines_to_try(cluster, print_status(cluster))


def stop_nodes(nodes):
    running = [node for node in nodes if node.process.pid()]
    for node in running:
        node.process.signal(signal.SIGTERM)
        node.process.signal(signal.SIGCONT)  # a paused one must hear it
    for node in running:
        if not node.process.wait_gone(STOP_SECONDS):
            node.process.kill()
            print(f"cluster: node {node.number} did not stop within {STOP_SECONDS} s and was "
                  f"killed; see {node.log}")
    return running


def stop(cluster, _):
    stopped = stop_nodes(cluster.nodes)
    names = ", ".join(str(node.number) for node in stopped)
    print(f"cluster: stopped node(s) {names}" if stopped else "cluster: nothing was running")


def restart(cluster, options):
    nodes = [cluster.node(options.node)] if options.node else cluster.nodes
    if not nodes:
        raise Failure(f"there is no cluster in {cluster.dir}; scripts/cluster start makes one")
    server_program(options)  # build before anything stops
    options.no_build = True
    stop_nodes(nodes)
    start(cluster, options, nodes[0] if options.node else None)


def status(cluster, _):
    if not cluster.exists():
        raise Failure(f"there is no cluster in {cluster.dir}; scripts/cluster start makes one")
    print_status(cluster)


def signal_node(cluster, options):
    node = cluster.node(options.node)
    if not node.process.pid():
        raise Failure(f"node {node.number} does not run; scripts/cluster start starts it")
    if options.command == "kill":
        print(f"cluster: killed node {node.number} (pid {node.process.kill()})")
        return
    number, word = {"pause": (signal.SIGSTOP, "paused"),
                    "resume": (signal.SIGCONT, "resumed")}[options.command]
    print(f"cluster: {word} node {node.number} (pid {node.process.signal(number)})")


def logs(cluster, options):
    node = cluster.node(options.node)
    if not os.path.exists(node.log):
        raise Failure(f"node {node.number} has no log yet: it was never started")
    follow = ["-F"] if options.follow else []
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", "50", *follow, node.log])


def wipe(cluster, options):
    nodes = [cluster.node(options.node)] if options.node else cluster.nodes
    for node in nodes:
        if node.process.pid():
            raise Failure(f"node {node.number} runs; stop it first: scripts/cluster "
                          + (f"kill {node.number}" if options.node else "stop"))
    if options.node:
        shutil.rmtree(nodes[0].data, ignore_errors=True)
        print(f"cluster: node {nodes[0].number}'s data is deleted; scripts/cluster start brings it "
              "back empty")
        return
    for node in nodes:
        shutil.rmtree(node.dir, ignore_errors=True)
    if os.path.exists(cluster.file):
        os.remove(cluster.file)
    print("cluster: all data is deleted" if nodes else "cluster: there was nothing to delete")


COMMANDS = {"start": start, "status": status, "stop": stop, "restart": restart,
            "kill": signal_node, "pause": signal_node, "resume": signal_node, "logs": logs,
            "wipe": wipe}


def parse(argv):
    parser = argparse.ArgumentParser(prog="scripts/cluster", add_help=False)
    parser.add_argument("command", nargs="?")
    parser.add_argument("node", nargs="?", type=int)
    parser.add_argument("--nodes", type=int, choices=(1, 3, 5))
    parser.add_argument("--port", type=int)
    parser.add_argument("--dir", default=os.environ.get("KIWI_CLUSTER_DIR",
                                                        os.path.join(ROOT, "run")))
    parser.add_argument("--set", action="append", metavar="name=value")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("-f", dest="follow", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    options = parser.parse_intermixed_args(argv)
    if options.help or options.command is None:
        print(HELP, end="")
        sys.exit(0 if options.help else 1)
    if options.command not in COMMANDS:
        raise Failure(f"there is no command '{options.command}'; scripts/cluster --help lists them")
    for pair in options.set or []:
        if "=" not in pair:
            raise Failure(f"--set {pair}: it should look like --set name=value")
    return options


def main(argv):
    try:
        options = parse(argv)
        reading = options.command in ("status", "logs")
        probe = Cluster(options.dir)
        if reading or (not probe.exists() and options.command != "start"):
            COMMANDS[options.command](probe, options)
            return 0
        with probe.locked():
            COMMANDS[options.command](Cluster(options.dir), options)
        return 0
    except Failure as failure:
        print(f"cluster: {failure}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
