"""Nemeses of disks and of operators: bits that flip and pages that are lost, disks that take seconds,
a directory put back from an old copy, a second process with a living number.

What costs a node its data happens to one at a time, while all the others vote (nemesis_changes).
"""
from __future__ import annotations

import pathlib
import shutil
import time

from .cluster import Node
from .faultydisk import FaultyDisk, why_not
from .ports import PEER_OFFSET, free_port
from .waiting import wait_until

KINDS = ("stop-leader", "damage", "slow-disk", "old-copy", "double")
PAGE = 4096
SLOW_MS = (100, 300, 1000, 2500, 5000)
# What a refusal says, one of them at least.
WORDS = ("damaged", "corrupt", "checksum", "missing", "is not", "cannot", "does not", "does not match")


def damageable(node: Node) -> dict[str, list[pathlib.Path]]:
    """Files by what they are: the log, the state, a snapshot on its way in."""
    found: dict[str, list[pathlib.Path]] = {"log": [], "state": [], "snapshot": []}
    for path in node.dir.rglob("*"):
        inside = path.relative_to(node.dir).parts
        top = inside[1] if inside[0] == node.group_dir.name and len(inside) > 1 else inside[0]
        kind = "log" if top == "log" else "state" if top.startswith("state") else "snapshot"
        if path.is_file() and path.stat().st_size and not path.name.startswith(("LOG", "LOCK", "OPTIONS")):
            found[kind].append(path)
    return {kind: sorted(paths) for kind, paths in found.items() if paths}


def flip_bit(path: pathlib.Path, rng) -> str:
    """In the part that holds something."""
    data = bytearray(path.read_bytes())
    at = rng.randrange(max(1, len(data.rstrip(b"\0"))))
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return f"bit flipped at byte {at}"


def zero_page(path: pathlib.Path, rng) -> str:
    data = bytearray(path.read_bytes())
    page = rng.randrange(-(-max(1, len(data.rstrip(b"\0"))) // PAGE))
    end = min(len(data), (page + 1) * PAGE)
    data[page * PAGE : end] = bytes(end - page * PAGE)
    path.write_bytes(data)
    return f"page {page} zeroed"


class Disks:
    """Part of Nemesis: needs its cluster, rng, _victim(), _leader(), _changeable(), _begin()."""

    def __init__(self):
        super().__init__()
        self.slow: dict[Node, FaultyDisk] = {}
        self.damaged: list[str] = []  # "log refused", "state recovered", ...
        self.put_back = 0
        self.doubles: list[str] = []  # what each said

    @staticmethod
    def why_no_slow_disk() -> str | None:
        return why_not()

    def prepare_disks(self) -> None:
        if "slow-disk" in self.kinds:
            self.slow = {node: FaultyDisk(node) for node in self.cluster.nodes}

    def mend_disks(self) -> None:
        for disk in self.slow.values():
            disk.mend()

    # ---- a leader that is stopped for several election timeouts (F66)

    def _stop_leader(self, now: float):
        leader = self._leader()
        if leader is None or leader in self.held:
            return None
        leader.pause()
        fault = self.fault("stop-leader", f"SIGSTOP node {leader.id}, which leads", now,
                           nodes=(leader.id,))
        fault.undo.append((now + self.rng.uniform(1.0, 3.0), leader.resume))
        return fault

    # ---- syncs that take their time (F26)

    def _slow_disk(self, now: float):
        leader = self._leader() if self.rng.random() < 0.5 else None
        node = leader if leader and leader not in self.held else self._victim()
        if node is None:
            return None
        milliseconds = self.rng.choice(SLOW_MS)
        self.slow[node].fail("sync", f"/{node.dir.name}/", f"slow:{milliseconds}")
        role = "leader" if node is leader else "node"
        fault = self.fault("slow-disk", f"each sync of {role} {node.id} takes {milliseconds} ms", now,
                           nodes=(node.id,))
        fault.undo.append((now + self.rng.uniform(3.0, 7.0), self.slow[node].mend))
        return fault

    # ---- bits and pages

    def _damage(self, now: float):
        node = self._changeable(self._up())
        if node is None:
            return None
        kind = self.rng.choice(sorted(damageable(node)))
        how = self.rng.choice((flip_bit, zero_page))
        return self._begin("damage", lambda n: self._damage_and_return(n, kind, how), node,
                           f"node {node.id}: {how.__name__.replace('_', ' ')} in its {kind}", now)

    def _damage_and_return(self, node: Node, kind: str, how) -> None:
        node.kill()
        told = len(node.log_text())
        files = damageable(node).get(kind) or damageable(node)["log"]
        path = self.rng.choice(files)
        what = f"{path.relative_to(node.dir)}: {how(path, self.rng)}"
        node.start()
        deadline = time.monotonic() + 8.0
        while node.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        if node.alive():
            self.damaged.append(f"{kind} recovered")  # nothing was lost that counts, or not yet met
        else:
            said = node.log_text()[told:]
            assert node.process.returncode in (1, 70, 78) and any(word in said for word in WORDS), (
                f"{what}: exit {node.process.returncode} and no sentence:\n{said[-1500:]}")
            self.damaged.append(f"{kind} refused")
        node.kill()
        node.ended_by_us = True
        self._wipe_and_return(node)

    # ---- an old copy of a directory (F52)

    def _old_copy(self, now: float):
        leader = self._leader()
        node = self._changeable([n for n in self._up() if n is not leader])
        if node is None or leader is None:
            return None
        return self._begin("old-copy", self._copy_and_put_back, node,
                           f"node {node.id} gets an old copy of its directory", now)

    def _copy_and_put_back(self, node: Node) -> None:
        copy = node.dir.with_name(f"{node.dir.name}-then")
        node.kill()
        shutil.copytree(node.dir, copy)
        node.start()
        wait_until(lambda: self._is_voter_again(node), 60, f"node {node.id} to vote", interval=0.1)
        # Its leader has heard of this start, which a copy from before does not know. A node that no
        # other heard is not recognised, and promised nothing to anybody.
        wait_until(lambda: node.call("SET", "old-copy", node.id, timeout=5.0) == "OK", 60,
                   f"node {node.id} to write", interval=0.1)
        time.sleep(1.5)  # votes and acknowledges what the copy does not know
        node.kill()
        node.wipe()
        copy.rename(node.dir)
        self._refused_and_wiped(node)
        self.put_back += 1

    def _refused_and_wiped(self, node: Node) -> None:
        """It may look well until somebody who remembers reaches it: a partition lasts some seconds.
        Left like that it would end later, while another node is without its data."""
        told = len(node.log_text())
        node.start()
        wait_until(lambda: not node.alive(), 60, f"node {node.id} to refuse an old copy", interval=0.1)
        said = node.log_text()[told:]
        assert node.process.returncode in (0, 1, 70, 78) and "old copy" in said, (
            f"old copy: exit {node.process.returncode}: {said[-1500:]}")
        node.ended_by_us = True
        self._wipe_and_return(node)

    # ---- a second process with the number of one that lives (F49)

    def _double(self, now: float):
        node = self._changeable(self._up())
        if node is None:
            return None
        return self._begin("double", self._start_double, node,
                           f"a second process says that it is node {node.id}", now)

    def _start_double(self, node: Node) -> None:
        root = self.cluster.root / f"double-{len(self.doubles)}"
        root.mkdir()
        double = Node(node.id, root, {**node.options, "raft.id": str(self._number(node))})
        double.port = free_port()
        double.peer_port = double.port + PEER_OFFSET
        try:
            double.start()
            until = time.monotonic() + 5.0
            while time.monotonic() < until:
                assert node.alive(), f"node {node.id} ended beside its double"
                time.sleep(0.2)
            self.doubles.append(double.log_text())
        finally:
            double.kill()
        wait_until(lambda: self._is_voter_again(node), 20,
                   f"node {node.id} to be a voter after its double", interval=0.1)
