"""Named changes that break a rule, and the tests that fail then: tests/broken_rules.txt.

    /usr/bin/python3 scripts/lib/broken.py [F7 ...]   makes each change, builds, runs its test, undoes it

A block per change, blocks apart by an empty line:

    F7: what the change does, in words
      in rocks/state_database.cpp
      -  a piece of that file, which stands there once
      +  what is put in its place
      in ...: another piece, if it takes more than one
      test rocks_tests: the name of the test that fails then (or the file of a trace)
      says a line that it prints

Bugs that are switches of the program are in tests/MUTANTS.md.
"""
import os
import re
import subprocess
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = "tests/broken_rules.txt"
HEAD = re.compile(r"^F(\d+): (.+)$")
TRACES = "every trace prints exactly what its file says"


@dataclass
class Piece:
    file: str
    old: list
    new: list

    def change(self, text):
        return text.replace("\n".join(self.old), "\n".join(self.new))

    def count(self, text):
        return text.count("\n".join(self.old)) if self.old else 0


@dataclass
class Change:
    rule: int
    words: str
    pieces: list
    program: str
    test: str
    says: str


def parse(text):
    return [block for block in map(parse_block, re.split(r"\n\s*\n", text)) if block]


def parse_block(block):
    lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return None
    head = HEAD.match(lines[0])
    if not head:
        raise ValueError(f"{TABLE}: no rule in: {lines[0]}")
    said = {"test": "", "says": ""}
    pieces = []
    for line in lines[1:]:
        word, _, rest = line.strip().partition(" ")
        if line.startswith("  in "):
            pieces.append(Piece(rest, [], []))
        elif line.startswith("  -") and pieces:
            pieces[-1].old.append(line[3:])
        elif line.startswith("  +") and pieces:
            pieces[-1].new.append(line[3:])
        elif word in said:
            said[word] = rest
        else:
            raise ValueError(f"{TABLE}: what is: {line}")
    program, _, test = said["test"].partition(": ")
    return Change(int(head[1]), head[2], pieces, program, test, said["says"])


def recorded(root=ROOT):
    return parse(read(os.path.join(root, TABLE)))


def names_test(change, test):
    """Is `test` (of rules.all_tests()) the one that fails? Marks in a name may come and go."""
    bare = re.sub(r"\s*\[[^\]]*\]", "", change.test).removesuffix(".trace")
    return re.sub(r"\s*\[[^\]]*\]", "", test.name) == bare


def wrong(changes, tests, root=ROOT):
    """Why a change could not be made and watched today."""
    for change in changes:
        where = f"{TABLE}: F{change.rule}, '{change.words}'"
        for piece in change.pieces:
            path = os.path.join(root, piece.file)
            found = piece.count(read(path)) if os.path.exists(path) else 0
            if found != 1:
                yield f"{where}: its lines stand {found} times in {piece.file}"
        if not any(names_test(change, test) for test in tests):
            yield f"{where}: there is no test '{change.test}'"
        if not change.says:
            yield f"{where}: nobody watched it fail"


def run(change):
    """(failed as it should, what it printed)"""
    before = {piece.file: read(os.path.join(ROOT, piece.file)) for piece in change.pieces}
    try:
        for piece in change.pieces:
            path = os.path.join(ROOT, piece.file)
            write(path, piece.change(read(path)))
        code, output = run_test(change)
    finally:
        for file, text in before.items():
            write(os.path.join(ROOT, file), text)
    lines = [line for line in output.splitlines() if re.search(r"ERROR|^E  |CRASHED", line)]
    # pytest: 1, tests failed; any other code says that none ran. A program may also crash.
    failed = code == 1 if change.program == "pytest" else code != 0
    return failed, (lines or [output[-200:]])[0].strip()


def run_test(change):
    if change.program == "pytest":
        command = ["/usr/bin/python3", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
                   "tests/scripts", "tests/cluster", "-k", change.test]
    else:
        subprocess.run(["scripts/build", change.program], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
        case = TRACES if change.test.endswith(".trace") else change.test
        command = [program(change.program), "--no-colors", "-tc=" + case.replace(",", "\\,")]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def program(name):
    for folder, _, files in os.walk(os.path.join(ROOT, "build", "tests")):
        if name in files:
            return os.path.join(folder, name)
    raise ValueError(f"there is no program {name}")


def main(only):
    survivors = 0
    for change in recorded():
        if only and f"F{change.rule}" not in only:
            continue
        failed, line = run(change)
        survivors += not failed
        print(f"F{change.rule} {change.words}\n    {line if failed else 'NOT SEEN'}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
