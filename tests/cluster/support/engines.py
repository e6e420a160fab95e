"""Which engine reads clients' sockets: io_uring, where this machine lets a server have it, and epoll."""
from __future__ import annotations

import functools
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from .ports import free_port
from .processes import run_server

SOURCE = pathlib.Path(__file__).with_name("forbidden.c")
ENGINES = ("epoll", "uring")


@functools.cache
def why_no_uring() -> str | None:
    """The server's own words. Its port is taken: it ends behind the choice of the engine."""
    with tempfile.TemporaryDirectory(prefix="kiwi-uring-") as directory, socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        _, words = run_server("--port", str(taken.getsockname()[1]), "--bind", "127.0.0.1", "--raft.id", "1",
                              "--dir", directory, "--io-engine", "uring")
    return next((line for line in words.splitlines() if "io_uring does not work here" in line), None)


def need(engine: str) -> None:
    if engine == "uring" and (why := why_no_uring()):
        pytest.skip(why)


@functools.cache
def _library() -> str:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler")
    made = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-forbidden-")) / "forbidden.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(SOURCE)], check=True)
    return str(made)


def forbid(node, call: str, errno: int) -> None:
    """Before the node starts: io_uring_<call> fails so in its process."""
    loaded = node.environment.get("LD_PRELOAD")
    node.environment.update({"LD_PRELOAD": ":".join(filter(None, [loaded, _library()])),
                             "FORBID_URING": call, "FORBID_ERRNO": str(errno)})
