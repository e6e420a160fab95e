"""scripts/lint: the rules of the tree that a script can check.

  includes    which folder may include which, third-party headers where they belong (transitively:
              RocksDB, CAF and Asio must not leak through headers), nothing impure in raft/
  lengths     files of at most 500 lines, functions of at most 70; exceptions are in ratchet.txt,
              whose entries may shrink or go, never grow
  assertions  each folder has as many per 1,000 lines as scripts/floors.txt asks for
  chapters    methods of a large class stand in the source that its header says
  words       what is to be fixed or to be done is not left in the text without its issue's number
  headers     start with a paragraph on their job and have #pragma once
  folders     each has a README.md
  fates       error texts whose first word tells what became of a command stand in resp/texts.hpp
  citations   a rule, a section, a page, a heading that is cited stands in the tree
  readmes     the tables of files in READMEs name what is there, and all of it
  commands    README's table of commands is what the rows say
  generated   tests/FAILPOINTS.md and tests/RULES.md say what the tree has
  format      clang-format, if it is installed
  --tidy      clang-tidy, with the compile commands of build/
  --ratchet   writes today's exceptions to ratchet.txt
"""

import collections
import os
import re
import subprocess
import sys

import command_list
import failpoints
import lint_assertions
import lint_chapters
import lint_citations
import lint_includes
import lint_lengths
import lint_readmes
import rules

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("config", "raft", "rocks", "resp", "actors", "tests", "scripts", "docs")
CODE = (".cpp", ".hpp")


def tree():
    """path -> text of every file of ours, as the working tree has it."""
    files = {}
    for name in os.listdir(ROOT):
        if name.endswith(".md"):
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                files[name] = file.read()
    for folder in FOLDERS:
        for where, dirs, names in os.walk(os.path.join(ROOT, folder)):
            dirs[:] = [d for d in dirs if not d.startswith(".") and
                       d not in ("__pycache__", "node_modules")]
            for name in names:
                path = os.path.relpath(os.path.join(where, name), ROOT)
                try:
                    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                        files[path] = file.read()
                except (UnicodeDecodeError, OSError):
                    continue  # golden bytes, or a file that just went away
    return files


def check_words(files):
    fix, todo = "FIX" + "ME", "TO" + "DO"
    for path, text in files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if fix in line:
                yield f"{path}:{number}: {fix} must not be committed"
            at = line.find(todo)
            if at >= 0 and not line[at + 4:].startswith("(#"):
                yield f"{path}:{number}: name the issue: {todo}(#number)"


def check_headers(files):
    for path, text in files.items():
        if not path.endswith(".hpp"):
            continue
        if not text.startswith("//"):
            yield f"{path}:1: a header starts with a paragraph that says its job"
        if "#pragma once" not in text:
            yield f"{path}:1: #pragma once is missing"


def check_folders(files):
    for folder in ("config/base", "config", "raft", "rocks", "resp", "actors", "tests"):
        if any(path.startswith(folder + "/") for path in files) and \
                f"{folder}/README.md" not in files:
            yield f"{folder}/README.md is missing: each folder says what it is"


FATES_HOME = "resp/texts.hpp"
FATE = re.compile(r'"-?(TIMEOUT|CLUSTERDOWN|NOCLUSTER|LOADING|MOVED|OOM|TRYAGAIN|CROSSSLOT|READONLY|NOAUTH|'
                  r'NOPERM|NOPROTO|WRONGPASS|WRONGTYPE|EXECABORT|BUSY|NOSCRIPT|UNKILLABLE|NOTBUSY)\b[^"]* ')


def check_fates(files):
    """A wrong first word is a safety bug: nobody writes one where others cannot see it."""
    for path, text in files.items():
        if not path.endswith(CODE) or path.startswith("tests/") or path == FATES_HOME:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = FATE.search(line)
            if match and not line.lstrip().startswith("//"):
                yield f"{path}:{number}: an error text that begins with {match[1]} belongs in {FATES_HOME}"


def check_format(files):
    code = sorted(path for path in files if path.endswith(CODE))
    workers = max(1, os.cpu_count() or 1)
    running = []
    for part in range(workers):
        mine = code[part::workers]
        if mine:
            running.append(subprocess.Popen(["clang-format", "--dry-run", *mine], cwd=ROOT,
                                            stderr=subprocess.PIPE, text=True))
    bad = collections.Counter()
    for process in running:
        for line in process.communicate()[1].splitlines():
            if "[-Wclang-format-violations]" in line:
                bad[line.split(":")[0]] += 1
    for path, count in sorted(bad.items()):
        yield f"{path}: {count} places are not formatted; run clang-format -i {path}"


def check_tidy(files):
    commands = os.path.join(ROOT, "build", "compile_commands.json")
    if not os.path.exists(commands):
        yield "--tidy needs build/compile_commands.json; run scripts/build first"
        return
    for path in sorted(p for p in files if p.endswith(".cpp") and not p.startswith("tests/")):
        print(f"lint: clang-tidy {path}", flush=True)
        done = subprocess.run(["clang-tidy", "--quiet", "-p", os.path.dirname(commands), path],
                              cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            yield done.stdout.strip()


def check_generated(files):
    page, wrong = failpoints.build()
    if files.get(failpoints.TABLE) != page:
        wrong.append(f"{failpoints.TABLE} is not what the tree has: run scripts/lib/failpoints.py")
    tests = rules.all_tests()
    wrong += rules.build(tests)[1]
    yield from wrong
    yield from rules.stale(files.get(rules.TABLE, ""), tests)


def main(arguments):
    known = {"--tidy", "--ratchet"}
    if set(arguments) - known:
        print(__doc__, end="")
        return 0 if arguments in (["--help"], ["-h"]) else 1
    files = tree()
    if "--ratchet" in arguments:
        lint_lengths.write_ratchet(ROOT, files)
    checks = [lint_includes.check(files), lint_lengths.check(ROOT, files),
              lint_assertions.check(ROOT, files), lint_chapters.check(files), check_words(files), check_headers(files),
              check_folders(files), check_fates(files), check_format(files),
              lint_readmes.check(files), command_list.check(files), check_generated(files),
              lint_citations.check(files, exists=lambda path: os.path.exists(
                  os.path.join(ROOT, path)))]
    if "--tidy" in arguments:
        checks.append(check_tidy(files))
    problems = [problem for check in checks for problem in check]
    for problem in problems:
        print(problem)
    print(f"lint: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
