"""The texts of the rules, from tests/rules/: what went wrong, the rule, the code that keeps it.

tests/rules/README.md says how they are written. rules.py joins them with the tests.
"""
import os
import re
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = "tests/rules"
HAZARDS = "hazards.txt"
HEAD = re.compile(r"^## F([1-9]\d*) (\S.*)$")
LABEL = re.compile(r"^(Wrong|Rule|Code|Waits for): (.+)$")


@dataclass
class Rule:
    number: int
    title: str
    subject: str   # the heading of its file
    where: str     # file:line of its heading
    wrong: str = ""
    rule: str = ""
    code: list = field(default_factory=list)  # paths
    waits: str = ""                           # for what is not there yet

    def problems(self, root=ROOT):
        for label, text in (("Wrong", self.wrong), ("Rule", self.rule)):
            if not text:
                yield f"{self.where}: F{self.number} has no '{label}:'"
        if not self.code and not self.waits:
            yield f"{self.where}: F{self.number} names no code that keeps it"
        for path in self.code:
            if not os.path.exists(os.path.join(root, path)):
                yield f"{self.where}: F{self.number} names {path}, which does not exist"


@dataclass
class Hazard:
    place: str
    finding: str
    tests: list
    waits: str = ""


def parse(text, path):
    """The rules of one file, in its order."""
    subject, rules, labels = "", [], {}
    for number, line in enumerate(text.splitlines(), 1):
        if head := HEAD.match(line):
            labels = {}
            rules.append((Rule(int(head[1]), head[2], subject, f"{path}:{number}"), labels))
        elif line.startswith("# "):
            subject = line[2:]
        elif label := LABEL.match(line):
            labels[label[1]] = [label[2]]
        elif line.strip() and labels:
            labels[next(reversed(labels))].append(line.strip())
    for rule, said in rules:
        rule.wrong = " ".join(said.get("Wrong", []))
        rule.rule = " ".join(said.get("Rule", []))
        rule.code = [path for path in re.split(r",\s*", " ".join(said.get("Code", []))) if path]
        rule.waits = " ".join(said.get("Waits for", []))
    return [rule for rule, _ in rules]


def all_rules(root=ROOT):
    """{number: Rule}, by subject: that of the oldest rule first. No number is used twice."""
    subjects = []
    folder = os.path.join(root, FOLDER)
    for name in os.listdir(folder):
        if name.endswith(".md") and name != "README.md":
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                subjects.append(parse(file.read(), f"{FOLDER}/{name}"))
    found = {}
    for rule in sum(sorted(subjects, key=lambda rules: min(r.number for r in rules)), []):
        if rule.number in found:
            raise ValueError(f"{rule.where}: F{rule.number} stands in "
                             f"{found[rule.number].where} already")
        found[rule.number] = rule
    return found


def parse_hazards(text):
    hazards = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            place, finding = line.split(": ", 1)
            hazards.append(Hazard(place, finding, []))
        elif line.strip().startswith("waits for "):
            hazards[-1].waits = line.strip().removeprefix("waits for ")
        else:
            hazards[-1].tests.append(line.strip())
    return hazards


def all_hazards(root=ROOT):
    with open(os.path.join(root, FOLDER, HAZARDS), encoding="utf-8") as file:
        return parse_hazards(file.read())
