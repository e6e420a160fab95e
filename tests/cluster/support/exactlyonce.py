"""Increment one counter through every node while the leader is killed again and again.

Clients of the node about to be killed are parked first, so every increment has a known fate: in the
end the counter must equal the acknowledged increments exactly, and no client of a node that stayed
up may have seen an error.
"""
from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from .cluster import Cluster, wait_serving
from .load import Incrementer, park_clients_of, total, unpark_clients_of
from .waiting import wait_until

KEY = "exactly-once"


@dataclass
class Result:
    kills: int = 0
    acknowledged: int = 0
    unknown: int = 0
    counted: dict[int, int] = field(default_factory=dict)  # node -> counter as read there
    errors: dict = field(default_factory=dict)
    first_success: list[float] = field(default_factory=list)  # seconds after each kill
    longest_wait: float = 0.0                                  # of any single INCR

    @property
    def good(self) -> bool:
        return (not self.unknown and not self.errors and self.kills > 0
                and set(self.counted.values()) == {self.acknowledged})

    def text(self) -> str:
        took = sorted(self.first_success)
        shown = (f"{took[0]:.2f} / {took[len(took) // 2]:.2f} / {took[-1]:.2f} s" if took else "-")
        return "\n".join([
            f"leader kills                      {self.kills}",
            f"acknowledged INCRs                {self.acknowledged}",
            f"counter, as read on each node     {self.counted}",
            f"unknown / client errors           {self.unknown} / {self.errors or 0}",
            f"kill to first success min/med/max {shown}",
            f"longest wait of one INCR          {self.longest_wait:.2f} s",
            f"verdict                           {'GOOD' if self.good else 'VIOLATION'}"])


def run(cluster: Cluster, seconds: float, seed: int, *, clients_per_node: int = 20,
        kill_every: float = 5.0, say=print) -> Result:
    rng = random.Random(f"exactly-once/{seed}")
    clients = [Incrementer(node, KEY) for node in cluster.nodes for _ in range(clients_per_node)]
    for client in clients:
        client.start()
    result = Result()
    begin = time.monotonic()
    try:
        while time.monotonic() - begin < seconds:
            round_begin = time.monotonic()
            _kill_the_leader(cluster, clients, rng, result, say)
            rest = kill_every - (time.monotonic() - round_begin)
            time.sleep(max(0.0, rest))  # load without faults, so that there is something to lose
    finally:
        for client in clients:
            client.stop()
    for client in clients:
        client.join(30)
        assert not client.is_alive(), f"{client.name} hangs"
    result.acknowledged, result.unknown, errors = total(clients)
    result.errors = dict(errors)
    result.longest_wait = max(client.longest_wait for client in clients)
    for node in cluster.nodes:
        wait_serving(node)
        result.counted[node.id] = int(node.call("GET", KEY))
    return result


def _kill_the_leader(cluster: Cluster, clients, rng, result: Result, say) -> None:
    leader = cluster.wait_leader()
    park_clients_of(clients, leader)
    time.sleep(rng.uniform(0.0, 0.3))  # a random place in the stream of entries
    leader.kill()
    at = time.monotonic()
    survivors = [c for c in clients if c.node is not leader]
    wait_until(lambda: any(c.last_success > at for c in survivors), 20,
               f"an INCR to succeed after the kill of leader {leader.id}", interval=0.005)
    took = min(c.last_success for c in survivors if c.last_success > at) - at
    result.kills += 1
    result.first_success.append(took)
    say(f"  killed leader {leader.id}; first success after {took:.2f} s")
    leader.start()
    wait_serving(leader)
    unpark_clients_of(clients, leader)
