"""Each rule, the code and the tests that stand for it, and what fails when it is broken: writes
tests/RULES.md.

    /usr/bin/python3 scripts/lib/rules.py          writes it
    /usr/bin/python3 scripts/lib/rules.py --check  fails if a rule has no test, if nobody saw a test
                                                   fail because of it, or if a row names a test that
                                                   is gone

The texts are in tests/rules/. A test names its rule: `[F12]` in a doctest case, in the docstring of a pytest function, in the first
lines or the file name of a trace. A known failure of another system (tests/rules/hazards.txt) names
its tests by rule or by a part of their name. What exists and has no test, and a name that no test has, is an error.

What fails: a mutant, which names its rule where it is declared (its catches are in tests/MUTANTS.md),
or a named change (tests/broken_rules.txt).
"""
import ast
import os
import re
import sys
from dataclasses import dataclass

import broken
import mutants
import rule_texts

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = "tests/RULES.md"
RULE = re.compile(r"\bF([1-9]\d?)\b")
CASE = re.compile(r'TEST_CASE\w*\(\s*(?:name\s+)?"((?:[^"\\]|\\.)*)"((?:\s*"(?:[^"\\]|\\.)*")*)')
SHOWN = 4  # names per rule; the rest is counted

RULES = rule_texts.all_rules()  # number: Rule, by subject
HAZARDS = rule_texts.all_hazards()

# Mutants of storage are switches in tests/sim/node.cpp and name no rule there.
STORAGE_MUTANTS = {
    "vote-not-persisted": 12, "applied-index-not-in-batch": 13, "sync-lies": 12,
    "epoch-not-raised": 4, "wiped-node-keeps-id": 1, "checkpoint-index-from-memory": 13,
    "installed-state-not-synced": 14,
}
UNNAMED_MUTANTS = {"reader-clock-unlimited": 43}  # of the headers
MUTANT = re.compile(r"^\s*k([A-Z]\w*),\s*//(.*)$", re.M)

@dataclass(frozen=True)
class Test:
    file: str
    name: str
    rules: frozenset


def rules_in(text):
    return frozenset(int(number) for number in RULE.findall(text))


def doctests(path, text):
    for match in CASE.finditer(text):
        name = match[1] + "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match[2]))
        yield Test(path, name.removeprefix(": "), rules_in(" ".join(re.findall(r"\[[^\]]*\]", name))))


def trace(path, text):
    stem = os.path.basename(path).removesuffix(".trace")
    comments = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comments.append(line)
    return Test(path, stem, rules_in(stem.replace("_", " ") + " " + " ".join(comments)))


def pytests(path, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Test(path, node.name, rules_in(ast.get_docstring(node) or ""))


def all_tests(root=ROOT):
    tests = []
    for folder, _, names in sorted(os.walk(os.path.join(root, "tests"))):
        for name in sorted(names):
            full = os.path.join(folder, name)
            path = os.path.relpath(full, root)
            if not name.endswith((".cpp", ".hpp", ".trace", ".py")):
                continue
            with open(full, encoding="utf-8") as file:
                text = file.read()
            if name.endswith(".trace"):
                tests.append(trace(path, text))
            elif name.endswith(".py"):
                tests += pytests(path, text) if name.startswith("test_") else []
            else:
                tests += doctests(path, text)
    return tests


def rule_mutants(root=ROOT):
    """{rule: names of the mutants that break it}"""
    found = {}
    for name, number in (STORAGE_MUTANTS | UNNAMED_MUTANTS).items():
        found.setdefault(number, []).append(name)
    for header in ("raft/mutants.hpp", "resp/mutants.hpp"):
        with open(os.path.join(root, header), encoding="utf-8") as file:
            for name, words in MUTANT.findall(file.read()):
                kebab = re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()
                for number in rules_in(words):
                    found.setdefault(number, []).append(kebab)
    return found


def catch_of(mutant, catches):
    """The first test or seed that tests/MUTANTS.md knows, in short."""
    by_tests, by_seed = catches.get(mutant, ("-", "-"))
    if re.match(r"\d+: ", by_tests):
        return re.sub(r"\s*\[[^\]]*\]", "", by_tests.split(": ", 1)[1])
    if re.match(r"\d+: ", by_seed):
        return f"simulation, {by_seed.split(': ', 1)[1]}"
    return "not measured yet"


def what_fails(number, all_mutants, changes, catches):
    parts = [f"{change.words}: {change.test}" for change in changes if change.rule == number]
    parts = [re.sub(r"\s*\[[^\]]*\]", "", part) for part in parts]
    parts += [f"mutant `{mutant}`: {catch_of(mutant, catches)}"
              for mutant in all_mutants.get(number, [])[:SHOWN]]
    return [part.replace("|", "\\|") for part in parts]


def named(tests, key):
    if re.fullmatch(r"F\d+", key):
        return [test for test in tests if int(key[1:]) in test.rules]
    return [test for test in tests if key in test.name]


def shown(tests):
    """The first of each file, then others, until there are enough."""
    order, seen = [], set()
    for test in tests:
        if test.file not in seen:
            seen.add(test.file)
            order.append(test)
    order += [test for test in tests if test not in order]
    parts = []
    for test in order[:SHOWN]:
        name = re.sub(r"\s*\[[^\]]*\]", "", test.name).replace("|", "\\|")
        parts.append(f"`{test.file.removeprefix('tests/')}`: {name}")
    if len(order) > SHOWN:
        parts.append("and more")
    return parts


def section(rule, tests, fails):
    lines = [f'<a id="f{rule.number}"></a>', f"### F{rule.number} {rule.title}", "",
             f"**Wrong.** {rule.wrong}", "", f"**Rule.** {rule.rule}"]
    if rule.code:
        code = ", ".join(f"[{path}](../{path})" for path in rule.code)
        lines += ["", f"**Code.** {code}"]
    if rule.waits and not tests:
        lines += ["", f"**Waits** for {rule.waits}."]
    for title, parts in (("Tests.", shown(tests)), ("Fails when it is broken.", fails)):
        if parts:
            lines += ["", f"**{title}**", "", *(f"- {part}" for part in parts)]
    return lines + [""]


def check_rule(rule, tests, fails):
    yield from rule.problems()
    if not tests and not rule.waits:
        yield f"F{rule.number} ({rule.title}) has no test"
    if not fails and not rule.waits:
        yield f"F{rule.number} ({rule.title}): nobody saw a test fail when it is broken"


def build_hazards(hazards, tests, wrong):
    yield from ("## What broke in other systems", "", "| where it happened | what broke | tests |",
                "|---|---|---|")
    for hazard in hazards:
        found = []
        for key in hazard.tests:
            matches = named(tests, key)
            if not matches:
                wrong.append(f"'{hazard.finding}' names the test '{key}', which does not exist")
            found += [test for test in matches if test not in found]
        if not found and not hazard.waits:
            wrong.append(f"'{hazard.finding}' has no test")
        cell = "<br>".join(shown(found)) if found else f"waits for {hazard.waits}"
        yield f"| {hazard.place} | {hazard.finding} | {cell} |"


HEADING = """# Rules, hazards and the tests that stand for them

Written by `scripts/lib/rules.py` from `tests/rules/`, the names of the tests, `tests/MUTANTS.md` and
`tests/broken_rules.txt`; a test checks that it is true. A rule that concerns what exists has a test, and
a change that breaks it, which was made and watched, or that test fails.
"""


def build(tests):
    """(the page, what is wrong)"""
    changes = broken.recorded()
    wrong = list(broken.wrong(changes, tests))
    all_mutants, catches = rule_mutants(), mutants.recorded()
    index, sections, subject = [], [], ""
    for number, rule in RULES.items():
        found = named(tests, f"F{number}")
        fails = what_fails(number, all_mutants, changes, catches)
        wrong += check_rule(rule, found, fails)
        if rule.subject != subject:
            subject = rule.subject
            sections += [f"## {subject}", ""]
        sections += section(rule, found, fails)
    index = [f"[F{number}](#f{number}) {rule.title}<br>" for number, rule in sorted(RULES.items())]
    hazards = list(build_hazards(HAZARDS, tests, wrong))
    unknown = sorted({n for test in tests for n in test.rules} - set(RULES))
    wrong += [f"a test names F{number}, which is no rule" for number in unknown]
    return "\n".join([HEADING, *index, "", *sections, *hazards]) + "\n", wrong


def stale(page, tests):
    """What the page says and the tests do not. New tests make no line wrong."""
    existing = {part for test in tests for part in shown([test])}
    for line in page.splitlines():
        cells = re.split(r"(?<!\\) \| ", line.strip("| "))
        entries = [line.removeprefix("- ")] if line.startswith("- `") else \
            cells[2].split("<br>") if len(cells) >= 3 else ()
        for entry in entries:
            if entry.startswith("`") and entry not in existing:
                yield f"{TABLE} names {entry}, which is gone: run scripts/lib/rules.py"


def main(arguments):
    tests = all_tests()
    page, wrong = build(tests)
    path = os.path.join(ROOT, TABLE)
    if "--check" in arguments:
        with open(path, encoding="utf-8") as file:
            wrong += stale(file.read(), tests)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
    print("\n".join(wrong) if wrong else f"{len(RULES)} rules, {len(HAZARDS)} hazards")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
