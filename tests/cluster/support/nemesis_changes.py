"""Nemeses that change the cluster while it serves: members that go and come back, leadership that is
handed over, logs that are cut, disks that are wiped, crashes inside a snapshot's way.

A removed number never comes back, so a node that was removed returns with an empty directory and a
new raft.id, by raft.join. What takes several answers of the cluster runs on a thread of its own; the
node it works on is *held*: no other fault touches it. At most one node at a time is without its data
or on its way out: with two, acknowledged writes could be gone by right (F1).
"""
from __future__ import annotations

import threading
import time

from .cluster import Node
from .resp import RespError
from .waiting import wait_until

KINDS = ("membership", "transfer", "snapshot", "wipe", "crash-in-snapshot")
# The log is cut all the time, so that who was away for a moment is brought up by a snapshot.
EAGER = {"raft.snapshot-entries": 300, "raft.log-keep-entries": 20, "raft.log-laggard-max-bytes": 0,
         "raft.log-max-cache-size": "64kb"}
STEPS = ("snapshot-received", "snapshot-complete", "snapshot-verified", "snapshot-published",
         "install-committed", "state-swapped", "old-state-deleting", "snapshot-created", "log-cut")
CRASHED = 77  # config/base/failpoint.hpp
PATIENCE = 60.0


class Change(threading.Thread):
    """One change, to its end. `said` is what went wrong, if something did."""

    def __init__(self, what, node: Node):
        super().__init__(daemon=True, name=f"change of node {node.id}")
        self.what, self.node, self.said = what, node, ""

    def run(self) -> None:
        try:
            self.what(self.node)
        except (AssertionError, OSError) as error:
            self.said = f"{self.name}: {error}"


class Changes:
    """Half of Nemesis: needs its cluster, rng, active, disk, _victim() and _leader()."""

    def __init__(self):
        self.held: set[Node] = set()
        self.changes: list[Change] = []
        self.armed: dict[Node, str] = {}  # node -> the step it is to die at
        self.crashed: list[str] = []  # the steps at which one died
        self._numbers = max(n.id for n in self.cluster.nodes)

    def fresh_number(self) -> int:
        self._numbers += 1
        return self._numbers

    # ---- what the cluster says

    def _number(self, node: Node) -> int:
        return int(node.options.get("raft.id", node.id))

    def _whole(self) -> bool:
        """Every node votes, so one may lose its data or leave."""
        leader = self._leader()
        size = len(self.cluster.nodes)
        info = leader.info("raft", timeout=1.0) if leader else {}
        return info.get("raft_num_voting_nodes") == str(size) == info.get("raft_num_nodes")

    def _changeable(self, among) -> Node | None:
        """Who may leave or lose its data now. The node with the small disk is a mount point."""
        if any(change.is_alive() for change in self.changes) or self.armed or not self._whole():
            return None
        spared = self.cluster.nodes[-1] if self.disk else None
        possible = [n for n in among if n is not spared and n not in self.held]
        return self.rng.choice(possible) if possible else None

    def _others(self, node: Node) -> list[Node]:
        return [n for n in self.cluster.alive() if n is not node]

    def _is_voter_again(self, node: Node) -> bool:
        if not node.alive() and not node.ended_by_us:
            raise AssertionError(f"node {node.id} ended with {node.process.returncode}: "
                                 + " / ".join(node.log_text().splitlines()[-3:]))
        info = node.info("raft", timeout=1.0)
        return (info.get("raft_is_voting") == "yes" and info.get("raft_state") == "up"
                and info.get("raft_num_voting_nodes") == str(len(self.cluster.nodes)))

    # ---- changes

    def _begin(self, kind: str, what, node: Node, detail: str, now: float):
        change = Change(what, node)
        self.held.add(node)
        self.changes.append(change)
        change.start()
        fault = self.fault(kind, detail, now, nodes=(node.id,))

        def look():
            if change.is_alive() and not self.healing:
                fault.undo.append((time.monotonic() + 0.2, look))
                return
            change.join(4 * PATIENCE)  # none waits for more than four things
            if change.is_alive() or change.said:
                self.unasked_exits.append(change.said or f"{change.name} hangs")
            self.held.discard(node)
        fault.undo.append((now + 0.5, look))
        return fault

    def _membership(self, now: float):
        leader = self._leader()
        wants_leader = self.rng.random() < 0.4
        node = self._changeable([leader] if wants_leader and leader else self._up())
        if node is None:
            return None
        role = "leader" if node is leader else "node"
        return self._begin("membership", self._remove_and_return, node,
                           f"{role} {node.id} is removed and joins again", now)

    def _remove_and_return(self, node: Node) -> None:
        number = self._number(node)

        def removed():
            for other in self._others(node):
                reply = other.call("RAFT.NODE", "REMOVE", number, timeout=5.0)
                if reply == "OK" or "node id does not exist" in str(reply):
                    return True
                assert isinstance(reply, RespError), reply
            return False
        wait_until(removed, PATIENCE, f"node {node.id} to be removed", interval=0.1)
        node.kill()
        node.wipe()
        node.options["raft.id"] = str(self.fresh_number())
        node.options["raft.peers"] = None
        node.options["raft.addr"] = f"{self.cluster.proxied_host(node)}:{node.port}"
        node.options["raft.join"] = ",".join(
            f"{n.host}:{n.port}/{n.host}:{n.advertised_peer_port}"
            for n in self.cluster.nodes if n is not node)
        node.start()
        wait_until(lambda: self._is_voter_again(node), PATIENCE, f"node {node.id} to vote again",
                   interval=0.1)

    def _wipe(self, now: float):
        leader = self._leader()
        node = self._changeable([n for n in self._up() if n is not leader])
        if node is None or leader is None:
            return None
        return self._begin("wipe", self._wipe_and_return, node, f"node {node.id} loses its data", now)

    def _wipe_and_return(self, node: Node) -> None:
        node.kill()
        node.wipe()
        node.start()
        wait_until(lambda: self._is_voter_again(node), PATIENCE,
                   f"wiped node {node.id} to vote again", interval=0.1)

    # ---- orders, not waited for

    def _ask(self, kind: str, node: Node, words, detail: str, now: float):
        def ask():
            try:
                node.call(*words, timeout=5.0)
            except OSError:
                pass  # it was killed, say
        threading.Thread(target=ask, daemon=True).start()
        fault = self.fault(kind, detail, now, nodes=(node.id,))
        fault.undo.append((now + 0.5, lambda: None))
        return fault

    def _transfer(self, now: float):
        asked, target = self._victim(), self._victim()
        if asked is None or target is None:
            return None
        return self._ask("transfer", asked, ("RAFT.TRANSFER_LEADER", self._number(target)),
                         f"node {asked.id} is asked to make node {target.id} lead", now)

    def _snapshot(self, now: float):
        node = self._victim()
        if node is None:
            return None
        return self._ask("snapshot", node, ("RAFT.DEBUG", "COMPACT"),
                         f"node {node.id} cuts its log", now)

    # ---- crashes inside

    def _crash_in_snapshot(self, now: float):
        node = self._victim()
        if node is None or node in self.armed or any(c.is_alive() for c in self.changes):
            return None
        step = self.rng.choice(STEPS)
        node.kill()
        self.held.add(node)
        fault = self.fault("crash-in-snapshot", f"node {node.id} dies at {step}", now,
                           nodes=(node.id,))

        def arm():
            node.environment["KIWI_FAILPOINT"] = step
            self.armed[node] = step
            node.start()

        def disarm():
            self.look_for_crashes()
            if self.armed.pop(node, None):  # it did not come that way
                node.environment.pop("KIWI_FAILPOINT", None)
                node.kill()
                node.start()
            self.held.discard(node)
        at = now + self.rng.uniform(0.8, 2.0)  # long enough to be behind the cut
        fault.undo.append((at, arm))
        fault.undo.append((at + self.rng.uniform(2.0, 4.0), disarm))
        return fault

    def look_for_crashes(self) -> None:
        """Armed nodes that died where they were told to start again, unarmed."""
        for node, step in list(self.armed.items()):
            if not node.alive() and node.process.returncode == CRASHED:
                self.crashed.append(step)
                del self.armed[node]
                node.environment.pop("KIWI_FAILPOINT", None)
                node.start()
