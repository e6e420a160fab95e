"""A service manager's end of NOTIFY_SOCKET: what a node said, and when."""
from __future__ import annotations

import pathlib
import socket
import threading
import time

from .waiting import wait_until

_MARK = "MARK"


class Manager:
    """Use as a context manager; give `environment` to the node."""

    def __init__(self, directory: pathlib.Path, watchdog_ms: int = 0):
        self.path = directory / "notify"
        self.environment = {"NOTIFY_SOCKET": str(self.path)}
        if watchdog_ms:
            self.environment["WATCHDOG_USEC"] = str(watchdog_ms * 1000)
        self.said: list[tuple[float, str]] = []
        self._heard = 0  # marks of caught_up()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(0.1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "Manager":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                text = self._socket.recv(4096).decode()
            except TimeoutError:
                continue
            if text == _MARK:
                self._heard += 1
                continue
            self.said += [(time.monotonic(), line) for line in text.splitlines()]

    def lines(self, beginning: str, since: float = 0.0) -> list[str]:
        return [line for when, line in list(self.said) if when >= since and line.startswith(beginning)]

    def status(self) -> str:
        """What the node said last of itself."""
        return (self.lines("STATUS=") or [""])[-1].removeprefix("STATUS=")

    def caught_up(self) -> "Manager":
        """All that was said before this call has been heard, also by a node that has ended since."""
        wanted = self._heard + 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.settimeout(10)
            own.sendto(_MARK.encode(), str(self.path))
        wait_until(lambda: self._heard >= wanted, 10, "the manager to hear its own mark")
        return self

    def wait(self, line: str, timeout: float = 20.0) -> None:
        wait_until(lambda: line in [said for _, said in list(self.said)], timeout, f"the node to say {line}")
