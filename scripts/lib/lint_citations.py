"""scripts/lint: whatever the tree cites stands in the tree.

  F<n>            a rule of tests/rules/; in a README it is a link, [F23], whose target stands at the end
  §<n>            a section of Ongaro's dissertation: in raft/, tests/raft/ and tests/sim/, elsewhere
                  only behind its name; never behind the name of another paper
  NAME.md         a file of that name
  README.md#x     a heading of that file, written from the root of the tree
  [text](target)  and [name]: target in Markdown: a file, and a heading in it
  `dir/file.x`    in Markdown: a file, seen from the root, from the page's folder or from tests/
  I<n>            in rocks/: an invariant that rocks/table/README.md lists
"""
import os
import posixpath
import re

import rule_texts

RULE = re.compile(r"(?<![\w#.\\])F([1-9]\d?)\b(?!\.\w)")
PAPER = re.compile(r"\b([A-Z][A-Z-]{1,})(?:\.md)? §|\b[RV] ?S[0-2]-\d")
SOURCE = re.compile(r"\b(Dissertation|dissertation|paper's|thesis)\b")
PAGE = re.compile(r"(?<![\w/.-])((?:[\w.-]+/)*[A-Z][A-Z-]+\.md)\b(?:#([\w-]+))?")
INVARIANT = re.compile(r"\bI(\d+)\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
DEFINITION = re.compile(r"^\[([^\]]+)\]: (\S+)$", re.M)
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:hpp|cpp|c|def|md|py|txt|conf|trace|js))`")
LINKED_RULE = re.compile(r"\[F(\d+)\]")
OF_RAFT = ("raft/", "tests/raft/", "tests/sim/")
GENERATED = ("tests/RULES.md", "tests/MUTANTS.md", "tests/FAILPOINTS.md")
INVENTED = ("tests/scripts/", "scripts/lib/lint_citations.py",  # citations of nothing, on purpose
            "config/package/debian/kiwi-server.docs")  # of what the package's build makes


def without_code(text):
    """Markdown without its code: blocks and spans become blanks, lines stay."""
    text = re.sub(r"^```.*?^```", lambda block: re.sub(r"[^\n]", " ", block[0]), text,
                  flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", lambda span: " " * len(span[0]), text)


def slug(heading):
    heading = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w -]", "", heading).replace(" ", "-")


def anchors(text):
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return {slug(head) for head in re.findall(r"^#+ (.+)$", text, re.M)} | \
        set(re.findall(r'<a id="([^"]+)">', text))


def check_line(path, line, rules):
    for match in RULE.finditer(line):
        if int(match[1]) not in rules:
            yield f"F{match[1]} is no rule of tests/rules/"
    if (paper := PAPER.search(line)) and paper[1] not in ("RFC", "POSIX"):
        yield f"'{paper[0]}' cites a paper that is not in the tree: say the reason, or link to a README"
    elif "§" in line and not path.startswith(OF_RAFT) and not SOURCE.search(line):
        yield "§ without the name of its source: Dissertation §..."


def check_pages(path, line, files):
    for page, anchor in PAGE.findall(line):
        target = page if page in files else posixpath.normpath(
            posixpath.join(posixpath.dirname(path), page))
        known = target if target in files else next(
            (file for file in files if file.endswith("/" + page)), None)
        if known is None:
            yield f"there is no {page}"
        elif anchor and anchor not in anchors(files[known]):
            yield f"{known} has no heading #{anchor}"


def check_target(path, target, files, exists):
    if re.match(r"[a-z]+:", target):
        return
    page, _, anchor = target.partition("#")
    page = posixpath.normpath(posixpath.join(posixpath.dirname(path), page)) if page else path
    if page not in files and not exists(page):
        yield f"links to {page}, which does not exist"
    elif anchor and anchor not in anchors(files.get(page, "")):
        yield f"links to {page}#{anchor}, and there is no such heading"


def check_paths(path, text, files):
    for number, line in enumerate(text.splitlines(), 1):
        for named in PATH.findall(line):
            seen_from = ("", posixpath.dirname(path), "tests")
            if not any(posixpath.join(folder, named) in files for folder in seen_from):
                yield f"{path}:{number}: there is no {named}"


def check_markdown(path, text, files, exists):
    yield from check_paths(path, text, files)
    plain = without_code(text)
    for number, line in enumerate(plain.splitlines(), 1):
        for target in LINK.findall(line):
            yield from (f"{path}:{number}: {what}"
                        for what in check_target(path, target, files, exists))
    definitions = dict(DEFINITION.findall(plain))
    for name, target in definitions.items():
        yield from (f"{path}: [{name}] {what}"
                    for what in check_target(path, target, files, exists))
    if path.startswith(rule_texts.FOLDER + "/"):
        return
    body = DEFINITION.sub("", plain)
    for number, line in enumerate(body.splitlines(), 1):
        if RULE.search(re.sub(r"\[[^\]]*\](\([^)]*\))?", "", line)):
            yield f"{path}:{number}: a rule is a link in Markdown: [F<n>], its target at the end"
        for rule in LINKED_RULE.findall(line):
            if f"F{rule}" not in definitions and f"[F{rule}](" not in line:
                yield f"{path}:{number}: [F{rule}] has no target at the end of the file"


def check_invariants(files):
    listed = set(re.findall(r"^\| I(\d+)\b", files.get("rocks/table/README.md", ""), re.M))
    for path, text in files.items():
        if path.startswith(("rocks/", "tests/rocks/")) and path.endswith((".cpp", ".hpp")):
            for number in sorted(set(INVARIANT.findall(text)) - listed):
                yield f"{path}: I{number} is no invariant of rocks/table/README.md"


def check(files, rules=None, exists=os.path.exists):
    if rules is None:
        rules = rule_texts.all_rules()
        for rule in rules.values():
            yield from rule.problems()
    for path, text in sorted(files.items()):
        if path.startswith(INVENTED):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            problems = [*check_line(path, line, rules)]
            if path not in GENERATED:
                problems += check_pages(path, line, files)
            yield from (f"{path}:{number}: {problem}" for problem in problems)
        if path.endswith(".md") and path not in GENERATED:
            yield from check_markdown(path, text, files, exists)
    yield from check_invariants(files)
