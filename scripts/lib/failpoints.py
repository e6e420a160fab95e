"""Where a test can let a node die, what opens after it, and which tests do so: writes
tests/FAILPOINTS.md.

    /usr/bin/python3 scripts/lib/failpoints.py          writes it

The steps come from the calls of failpoint() in the sources, their meaning from config/base/failpoint.hpp (or
from here), what opens from here: the tests that are named assert it. A step without a row or without
a test, and a row without a step, is an error (tests/scripts/test_failpoints.py).
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = "tests/FAILPOINTS.md"
FOLDERS = ("actors", "config", "raft", "resp", "rocks")
CALL = re.compile(r'\bfailpoint\("([a-z-]+)"\)')
MEANING = re.compile(r"^//   ([a-z-]+) {2,}(.*)$", re.MULTILINE)

OPENS = {
    "snapshot-created": "the state there was; the checkpoint goes at start",
    "snapshot-received": "the old state; the transfer goes on or begins anew",
    "snapshot-complete": "the old state",
    "snapshot-verified": "the old state",
    "snapshot-published": "the old state; the directory nobody names goes at start",
    "install-committed": "the new state",
    "state-swapped": "the new state",
    "old-state-deleting": "the new state; the rest of the old one goes at start",
    "log-cut": "the same state, the log cut",
    "admission-received": "an uninitialized node, which asks again",
    "members-noted": "an uninitialized node, which knows whom to dial",
    "join-identity": "a member with an empty log",
    "configuration-arrived": "the old members",
    "configuration-persisted": "the new members",
    "configuration-committed": "the new members",
    "removal-noticed": "the members without it; it says `removed`",
    "restore-copied": "nothing; --restore does it again",
    "restore-reset": "nothing; --restore does it again",
    "restore-moved": "the backup's state",
}
RESTORE = {
    "restore-copied": "the backup's files are copied into restoring/",
    "restore-reset": "the copy names this node as its only member",
    "restore-moved": "the group's directory has its name",
}


def sources(folders, endings):
    for folder in folders:
        for where, _, names in sorted(os.walk(os.path.join(ROOT, folder))):
            for name in sorted(names):
                if name.endswith(endings):
                    path = os.path.join(where, name)
                    with open(path, encoding="utf-8") as file:
                        yield os.path.relpath(path, ROOT), file.read()


def steps():
    """step -> files that have it"""
    found = {}
    for path, text in sources(FOLDERS, (".cpp",)):
        for name in CALL.findall(text):
            found.setdefault(name, [])
            if path not in found[name]:
                found[name].append(path)
    return found


def tests_of(names):
    """step -> tests' files that let a node die at it"""
    found = {name: [] for name in names}
    for path, text in sources(("tests",), (".cpp", ".py")):
        if path.startswith("tests/scripts"):
            continue
        for name in names:
            if re.search(rf'"{name}(:\d+)?"', text):
                found[name].append(path)
    return found


def build():
    """(the page, what is wrong)"""
    with open(os.path.join(ROOT, "config", "base", "failpoint.hpp"), encoding="utf-8") as file:
        meaning = {**dict(MEANING.findall(file.read())), **RESTORE}
    there = steps()
    tests, wrong = tests_of(there), []
    wrong += [f"{name}: no row in scripts/lib/failpoints.py" for name in there if name not in OPENS]
    wrong += [f"{name}: no such failpoint()" for name in OPENS if name not in there]
    wrong += [f"{name}: no test dies there" for name in there if not tests[name]]
    wrong += [f"{name}: config/base/failpoint.hpp does not say what it is" for name in there
              if name not in meaning]
    lines = ["# Steps at which a test lets a node die, and what opens then", "",
             "Written by scripts/lib/failpoints.py; the tests named assert the third column.", "",
             "| step | what has happened | after a crash there opens | where | tests |",
             "| --- | --- | --- | --- | --- |"]
    for name in OPENS:
        if name in there:
            lines.append(f"| `{name}` | {meaning.get(name, '')} | {OPENS[name]} | "
                         f"{', '.join(there[name])} | "
                         f"{', '.join(path.removeprefix('tests/') for path in tests[name])} |")
    return "\n".join(lines) + "\n", wrong


def main():
    page, wrong = build()
    for sentence in wrong:
        print(sentence)
    if wrong:
        return 1
    with open(os.path.join(ROOT, TABLE), "w", encoding="utf-8") as file:
        file.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
