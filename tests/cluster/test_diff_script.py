"""scripts/diff: random commands drawn from the table of commands, half a minute of them, and what differed
once (tests/diff), each again."""
from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from support import oracle
from support.ports import free_ports
from support.processes import server_binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = sorted((ROOT / "tests" / "diff").glob("*.json"))

pytestmark = pytest.mark.skipif(oracle.why_not() is not None, reason=str(oracle.why_not()))


@pytest.fixture
def pair(single, request):
    sys.path.insert(0, str(ROOT / "scripts" / "lib"))
    from diff.pair import Pair
    from diff.wire import Connection

    redis = oracle.RedisServer()
    sides = [Connection(single.node(1).port), Connection(redis.port)]
    for side in sides:
        side.call("FLUSHALL")
        side.call("FUNCTION", "FLUSH")
    made = Pair(*sides)
    yield made
    made.close()
    redis.close()


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_differed_once_does_not_any_more(pair, path):
    from diff import grammar, pools, states

    kept = json.loads(path.read_text(encoding="ascii"))
    if kept["protocol"] == 3:
        for side in (pair.ours, pair.theirs):
            side.hello(3)
    for argv in kept["commands"]:
        pair.run([word.encode("latin1") for word in argv])
    states.compare(pair, [*pools.KEYS, grammar.LEX_KEY])


def test_half_a_minute_of_random_commands_gets_the_same_bytes(seed):
    done = subprocess.run([ROOT / "scripts" / "diff", "--seconds", "30", "--seed", str(seed), "--port",
                           str(free_ports(6))],
                          env={**os.environ, "KIWI_SERVER": str(server_binary())},
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
