"""A minute of chaos in the suite, half of it with each engine (KIWI_CHAOS_SECONDS: so long with each);
scripts/chaos runs it for longer."""
from __future__ import annotations

import os
import pathlib
import shutil
import time

import pytest

from support import chaosrun, nemesis
from support.checker import INVALID, VALID, check_history
from support.cluster import Cluster
from support.engines import ENGINES
from support.history import History
from support.load import Load
from support.workloads import model_of

SECONDS = int(os.environ.get("KIWI_CHAOS_SECONDS", "30"))

# A server with known bugs compiled in (scripts/chaos --mutant builds it); absent, its test is skipped.
MUTANT_SERVER = os.environ.get("KIWI_MUTANT_SERVER") or str(
    pathlib.Path(__file__).resolve().parents[2] / "build-mutants" / "actors" / "kiwi-server")


def test_a_minute_of_every_nemesis_leaves_a_linearizable_history(seed, io_engine):
    seed += ENGINES.index(io_engine)  # another sequence for each
    plan = chaosrun.Plan(seconds=SECONDS, nodes=3, seed=seed, nemesis=nemesis.KINDS, heal_seconds=45)
    outcome = chaosrun.run(plan)
    print(outcome.table())
    print(f"replay: scripts/chaos --seconds {SECONDS} --seed {seed}")
    assert outcome.good, "\n".join(outcome.problems)
    assert outcome.counts["ok"] > 200
    history = pathlib.Path(outcome.history_path)
    assert check_history(History.load(history), model_of).outcome() == VALID
    history.unlink()


@pytest.mark.parametrize("kinds", [("kill-leader", "pause")])
def test_five_nodes_under_leader_kills_and_pauses(seed, kinds):
    plan = chaosrun.Plan(seconds=12, nodes=5, seed=seed, nemesis=kinds, clients_per_node=3)
    outcome = chaosrun.run(plan)
    print(outcome.table())
    assert outcome.good, "\n".join(outcome.problems)
    pathlib.Path(outcome.history_path).unlink()


# ---------------------------------------------------------------- can it find anything?

def test_disks_that_forget_what_was_synced_are_found_out(seed):
    """The same load and judge on a cluster that does lose acknowledged writes: all nodes die, and two
    come back with the files of two seconds ago."""
    with Cluster(3, name="forgetful") as cluster:
        cluster.start()
        load = Load(cluster, seed, clients_per_node=3).start()
        time.sleep(2)
        _kill_all(cluster)
        for node in cluster.nodes:
            shutil.copytree(node.dir, f"{node.dir}-then")
        cluster.start()
        time.sleep(2)
        _kill_all(cluster)
        for node in cluster.nodes[:2]:
            shutil.rmtree(node.dir)
            pathlib.Path(f"{node.dir}-then").rename(node.dir)
            node.start()
        shutil.rmtree(cluster.node(3).dir)  # or it would be the one that knows better
        cluster.wait_leader(among=cluster.nodes[:2])
        time.sleep(2)
        load.stop()
        with cluster.node(1).connect() as connection:
            load.read_everything(connection)
        report = check_history(load.history, model_of)
        assert report.outcome() == INVALID, "lost writes were not noticed"


def _kill_all(cluster) -> None:
    for node in cluster.nodes:
        node.kill()


@pytest.mark.skipif(not os.access(MUTANT_SERVER, os.X_OK), reason=f"no server {MUTANT_SERVER}")
@pytest.mark.parametrize("bug, kinds", [
    ("duplicate-applied", ("kill-leader", "partition")),
    ("read-without-confirmation", ("pause", "partition")),
    ("ack-before-persist", ("kill-all", "kill")),
])
def test_a_server_with_a_known_bug_is_found_out(seed, bug, kinds, monkeypatch):
    monkeypatch.setenv("KIWI_SERVER", MUTANT_SERVER)
    plan = chaosrun.Plan(seconds=60, nodes=3, seed=seed, nemesis=kinds, mutant=bug)
    outcome = chaosrun.run(plan)
    print(outcome.table())
    assert outcome.report.outcome() == INVALID or any("invariant" in p for p in outcome.problems)
