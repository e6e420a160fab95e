"""Publish/subscribe between processes: beside the log, and in the order of the log."""
from __future__ import annotations

import os
import threading
import time

from support.resp import NOTHING, RespError
from support.waiting import wait_until

KILLS = int(os.environ.get("KIWI_PUBSUB_KILLS", 3))
MESSAGES_A_ROUND = 150
ROUND_S = float(os.environ.get("KIWI_PUBSUB_ROUND_S", 0))  # at least so long, with messages all the time


class Subscriber(threading.Thread):
    """Listens on one node until told to stop, and connects again when it has to."""

    def __init__(self, node, channel, stop):
        super().__init__(daemon=True)
        self.node, self.channel, self.stop = node, channel, stop
        self.lives = []  # of each connection: when it was confirmed, and what came, in order

    def run(self):
        while not self.stop.is_set():
            try:
                with self.node.connect() as connection:
                    assert connection.must("SUBSCRIBE", self.channel)[0] == b"subscribe"
                    came = []
                    self.lives.append((time.monotonic(), came))
                    while not self.stop.is_set():
                        message = connection.read_within(0.2)
                        if message is not NOTHING:
                            came.append(int(message[2]))
            except OSError:
                time.sleep(0.05)


def listening(node):
    return int(node.info("stats").get("pubsub_channels", 0))  # not there: it still loads


def test_a_message_reaches_subscribers_of_all_nodes_and_they_are_counted(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    connections = [node.connect() for node in cluster.nodes]
    for connection in connections:
        assert connection.must("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
    for number, node in enumerate(cluster.nodes):
        assert node.call("PUBLISH", "news", number) == 3
        for connection in connections:
            assert connection.read() == [b"message", b"news", str(number).encode()]
    assert cluster.nodes[0].call("SPUBLISH", "news", "x") == 0
    connections[2].close()
    wait_until(lambda: cluster.nodes[0].call("PUBLISH", "news", "x") == 2, 5, "one to be gone")


def test_publishing_needs_no_leader_and_waits_for_nobody_for_long(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    node, others = cluster.nodes[0], cluster.nodes[1:]
    with node.connect() as connection, others[0].connect() as elsewhere:
        connection.must("SUBSCRIBE", "news")
        elsewhere.must("SUBSCRIBE", "news")
        for other in others:
            other.pause()
        try:
            began = time.monotonic()
            assert node.call("PUBLISH", "news", "x") == 1
            assert time.monotonic() - began < 1
            assert connection.read() == [b"message", b"news", b"x"]
        finally:
            for other in others:
                other.resume()
        assert elsewhere.read() == [b"message", b"news", b"x"]


def test_who_gets_a_message_sees_what_its_publisher_wrote(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    with cluster.nodes[0].connect() as publisher, cluster.nodes[1].connect() as subscriber:
        subscriber.must("HELLO", "3")
        subscriber.must("SUBSCRIBE", "news")
        for number in range(200):
            publisher.send("SET", "k", number)
            publisher.send("PUBLISH", "news", number)
            assert subscriber.read() == [b"message", b"news", str(number).encode()]
            assert int(subscriber.must("GET", "k")) >= number
            assert publisher.read() == "OK" and publisher.read() == 1


def test_events_of_keys_come_on_every_node(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    assert cluster.nodes[0].call("CONFIG", "SET", "notify-keyspace-events", "KEA") == "OK"
    for node in cluster.nodes:
        wait_until(lambda: node.call("CONFIG", "GET", "notify-keyspace-events")[1] == b"AKE", 5,
                   "the setting to be applied")
    connections = [node.connect() for node in cluster.nodes]
    for connection in connections:
        connection.must("PSUBSCRIBE", "__key*__:*")
    cluster.nodes[1].call("SET", "k", "v", "PX", "100")
    for connection in connections:
        came = [connection.read()[2:] for _ in range(6)]  # set, expire, expired; each on two channels
        assert came == [[b"__keyspace@0__:k", b"set"], [b"__keyevent@0__:set", b"k"],
                        [b"__keyspace@0__:k", b"expire"], [b"__keyevent@0__:expire", b"k"],
                        [b"__keyspace@0__:k", b"expired"], [b"__keyevent@0__:expired", b"k"]]


def test_a_subscriber_that_reads_nothing_costs_only_itself(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    limit = ("client-output-buffer-limit", "pubsub 1mb 0 0")
    assert cluster.nodes[0].call("CONFIG", "SET", *limit) == "OK"
    with cluster.nodes[0].connect() as deaf, cluster.nodes[0].connect() as reads:
        deaf.must("SUBSCRIBE", "news")
        reads.must("SUBSCRIBE", "news")
        message = b"x" * 65536
        with cluster.nodes[1].connect() as publisher:
            for number in range(400):
                assert publisher.call("PUBLISH", "news", message) in (1, 2)
                assert reads.read()[2] == message
        wait_until(lambda: int(cluster.nodes[0].info("clients")["connected_clients"]) <= 2, 5,
                   "the deaf one to be closed")
        assert int(cluster.nodes[0].info("stats")["client_output_buffer_limit_disconnections"]) == 1


class Publisher:
    """Blocks of INCR and PUBLISH, one after the other: what they carry counts up."""

    def __init__(self):
        self.sent = {}  # number -> (when it was begun, when it was acknowledged)
        self.number = 0

    def publish(self, source):
        self.number += 1
        began = time.monotonic()
        with source.connect() as writer:
            replies = writer.pipeline([("MULTI",), ("INCR", "n"), ("PUBLISH", "log", self.number), ("EXEC",)])
        if isinstance(replies[3], list):
            self.sent[self.number] = (began, time.monotonic())
        else:
            assert isinstance(replies[3], RespError), replies
            assert replies[3].code in ("TIMEOUT", "CLUSTERDOWN", "LOADING"), replies  # LOADING: it came back in this round


def judge(subscribers, sent):
    """Of each connection: what should have come and did not, came twice, or behind a later one."""
    missing = doubled = disordered = came_in_all = lives = 0
    for subscriber in subscribers:
        lives += len(subscriber.lives)
        for place, (confirmed, came) in enumerate(subscriber.lives):
            came_in_all += len(came)
            doubled += len(came) - len(set(came))
            known = [one for one in came if one in sent]
            disordered += sum(one > other for one, other in zip(known, known[1:]))
            due = {one for one, (began, _) in sent.items() if began > confirmed}
            if place + 1 < len(subscriber.lives):  # it ended: up to the last one that came
                last = max(came, default=0)
                due = {one for one in due if one <= last}
            missing += len(due - set(came))
    print(f"{len(sent)} blocks acknowledged; {came_in_all} messages on {lives} connections: {missing} missing, "
          f"{doubled} twice, {disordered} out of order")
    return missing, doubled, disordered


def test_a_blocks_messages_come_once_and_in_order_while_leaders_die(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    stop = threading.Event()
    subscribers = [Subscriber(node, "log", stop) for node in cluster.nodes]
    for subscriber in subscribers:
        subscriber.start()
    for node in cluster.nodes:
        wait_until(lambda: listening(node) == 1, 10, "a subscriber")
    publisher = Publisher()
    for _ in range(KILLS):
        begun = time.monotonic()
        leader = cluster.wait_leader()
        source = next(node for node in cluster.nodes if node is not leader)
        for at in range(MESSAGES_A_ROUND):
            if at == MESSAGES_A_ROUND // 2:
                leader.kill()
            publisher.publish(source)
        cluster.wait_leader(other_than=leader)
        leader.start()
        wait_until(lambda: listening(leader) == 1, 20, "its subscriber to be back")
        while time.monotonic() < begun + ROUND_S:
            publisher.publish(source)
    time.sleep(1)
    stop.set()
    for subscriber in subscribers:
        subscriber.join(10)
        assert not subscriber.is_alive()
        assert subscriber.lives
    print(f"{KILLS} leaders killed, {publisher.number - len(publisher.sent)} blocks refused or of unknown fate")
    assert judge(subscribers, publisher.sent) == (0, 0, 0)
