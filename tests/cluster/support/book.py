"""The book (docs/): what stands in its fences, and a place to run it in as a reader would.

  ```console         lines that begin with $ are commands; the lines behind each are what it prints. ... in a
                     line stands for anything, a line of ... for any lines, and
                     spaces for any number of them. `# exits with N` behind a command
                     says its exit status, which is 0 otherwise.
  ```sh              commands, and nothing on what they print
  ```sh elsewhere    commands for apt, systemd, docker or kubectl, which a test machine does not have: it is
                     looked whether the files that they name exist
  ```conf            lines of kiwi.conf: their names are options

A page runs from its top to its end in one shell, in namespaces of its own: nobody else's ports, its own /tmp, and
every process ends with it. So the commands are those of the page to the letter."""
from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import selectors
import shutil
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BOOK = ROOT / "docs"
RUN = ("console", "sh")
KINDS = (*RUN, "sh elsewhere", "conf", "yaml", "text", "python")
COMMAND_SECONDS = 120
RETRY_SECONDS = 20
# What only looks may look again, until it sees what the page shows: a cluster takes a moment.
LOOKS = re.compile(r"curl -s[^X]*$|redis-cli .*\b(get|info|role|dbsize)\b|scripts/cluster (status|doctor|top)|"
                   r"(tail|grep|ls) ")
EXITS = re.compile(r"#.* exits with (\d+)")


@dataclasses.dataclass
class Step:
    """One command of a page, and what the page shows of its output (None: nothing is said)."""
    line: int
    command: str
    shown: list[str] | None

    @property
    def status(self) -> int:
        found = EXITS.search(self.command)
        return int(found[1]) if found else 0


@dataclasses.dataclass
class Fence:
    line: int
    kind: str
    body: list[str]

    def steps(self) -> list[Step]:
        if self.kind == "sh":
            return [Step(self.line + n, text, None) for n, text in enumerate(self.body, 1)
                    if text.strip() and not text.startswith("#")]
        steps: list[Step] = []
        for n, text in enumerate(self.body, 1):
            if text.startswith("$ "):
                steps.append(Step(self.line + n, text[2:], []))
            else:
                assert steps, f"line {self.line + n}: output without a command"
                steps[-1].shown.append(text)
        return steps


def pages() -> list[pathlib.Path]:
    return sorted(BOOK.glob("*.md"))


def fences(text: str) -> list[Fence]:
    found: list[Fence] = []
    inside = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            if inside:
                inside.body.append(line)
        elif inside:
            found.append(inside)
            inside = None
        else:
            inside = Fence(number, line[3:].strip(), [])
    assert inside is None, f"the fence of line {inside.line} has no end"
    return found


def steps(text: str) -> list[Step]:
    return [step for fence in fences(text) if fence.kind in RUN for step in fence.steps()]


def fits(shown: list[str], printed: str) -> bool:
    """Whether what a command printed is what the page shows."""
    pattern = []
    for line in shown:
        if line.strip() == "...":
            pattern.append(r"(?:[^\n]*\n)*")
        else:
            text = re.escape(line.rstrip()).replace(r"\.\.\.", "[^\n]*")
            pattern.append(re.sub(r"(\\ )+", " +", text) + r"[ \t]*\n")
    return re.fullmatch("".join(pattern), printed) is not None


class Shell:
    """A shell in namespaces of its own."""

    def __init__(self, directory: pathlib.Path, server: str):
        self.dir = directory
        tools = directory / "tools"
        tools.mkdir(parents=True)
        (tools / "kiwi-server").symlink_to(os.path.abspath(server))
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "KIWI_SERVER": str(tools / "kiwi-server"),
                       "KIWI_CLUSTER_DIR": "/tmp/kiwi-cluster", "HOME": "/tmp", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            [*self.unshare(), "bash", "--norc"], cwd=ROOT, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._count = 0
        status, printed = self.run(self._private_tmp(tools, os.path.abspath(server)))
        assert status == 0, printed

    @staticmethod
    def unshare() -> list[str]:
        user = [] if os.geteuid() == 0 else ["-r"]
        return ["unshare", *user, "-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc"]

    @classmethod
    def why_not(cls) -> str:
        """Why there can be none here; "" if there can."""
        if not shutil.which("ip"):
            return "no ip (Debian: iproute2)"
        done = subprocess.run([*cls.unshare(), "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
        return "" if done.returncode == 0 else f"no namespaces here: {done.stderr.strip()}"

    def _private_tmp(self, tools: pathlib.Path, server: str) -> str:
        """A /tmp of its own, with what lies in the machine's and is needed."""
        private = self.dir / "tmp"
        words = ["ip link set lo up", f"mkdir -p {private}"]
        needed = [ROOT, tools, pathlib.Path(os.path.realpath(server)).parent, pathlib.Path(server).parent]
        for path in dict.fromkeys(str(path) for path in needed if str(path).startswith("/tmp/")):
            words += [f"mkdir -p {private}{path[4:]}", f"mount --bind {path} {private}{path[4:]}"]
        return " && ".join([*words, f"mount --rbind {private} /tmp", f"cd {ROOT}"])

    def run(self, command: str, seconds: float = COMMAND_SECONDS) -> tuple[int, str]:
        """(exit status, all that it printed)."""
        self._count += 1
        mark = f"<end of {self._count}:"
        self._process.stdin.write(f"{{ {command}\n}} </dev/null 2>&1\necho \"{mark}$?>\"\n".encode())
        self._process.stdin.flush()
        printed, deadline = b"", time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"no end after {seconds} s: {command}\n{printed.decode()}")
                read = os.read(self._process.stdout.fileno(), 65536)
                assert read, f"the shell ended: {command}\n{printed.decode()}"
                printed += read
                text = printed.decode(errors="replace")
                if found := re.search(re.escape(mark) + r"(\d+)>\n\Z", text):
                    return int(found[1]), text[:found.start()].replace("\r\n", "\n")

    def follow(self, step: Step) -> str:
        """Runs a step of a page; what is wrong with it, or ""."""
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            status, printed = self.run(step.command)
            right = status == step.status and (step.shown is None or fits(step.shown, printed))
            if right:
                return ""
            if not LOOKS.match(step.command) or time.monotonic() > deadline:
                return (f"line {step.line}: $ {step.command}\nexit status {status} instead of {step.status}; "
                        f"it printed\n{printed}" + ("" if step.shown is None else
                                                    "\nand the page shows\n" + "\n".join(step.shown)))
            time.sleep(0.2)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
