"""A tmpfs of fixed size for one node's data directory, to be filled up. Root only."""
from __future__ import annotations

import os
import pathlib
import subprocess


def why_not() -> str | None:
    """The reason why small disks cannot be had here, or None."""
    if os.geteuid() != 0:
        return "mounting a tmpfs needs root"
    return None


class SmallDisk:
    def __init__(self, path: pathlib.Path, megabytes: int):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "kiwi-test", str(path)],
                       check=True, capture_output=True)
        self._filler = path / "filler"

    def fill(self, leave_bytes: int = 0) -> None:
        """Takes all space but so much, also what the server frees while this runs."""
        with open(self._filler, "ab") as filler:
            for chunk in (1 << 20, 1 << 12):
                while self.free_bytes() - chunk >= leave_bytes:
                    try:
                        filler.write(b"\xff" * chunk)
                        filler.flush()
                    except OSError:
                        break

    def resize(self, megabytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(self.path)], check=True,
                       capture_output=True)

    def free_bytes(self) -> int:
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def release(self) -> None:
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], capture_output=True)
