"""scripts/test: builds, runs and counts. The last line is 'N passed, N failed'."""

import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

import coverage

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM_SECONDS = 600
AGAIN_MAX = 10  # failed cluster tests that are run once more, alone
WORKERS = 1 + min(os.cpu_count() or 1, 3)  # modules of tests/cluster that run at once
SLOWEST = 15  # tests of clusters and scripts that are listed at the end
SANITIZED = ("base", "config", "raft", "rocks", "resp")  # the actors' compile time does not fit
SUMMARY = re.compile(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed"
                     r"\s*\|\s*(\d+) skipped")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Count:
    def __init__(self):
        self.passed = self.failed = 0
        self.seconds = []  # (seconds, name) of each test that pytest ran
        self.broken = []  # names of those that failed
        self.only_beside_others = []  # of those that failed, but passed when nothing ran beside them

    def add(self, passed, failed):
        self.passed += passed
        self.failed += failed

    def add_report(self, suite, code):
        """A <testsuite> of pytest, which ended with `code`."""
        no_tests_collected = 5
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        self.add(int(suite.get("tests")) - failed - int(suite.get("skipped")),
                 max(failed, int(code not in (0, no_tests_collected))))
        for case in suite.iter("testcase"):
            name = f"{case.get('classname', '').split('.')[-1]}::{case.get('name')}"
            self.seconds.append((float(case.get("time") or 0), name))
            if case.find("failure") is not None or case.find("error") is not None:
                self.broken.append(name)

    def take(self, other):
        self.add(other.passed, other.failed)
        self.seconds += other.seconds
        self.broken += other.broken
        self.only_beside_others += other.only_beside_others

    def report(self):
        if self.seconds:
            heading("slowest tests")
        for seconds, name in sorted(self.seconds, reverse=True)[:SLOWEST]:
            print(f"  {seconds:7.1f} s  {name}")
        if self.broken:
            heading("failed")
            print("".join(f"  {name}\n" for name in self.broken), end="")
        if self.only_beside_others:
            heading("failed beside others, passed alone (a race, of the test or of the product: look at it)")
            print("".join(f"  {name}\n" for name in self.only_beside_others), end="")


def heading(text):
    print(f"\n=== {text}  ({time.strftime('%H:%M:%S')})", flush=True)


def build(build_dir, *arguments):
    script = os.path.join(ROOT, "scripts", "build")
    return subprocess.call([script, "--dir", build_dir, *arguments]) == 0


def run_lint(count):
    heading("lint")
    ok = subprocess.call([os.path.join(ROOT, "scripts", "lint")]) == 0
    count.add(int(ok), int(not ok))


# ---------------------------------------------------------------- test programs

def program_count(code, output):
    """(passed, failed) of one program; ending badly is one more failure than it had counted."""
    found = SUMMARY.findall(ANSI.sub("", output))
    if not found:
        return (1, 0) if code == 0 else (0, 1)
    passed, failed = int(found[-1][1]), int(found[-1][2])
    return passed, max(failed, int(code != 0))


def run_program(test):
    limit = PROGRAM_SECONDS
    for item in test.get("properties", []):
        if item["name"] == "TIMEOUT":
            limit = float(item["value"])
    directory = next((item["value"] for item in test.get("properties", [])
                      if item["name"] == "WORKING_DIRECTORY"), ROOT)
    started = time.monotonic()
    try:
        done = subprocess.run(test["command"], cwd=directory, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit)
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code = 1
        output = (late.stdout or b"") + b"\nended after %d s: too slow or hanging\n" % limit
    return code, output.decode(errors="replace"), time.monotonic() - started


def run_programs(build_dir, count, only=(), workers=None):
    listing = subprocess.run(["ctest", "--test-dir", build_dir, "--show-only=json-v1"],
                             capture_output=True, text=True, check=True).stdout
    tests = [test for test in json.loads(listing)["tests"] if not only or test["name"] in only]
    unknown = set(only) - {test["name"] for test in tests}
    if unknown:
        print(f"there is no test program {', '.join(sorted(unknown))}")
        count.add(0, len(unknown))
    with concurrent.futures.ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        running = {pool.submit(run_program, test): test for test in tests}
        for future in concurrent.futures.as_completed(running):
            test = running[future]
            code, output, seconds = future.result()
            passed, failed = program_count(code, output)
            count.add(passed, failed)
            if failed:
                print(output)
            again = f"   again: {' '.join(test['command'])}" if failed else ""
            print(f"  {test['name']:<28} {passed:5} passed  {failed:3} failed  {seconds:7.1f} s"
                  f"{again}", flush=True)


def run_unit(count, only=()):
    build_dir = os.environ.get("KIWI_BUILD_DIR") or os.path.join(ROOT, "build")
    heading("test programs")
    run_programs(build_dir, count, only)


def run_sanitized(count, only=()):
    build_dir = os.path.join(ROOT, "build-asan")
    targets = []
    for folder in SANITIZED:
        path = os.path.join(ROOT, "tests", folder, "CMakeLists.txt")
        if os.path.exists(path):
            with open(path) as file:
                targets += re.findall(r"kiwi_test\(\s*(\w+)", file.read())
    targets = [name for name in targets if not only or name in only]
    heading("build with sanitizers: " + ", ".join(targets))
    if not build(build_dir, "--sanitize", *targets):
        count.add(0, 1)
        return
    heading("test programs under AddressSanitizer and UndefinedBehaviorSanitizer")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    # They fork, and hold terabytes of shadow memory that nobody may dump.
    os.environ.setdefault("ASAN_OPTIONS", "disable_coredump=1:detect_leaks=1")
    run_programs(build_dir, count, targets)


def run_coverage(count):
    heading("coverage of raft/ by its tests")
    ok = coverage.run(os.path.join(ROOT, "build-coverage"), build)
    count.add(int(ok), int(not ok))


def run_mutants(count):
    """Each known bug against what tests/MUTANTS.md says catches it; a second build, see there."""
    heading("known bugs, switched on one by one")
    done = subprocess.run([os.path.join(ROOT, "scripts", "sim"), "--mutants", "--recorded"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode(errors="replace")
    print(output, flush=True)
    count.add(*program_count(done.returncode, output))


# ---------------------------------------------------------------- clusters of processes

def prepare_ioredis():
    """ioredis for the test that uses it, where npm and the network allow; else it is skipped."""
    used = any("ioredis" in open(path, encoding="utf-8").read()
               for path in glob.glob(os.path.join(ROOT, "tests", "cluster", "**", "*.py"),
                                     recursive=True))
    modules = os.path.join(ROOT, "build", "npm")
    if used and not os.path.isdir(os.path.join(modules, "node_modules", "ioredis")):
        try:
            done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund",
                                   "--prefix", modules, "ioredis@5"], timeout=120,
                                  capture_output=True)
            ok = done.returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            ok = False
        print("ioredis installed in build/npm" if ok else
              "no ioredis (it needs npm and its registry): its test is skipped", flush=True)
    os.environ["NODE_PATH"] = os.path.join(modules, "node_modules")


def run_pytest(count, folder, arguments=(), part=""):
    build_dir = os.environ.get("KIWI_BUILD_DIR") or os.path.join(ROOT, "build")
    report = os.path.join(build_dir, folder.partition(".py")[0].replace("/", "-") + part + ".xml")
    if os.path.exists(report):
        os.remove(report)
    code = subprocess.call(["/usr/bin/python3", "-u", "-m", "pytest", folder, "-v", "-rs",
                            "-p", "no:cacheprovider", f"--junitxml={report}", *arguments], cwd=ROOT)
    try:
        count.add_report(xml.etree.ElementTree.parse(report).getroot().find("testsuite"), code)
    except (OSError, AttributeError, xml.etree.ElementTree.ParseError):
        count.add(0, 1)  # pytest itself broke


def run_cluster(count, arguments=()):
    heading("clusters of processes")
    build_dir = os.environ.get("KIWI_BUILD_DIR") or os.path.join(ROOT, "build")
    os.environ.setdefault("KIWI_SERVER", os.path.join(build_dir, "actors", "kiwi-server"))
    prepare_ioredis()
    if arguments:
        run_pytest(count, "tests/cluster", arguments)
        return
    # Most of them wait for something most of the time. Who gets what: tests/cluster/conftest.py.
    beside = Count()
    run_pytest(beside, "tests/cluster", ("-m", "not alone", "-n", str(WORKERS), "--dist", "loadfile"))
    run_broken_again(beside)
    count.take(beside)
    heading("clusters of processes: what takes the machine for itself")
    run_pytest(count, "tests/cluster", ("-m", "alone"), "-alone")


def run_broken_again(count):
    """Of tests that ran beside others: a machine that does ten things at once may be too slow for one. What
    fails alone as well has failed; the report names the others. Many failures are no accident."""
    if not count.broken or len(count.broken) > AGAIN_MAX or count.failed != len(count.broken):
        return
    heading("what failed, with nothing beside it")
    again = Count()
    names = [f"tests/cluster/{name.replace('::', '.py::', 1)}" for name in count.broken]
    run_pytest(again, names[0], names[1:], "-again")
    if again.passed + again.failed == len(names):
        count.only_beside_others = [name for name in count.broken if name not in again.broken]
        count.broken = again.broken
        count.passed, count.failed = count.passed + again.passed, again.failed


def run_scripts(count):
    heading("the scripts themselves")
    run_pytest(count, "tests/scripts")


def main(arguments):
    started = time.monotonic()
    count = Count()
    what, rest = (arguments[0], arguments[1:]) if arguments else ("all", [])
    build_dir = os.environ.get("KIWI_BUILD_DIR") or os.path.join(ROOT, "build")
    if what in ("all", "lint"):
        run_lint(count)
    if what in ("all", "unit", "cluster"):
        heading("build")
        targets = {"unit": rest, "cluster": ["kiwi-server"]}.get(what, [])
        if not build(build_dir, *targets):
            count.add(0, 1)
            what = "nothing"
    if what in ("all", "unit"):
        run_unit(count, rest)
    if what == "all":
        run_scripts(count)
    if what in ("all", "cluster"):
        run_cluster(count, rest)
    if what == "mutants":  # a second build, longer than all the rest from an empty machine
        run_mutants(count)
    if what == "--coverage":
        run_coverage(count)
    if what == "--sanitize":
        run_sanitized(count, rest)
    count.report()
    print(f"\ntook {time.monotonic() - started:.0f} s")
    print(f"{count.passed} passed, {count.failed} failed", flush=True)
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
