"""Which of Redis 7.0's commands exist: writes the table between the marks in README.md.

    /usr/bin/python3 scripts/lib/command_list.py          writes it
    /usr/bin/python3 scripts/lib/command_list.py --check  fails if it is not what the rows say

What exists stands in resp/commands/*.def, what Redis has in redis_commands.txt. A container is one
name for its sub-commands, but for those that it lacks. Lint checks the table.
"""
import os
import re
import sys
import textwrap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
README = "README.md"
REDIS = "scripts/lib/redis_commands.txt"
BEGIN, END = "<!-- scripts/lib/command_list.py writes this table -->", "<!-- until here -->"
ROW = re.compile(r'^(?:LOCAL|SESSION|ADMIN|READ|LONG_READ|WRITE|WRITE_OR_READ|BLOCKING_WRITE|BLOCKING_READ)\([^")]*"([^"]+)",', re.M)


def ours(files):
    """Names of all rows that a client can call. files: path -> text."""
    return {name for path, text in files.items()
            if path.startswith("resp/commands/") and path.endswith(".def") and not path.endswith("/internal.def")
            for name in ROW.findall(text)}


def theirs(text):
    """group -> names, in the order of the text."""
    groups = {}
    for line in text.splitlines():
        if line.startswith("  "):
            names += line.split()
        elif not line.startswith("#"):
            names = groups.setdefault(line, [])
    return groups


def is_missing(name, have):
    container = name.split("|")[0]
    return name not in have and (name == container or container in have)


def cell(names):
    return ", ".join(f"`{name.upper().replace('|', ' ')}`" for name in sorted(names))


def row(*cells):
    return " ".join(["|", *(f"{text} |" if text else "|" for text in cells)])


def table(have, groups):
    known = {name for names in groups.values() for name in names}
    whole = [name for name in known if "|" not in name]
    count = sum(name in have for name in whole)
    text = (f"{count} of Redis 7.0's {len(whole)} commands, containers counted once. Each is one function and one "
            "row in `resp/commands/`; `COMMAND LIST` prints them.")
    lines = [textwrap.fill(text, 100), "", row("group", "there", "not there"), "|---|---|---|"]
    for group, names in groups.items():
        lines.append(row(group, cell(name for name in names if name in have and "|" not in name),
                         cell(name for name in names if is_missing(name, have))))
    lines.append(row("Kiwi's own", cell(name for name in have - known if "|" not in name
                                        or name.split("|")[0] in known), ""))
    return "\n".join(lines)


def written(files):
    """README with the table of today. files: path -> text."""
    readme = files[README]
    begin, end = readme.index(BEGIN) + len(BEGIN), readme.index(END)
    return f"{readme[:begin]}\n{table(ours(files), theirs(files[REDIS]))}\n{readme[end:]}"


def check(files):
    if BEGIN not in files.get(README, "") or END not in files[README]:
        yield f"{README}: the marks of its table of commands are gone"
    elif written(files) != files[README]:
        yield f"{README}: its table of commands is not what the rows say; run scripts/lib/command_list.py"


def read():
    names = os.listdir(os.path.join(ROOT, "resp", "commands"))
    paths = [README, REDIS, *(f"resp/commands/{name}" for name in names if name.endswith(".def"))]
    files = {}
    for path in paths:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            files[path] = file.read()
    return files


def main(words):
    files = read()
    if words == ["--check"]:
        problems = list(check(files))
        print("\n".join(problems), end="\n" if problems else "")
        return 1 if problems else 0
    text = written(files)
    with open(os.path.join(ROOT, README), "w", encoding="utf-8") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
