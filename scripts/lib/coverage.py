"""scripts/test --coverage: lines and branches of raft/ that its tests run, by gcov.

Branches are those of our own code: the edges that only an exception takes (gcov calls them throw) are
left out, for the core throws none. Ends with the lines that nothing ran.
"""
import glob
import json
import os
import subprocess
import sys
from collections import defaultdict

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = "raft"
PROGRAM = "raft_tests"


def measured(build_dir):
    """file -> (line -> times run, [(line, times a branch was taken)])"""
    lines = defaultdict(lambda: defaultdict(int))
    branches = defaultdict(lambda: defaultdict(int))
    build_dir = os.path.abspath(build_dir)
    # The tests' own objects too: they are what runs the inline functions of the headers.
    objects = glob.glob(os.path.join(build_dir, "**", "*.gcda"), recursive=True)
    for data in sorted(objects):
        out = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", data],
                             cwd=build_dir, capture_output=True, check=True).stdout
        for document in out.splitlines():
            for file in json.loads(document)["files"]:
                name = os.path.relpath(os.path.join(build_dir, file["file"]), ROOT)
                if not name.startswith(FOLDER + "/"):
                    continue
                for line in file["lines"]:
                    number = line["line_number"]
                    lines[name][number] += line["count"]
                    own = [b for b in line["branches"] if not b["throw"]]
                    for index, branch in enumerate(own):
                        branches[name][number, index] += branch["count"]
    return lines, branches


def percent(part, whole):
    return f"{part:5} of {whole:5}  {100.0 * part / whole if whole else 100.0:5.1f} %"


def runs_of(numbers):
    """[3, 4, 5, 9] -> (3, 5), (9, 9)"""
    runs = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def show(lines, branches):
    total = [0, 0, 0, 0]
    print(f"{'file':<28} {'lines':>24} {'branches':>24}")
    for name in sorted(lines):
        ran = sum(1 for count in lines[name].values() if count)
        taken = sum(1 for count in branches[name].values() if count)
        row = [ran, len(lines[name]), taken, len(branches[name])]
        total = [a + b for a, b in zip(total, row)]
        print(f"{name:<28} {percent(*row[:2])} {percent(*row[2:])}")
    print(f"{'all of ' + FOLDER + '/':<28} {percent(*total[:2])} {percent(*total[2:])}")
    print("\nlines that nothing ran:")
    for name in sorted(lines):
        missed = sorted(number for number, count in lines[name].items() if not count)
        if not missed:
            continue
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            text = file.read().splitlines()
        for first, last in runs_of(missed):
            print(f"  {name}:{first}" + (f"-{last}" if last > first else "")
                  + f"  {text[first - 1].strip()}")
    return total


def run(build_dir, build):
    """True if the program ran and gcov found something."""
    if not build(build_dir, "--coverage", PROGRAM):
        return False
    for old in glob.glob(os.path.join(build_dir, "**", "*.gcda"), recursive=True):
        os.remove(old)
    program = os.path.join(build_dir, "tests", FOLDER, PROGRAM)
    if subprocess.call([program], cwd=ROOT, stdout=subprocess.DEVNULL):
        print(f"{PROGRAM} failed: run {program}")
        return False
    lines, branches = measured(build_dir)
    return bool(lines) and show(lines, branches)[0] > 0


if __name__ == "__main__":
    sys.exit(0 if show(*measured(sys.argv[1]))[0] else 1)
