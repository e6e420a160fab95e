"""Disks that answer with errors, write half, lose files or flip bytes [F13, F16].

Each either goes unnoticed by clients, or stops the node with a sentence that names the directory or
file. What was acknowledged is there afterwards; nothing wrong is ever served.
"""
from __future__ import annotations

import os
import threading
import time

import pytest

from support import fates, faultydisk, smalldisk
from support.cluster import wait_serving
from support.processes import run_server
from support.resp import RespError
from support.waiting import wait_until

KEYS = 200

pytestmark = pytest.mark.skipif(faultydisk.why_not() is not None,
                                reason=str(faultydisk.why_not()))


def value(i: int) -> bytes:
    return f"value-{i}-".encode() + b"x" * 100


def write_keys(node, start: int, end: int) -> int:
    """SETs one by one; the number of the first that was not acknowledged."""
    try:
        with node.connect() as connection:
            for i in range(start, end):
                reply = connection.call("SET", f"k:{i}", value(i))
                if reply != "OK":
                    return i
    except OSError:
        return i
    return end


def check_keys(node, acknowledged: int, tried: int) -> None:
    """All that was acknowledged is there; what was only tried is there whole or not at all."""
    with node.connect() as connection:
        replies = connection.pipeline([("GET", f"k:{i}") for i in range(tried)])
    for i, reply in enumerate(replies):
        assert reply == value(i) or (i >= acknowledged and reply is None), (i, reply)


def assert_stopped_with_a_sentence(node, part: str) -> None:
    wait_until(lambda: not node.alive(), 15, f"node {node.id} to stop")
    sentence = node.log_text().splitlines()[-1]
    assert node.process.returncode in (1, 70), (node.process.returncode, sentence)
    assert "stopping: " in node.log_text()
    stops = [line for line in node.log_text().splitlines() if "stopping: " in line]
    assert str(node.group_dir / part) in stops[-1], stops[-1]
    assert "terminate called" not in node.log_text()


@pytest.fixture
def faulty_single(make_cluster):
    cluster = make_cluster(1, peers=False, start=False)
    node = cluster.node(1)
    disk = faultydisk.FaultyDisk(node)
    cluster.start()
    assert write_keys(node, 0, KEYS) == KEYS
    return node, disk


@pytest.mark.parametrize("operation, action", [("sync", "EIO"), ("write", "EIO"),
                                               ("write", "torn")])
def test_a_log_that_cannot_be_written_stops_the_node_and_keeps_its_promises(
        faulty_single, operation, action):
    """[F16] A failed fdatasync is never tried again: the kernel may have dropped the pages."""
    node, disk = faulty_single
    disk.fail(operation, "/log/", action)
    got = write_keys(node, KEYS, KEYS + 20)
    assert got == KEYS, "a write was acknowledged although the log could not take it"
    assert_stopped_with_a_sentence(node, "log")
    assert disk.seen()
    disk.mend()
    node.start()
    wait_serving(node)
    check_keys(node, KEYS, KEYS + 1)
    assert node.call("SET", "after", 1) == "OK"


def test_a_log_without_room_waits_and_goes_on_by_itself(faulty_single):
    """[F60] Nothing was written, so nothing is in doubt: that is no failed write."""
    node, disk = faulty_single
    disk.fail("write", "/log/", "ENOSPC")
    got = []
    writer = threading.Thread(target=lambda: got.append(write_keys(node, KEYS, KEYS + 20)))
    writer.start()
    wait_until(disk.seen, 10, "a fault")
    wait_until(lambda: node.info("persistence").get("disk_waits") == "1", 5, "INFO to tell")
    time.sleep(0.5)
    assert node.alive() and not got
    disk.mend()
    writer.join(15)
    assert got == [KEYS + 20], node.log_text()[-800:]
    text = node.log_text()
    assert "the disk is full: writing to" in text and "room on the disk again" in text
    node.kill()
    node.start()
    wait_serving(node)
    check_keys(node, KEYS + 20, KEYS + 20)


def test_a_flush_without_room_waits_and_goes_on_by_itself(faulty_single):
    """[F60]"""
    node, disk = faulty_single
    disk.fail("write", "ingest-", "ENOSPC")
    saved = []
    saver = threading.Thread(target=lambda: saved.append(node.call("SAVE", timeout=30)))
    saver.start()
    wait_until(disk.seen, 10, "a fault")
    wait_until(lambda: node.info("persistence").get("disk_waits") == "1", 5, "INFO to tell")
    assert write_keys(node, KEYS, KEYS + 20) == KEYS + 20, "apply goes on in memory"
    assert node.alive() and not saved
    disk.mend()
    saver.join(20)
    assert saved == ["OK"], node.log_text()[-800:]
    assert node.info("persistence").get("disk_waits") == "0"
    node.kill()
    node.start()
    wait_serving(node)
    check_keys(node, KEYS + 20, KEYS + 20)


def test_a_stop_does_not_wait_for_a_flush_without_end(faulty_single):
    """The log has everything; only the next start takes longer."""
    node, disk = faulty_single
    disk.fail("write", "ingest-", "ENOSPC")
    began = time.monotonic()
    assert node.terminate(timeout=30) == 0
    assert time.monotonic() - began < 20
    assert "took too long" in node.log_text().splitlines()[-1], node.log_text()[-800:]
    disk.mend()
    node.start()
    wait_serving(node)
    check_keys(node, KEYS, KEYS)


def test_a_second_signal_ends_a_stop_at_once(faulty_single):
    node, disk = faulty_single
    disk.fail("write", "ingest-", "ENOSPC")
    node.ended_by_us = True
    node.process.terminate()
    wait_until(disk.seen, 10, "the flush at the end")
    began = time.monotonic()
    node.process.terminate()
    assert node.process.wait(15) == 1
    assert time.monotonic() - began < 3.0, "the first signal alone waits for longer"
    assert "a second signal to stop" in node.log_text().splitlines()[-1], node.log_text()[-800:]
    disk.mend()
    node.start()
    wait_serving(node)
    check_keys(node, KEYS, KEYS)


def test_a_write_that_takes_half_of_the_bytes_is_continued(faulty_single):
    node, disk = faulty_single
    disk.fail("write", "/log/", "half")
    assert write_keys(node, KEYS, KEYS + 20) == KEYS + 20
    assert disk.seen() and node.alive()
    node.kill()
    disk.mend()
    node.start()
    wait_serving(node)
    check_keys(node, KEYS + 20, KEYS + 20)


@pytest.mark.parametrize("operation, action", [("sync", "EIO"), ("write", "EIO"),
                                               ("write", "torn")])
def test_a_state_that_cannot_be_flushed_loses_nothing(faulty_single, operation, action):
    """[F13] The flush at the orderly end fails; the log still has everything."""
    node, disk = faulty_single
    disk.fail(operation, "/state-1/", action)
    node.terminate()
    assert disk.seen(), "the flush met no fault"
    text = node.log_text()
    assert str(node.group_dir / "state-1") in text.splitlines()[-1], text[-800:]
    assert "terminate called" not in text and "invariant" not in text
    disk.mend()
    node.start()
    wait_serving(node)
    check_keys(node, KEYS, KEYS)


def test_a_leader_whose_log_fails_is_replaced_and_nothing_is_lost(make_cluster):
    cluster = make_cluster(3, start=False)
    disks = {node.id: faultydisk.FaultyDisk(node) for node in cluster.nodes}
    cluster.start()
    leader = cluster.wait_leader()
    follower = cluster.followers()[0]
    assert write_keys(follower, 0, 50) == 50
    disks[leader.id].fail("sync", "/log/", "EIO")
    assert write_keys(follower, 50, 100) == 100, "clients of a good node saw an error"
    assert_stopped_with_a_sentence(leader, "log")
    assert cluster.wait_leader() is not leader
    disks[leader.id].mend()
    leader.start()
    wait_serving(leader)
    check_keys(leader, 100, 100)


# ---------------------------------------------------------------- flipped bytes, missing files

@pytest.fixture
def flushed(make_cluster):
    """A cluster of one, ended in order: its state is in SST files, its log behind it."""
    cluster = make_cluster(1, peers=False)
    node = cluster.node(1)
    assert write_keys(node, 0, KEYS) == KEYS
    node.terminate()
    return node


def refused_or_right(node) -> str:
    """Starts it. Refused with a sentence that names a file, or stopped with one at the first read, or
    everything is right."""
    code, output = run_server(*node.argv()[1:], timeout=3)
    if code is not None:
        assert code in (1, 70, 78) and str(node.dir) in output, (code, output[-800:])
        assert "terminate called" not in output and "invariant" not in output, output[-800:]
        return "refused"
    node.start()
    try:
        wait_serving(node)
        check_keys(node, KEYS, KEYS)
    except (OSError, AssertionError):
        assert_stopped_with_a_sentence(node, "state-1")
        return "stopped"
    return "right"


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_flipped_byte_in_an_sst_is_never_served(flushed, place):
    """[F16] The biggest file holds the keys; wherever the byte is."""
    table = max((flushed.group_dir / "state-1").glob("*.sst"), key=lambda path: path.stat().st_size)
    with open(table, "r+b") as file:
        file.seek(int(table.stat().st_size * place))
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0x20]))
    outcome = refused_or_right(flushed)
    print(f"at {place}: {outcome}")
    if place == 0.3:
        assert outcome != "right", "a byte in the middle of the data made no difference"


@pytest.mark.parametrize("pattern", ["state-1/*.sst", "state-1/CURRENT", "state-1/MANIFEST-*",
                                     "state-1/OPTIONS-*", "log/*.log", "log/CURRENT",
                                     "log/MANIFEST-*", "log/OPTIONS-*", "log/WAL-MARK"])
def test_a_missing_file_is_refused_or_made_good(flushed, pattern):
    """[F13, F16] Also the log of a node whose state is ahead of what is left of it."""
    lost = max(flushed.group_dir.glob(pattern), key=lambda path: path.stat().st_size)
    assert lost.stat().st_size > 0
    lost.unlink()
    print(f"{pattern}: {refused_or_right(flushed)}")


@pytest.mark.parametrize("pattern", ["log/*.log", "log/CURRENT", "log/MANIFEST-*",
                                     "log/WAL-MARK"])
def test_a_missing_log_file_is_refused_also_when_the_state_was_never_flushed(make_cluster, pattern):
    """[F1, F16] Nothing but the log knows what was acknowledged: an empty one must not be opened."""
    cluster = make_cluster(1, peers=False)
    node = cluster.node(1)
    assert write_keys(node, 0, KEYS) == KEYS
    node.kill()
    max(node.group_dir.glob(pattern), key=lambda path: path.stat().st_size).unlink()
    print(f"{pattern}: {refused_or_right(node)}")


# ---------------------------------------------------------------- nearly full

@pytest.fixture
def small_disk():
    reason = smalldisk.why_not()
    if reason:
        pytest.skip(reason)
    made = []

    def make(node, megabytes):
        made.append(smalldisk.SmallDisk(node.dir, megabytes))
        return made[-1]
    yield make
    for disk in made:
        disk.close()


def refused_for_room(reply) -> bool:
    return (isinstance(reply, RespError) and reply.code == "OOM" and "nearly full" in reply.text
            and fates.of_error(reply) == fates.FAIL)


def test_a_nearly_full_disk_refuses_writes_and_recovers_by_itself(make_cluster, small_disk):
    """[F60] Writes are refused before the disk is full, and go on when there is room."""
    cluster = make_cluster(1, peers=False, start=False, options={"disk-free-min": "32mb"})
    node = cluster.node(1)
    disk = small_disk(node, 128)
    try:
        cluster.start()
        assert write_keys(node, 0, 50) == 50
        disk.fill(leave_bytes=24 << 20)
        wait_until(lambda: refused_for_room(node.call("SET", "k:0", value(0))), 5, "refusals")
        before = disk.free_bytes()
        with node.connect() as connection:
            replies = connection.pipeline([("SET", f"flood:{i}", "x" * 1000) for i in range(3000)])
        assert all(refused_for_room(reply) for reply in replies), "nothing may be half refused"
        assert before - disk.free_bytes() < 1 << 20, "refused writes fill the disk"
        check_keys(node, 50, 50)  # reads go on
        assert node.call("DBSIZE") == 50
        disk.release()
        wait_until(lambda: node.call("SET", "after", 1) == "OK", 5, "writes again")
        assert node.call("DBSIZE") == 51
        assert "nearly full" not in str(node.call("SET", "after", 2))
        assert node.call("CONFIG", "SET", "disk-free-min", "1gb") == "OK"  # more than the disk has
        wait_until(lambda: refused_for_room(node.call("SET", "after", 2)), 5, "writes to be refused")
        assert node.call("GET", "after") == b"2"
        # One entry may build more than this disk has, but for those who want any room to do.
        assert node.call("CONFIG", "SET", "disk-free-min", "1mb") == "OK"
        wait_until(lambda: node.call("SET", "after", 3) == "OK", 5, "writes again")
        assert refused_for_room(node.call("COPY", "after", "copy"))
        assert node.call("CONFIG", "SET", "disk-free-min", 0) == "OK"
        wait_until(lambda: node.call("COPY", "after", "copy") == 1, 5, "copies to be taken")
    finally:
        node.kill()


def test_a_nearly_full_leader_hands_over_and_still_takes_what_others_write(make_cluster, small_disk):
    """[F3] Its own clients are refused; clients of the others notice nothing."""
    cluster = make_cluster(3, start=False, options={"disk-free-min": "32mb"})
    disks = {node.id: small_disk(node, 128) for node in cluster.nodes}
    try:
        cluster.start()
        leader = cluster.wait_leader()
        others = cluster.followers()
        assert write_keys(leader, 0, 20) == 20
        disks[leader.id].fill(leave_bytes=24 << 20)
        wait_until(lambda: refused_for_room(leader.call("SET", "more", 1)), 5, "writes refused")
        wait_until(lambda: cluster.wait_leader() is not leader, 10, "another leader")

        def accepted():
            return others[0].call("SET", "others", "go on") == "OK"
        wait_until(accepted, 5, "writes through another node")
        assert write_keys(others[1], 20, 120) == 120
        check_keys(leader, 120, 120)  # it takes and applies what they write
        assert refused_for_room(leader.call("SET", "more", 1)) and leader.alive()
        disks[leader.id].release()
        wait_until(lambda: leader.call("SET", "after", 1) == "OK", 5, "writes again")
    finally:
        for node in cluster.nodes:
            node.kill()


def test_two_nearly_full_disks_of_three_refuse_and_recover(make_cluster, small_disk):
    """One node has room: it leads and serves, or its leader refuses."""
    cluster = make_cluster(3, start=False, options={"disk-free-min": "32mb"})
    disks = {node.id: small_disk(node, 128) for node in cluster.nodes}
    try:
        cluster.start()
        roomy = cluster.followers()[0]
        for node in cluster.nodes:
            if node is not roomy:
                assert node.call("CONFIG", "SET", "disk-free-min", "1gb") == "OK"

        def served_by_whoever_leads():  # a full leader hands over once, to whom it likes
            reply = roomy.call("SET", "x", 1, timeout=20)
            return reply == "OK" if cluster.leader() is roomy else refused_for_room(reply)
        wait_until(served_by_whoever_leads, 10, "service by a leader with room, or refusals")
        assert all(node.alive() for node in cluster.nodes)
        for node in cluster.nodes:
            assert node.call("CONFIG", "SET", "disk-free-min", "1mb") == "OK"
        for node in cluster.nodes:
            wait_until(lambda: node.call("SET", "after", 1) == "OK", 10, "writes again")
    finally:
        for node in cluster.nodes:
            node.kill()


def test_a_copy_on_a_full_disk_waits_in_its_middle_and_goes_on_when_there_is_room(make_cluster, small_disk):
    """[F60] The node answers meanwhile, and its log names the entry."""
    cluster = make_cluster(1, peers=False, start=False,
                           options={"disk-free-min": 0, "cache-state": 32 << 20})
    node = cluster.node(1)
    disk = small_disk(node, 512)
    fields, step = 80_000, 500
    try:
        cluster.start()
        with node.connect(60) as connection:
            for first in range(0, fields, step):
                connection.must("HSET", "big", *[word for i in range(first, first + step)
                                                 for word in (f"{i:06}", os.urandom(1000))])
        disk.fill(leave_bytes=40 << 20)
        with node.connect(60) as connection:
            connection.send("COPY", "big", "copy")

            def waits() -> bool:
                disk.fill(leave_bytes=20 << 20)  # also what the log gives back meanwhile
                text = node.log_text()  # INFO tells nothing new of the state in the middle of an entry
                return (text.count("the disk is full: a flush of the state")
                        > text.count("there is room on the disk again: a flush of the state"))
            wait_until(waits, 30, "the copy to wait for room")
            for _ in range(20):
                assert node.call("PING", timeout=2) == "PONG"
                time.sleep(0.05)
            wait_until(lambda: "waits in its middle for room" in node.log_text(), 10,
                       "the log to say which entry it is")
            disk.release()
            assert connection.read() == 1
            assert node.call("HLEN", "copy") == fields
    finally:
        node.kill()
