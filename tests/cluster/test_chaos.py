"""A minute of chaos in the suite; scripts/chaos runs it for longer."""
from __future__ import annotations

import pathlib

import pytest

from support import chaosrun, nemesis
from support.history import History
from support.checker import VALID, check_history
from support.workloads import model_of


def test_a_minute_of_every_nemesis_leaves_a_linearizable_history(seed):
    plan = chaosrun.Plan(seconds=45, nodes=3, seed=seed, nemesis=nemesis.KINDS, heal_seconds=45)
    outcome = chaosrun.run(plan)
    print(outcome.table())
    print(f"replay: scripts/chaos --seconds 45 --seed {seed}")
    assert outcome.good, "\n".join(outcome.problems)
    assert outcome.counts["ok"] > 300
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
