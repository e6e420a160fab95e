"""Faults on a running cluster: what, to whom, for how long, and how each is undone.

Runs on the caller's thread by `turn()`, which never blocks for long. A seed decides the schedule;
what it meets (who leads, who is down) is up to the processes, so a replay repeats the plan, not
every microsecond.
"""
from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from . import nemesis_changes, nemesis_disks, smalldisk
from .cluster import Cluster, Node

KINDS = ("kill", "kill-leader", "kill-all", "pause", "partition", "skew", "disk-full",
         "restart-catchup") + nemesis_changes.KINDS + nemesis_disks.KINDS
DISK_MEGABYTES = 384
# One node is without its data or on its way out meanwhile: the others must be able to go on.
ONE_LESS = ("membership", "wipe", "damage", "old-copy", "double")
# An old copy is known by who is there and remembers. With another of these nodes cut off or stopped,
# what the copied node acknowledged since may be lost by right (README, F52).
ALONE = ("old-copy",)


@dataclass
class Fault:
    kind: str
    detail: str
    at: float  # monotonic seconds
    until: float = 0.0
    nodes: tuple[int, ...] = ()
    undo: list = field(default_factory=list)  # [(monotonic seconds, function)]


class Nemesis(nemesis_disks.Disks, nemesis_changes.Changes):
    def __init__(self, cluster: Cluster, kinds, seed: int, *, together: int = 2,
                 quiet_seconds: tuple[float, float] = (1.0, 4.0)):
        self.cluster = cluster
        self.rng = random.Random(f"nemesis/{seed}")
        self.together, self.quiet_seconds = together, quiet_seconds
        self.log: list[Fault] = []
        self.active: list[Fault] = []
        self.unasked_exits: list[str] = []
        self.stopped_by_full_disk = 0
        self.skipped: dict[str, str] = {}
        self.disk: smalldisk.SmallDisk | None = None
        self.kinds = [kind for kind in kinds if self._possible(kind)]
        self._next_start = 0.0
        self._deck: list[str] = []
        self.healing = False
        super().__init__()

    fault = staticmethod(Fault)

    def _possible(self, kind: str) -> bool:
        reason = None
        if kind not in KINDS:
            raise ValueError(f"no such nemesis: {kind} (there are {', '.join(KINDS)})")
        if kind == "disk-full":
            reason = smalldisk.why_not()
        if kind == "partition" and not self.cluster.proxies:
            reason = "the cluster has no proxies"
        if kind == "skew" and not self.cluster.nodes[0].clock_file:
            reason = "the cluster has no faked clocks"
        if kind == "slow-disk":
            reason = self.why_no_slow_disk()
        if kind in ONE_LESS and len(self.cluster.nodes) < 3:
            reason = "it takes three nodes"
        if reason:
            self.skipped[kind] = reason
        return reason is None

    def prepare(self) -> None:
        """Before the cluster starts."""
        self.prepare_disks()
        if "disk-full" in self.kinds:
            self.disk = smalldisk.SmallDisk(self.cluster.nodes[-1].dir, DISK_MEGABYTES)

    # ---- the schedule

    def turn(self) -> None:
        now = time.monotonic()
        self.look_for_crashes()
        self._look_for_the_dead()
        for fault in list(self.active):
            self._undo_due(fault, now)
        if now >= self._next_start and len(self.active) < self.together:
            self._strike_next(now)

    def _strike_next(self, now: float) -> None:
        """Each kind once before any comes again; who has no room now waits for the next round."""
        if not self._deck:
            self._deck = self.rng.sample(self.kinds, len(self.kinds))
        for kind in list(self._deck):
            if self.strike(kind):
                self._deck.remove(kind)
                break
        self._next_start = now + self.rng.uniform(*self.quiet_seconds)

    def strike(self, kind: str) -> Fault | None:
        """Begins one fault now; None if the cluster's present state has no room for it."""
        if self.active and (kind in ALONE or any(fault.kind in ALONE for fault in self.active)):
            return None
        fault = getattr(self, "_" + kind.replace("-", "_"))(time.monotonic())
        if fault is None:
            return None
        fault.undo.sort(key=lambda item: item[0])
        fault.until = max(at for at, _ in fault.undo)
        self.log.append(fault)
        self.active.append(fault)
        return fault

    def _undo_due(self, fault: Fault, now: float) -> None:
        while fault.undo and fault.undo[0][0] <= now:
            fault.undo.pop(0)[1]()
        if not fault.undo:
            self.active.remove(fault)

    def heal(self) -> None:
        """Undoes everything at once and starts whatever is down. Changes come to their end, for which
        the others must be whole."""
        self.healing = True
        busy = [fault for fault in self.active if fault.kind in ONE_LESS]
        for fault in [f for f in self.active if f not in busy]:
            self._undo_due(fault, float("inf"))
        self._mend()
        for fault in busy:
            self._undo_due(fault, float("inf"))
        self._mend()

    def _mend(self) -> None:
        self._look_for_the_dead()
        self.mend_disks()
        for node in self.cluster.nodes:
            node.resume()
            if not node.alive() and node not in self.held:
                node.start()
            if node.clock_file:
                node.set_clock(0)
        if self.cluster.proxies:
            self.cluster.proxies.heal()

    def close(self) -> None:
        if self.disk:
            self.disk.close()

    def _look_for_the_dead(self) -> None:
        for node in [n for n in self.cluster.dead_unasked() if n not in self.held]:
            full = self.disk is not None and node is self.cluster.nodes[-1]
            text = (f"node {node.id} ended by itself with {node.process.returncode}: "
                    + " / ".join(node.log_text().splitlines()[-3:]))
            if full and any(f.kind == "disk-full" for f in self.log):
                self.stopped_by_full_disk += 1
                self.disk.release()
            else:
                self.unasked_exits.append(text)
            node.start()

    # ---- victims

    def _up(self) -> list[Node]:
        return [node for node in self.cluster.alive() if node not in self.held]

    def _victim(self) -> Node | None:
        up = self._up()
        return self.rng.choice(up) if up else None

    def _leader(self) -> Node | None:
        return self.cluster.leader()

    def _start(self, node: Node):
        def start():
            if not node.alive() and node not in self.held:
                node.start()
        return start

    # ---- faults

    def _kill(self, now: float, victim: Node | None = None, kind: str = "kill") -> Fault | None:
        victim = victim or self._victim()
        if victim is None:
            return None
        victim.kill()
        fault = Fault(kind, f"kill -9 node {victim.id}", time.monotonic(), nodes=(victim.id,))
        fault.undo.append((now + self.rng.uniform(0.1, 3.0), self._start(victim)))
        return fault

    def _kill_leader(self, now: float) -> Fault | None:
        leader = self._leader()
        return self._kill(now, leader, "kill-leader") if leader and leader not in self.held else None

    def _kill_all(self, now: float) -> Fault:
        nodes = [node for node in self.cluster.nodes if node not in self.held]
        for node in nodes:
            node.kill()
        fault = Fault("kill-all", f"kill -9 nodes {[n.id for n in nodes]}", time.monotonic(),
                      nodes=tuple(n.id for n in nodes))
        for node in nodes:
            fault.undo.append((now + self.rng.uniform(0.0, 1.0), self._start(node)))
        return fault

    def _pause(self, now: float) -> Fault | None:
        leader = self._leader() if self.rng.random() < 0.6 else None
        victim = leader if leader and leader not in self.held else self._victim()
        if victim is None:
            return None
        victim.pause()
        fault = Fault("pause", f"SIGSTOP node {victim.id}", now, nodes=(victim.id,))
        fault.undo.append((now + self.rng.uniform(0.3, 4.0), victim.resume))
        return fault

    def _partition(self, now: float) -> Fault:
        proxies = self.cluster.proxies
        ids = [n.id for n in self.cluster.nodes]
        shape = self.rng.choice(["leader", "one", "one-way", "halves", "bridge", "reset"])
        leader = self._leader() if shape in ("leader", "one-way") else None
        chosen = leader.id if leader else self.rng.choice(ids)
        others = [i for i in ids if i != chosen]
        if shape in ("leader", "one"):
            proxies.isolate(chosen)
            detail = f"isolate {shape} {chosen}"
        elif shape == "one-way":
            inward = self.rng.random() < 0.5
            for other in others:
                proxies.block(*((other, chosen) if inward else (chosen, other)))
            detail = f"node {chosen} {'deaf' if inward else 'mute'}"
        elif shape == "halves":
            self.rng.shuffle(ids)
            left = ids[: len(ids) // 2]
            proxies.split(left, [i for i in ids if i not in left])
            detail = f"{left} | {[i for i in ids if i not in left]}"
        elif shape == "bridge":
            proxies.split(others[: len(others) // 2], others[len(others) // 2:])
            detail = f"only node {chosen} sees both sides"
        else:
            proxies.reset_connections()
            detail = "reset all links"
        fault = Fault("partition", detail, now, nodes=(chosen,))
        fault.undo.append((now + self.rng.uniform(0.5, 5.0), proxies.heal))
        return fault

    def _skew(self, now: float) -> Fault:
        chosen = self.rng.sample(self.cluster.nodes, self.rng.randint(1, len(self.cluster.nodes)))
        offsets = {}
        for node in chosen:
            size = self.rng.choice([0.2, 2.0, 60.0, 3600.0])
            offsets[node.id] = round(self.rng.uniform(-size, size), 3)
            node.set_clock(offsets[node.id])
        fault = Fault("skew", f"clocks {offsets}", now, nodes=tuple(offsets))

        def restore():
            for node in chosen:
                node.set_clock(0)
        fault.undo.append((now + self.rng.uniform(2.0, 6.0), restore))
        return fault

    def _disk_full(self, now: float) -> Fault | None:
        victim = self.cluster.nodes[-1]
        if not victim.alive() or victim.paused or victim in self.held or any(f.kind == "disk-full" for f in self.active):
            return None
        self.disk.fill(leave_bytes=self.rng.choice([0, 65536, 1 << 20]))
        fault = Fault("disk-full", f"node {victim.id} has {self.disk.free_bytes()} bytes left", now,
                      nodes=(victim.id,))
        fault.undo.append((now + self.rng.uniform(1.0, 4.0), self.disk.release))
        return fault

    def _restart_catchup(self, now: float) -> Fault | None:
        victim = self._victim()
        if victim is None:
            return None
        victim.kill()
        fault = Fault("restart-catchup", f"node {victim.id} restarts twice, once mid-catch-up", now,
                      nodes=(victim.id,))
        at = now + self.rng.uniform(0.5, 2.0)
        fault.undo.append((at, self._start(victim)))
        at += self.rng.uniform(0.05, 0.6)
        fault.undo.append((at, lambda: None if victim in self.held else victim.kill()))
        fault.undo.append((at + self.rng.uniform(0.0, 0.5), self._start(victim)))
        return fault
