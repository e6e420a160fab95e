"""scripts/package: builds the Debian packages of this tree."""
import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile

from package import staging

HELP = """\
Debian packages of this tree: kiwi-server (server, unit, configuration, manuals, completion), its debug
symbols, and kiwi-tools (kiwi-backup, kiwi-bench, kiwi-cluster).

  scripts/package [options]

  --dir D        where the packages go (build/packages)
  --server FILE  a server that is built already; else scripts/build builds it
  --version V    their version; else of the commit: 0.1.0 where it has the tag v0.1.0, before it
                 0.1.0~git20261201120000.1234abc
  --quick        for tests: no debug symbols, and little time spent on compression
  --check        lintian must be silent

DEBFULLNAME and DEBEMAIL say who makes them.
"""


class Failure(Exception):
    """Ends the command with one sentence."""


def git(*words):
    try:
        done = subprocess.run(["git", "-C", staging.ROOT, *words], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def project_version():
    return re.search(r'kKiwiVersion = "([^"]+)"', staging.read("config", "version.hpp"))[1]


def commit_seconds():
    """The time of the commit, or of the change log: two builds of one tree are to be the same."""
    stamp = os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct")
    return int(stamp or os.path.getmtime(os.path.join(staging.ROOT, "CHANGELOG.md")))


def version_of_tree(seconds):
    """Rises from commit to commit, and is below that of the release."""
    version = project_version()
    if git("tag", "--points-at", "HEAD", f"v{version}"):
        return version
    stamp = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y%m%d%H%M%S")
    return f"{version}~git{stamp}" + (f".{short}" if (short := git("rev-parse", "--short=8", "HEAD")) else "")


def server_program(given):
    if not given:
        build_dir = os.environ.get("KIWI_BUILD_DIR") or os.path.join(staging.ROOT, "build")
        if subprocess.call([os.path.join(staging.ROOT, "scripts", "build"), "--dir", build_dir, "kiwi-server"]) != 0:
            raise Failure("the server was not built, so there is nothing to package")
        given = os.path.join(build_dir, "actors", "kiwi-server")
    if not os.access(given, os.X_OK):
        raise Failure(f"{given} is no program")
    return given


def build(staged, seconds, quick):
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(seconds), "LC_ALL": "C.UTF-8",
                   "KIWI_DEB_COMPRESSION": "-Zgzip -z1" if quick else "-Zxz"}
    if quick:
        environment["DEB_BUILD_OPTIONS"] = "noautodbgsym"
    log = os.path.join(os.path.dirname(staged), "build.log")
    with open(log, "w") as file:
        done = subprocess.run(["dpkg-buildpackage", "--build=binary", "--no-sign"], cwd=staged, env=environment,
                              stdout=file, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        with open(log, errors="replace") as file:
            tail = "".join(file.readlines()[-20:])
        raise Failure(f"dpkg-buildpackage failed:\n{tail}")


def check(changes):
    nobody = [] if os.environ.get("DEBEMAIL") else \
        ["--suppress-tags", "bogus-mail-host,bogus-mail-host-in-debian-changelog"]
    done = subprocess.run(["lintian", "--allow-root", *nobody, changes], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0 or done.stdout.strip():
        raise Failure(f"lintian says:\n{done.stdout}")


def make(options):
    seconds = commit_seconds()
    version = options.version or version_of_tree(seconds)
    date = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d")
    server = server_program(options.server)
    out = os.path.abspath(options.dir)
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as work:
        staged = os.path.join(work, f"kiwi-{version}")
        staging.stage(staged, server, version, date, seconds)
        build(staged, seconds, options.quick)
        made = sorted(name for name in os.listdir(work) if name.endswith((".deb", ".buildinfo", ".changes")))
        for name in made:
            shutil.move(os.path.join(work, name), os.path.join(out, name))
    if options.check:
        check(os.path.join(out, next(name for name in made if name.endswith(".changes"))))
    for name in made:
        if name.endswith(".deb"):
            path = os.path.join(out, name)
            print(f"package: {path} ({os.path.getsize(path) / 2**20:.1f} MiB)")


def main(argv):
    parser = argparse.ArgumentParser(prog="scripts/package", add_help=False)
    parser.add_argument("--dir", default=os.path.join(staging.ROOT, "build", "packages"))
    parser.add_argument("--server")
    parser.add_argument("--version")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    options = parser.parse_args(argv)
    if options.help:
        print(HELP, end="")
        return 0
    try:
        make(options)
        return 0
    except Failure as failure:
        print(f"package: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
