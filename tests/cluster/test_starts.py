"""Clients that were never run here find what they ask for when they start: what each says on connect
is replayed to a node and to redis-server 7.0. The first error that Redis would not give fails, and so
does a reply of another kind: a map where a client expects an array ends it as surely."""
from __future__ import annotations

import pytest

from support import oracle, starts
from support.cluster import Cluster

# What Redis 7.0 has and Kiwi has not yet, by the first words. Who brings it takes its line away.
NOT_YET: dict[bytes, str] = {}
CLIENTS = {"RedisInsight", "StackExchange.Redis", "go-redis", "ioredis", "jedis", "lettuce",
           "node-redis", "redis-py"}
SCENARIOS = starts.all_scenarios()
needs_redis = pytest.mark.skipif(oracle.why_not() is not None, reason=str(oracle.why_not()))


@pytest.fixture(scope="module")
def redis_servers():
    made = {cluster: oracle.RedisServer(cluster=cluster) for cluster in (False, True)}
    yield made
    for server in made.values():
        server.close()


def not_yet(answer: starts.Answer) -> str | None:
    return NOT_YET.get(answer.command[0].lower())


def first_difference(kiwi: list[starts.Answer], redis: list[starts.Answer]) -> str | None:
    for ours, theirs in zip(kiwi, redis, strict=True):
        if not_yet(ours):
            assert ours.error, f"{ours} is answered now: take its line out of NOT_YET"
        elif theirs.error is None and ours.error:
            return f"{ours.connection}: {ours}: {ours.error}"
        elif theirs.error is None and ours.kinds != theirs.kinds:
            return (f"{ours.connection}: {ours}: a reply of the kind {ours.kinds!r} instead of "
                    f"{theirs.kinds!r}")
    return None


def test_every_client_that_is_promised_has_its_start_here():
    assert {scenario.client for scenario in SCENARIOS} == CLIENTS
    assert all(scenario.said for scenario in SCENARIOS)


def test_words_are_read_as_they_are_written():
    assert starts.words('client setname a') == [b"client", b"setname", b"a"]
    assert starts.words('ECHO "a b\\x00\\xff\\x22" ""') == [b"ECHO", b'a b\x00\xff"', b""]
    assert starts.replies_to([b"SUBSCRIBE", b"a", b"b"]) == 2
    assert starts.replies_to([b"UNSUBSCRIBE"]) == 1
    assert starts.replies_to([b"PING", b"a", b"b"]) == 1


def test_a_client_that_is_told_an_error_is_noticed():
    def answered(*replies):
        return [starts.Answer("main", [b"PING"], list(replies))]
    good, error, other = answered(b"+PONG\r\n"), answered(b"-ERR no\r\n"), answered(b"$4\r\nPONG\r\n")
    assert first_difference(good, good) is None
    assert first_difference(error, error) is None
    assert first_difference(good, error) is None
    assert "ERR no" in first_difference(error, good)
    assert "another" not in (first_difference(other, good) or "another")


@needs_redis
@pytest.mark.parametrize("pipelined", [False, True], ids=["one by one", "all at once"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_client_starts_as_it_does_on_redis(single: Cluster, redis_servers, scenario, pipelined):
    node = single.node(1).cluster if scenario.cluster else single.node(1)
    redis = redis_servers[scenario.cluster]
    for server in (node, redis):
        with server.connect() as connection:
            connection.must("FLUSHALL")
            connection.must("SCRIPT", "FLUSH")
    theirs = starts.replay(redis, scenario, pipelined)
    ours = starts.replay(node, scenario, pipelined)
    difference = first_difference(ours, theirs)
    assert difference is None, f"{scenario}: {difference}"
