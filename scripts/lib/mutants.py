"""scripts/sim --mutants: known bugs, each switched on alone, against traces, unit tests and simulation.

The table goes to tests/MUTANTS.md and is its own record: --recorded runs, for each bug, only what the
table says catches it. A bug of severity S0 has to fall in the simulation, within S0_SEEDS seeds, whatever
else catches it: tests that know a bug say little about the ones that nobody knows.
"""
import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(ROOT, "tests", "MUTANTS.md")
PROGRAM_SECONDS = 180
TRACES = "every trace prints exactly what its file says"
S0_SEEDS = 120
NEW_BUG_SEEDS = 60
# S0 bugs that the simulation does not see within S0_SEEDS seeds yet: a trace or a test has to.
# A read index is counted early only for an asker in the minority who had nothing to ask before; what
# stops a zombie since F5's deadlines stops it twice; no check looks at two keys at once. In how many
# seeds the two bugs of waits show was not measured yet. A member that lives is not replaced for a second
# reason: who is visited at its address says another life (tests/sim/plays_members.cpp, play_double).
BLIND = {"read-counted-early", "zombie-after-timeout", "long-read-old-clock", "round-beside-clamped",
         "serve-in-vain-answered", "timeout-beside-serve", "living-member-replaced"}
HIDDEN = set()  # no test fails and none can: something else does the same
SLOW = "random*,members*"  # torture: the simulation is better at that
ROW = re.compile(r"^\| (\w+) \| ([\w-]+) \| (S\d) \| (.*?) \| (.*?) \|$")
HEAD = """# Known bugs and what catches them

`scripts/sim --mutants` writes this table, `scripts/sim --mutants NAME` one row of it. `scripts/test mutants`
runs each bug against what stands here. A bug is a switch in `raft/mutants.hpp`, `resp/mutants.hpp` or, for storage,
in `tests/sim/node.cpp`; its severity stands in `tests/sim/run_mutants.cpp`. S0: the simulation has to see
it within 120 seeds (`sim_tests` runs 300), but for those that `scripts/lib/mutants.py` names.

| where | bug | severity | traces and tests that fail | simulation: first seed that fails, by which check |
|---|---|---|---|---|
"""


def run(command, seconds=PROGRAM_SECONDS):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds, cwd=ROOT)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return 1, (late.stdout or b"").decode(errors="replace") + "\nERROR: hangs\n"


def failing_cases(output):
    """Names of the cases that failed, in order; traces by their files."""
    names = []
    for block in output.split("=" * 79):
        case = re.search(r"^TEST CASE:\s+(.*)$", block, re.M)
        if not case or not re.search(r"ERROR", block):
            continue
        traces = re.findall(r"\b(\w+\.trace)\b", block[block.index("ERROR"):])
        names += (traces if case[1] == TRACES else None) or [case[1]]  # no name: an invariant broke
    return list(dict.fromkeys(names))


class Build:
    def __init__(self, directory):
        self.directory = directory
        self.sim = os.path.join(directory, "tests", "sim", "kiwi-sim")

    def program(self, name):
        folder = "raft" if name == "raft_tests" else "resp"
        return os.path.join(self.directory, "tests", folder, name)

    def bugs(self):
        code, out = run([self.sim, "--list-mutants"])
        if code:
            sys.exit("this build has no mutants")
        return [tuple(line.split()) for line in out.splitlines()]

    def tests_that_fail(self, where, bug, only=None):
        programs = {"raft": ["raft_tests"], "resp": ["router_tests", "command_tests"]}.get(where, [])
        names = []
        for program in programs:
            command = [self.program(program), f"--mutant={bug}", "--no-colors", f"-tce={SLOW}"]
            if only:
                command.append("-tc=" + only.replace(",", "\\,"))
            code, output = run(command)
            found = failing_cases(output)
            if code and not found and not only:
                found = [f"{program} (it ends with {code})"]
            names += found
        return names

    def seed_that_fails(self, bug, first, count):
        """(seed, check) or None."""
        code, out = run([self.sim, "--mutants", bug, "--from", str(first), "--seeds", str(count)],
                        seconds=1800)
        line = out.splitlines()[-1]
        if code == 0:
            _, _, seed, by = line.split(None, 3)
            return int(seed), short(by)
        return None


def short(by):
    found = re.search(r"check '(.*?)'", by)
    if found:
        return found[1]
    if "broke a CHECK" in by or "nvariant" in by:
        return "an invariant of the code"
    return by.strip()[:70] or "it ends without a word"


def must_be_seen(bug, severity):
    """By the simulation, within S0_SEEDS seeds."""
    return severity == "S0" and bug not in BLIND and bug not in HIDDEN


def measure(build, only, seeds):
    rows, survivors = [], []
    for where, bug, severity in build.bugs():
        if only and bug != only:
            continue
        names = build.tests_that_fail(where, bug)
        seed = build.seed_that_fails(bug, 1, seeds)
        names.sort(key=lambda name: not name.startswith("F"))  # those named after a rule first
        tests = f"{len(names)}: {names[0]}" if names else "-"
        simulation = f"{seed[0]}: {seed[1]}" if seed else f"not within {seeds}"
        if not names and not seed:
            tests = "SURVIVED"
        seen = seed and seed[0] <= S0_SEEDS
        if bug not in HIDDEN and ((not names and not seed) or (must_be_seen(bug, severity) and not seen)):
            survivors.append(bug)
        rows.append(f"| {where} | {bug} | {severity} | {tests} | {simulation} |")
        print(rows[-1], flush=True)
    if rows:
        write_table(build, rows)
    if survivors:
        print("NOT CAUGHT: " + ", ".join(survivors))
    return 1 if survivors or not rows else 0


def write_table(build, rows):
    """What was measured, and what the table says of the other bugs, in the order of the program."""
    lines = {}
    with open(TABLE, encoding="utf-8") as file:
        for line in [*file.read().splitlines(), *rows]:
            if found := ROW.match(line):
                lines[found[2]] = line
    text = HEAD + "".join(lines[bug] + "\n" for _, bug, _ in build.bugs() if bug in lines)
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"written to {os.path.relpath(TABLE, ROOT)}")


def recorded():
    with open(TABLE, encoding="utf-8") as file:
        return {found[2]: (found[4], found[5])
                for found in map(ROW.match, file) if found and found[2] != "bug"}


def caught_by_seed(build, bug, severity, simulation):
    """The recorded seed, or for S0 and new bugs any of the first ones: "seed 3: heal", or None."""
    found = re.match(r"(\d+): ", simulation)
    caught = build.seed_that_fails(bug, int(found[1]), 1) if found else None
    if not caught and (severity == "S0" or simulation == "new"):
        caught = build.seed_that_fails(bug, 1, S0_SEEDS if severity == "S0" else NEW_BUG_SEEDS)
    if not caught or (severity == "S0" and caught[0] > S0_SEEDS):
        return None
    return f"seed {caught[0]}: {caught[1]}"


def check_recorded(build):
    """Prints a line for each bug, then doctest's summary line, so that scripts/test can count."""
    table, failed = recorded(), 0
    bugs = build.bugs()
    for where, bug, severity in bugs:
        tests, simulation = table.get(bug, ("-", "new"))
        if bug in HIDDEN:
            print(f"  {where:<8} {severity} {bug:<30} hidden by another rule", flush=True)
            continue
        if not must_be_seen(bug, severity):
            severity = "S1"
        by = None
        if severity != "S0" and simulation == "new":  # anything will do until the table is written again
            by = next(iter(build.tests_that_fail(where, bug)), None)
        elif severity != "S0" and re.match(r"\d+: ", tests):
            name = tests.split(": ", 1)[1]
            found = build.tests_that_fail(where, bug, TRACES if name.endswith(".trace") else name)
            by = name if name in found else None
        by = by or caught_by_seed(build, bug, severity, simulation)
        failed += by is None
        print(f"  {where:<8} {severity} {bug:<30} {'caught by ' + by if by else 'NOT CAUGHT'}", flush=True)
    for bug in sorted(set(table) - {name for _, name, _ in bugs}):
        print(f"  {bug} stands in tests/MUTANTS.md and does not exist")
        failed += 1
    print(f"test cases: {len(bugs)} | {len(bugs) - failed} passed | {failed} failed | 0 skipped")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(prog="scripts/sim")
    parser.add_argument("build")
    parser.add_argument("--mutants", nargs="?", const="", metavar="NAME")
    parser.add_argument("--recorded", action="store_true")
    parser.add_argument("--seeds", type=int, default=500)
    args = parser.parse_args()
    build = Build(args.build)
    if args.recorded:
        return check_recorded(build)
    return measure(build, args.mutants, args.seeds)


if __name__ == "__main__":
    sys.exit(main())
