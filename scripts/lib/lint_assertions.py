"""Assertions per 1,000 lines of code, by folder, for scripts/lint.

An assertion is a CHECK_INVARIANT, a static_assert, a fatal...() or a fail_stop(). A line of code is
neither empty nor a comment. scripts/floors.txt holds the floor of each folder: lint fails below it.
A folder below its goal gets a higher floor as it grows denser; no floor ever sinks.
"""
import math
import re

import lint_lengths

GOALS = {"raft": 25, "rocks": 25, "resp": 10, "actors": 10}
FLOORS = "scripts/floors.txt"
ASSERTION = re.compile(r"\b(?:CHECK_INVARIANT|static_assert|fatal\w*|fail_stop)\s*\(")


def lines_of_code(text):
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("//")]


def densities(files):
    """folder -> assertions per 1,000 lines of code."""
    found = {}
    for folder in GOALS:
        code = [line for path, text in files.items()
                if path.startswith(folder + "/") and path.endswith((".cpp", ".hpp"))
                for line in lines_of_code(text)]
        if code:
            asserted = sum(len(ASSERTION.findall(line.partition(" // ")[0])) for line in code)
            found[folder] = 1000 * asserted / len(code)
    return found


def earlier_floors(root):
    return [lint_lengths.parse_ratchet(lint_lengths.git(root, "show", f"{commit}:{FLOORS}"))
            for commit in lint_lengths.git(root, "log", "--format=%H", "--", FLOORS).split()]


def check(root, files):
    floors = lint_lengths.parse_ratchet(files.get(FLOORS, ""))
    for folder, density in densities(files).items():
        floor, goal = floors.get(folder, 0), GOALS[folder]
        if density < floor:
            yield (f"{folder}/: {density:.1f} assertions per 1,000 lines of code, at least {floor} "
                   "are required; say what must hold")
        elif floor < min(goal, math.floor(density)):
            yield (f"{FLOORS}: {folder} has {density:.1f} now, raise its floor from {floor} to "
                   f"{min(goal, math.floor(density))}")
    highest = {}
    for version in earlier_floors(root):
        for folder, floor in version.items():
            highest[folder] = max(floor, highest.get(folder, 0))
    for folder, floor in sorted(highest.items()):
        if floors.get(folder, 0) < floor:
            yield f"{FLOORS}: the floor of {folder} was {floor}, it must not sink"
