"""scripts/cluster add, remove, transfer, rolling-restart: changes of a cluster that serves on."""

import signal
import time

import cluster_view
import resp
from cluster_top import long_work
from cluster_model import START_SECONDS, Failure, Node, print_status, wait_for_leader
from progress import Progress

CHANGE_SECONDS = 60  # without a sign that it goes on
LONGEST_SECONDS = 6 * 3600  # a new node may have to be sent all the data
LOOK_SECONDS = 0.5


def serving(cluster):
    """Leader and what every node says; fails with a sentence where there is none."""
    if not cluster.exists():
        raise Failure(f"there is no cluster in {cluster.dir}; scripts/cluster start makes one")
    infos = {node: node.info() for node in cluster.nodes}
    leader = cluster.leader(infos)
    if leader is None:
        raise Failure("no node leads, so nothing can be changed; scripts/cluster status shows what "
                      "runs")
    return leader, infos


def ask(node, *words, seconds=CHANGE_SECONDS):
    try:
        with node.connect(seconds) as client:
            return client.call(*words)
    except resp.ServerError as error:
        raise Failure(f"node {node.number} answered {' '.join(map(str, words))} with: "
                      f"{error}") from None
    except OSError as error:
        raise Failure(f"node {node.number} gave no answer to {' '.join(map(str, words))} "
                      f"({error}); what became of it is unknown: scripts/cluster status") from None


def wait_until(done, seconds, what, tell=None):
    """As long as the state moves on (what `tell` says changes), the seconds begin anew: much data takes its
    time."""
    progress, told = Progress("cluster"), None
    begin = look = time.monotonic()
    deadline = begin + seconds
    try:
        while not done():
            now = time.monotonic()
            if tell and now >= look:
                look, before, told = now + LOOK_SECONDS, told, tell()
                progress.tell(told)
                if told != before:
                    deadline = min(now + seconds, begin + LONGEST_SECONDS)
            if now > deadline:
                raise Failure(f"after {now - begin:.0f} s {what}; scripts/cluster logs N shows why")
            time.sleep(0.05)
    finally:
        progress.close()


def how_far(cluster, node):
    """A line on a node that catches up."""
    seen = cluster_view.of_this_machine(cluster)
    for other in seen:
        other.ask()
    works = [line for line in long_work(seen) if line.startswith(f"node {node.number} ")]
    mine = next(other for other in seen if other.local is node)
    if not mine.info:
        return f"node {node.number}: {mine.silent}"
    return works[0] if works else (f"node {node.number} is {mine.info['raft_state']}, applied entry "
                                   f"{mine.info.get('raft_last_applied_index')}")


def votes(info):
    return info.get("raft_state") == "up" and info.get("raft_is_voting") == "yes"


def add(cluster, server):
    """The new node asks the others to let it in (raft.join); it votes once it has caught up."""
    serving(cluster)
    node = Node(cluster, cluster.next)
    node.check_ports()
    cluster.next += 1
    cluster.nodes.append(node)
    cluster.save()  # first: whatever happens next, the number is used

    def joined():
        node.check_alive()
        return votes(node.info())

    node.start(server)
    try:
        wait_until(joined, CHANGE_SECONDS, f"node {node.number} has no vote yet",
                   lambda: how_far(cluster, node))
    except Failure:
        if node.info().get("raft_state") not in (None, "uninitialized"):
            raise  # a member, and still catching up
        node.process.signal(signal.SIGTERM)
        cluster.nodes.remove(node)
        cluster.save()
        raise
    print(f"cluster: node {node.number} joined and votes")
    print_status(cluster)


def remove(cluster, node, stop_nodes):
    leader, infos = serving(cluster)
    other = next((n for n in [leader, *cluster.nodes] if n is not node and infos.get(n)), node)
    ask(other, "RAFT.NODE", "REMOVE", node.number)
    cluster.nodes.remove(node)
    cluster.save()
    stop_nodes([node])
    print(f"cluster: node {node.number} is no member any more; its data stays in {node.data} until "
          "scripts/cluster wipe")
    wait_for_leader(cluster.running(), [])
    print_status(cluster)


def transfer(cluster, target):
    leader, _ = serving(cluster)
    if target is leader:
        print(f"cluster: node {target.number} leads already")
        return
    ask(leader, "RAFT.TRANSFER_LEADER", *([target.number] if target else []))

    def settled():
        now = cluster.leader()
        return now is not None and (now is target if target else now is not leader)

    wait_until(settled, START_SECONDS, "no other node leads")
    print(f"cluster: node {cluster.leader().number} leads")


def rolling_restart(cluster, server, stop_nodes):
    """Followers first, so that leadership moves once. A node must have what the leader had when it
    came back, before the next one goes."""
    leader, infos = serving(cluster)
    absent = [f"{node.number} ({node.why_silent()})" for node in cluster.nodes
              if not votes(infos[node])]
    if absent:
        raise Failure(f"node(s) {', '.join(absent)} do not serve, and a restart of the others could "
                      "stop the cluster; scripts/cluster start starts them")
    if len(cluster.nodes) < 3:
        print(f"cluster: with {len(cluster.nodes)} node(s) nobody serves while one restarts")
    for node in sorted(cluster.nodes, key=lambda n: (n is leader, n.number)):
        stop_nodes([node])
        node.start(server)
        wait_until(lambda node=node: caught_up(cluster, node), CHANGE_SECONDS,
                   f"node {node.number} has not caught up", lambda node=node: how_far(cluster, node))
        print(f"cluster: restarted node {node.number}", flush=True)
    wait_for_leader(cluster.running(), cluster.nodes)
    print_status(cluster)


def caught_up(cluster, node):
    node.check_alive()
    leader = cluster.leader()
    if leader is None or not votes(node.info()):
        return False
    target = int(leader.info().get("raft_commit_index", 0))
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        info = node.info()
        if info.get("raft_leader_id") == str(leader.number) and \
                int(info.get("raft_last_applied_index", 0)) >= target > 0:
            return True
        time.sleep(0.02)
    return False
