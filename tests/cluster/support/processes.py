"""Starting server processes so that none survives its harness.

PR_SET_PDEATHSIG fires when the *thread* that forked ends, so every child is forked by one thread
that lives as long as this process.
"""
from __future__ import annotations

import concurrent.futures
import ctypes
import functools
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile

_spawner = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgid(0, 0)  # a Ctrl-C at the terminal is for pytest, which stops nodes in its own order


def spawn(argv, env=None, cwd=None, output=subprocess.DEVNULL,
          open_files: int | None = None) -> subprocess.Popen:
    """`open_files`: as after ulimit -n."""
    def prepare():
        _die_with_parent()
        if open_files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))

    def start():
        return subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT, preexec_fn=prepare)
    return _spawner.submit(start).result()


def server_binary() -> str:
    """KIWI_SERVER, else <tree>/build/actors/kiwi-server."""
    chosen = os.environ.get("KIWI_SERVER")
    if chosen:
        return chosen
    tree = pathlib.Path(__file__).resolve().parents[3]
    return str(tree / "build" / "actors" / "kiwi-server")


def run_server(*args: str, timeout: float = 15.0, binary: str | None = None):
    """Runs the server to its end, for starts that must fail. Returns (exit code, all output)."""
    process = spawn([binary or server_binary(), *args], output=subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return None, output.decode("utf-8", "replace")
    return process.returncode, output.decode("utf-8", "replace")


def why_no_faketime() -> str | None:
    return None if shutil.which("gcc") or shutil.which("cc") else "there is no C compiler"


@functools.cache
def _fake_clock() -> str:
    source = pathlib.Path(__file__).with_name("fakeclock.c")
    made = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-fakeclock-")) / "fakeclock.so"
    subprocess.run([shutil.which("gcc") or "cc", "-O1", "-shared", "-fPIC", "-fno-builtin", "-o",
                    str(made), str(source)], check=True)
    return str(made)


def faketime_environment(offset_file: str) -> dict[str, str]:
    """The wall clock is moved by what stands in `offset_file` (like "+3600s"), read again all the
    time, so it can jump while the process runs. The monotonic clock stays true. Not libfaketime: it
    allocates before it is ready, and jemalloc asks for the time before it is."""
    return {"LD_PRELOAD": _fake_clock(), "FAKE_CLOCK": offset_file}
