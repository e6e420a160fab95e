"""One chaos run: cluster, load, nemesis, healing, verdict. scripts/chaos and test_chaos.py call it."""
from __future__ import annotations

import bisect
import time
from collections import Counter
from dataclasses import dataclass, field

from . import fates, nemesis_changes
from .checker import VALID, Report, check_history
from .cluster import Cluster
from .load import Load
from .nemesis import Fault, Nemesis
from .waiting import WaitTimeout
from .workloads import WORKLOADS, model_of

CUTTING = {"snapshot", "crash-in-snapshot", "wipe", "damage", "old-copy"}  # these want logs that are cut all the time


@dataclass
class Plan:
    seconds: float = 60.0
    nodes: int = 3
    seed: int = 0
    workloads: tuple[str, ...] = tuple(WORKLOADS)
    nemesis: tuple[str, ...] = ("kill", "kill-leader", "kill-all", "pause", "partition")
    clients_per_node: int = len(WORKLOADS)
    together: int = 2
    heal_seconds: float = 60.0
    directory: str | None = None
    options: dict = field(default_factory=dict)
    mutant: str = ""  # a known bug that all nodes have (servers built with -DKIWI_MUTANTS=ON only)


@dataclass
class Outage:
    """From a fault to the first success of something asked after it."""

    seconds: float
    kind: str
    alone: bool


@dataclass
class Outcome:
    plan: Plan
    report: Report = field(default_factory=Report)
    problems: list[str] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)  # those that only a bug of the server explains
    counts: dict = field(default_factory=dict)
    errors: Counter = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    skipped: dict = field(default_factory=dict)
    outages: list["Outage"] = field(default_factory=list)
    stopped_by_full_disk: int = 0
    crashed: Counter = field(default_factory=Counter)
    damaged: Counter = field(default_factory=Counter)
    snapshots: int = 0
    heal_took: float = 0.0
    history_path: str = ""
    directory: str = ""

    @property
    def good(self) -> bool:
        return not self.problems

    def prove(self, *proofs: str) -> None:
        self.problems += proofs
        self.proofs += proofs

    def outage_text(self, kinds, alone: bool) -> str:
        """Median and longest time to the next success. alone: no other fault was in force."""
        lengths = sorted(o.seconds for o in self.outages
                         if (not kinds or o.kind in kinds) and (o.alone or not alone))
        if not lengths:
            return "-"
        return (f"{lengths[-1]:.2f} s (median {lengths[len(lengths) // 2]:.2f} s of "
                f"{len(lengths)})")

    def table(self) -> str:
        faults = Counter(fault.kind for fault in self.faults)
        rows = [
            ("operations ok / fail / unknown",
             " / ".join(str(self.counts.get(f, 0)) for f in (fates.OK, fates.FAIL, fates.INFO))),
            ("faults injected", ", ".join(f"{k} {n}" for k, n in sorted(faults.items())) or "none"),
            ("not possible here", "; ".join(f"{k}: {v}" for k, v in self.skipped.items()) or "-"),
            ("longest unavailability after a leader kill", self.outage_text({"kill-leader"}, True)),
            ("  the same while other faults are in force", self.outage_text({"kill-leader"}, False)),
            ("longest after any fault", self.outage_text(set(), False)),
            ("nodes stopped by a full disk", str(self.stopped_by_full_disk)),
            ("died inside a snapshot's way",
             ", ".join(f"{step} {n}" for step, n in sorted(self.crashed.items())) or "-"),
            ("damaged files", ", ".join(f"{what} {n}" for what, n in sorted(self.damaged.items())) or "-"),
            ("snapshots installed, since their last start", str(self.snapshots)),
            ("healed (all nodes serve, same applied index)", f"{self.heal_took:.2f} s"),
            ("errors told", ", ".join(f"{text} x{n}" for text, n in self.errors.most_common(6)) or "-"),
            ("history", self.history_path),
            ("checker", self.report.text()),
            ("verdict", "GOOD" if self.good else "VIOLATION"),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows]
        return "\n".join(lines + [f"!! {problem}" for problem in self.problems])


def run(plan: Plan, say=print) -> Outcome:
    options = {**(nemesis_changes.EAGER if set(plan.nemesis) & CUTTING else {}), **plan.options}
    cluster = Cluster(plan.nodes, proxies="partition" in plan.nemesis,
                      faketime="skew" in plan.nemesis, options=options, name="chaos",
                      directory=plan.directory)
    if plan.mutant:
        for node in cluster.nodes:
            node.environment["KIWI_MUTANT"] = plan.mutant
    outcome = Outcome(plan, directory=str(cluster.root))
    nemesis = Nemesis(cluster, plan.nemesis, plan.seed, together=plan.together)
    outcome.skipped = nemesis.skipped
    try:
        nemesis.prepare()
        cluster.start()
        load = Load(cluster, plan.seed, plan.workloads, plan.clients_per_node).start()
        _storm(plan, cluster, nemesis, say)
        _heal(plan, cluster, nemesis, load, outcome)
        _judge(cluster, nemesis, load, outcome)
    except (AssertionError, OSError) as error:
        outcome.problems.append(f"{type(error).__name__}: {error}")
    finally:
        if not outcome.good:
            cluster.keep()
            say(cluster.log_tails())
        cluster.close()
        nemesis.close()
    return outcome


def _storm(plan: Plan, cluster: Cluster, nemesis: Nemesis, say) -> None:
    begin = time.monotonic()
    told = 0
    while time.monotonic() - begin < plan.seconds:
        nemesis.turn()
        for fault in nemesis.log[told:]:
            say(f"  {fault.at - begin:7.2f} s  {fault.kind:<16} {fault.detail}")
        told = len(nemesis.log)
        time.sleep(0.02)


def _heal(plan: Plan, cluster: Cluster, nemesis: Nemesis, load: Load, outcome: Outcome) -> None:
    """Everything is mended: the cluster must converge by itself, serve on every node, and hold one
    state. The clients go on meanwhile."""
    began = time.monotonic()
    nemesis.heal()
    outcome.faults = nemesis.log
    outcome.crashed = Counter(nemesis.crashed)
    outcome.damaged = Counter(nemesis.damaged)
    outcome.stopped_by_full_disk = nemesis.stopped_by_full_disk
    try:
        cluster.wait_ready(plan.heal_seconds)
        load.stop()
        cluster.wait_applied_equal(plan.heal_seconds)
        outcome.heal_took = time.monotonic() - began
        _compare({node.id: node.info("raft").get("raft_state_checksum") for node in cluster.nodes},
                 outcome)
        outcome.snapshots = sum(int(node.info("raft").get("raft_snapshots_received", 0))
                                for node in cluster.nodes)
        for node in cluster.nodes:
            with node.connect() as connection:
                load.read_everything(connection)
    except (WaitTimeout, AssertionError, OSError) as error:
        outcome.problems.append(f"did not heal: {error}")
        for client in load.clients:
            client.stopping.set()


def _compare(contents: dict, outcome: Outcome) -> None:
    """Checksums of what the nodes hold, by node."""
    if None in contents.values():
        outcome.problems.append(f"a node does not tell its contents' checksum: {contents}")
    elif len(set(contents.values())) != 1:
        outcome.prove(f"the nodes' contents differ: {contents}")


def _judge(cluster: Cluster, nemesis: Nemesis, load: Load, outcome: Outcome) -> None:
    history = load.history
    outcome.counts = history.counts()
    for op in history.ops:
        if op.fate != fates.OK and op.note:
            outcome.errors[op.note if len(op.note) < 60 else op.note[:57] + "..."] += 1
    outcome.history_path = str(cluster.root) + "-history.gz"
    history.save(outcome.history_path)
    outcome.report = check_history(history, model_of)
    outcome.prove(*[f"{v.key}: {v.outcome}\n{v.explanation}" for v in outcome.report.bad])
    outcome.problems += [f"{v.key}: {v.outcome}" for v in outcome.report.undecided]
    outcome.problems += load.violations()
    outcome.prove(*nemesis.unasked_exits)
    if not outcome.counts[fates.OK]:
        outcome.problems.append("no operation succeeded")
    _outages(history, nemesis, outcome)


def judged(history, cluster: Cluster) -> None:
    """For tests with a load of their own: the history is linearizable, or it is kept and shown."""
    report = check_history(history, model_of)
    if report.outcome() != VALID:
        path = str(cluster.root) + "-history.gz"
        history.save(path)
        shown = "\n".join(f"{v.key}: {v.outcome}\n{v.explanation}"
                          for v in [*report.bad, *report.undecided])
        raise AssertionError(f"{report.outcome()}, history {path}\n{shown}")


def _outages(history, nemesis: Nemesis, outcome: Outcome) -> None:
    asked = sorted((op.called, op.returned) for op in history.ops if op.fate == fates.OK)
    starts = [called for called, _ in asked]
    for fault in nemesis.log:
        at = fault.at * 1e9 - history.started
        first = bisect.bisect_right(starts, at)
        later = [returned for _, returned in asked[first : first + 2000]]
        if later:
            seconds = (min(later) - at) / 1e9
            alone = not any(other is not fault and other.at < fault.at + seconds
                            and other.until + 0.5 > fault.at for other in nemesis.log)
            outcome.outages.append(Outage(seconds, fault.kind, alone))
