"""1 -> 3 -> 5 -> 3 -> 1 nodes, and restarts one after the other, under twenty clients whose history is
judged. A client of a node that stays a member sees no error at all; what clients of a node that goes
are told is printed."""
from __future__ import annotations

import time

from support.chaosrun import judged
from support.cluster import SECRET, Node, wait_serving
from support.roaming import RoamingLoad, Roster, table
from support.waiting import wait_until

SETTLE = 1.0  # seconds of quiet between two steps


def members(node) -> set[int]:
    info = node.info("raft")
    ids = {int(value.split("id=")[1].split(",")[0]) for name, value in info.items()
           if name.startswith("raft_node") and name[9:].isdigit()}
    return ids | {node.id} if info else set()


class Resizer:
    """The steps, each a span of the load's table."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.current = list(cluster.nodes)
        self.roster = Roster(self.current)
        self.load = RoamingLoad(self.roster, seed).start("1 node")
        time.sleep(SETTLE)

    def new_node(self, node_id, **options) -> Node:
        node = Node(node_id, self.cluster.root, {"raft.cluster-secret": SECRET, **options})
        self.cluster.nodes.append(node)
        return node.start()

    def settled(self, name) -> None:
        """All members agree who they are and serve."""
        wanted = {node.id for node in self.current}
        for node in self.current:
            wait_serving(node, 20)
            wait_until(lambda n=node: members(n) == wanted and n.info("raft").get(
                "raft_num_voting_nodes") == str(len(wanted)), 20,
                       f"node {node.id} to know {len(wanted)} voters", interval=0.05)
        self.load.mark(f"{name}, done")
        self.roster.set(self.current)
        self.load.spread()
        time.sleep(SETTLE)

    def join(self, node_id) -> None:
        self.load.mark(f"node {node_id} joins")
        self.current.append(self.new_node(
            node_id, **{"raft.join": f"127.0.0.1:{self.current[0].port}"}))
        self.settled(f"{len(self.current)} nodes")

    def begin_leaving(self, nodes) -> None:
        self.current = [n for n in self.current if n not in nodes]
        self.roster.leaving |= {n.id for n in nodes}
        self.roster.set(self.current)  # nobody goes there any more; who is there stays

    def remove(self, node) -> None:
        self.load.mark(f"node {node.id} is removed{' (leads)' if self.leads(node) else ''}")
        self.begin_leaving([node])
        assert self.current[0].call("RAFT.NODE", "REMOVE", node.id, timeout=30) == "OK"
        self.gone([node])

    def reconfigure(self, add=(), remove=()) -> None:
        """All at once, through a joint configuration."""
        self.load.mark("at once: " + ", ".join([f"+{i}" for i in add] + [
            f"-{n.id}{' (leads)' if self.leads(n) else ''}" for n in remove]))
        fresh = [self.new_node(i, **{"raft.bootstrap": "manual"}) for i in add]
        for node in fresh:
            wait_until(lambda n=node: n.info("raft"), 10, "the new node to answer")
        self.begin_leaving(remove)
        wanted = [str(n.id) for n in self.current] + [f"{n.id}@127.0.0.1:{n.port}" for n in fresh]
        assert self.current[0].call("RAFT.RECONFIGURE", *wanted, timeout=60) == "OK"
        self.current += fresh
        self.gone(remove)

    def gone(self, nodes) -> None:
        self.settled(f"{len(self.current)} nodes")
        for node in nodes:
            assert node.terminate() == 0

    def leader(self) -> Node:
        return self.cluster.wait_leader(among=self.current)

    def leads(self, node) -> bool:
        return self.leader() is node

    def followers(self):
        leader = self.leader()
        return [n for n in self.current if n is not leader]

    def finish(self, name) -> None:
        self.load.stop()
        print(f"\n{name}\n{table(self.load.spans)}")
        with self.current[0].connect() as connection:
            self.load.read_everything(connection)
        self.cluster.wait_applied_equal() if len(self.current) > 1 else None
        judged(self.load.history, self.cluster)
        assert not self.load.errors(), self.load.errors()


def test_one_three_five_three_one_nodes_under_twenty_clients(make_cluster, seed):
    cluster = make_cluster(1, peers=False, options={"raft.cluster-secret": SECRET})
    began = time.monotonic()
    resizer = Resizer(cluster, seed)
    resizer.join(2)
    resizer.join(3)
    resizer.reconfigure(add=(4, 5))
    leader = resizer.leader()
    resizer.reconfigure(remove=[leader, resizer.followers()[0]])
    resizer.remove(resizer.followers()[0])
    resizer.remove(resizer.leader())
    resizer.finish("1 -> 3 -> 5 -> 3 -> 1 under 20 clients")
    assert time.monotonic() - began < 60
    assert sum(span.answers for span in resizer.load.spans) > 1000


def test_a_rolling_restart_under_twenty_clients_shows_none_of_them_an_error(make_cluster, seed):
    """Strict: no error reply of any kind, and no command whose connection ends before its reply. Every
    client holds a connection to the node that stops; it goes on at another one."""
    cluster = make_cluster(3)
    roster = Roster(cluster.nodes)
    load = RoamingLoad(roster, seed).start("3 nodes")
    time.sleep(SETTLE)
    leader = cluster.wait_leader()
    for node in [*cluster.followers(), leader]:
        load.mark(f"node {node.id} restarts{' (leads)' if node is leader else ''}")
        roster.set([n for n in cluster.nodes if n is not node])
        assert node.terminate() == 0
        node.start()
        wait_serving(node, 20)
        cluster.wait_ready()
        load.mark(f"node {node.id} is back")
        roster.set(cluster.nodes)
        load.spread()
        time.sleep(SETTLE)
    load.stop()
    print(f"\nrolling restart under 20 clients\n{table(load.spans)}")
    with cluster.node(1).connect() as connection:
        load.read_everything(connection)
    judged(load.history, cluster)
    assert not load.errors(), load.errors()
    assert sum(span.moves for span in load.spans) >= len(load.clients) / 2
