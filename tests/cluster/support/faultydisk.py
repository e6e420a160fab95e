"""A node whose disk fails on request: faultydisk.c, compiled once, preloaded into its process."""
from __future__ import annotations

import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

from .cluster import Node

SOURCE = pathlib.Path(__file__).with_suffix(".c")


def why_not() -> str | None:
    return None if shutil.which("gcc") or shutil.which("cc") else "there is no C compiler"


@functools.cache
def library() -> str:
    made = pathlib.Path(tempfile.mkdtemp(prefix="kiwi-faultydisk-")) / "faultydisk.so"
    subprocess.run([shutil.which("gcc") or "cc", "-O1", "-shared", "-fPIC", "-o", str(made),
                    str(SOURCE), "-ldl"], check=True)
    return str(made)


class FaultyDisk:
    """Made before the node starts."""

    def __init__(self, node: Node):
        self._rules = node.dir.parent / f"faults-{node.id}"
        self._seen = pathlib.Path(str(self._rules) + ".seen")
        loaded = node.environment.get("LD_PRELOAD")
        node.environment.update({"LD_PRELOAD": ":".join(filter(None, [loaded, library()])),
                                 "FAULTY_DISK": str(self._rules)})

    def fail(self, operation: str, part: str, action: str) -> None:
        """operation: write or sync; part: of the file's path; action: see faultydisk.c."""
        beside = self._rules.with_suffix(".new")
        beside.write_text(f"{operation} {part} {action}\n")
        os.replace(beside, self._rules)

    def mend(self) -> None:
        self._rules.unlink(missing_ok=True)

    def seen(self) -> list[str]:
        """Paths of the files that a fault was met at."""
        if not self._seen.exists():
            return []
        return [line.split(None, 1)[1] for line in self._seen.read_text().splitlines()]
