"""Debian's prometheus-redis-exporter, asked once for what it finds on a server."""
from __future__ import annotations

import re
import shutil
import subprocess
import urllib.request

from .ports import free_port
from .processes import spawn
from .waiting import wait_until

BINARY = "prometheus-redis-exporter"
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (\S+)")


def why_not() -> str | None:
    return None if shutil.which(BINARY) else f"no {BINARY} here (Debian: {BINARY})"


class Scrape:
    """What one scrape of a server brought."""

    def __init__(self, text: str, said: str):
        self.samples: dict[str, dict[str, float]] = {}  # name -> labels -> value
        self.said = said                                # by the exporter, of errors
        for line in text.splitlines():
            found = None if line.startswith("#") else _SAMPLE.fullmatch(line)
            if found:
                self.samples.setdefault(found[1], {})[found[2] or ""] = float(found[3])

    @property
    def names(self) -> set[str]:
        return set(self.samples)

    def value(self, name: str, *labels: str) -> float:
        """Of the one sample whose labels contain these texts."""
        fitting = [value for text, value in self.samples.get(name, {}).items()
                   if all(label in text for label in labels)]
        assert len(fitting) == 1, f"{name} {labels}: {self.samples.get(name)}"
        return fitting[0]


def scrape(host: str, port: int) -> Scrape:
    """With everything that it can be told to look at on any server."""
    web = free_port()
    process = spawn([BINARY, "-redis.addr", f"redis://{host}:{port}",
                     "-web.listen-address", f"127.0.0.1:{web}", "-redis-only-metrics",
                     "-include-system-metrics", "-include-config-metrics", "-export-client-list",
                     "-check-keys", "db0=exported:*", "-check-single-streams",
                     "db0=exported:stream", "-count-keys", "db0=exported:*"],
                    output=subprocess.PIPE)
    try:
        def fetched():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{web}/metrics", timeout=30) as page:
                    return page.read().decode()
            except OSError:
                return None
        text = wait_until(fetched, 30, "the exporter to answer")
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=10)
    errors = [re.sub(r'^time="[^"]*" ', "", line)
              for line in said.decode("utf-8", "replace").splitlines() if "level=err" in line]
    return Scrape(text, "\n".join(errors))
