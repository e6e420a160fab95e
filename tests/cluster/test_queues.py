"""Queues as the frameworks build them, while a leader dies: reliable lists (BLMOVE, as RQ and Sidekiq's
super_fetch), groups of consumers (XREADGROUP and XAUTOCLAIM, as BullMQ's kin on streams), delayed jobs
in sorted sets (as Celery and Sidekiq). No job is lost, and each is done [F31]."""
from __future__ import annotations

import threading
import time

from support.resp import RespError
from support.waiting import wait_until

JOBS = 240
WORKERS_A_NODE = 2
DIES_AFTER = 10  # jobs, each first worker


class Worker(threading.Thread):
    """Takes jobs at one node and does them. The one that `dies` leaves for good with a job in its hands."""

    def __init__(self, node, name, stop, dies=False):
        super().__init__(daemon=True, name=name)
        self.node, self.stop, self.dies = node, stop, dies
        self.done = []
        self.unfinished = None  # a job whose end may have been heard or not
        self.unknown = 0  # calls whose answer did not come

    def run(self):
        while not self.stop.is_set():
            try:
                connection = self.node.connect()
            except OSError:
                time.sleep(0.05)
                continue
            with connection:
                try:
                    if self.work(connection):
                        return
                except OSError:
                    self.unknown += 1

    def work(self, connection):
        """True: it dies."""
        while not self.stop.is_set():
            job = self.unfinished or self.take(connection)
            if job is None:
                continue
            if self.dies and len(self.done) >= DIES_AFTER:
                return True
            self.unfinished = job
            if self.finish(connection, job):
                self.done.append(job[0])
                self.unfinished = None
        return False

    def take(self, connection):
        """(job, what finish() needs), or None."""
        raise NotImplementedError

    def finish(self, connection, job):
        """True: it is known to be over."""
        raise NotImplementedError


def run_workers(cluster, kind, stop):
    workers = [kind(node, f"w{node.id}.{number}", stop, dies=number == 0)
               for node in cluster.nodes for number in range(WORKERS_A_NODE)]
    for worker in workers:
        worker.start()
    return workers


def give_jobs(cluster, give):
    """JOBS of them, from a node that stays; the leader is killed in the middle. Those that may be there."""
    leader = cluster.wait_leader()
    source = next(node for node in cluster.nodes if node is not leader)
    given = {}
    for number in range(JOBS):
        if number == JOBS // 2:
            leader.kill()
        job = f"job-{number}".encode()
        reply = give(source, job)
        if not isinstance(reply, RespError):
            given[job] = True
        elif reply.code == "TIMEOUT":
            given[job] = False  # nobody knows
    cluster.wait_leader(other_than=leader)
    leader.start()
    return given


def check_done(given, workers, stop, left, what):
    """Every job that is known to have been given was done by somebody who stayed."""
    sure = {job for job, known in given.items() if known}
    try:
        wait_until(lambda: left() == 0 and sure <= {job for worker in workers for job in list(worker.done)}, 40, what)
    finally:
        stop.set()
    for worker in workers:
        worker.join(20)
        assert not worker.is_alive(), f"{worker.name} hangs"
    done = {job for worker in workers for job in worker.done}
    assert sure <= done <= set(given)


class ListWorker(Worker):
    """A job stands in the worker's own list until it is done."""

    def take(self, connection):
        reply = connection.call("LINDEX", f"busy:{self.name}", 0)  # of before, when an answer did not come
        if not isinstance(reply, bytes):
            reply = connection.call("BLMOVE", "jobs", f"busy:{self.name}", "LEFT", "RIGHT", "0.3")
        return (reply, None) if isinstance(reply, bytes) else None

    def finish(self, connection, job):
        return connection.call("LREM", f"busy:{self.name}", 1, job[0]) in (0, 1)


def test_a_list_keeps_the_jobs_of_workers_that_died(make_cluster):
    cluster = make_cluster(3)
    cluster.wait_leader()
    stop = threading.Event()
    workers = run_workers(cluster, ListWorker, stop)
    given = give_jobs(cluster, lambda node, job: node.call("RPUSH", "jobs", job))
    dead = [worker for worker in workers if worker.dies]

    def left():
        """What dead workers had goes back."""
        for worker in dead:
            if not worker.is_alive():
                while isinstance(cluster.wait_leader().call("LMOVE", f"busy:{worker.name}", "jobs", "RIGHT", "LEFT"),
                                 bytes):
                    pass
        return cluster.wait_leader().call("LLEN", "jobs")

    check_done(given, workers, stop, left, "all jobs of lists to be done")


class GroupWorker(Worker):
    """A job is pending in its group until it is acknowledged; old ones are taken over."""

    def take(self, connection):
        reply = connection.call("XAUTOCLAIM", "jobs", "g", self.name, 1500, "0", "COUNT", 1)
        entries = reply[1] if isinstance(reply, list) else []
        if not entries:
            reply = connection.call("XREADGROUP", "GROUP", "g", self.name, "COUNT", 1, "BLOCK", 300,
                                    "STREAMS", "jobs", ">")
            entries = reply[0][1] if isinstance(reply, list) else []
        return (entries[0][1][1], entries[0][0]) if entries and entries[0][1] else None

    def finish(self, connection, job):
        return connection.call("XACK", "jobs", "g", job[1]) in (0, 1)


def test_a_group_keeps_the_jobs_of_consumers_that_died(make_cluster):
    cluster = make_cluster(3)
    assert cluster.wait_leader().call("XGROUP", "CREATE", "jobs", "g", "$", "MKSTREAM") == "OK"
    stop = threading.Event()
    workers = run_workers(cluster, GroupWorker, stop)
    given = give_jobs(cluster, lambda node, job: node.call("XADD", "jobs", "*", "job", job))

    def left():
        reply = cluster.wait_leader().call("XPENDING", "jobs", "g")
        return reply[0] if isinstance(reply, list) else None

    check_done(given, workers, stop, left, "all jobs of the group to be done")


class DueWorker(Worker):
    """Moves what is due into the list, and takes from there. Two may try: WATCH lets one."""

    def take(self, connection):
        now = time.time()
        if connection.call("WATCH", "delayed") != "OK":
            return None
        due = connection.call("ZRANGEBYSCORE", "delayed", "-inf", now, "LIMIT", 0, 1)
        if isinstance(due, list) and due:
            connection.pipeline([("MULTI",), ("ZREM", "delayed", due[0]), ("RPUSH", "due", due[0]), ("EXEC",)])
        else:
            connection.call("UNWATCH")
        reply = connection.call("BLPOP", "due", "0.1")
        self.unknown += isinstance(reply, RespError) and reply.code == "TIMEOUT"
        return (reply[1], time.time()) if isinstance(reply, list) else None

    def finish(self, connection, job):
        self.times = [*getattr(self, "times", []), job]
        return True


def test_delayed_jobs_are_had_once_and_not_before_their_time(make_cluster):
    """BLPOP's answer is the only copy of a job: one may be gone for each answer that did not come."""
    cluster = make_cluster(3)
    cluster.wait_leader()
    stop = threading.Event()
    workers = [DueWorker(node, f"w{node.id}.{number}", stop) for node in cluster.nodes for number in range(2)]
    for worker in workers:
        worker.start()
    due_at = {}

    def give(node, job):
        due_at[job] = time.time() + 0.5
        return node.call("ZADD", "delayed", repr(due_at[job]), job)

    given = give_jobs(cluster, give)
    wait_until(lambda: cluster.wait_leader().call("ZCARD", "delayed") == 0
               and cluster.wait_leader().call("LLEN", "due") == 0, 40, "all delayed jobs to be taken")
    time.sleep(0.5)
    stop.set()
    for worker in workers:
        worker.join(20)
        assert not worker.is_alive()
    done = [job for worker in workers for job in worker.done]
    assert len(done) == len(set(done)), "a job was had twice"
    assert all(at >= due_at[job] for worker in workers for job, at in getattr(worker, "times", []))
    lost = {job for job, known in given.items() if known} - set(done)
    unknown = sum(worker.unknown for worker in workers)
    assert len(lost) <= unknown, f"{len(lost)} jobs are gone, {unknown} answers are not known"
