"""Fixtures of the cluster tests. Run: /usr/bin/python3 -m pytest tests/cluster"""
from __future__ import annotations

import functools
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support import engines  # noqa: E402
from support.cluster import Cluster  # noqa: E402
from support.processes import server_binary  # noqa: E402

NEEDS_NO_SERVER = {"test_checker.py", "test_harness.py"}
# What is about sockets is tested with each way to read them.
BOTH_ENGINES = {"test_chaos.py", "test_clients.py", "test_drain.py", "test_garbage.py", "test_limits.py",
                "test_sockets.py"}

# These judge times and rates, or take the whole machine: scripts/test runs them with nothing beside. So it
# does with tests of other modules that are marked so.
ALONE = {"test_chaos.py", "test_deadlines.py", "test_measures.py", "test_pressure.py", "test_slow_disks.py",
         "test_stopped_leader.py"}


HERE = pathlib.Path(__file__).parent
FIRST = {"test_book.py"}  # of those that share nothing: they have the longest tests
SHARES = re.compile(r'scope="module"|def test_\w+\([^)]*\b(?:shared|single)\b')


@functools.cache
def shares(module: str) -> bool:
    """Whether its tests share a cluster, or something else that is made once for the module; those of
    test_bench a program that scripts/bench compiles."""
    return module == "test_bench.py" or SHARES.search((HERE / module).read_text(encoding="utf-8")) is not None


def rank(item) -> int:
    """What cannot be divided goes first, so that no worker waits for another in the end."""
    module = pathlib.Path(str(item.fspath)).name
    return 1 if shares(module) else 0 if module in FIRST else 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Several workers (scripts/test): a module whose tests share something goes to one of them, the tests
    of all others go to whoever has time."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = nodeid.partition("::")[0].rpartition("/")[2]
            return module if shares(module) else nodeid

    return Scheduling(config, log)


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: run with nothing beside it")


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=None, help="replay randomised tests")


def pytest_report_header(config):
    return [f"kiwi-server: {server_binary()}"]


def pytest_collection_modifyitems(config, items):
    for item in items:
        if pathlib.Path(str(item.fspath)).name in ALONE:
            item.add_marker(pytest.mark.alone)
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        items.sort(key=rank)
    if os.access(server_binary(), os.X_OK):
        return
    missing = pytest.mark.skip(reason=f"no server at {server_binary()} (set KIWI_SERVER)")
    for item in items:
        if pathlib.Path(str(item.fspath)).name not in NEEDS_NO_SERVER:
            item.add_marker(missing)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for value in item.funcargs.values():
            for cluster in _clusters_of(value):
                cluster.keep()
                report.sections.append(("nodes", cluster.log_tails()))


def _clusters_of(value):
    if isinstance(value, Cluster):
        return [value]
    return list(getattr(value, "made", []))


def _seed_of_commit() -> int:
    """The same for everybody who tests a commit, so that its runs differ by timing only, and
    another one for the next commit, so that new sequences are tried all the time."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True,
                          cwd=pathlib.Path(__file__).parent)
    return int(done.stdout[:8], 16) if done.returncode == 0 else int.from_bytes(os.urandom(4), "big")


@pytest.fixture
def seed(request) -> int:
    chosen = request.config.getoption("--seed")
    if chosen is None:
        chosen = _seed_of_commit()
    print(f"seed {chosen}   replay: /usr/bin/python3 -m pytest {request.node.nodeid} "
          f"--seed {chosen}")
    return chosen


def pytest_generate_tests(metafunc):
    where = pathlib.Path(metafunc.module.__file__).name
    if where in BOTH_ENGINES and "io_engine" in metafunc.fixturenames:
        metafunc.parametrize("io_engine", engines.ENGINES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def io_engine(request):
    """How servers read their clients' sockets: each way in the modules named above, elsewhere as
    KIWI_IO_ENGINE says, or as they do by themselves."""
    engine = getattr(request, "param", None) or os.environ.get("KIWI_IO_ENGINE")
    if engine:
        engines.need(engine)
    Cluster.io_engine = engine
    yield engine
    Cluster.io_engine = None


@pytest.fixture(scope="module")
def shared(io_engine):
    """Three healthy nodes for tests that leave them healthy."""
    with Cluster(3, faces=True, name="shared") as cluster:
        cluster.start()
        yield cluster


@pytest.fixture(scope="module")
def single(io_engine):
    """One node: a cluster of one."""
    with Cluster(1, peers=False, faces=True, name="single") as cluster:
        cluster.start()
        yield cluster


class Maker:
    def __init__(self):
        self.made: list[Cluster] = []

    def __call__(self, *args, start: bool = True, **kwargs) -> Cluster:
        cluster = Cluster(*args, **kwargs)
        self.made.append(cluster)
        return cluster.start() if start else cluster


@pytest.fixture
def make_cluster(io_engine):
    """make_cluster(size, **Cluster options): clusters of this one test."""
    maker = Maker()
    yield maker
    for cluster in maker.made:
        cluster.close()
