"""Disks that are full, torn or lying [F16]."""
from __future__ import annotations

import itertools
import os
import pathlib
import random
import threading
import time
from collections import Counter

import pytest

from support import smalldisk
from support.cluster import wait_serving
from support.processes import run_server
from support.resp import RespError
from support.waiting import wait_until


def newest_log_wal(node) -> pathlib.Path:
    """The write-ahead log of the Raft log's RocksDB: the entries themselves."""
    candidates = [path for path in node.dir.rglob("*.log")
                  if path.stat().st_size and not any(part.startswith("state") for part in path.parts)]
    assert candidates, f"no write-ahead log below {node.dir}"
    return max(candidates, key=used_bytes)


def used_bytes(wal: pathlib.Path) -> int:
    """Without the room that is written ahead."""
    return len(wal.read_bytes().rstrip(b"\0\xdb"))


@pytest.fixture
def killed_single(make_cluster):
    """A cluster of one with 300 acknowledged writes, killed with -9."""
    cluster = make_cluster(1, peers=False)
    node = cluster.node(1)
    with node.connect() as connection:
        for i in range(300):
            assert connection.call("SET", f"k:{i}", f"value-{i}-" + "x" * 40) == "OK"
    node.kill()
    return node


def test_an_untouched_log_opens_with_everything(killed_single):
    killed_single.start()
    wait_serving(killed_single)
    assert killed_single.call("DBSIZE") == 300


@pytest.mark.parametrize("missing", [1, 7, 33])
def test_a_torn_tail_opens_without_what_was_torn(killed_single, missing):
    """[F16]"""
    wal = newest_log_wal(killed_single)
    with open(wal, "r+b") as file:
        file.truncate(used_bytes(wal) - missing)
    killed_single.start()
    wait_serving(killed_single)
    size = killed_single.call("DBSIZE")
    assert 295 <= size <= 300
    for i in range(size):
        assert killed_single.call("GET", f"k:{i}") == f"value-{i}-{'x' * 40}".encode()
    assert killed_single.call("SET", "again", 1) == "OK"


@pytest.mark.parametrize("place", [0.1, 0.5, 0.8])
def test_a_flipped_byte_in_the_log_is_refused_with_the_files_name(killed_single, place):
    """[F16]: no silent shorter log that would vote again (nats-server#7564)."""
    wal = newest_log_wal(killed_single)
    with open(wal, "r+b") as file:
        offset = int(used_bytes(wal) * place)
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))
    code, output = run_server(*killed_single.argv()[1:])
    assert code == 78, (code, output)  # no restart would help
    assert "damaged" in output or "corrupt" in output, output
    assert str(wal) in output, "the sentence must say which file"
    assert "terminate called" not in output


def test_a_missing_state_file_is_refused_or_recovered_but_never_served_wrong(killed_single):
    tables = sorted(killed_single.dir.rglob("MANIFEST-*"))
    state = [path for path in tables if any(p.startswith("state") for p in path.parts)]
    assert state, f"no state database below {killed_single.dir}"
    state[0].unlink()
    code, output = run_server(*killed_single.argv()[1:], timeout=4)
    if code is not None:
        assert code in (1, 78) and "terminate called" not in output, output
        assert "state" in output
        return
    killed_single.start()
    wait_serving(killed_single)
    assert killed_single.call("DBSIZE") == 300


def test_a_full_disk_refuses_and_recovers_when_there_is_space(make_cluster):
    """[F60]: the node neither ends nor holds up the others, and comes back by itself."""
    reason = smalldisk.why_not()
    if reason:
        pytest.skip(reason)
    cluster = make_cluster(3, start=False)
    victim = cluster.node(3)
    disk = smalldisk.SmallDisk(victim.dir, 192)
    try:
        cluster.start()
        others = [cluster.node(1), cluster.node(2)]
        acknowledged = []

        def write(node, key):
            reply = node.call("SET", key, "x" * 20000, timeout=15)
            if reply == "OK":
                acknowledged.append(key)
            return reply

        for i in range(20):
            assert write(victim, f"before:{i}") == "OK"
        disk.fill()
        # The other two are a majority: what they accept stays, whatever the victim does.
        for i in range(40):
            reply = write(others[i % 2], f"during:{i}")
            assert reply == "OK" or reply.code in ("TIMEOUT", "OOM", "CLUSTERDOWN", "ERR"), reply
        assert any(key.startswith("during") for key in acknowledged), (
            "one full disk of three stopped the cluster")
        assert all(node.alive() for node in cluster.nodes), victim.log_text()[-2000:]
        assert victim.info("persistence")["disk_full"] == "1"
        disk.release()
        wait_serving(victim, 30)
        wait_until(lambda: write(victim, "after") == "OK", 20, "the victim to write again")
        for node in cluster.nodes:
            wait_serving(node)
            with node.connect() as connection:
                replies = connection.pipeline([("STRLEN", key) for key in acknowledged])
                assert set(replies) == {20000}, f"node {node.id} lost acknowledged writes"
    finally:
        for node in cluster.nodes:
            node.kill()
        disk.close()


def test_a_single_node_on_a_full_disk_loses_nothing_acknowledged(make_cluster):
    """[F60]: nothing is refused here, so writes wait until they are answered TIMEOUT."""
    reason = smalldisk.why_not()
    if reason:
        pytest.skip(reason)
    # disk-free-min would refuse long before: this is about the last byte.
    cluster = make_cluster(1, peers=False, start=False, options={"disk-free-min": "0"})
    node = cluster.node(1)
    disk = smalldisk.SmallDisk(node.dir, 128)
    try:
        cluster.start()
        acknowledged, refused = 20, None  # there are some, however soon the disk is full
        for i in range(acknowledged):
            assert node.call("SET", f"k:{i}", os.urandom(20000), timeout=15) == "OK"
        disk.fill(leave_bytes=8 << 20)
        while acknowledged < 2000 and refused is None:
            try:
                reply = node.call("SET", f"k:{acknowledged}", os.urandom(20000), timeout=15)
            except OSError as error:
                refused = error
                break
            if isinstance(reply, RespError):
                refused = reply
            else:
                acknowledged += 1
        assert refused is not None, "a full disk was never noticed"
        print(f"{acknowledged} writes fitted, then {refused!r}")
        assert isinstance(refused, RespError) and len(refused.text) > 15, refused
        assert refused.code == "TIMEOUT" and node.alive(), node.log_text()[-2000:]
        disk.release()
        wait_serving(node, 30)
        wait_until(lambda: node.call("SET", "after", 1) == "OK", 20, "writes again")
        with node.connect() as connection:
            replies = connection.pipeline([("STRLEN", f"k:{i}") for i in range(acknowledged)])
        assert set(replies) == {20000}
    finally:
        node.kill()
        disk.close()


def fill(node, number: int, stop: threading.Event, outcomes: Counter) -> None:
    """Pipelines of new keys, as fast as they are taken, and again while the node says it is full."""
    rng = random.Random(number)
    for batch in itertools.count():
        try:
            with node.connect(timeout=30) as connection:
                replies = connection.pipeline(
                    [("SET", f"f:{number}:{batch}:{i}", rng.randbytes(4000)) for i in range(200)])
        except OSError as error:
            outcomes[f"{type(error).__name__}"] += 1
            replies = []
        for reply in replies:
            outcomes["OK" if reply == "OK" else reply.code] += 1
        if stop.is_set():
            return
        if any(reply != "OK" for reply in replies):
            time.sleep(0.2)


@pytest.mark.alone
def test_three_disks_filled_at_full_speed_end_no_process(make_cluster):
    """[F60]: refused while there is room for all that is owed; taken again when there is more."""
    reason = smalldisk.why_not()
    if reason:
        pytest.skip(reason)
    cluster = make_cluster(3, start=False)
    disks = [smalldisk.SmallDisk(node.dir, 400) for node in cluster.nodes]
    try:
        cluster.start()
        stop, outcomes = threading.Event(), Counter()
        writers = [threading.Thread(target=fill, args=(cluster.nodes[i % 3], i, stop, outcomes))
                   for i in range(6)]
        for writer in writers:
            writer.start()
        wait_until(lambda: outcomes["OOM"] > 0, 60, "the first refusal")
        time.sleep(20)  # they go on: whatever is freed meanwhile is filled again
        stop.set()
        for writer in writers:
            writer.join(40)
        print(dict(outcomes), [disk.free_bytes() >> 20 for disk in disks])
        assert outcomes["OOM"] > 0 and outcomes["OK"] > 1000, outcomes
        assert not any(writer.is_alive() for writer in writers), cluster.log_tails()
        time.sleep(8)  # what is owed is written meanwhile
        assert not cluster.dead_unasked(), cluster.log_tails()
        for node in cluster.nodes:
            wait_serving(node, 20)
            info = node.info("persistence")
            print({name: value for name, value in info.items() if name.startswith("disk_")})
            text = node.log_text()
            assert "the disk is full: " not in text, "something had to wait: " + text[-2000:]
        for disk in disks:
            disk.resize(1200)
        for node in cluster.nodes:
            wait_until(lambda n=node: n.call("SET", f"after:{n.id}", 1) == "OK", 20,
                       f"node {node.id} to take writes again")
        sizes = {node.call("DBSIZE") for node in cluster.nodes}
        assert len(sizes) == 1 and sizes.pop() >= outcomes["OK"]
        assert not cluster.dead_unasked()
    finally:
        for node in cluster.nodes:
            node.kill()
        for disk in disks:
            disk.close()
