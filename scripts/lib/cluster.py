"""scripts/cluster: starts, shows, breaks, changes and stops a Kiwi cluster on this machine."""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys

import cluster_console
import cluster_doctor
import cluster_members
import cluster_top
from cluster_model import (FACE_PORT_OFFSETS, PEER_PORT_OFFSET, ROOT, STOP_SECONDS, Cluster, Failure, print_status,
                           print_lines_to_try, wait_for_leader)

HELP = """\
A Kiwi cluster on this machine.

  start        build, start every node that does not run, wait for a leader
  status       what runs, who leads, how far each node is
  top          what every node does, once a second, and what takes long: snapshots, catching up
  doctor       looks for what is wrong, and says what to do; exits with 1 if it found something
  console [N]  prints the link to a node's console
  stop         stop all nodes (SIGTERM; their data stays)
  restart [N]  build, stop and start all nodes, or node N
  rolling-restart   build, then restart node after node, the leader last; the cluster serves on
  add          start one more node and make it a member
  remove N     take node N out of the cluster for good and stop it; its number is not used again
  transfer [N] hand leadership over to node N, or to any that is up to date
  kill N       kill -9
  pause N      SIGSTOP            resume N     SIGCONT
  logs N       the end of node N's log; logs N -f follows it
  wipe [N]     delete all data, or node N's alone; what runs must be stopped first

options, before or after the command:
  --nodes 1|3|5   how many nodes a new cluster has (3)
  --port P        client port of node 1, the others follow (6379); peers use P + 10000
  --dir D         where the cluster lives (run/ in the tree, or $KIWI_CLUSTER_DIR)
  --restore D     a new cluster gets the data of a backup (scripts/backup)
  --import F      a new cluster gets the data of an RDB file of Redis
  --tls           all nodes also take clients that speak TLS, on P + 500 and up; authority and
                  certificates are made in D/tls, and clients must show one (or: --set
                  tls-auth-clients=no)
  --faces         also listen for clients of Redis Cluster (port + 2000) and of Sentinel
                  (port + 20000)
  --set name=v    one more server option, for all nodes; may be repeated
  --no-build      start the server that is already built
  --at H:P,...    top, doctor and console look at the cluster of these nodes, on any machines;
                  --password W logs in as the default user
  --count K       top prints K tables and ends

KIWI_SERVER names another server program. KIWI_PASSWORD is the default user's password, if it is no
longer what the nodes were started with (--set requirepass=W).
"""

# ---------------------------------------------------------------- commands

def server_program(options):
    """The path of the server, built first unless told otherwise."""
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
        highest = max([PEER_PORT_OFFSET, *(FACE_PORT_OFFSETS.values() if options.faces else [])])
        if not 1 <= port <= 65535 - highest - count:
            raise Failure(f"--port {port} leaves no room: nodes use ports from it on, and the same "
                          f"plus up to {highest} for each other and for other clients")
        cluster.define(count, port, secrets.token_hex(16), settings)
    for asked, has, what in ((options.nodes, cluster.count, "nodes"),
                             (options.port, cluster.port, "port")):
        if asked and asked != has:
            raise Failure(f"the cluster in {cluster.dir} has --{what} {has}: scripts/cluster stop "
                          "and wipe it to begin another, or choose another --dir")
    cluster.settings.update(settings)
    if options.tls and not cluster.tls:
        if cluster.running():
            raise Failure("nodes run without TLS: scripts/cluster stop, then start --tls")
        cluster.speak_tls()
    cluster.faces = cluster.faces or options.faces


def start(cluster, options, only=None):
    if options.restore or options.rdb:
        return start_filled(cluster, options)
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


def start_filled(cluster, options):
    """Node 1 gets the data, of a backup or of an RDB file, and is a cluster of its own; the others join
    it."""
    if cluster.exists():
        raise Failure(f"the cluster in {cluster.dir} has data of its own: wipe it first, or choose "
                      "another --dir")
    flag = "--restore" if options.restore else "--import"
    source, count = os.path.abspath(options.restore or options.rdb), options.nodes or 3
    options.restore, options.rdb, options.nodes = None, None, 1
    settle(cluster, options)
    server = server_program(options)
    options.no_build = True
    cluster.save()
    node = cluster.nodes[0]
    node.check_ports()
    node.write_conf()
    sys.stdout.flush()
    # What it prints, progress too, is for whoever waits.
    done = subprocess.run([server, node.conf, flag, source], cwd=node.dir, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        os.remove(cluster.file)
        raise Failure(f"{source} was not {'restored' if flag == '--restore' else 'imported'}: "
                      f"{done.stderr.strip()}")
    start(cluster, options)
    for _ in range(count - 1):
        cluster_members.add(cluster, server)


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
    shutil.rmtree(cluster.tls_dir, ignore_errors=True)
    for number in range(1, cluster.next):  # removed ones left theirs behind
        shutil.rmtree(os.path.join(cluster.dir, f"node-{number}"), ignore_errors=True)
    if os.path.exists(cluster.file):
        os.remove(cluster.file)
    print("cluster: all data is deleted" if nodes else "cluster: there was nothing to delete")


def rolling_restart(cluster, options):
    if not cluster.exists():
        raise Failure(f"there is no cluster in {cluster.dir}; scripts/cluster start makes one")
    cluster_members.rolling_restart(cluster, server_program(options), stop_nodes)


def add(cluster, options):
    cluster_members.add(cluster, server_program(options))


def remove(cluster, options):
    cluster_members.remove(cluster, cluster.node(options.node), stop_nodes)


def transfer(cluster, options):
    cluster_members.transfer(cluster, cluster.node(options.node) if options.node else None)


def doctor(cluster, options):
    if not cluster_doctor.doctor(cluster, options):
        sys.exit(1)


COMMANDS = {"start": start, "status": status, "top": cluster_top.top, "doctor": doctor,
            "console": cluster_console.console, "stop": stop, "restart": restart,
            "rolling-restart": rolling_restart, "add": add, "remove": remove,
            "transfer": transfer, "kill": signal_node, "pause": signal_node,
            "resume": signal_node, "logs": logs, "wipe": wipe}

READ_ONLY = ("status", "logs", "top", "doctor", "console")


def parse(argv):
    parser = argparse.ArgumentParser(prog="scripts/cluster", add_help=False)
    parser.add_argument("command", nargs="?")
    parser.add_argument("node", nargs="?", type=int)
    parser.add_argument("--nodes", type=int, choices=(1, 3, 5))
    parser.add_argument("--port", type=int)
    parser.add_argument("--dir", default=os.environ.get("KIWI_CLUSTER_DIR",
                                                        os.path.join(ROOT, "run")))
    parser.add_argument("--restore")
    parser.add_argument("--import", dest="rdb")
    parser.add_argument("--at")
    parser.add_argument("--password")
    parser.add_argument("--count", type=int)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--set", action="append", metavar="name=value")
    parser.add_argument("--faces", action="store_true")
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
        reading = options.command in READ_ONLY
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
