"""scripts/lint: a README's table of files is true.

A table whose first heading is `file` names, in its first column, files below the README's folder: by
name, with or without what stands behind the dot, with * for any letters. Each name has a file, and in
the folders of COMPLETE each source has a name. What lies in a folder with a README of its own, or in
one that the table names (`commands/`), is not looked for.
"""
import fnmatch
import posixpath
import re

COMPLETE = ("config", "config/base", "raft", "rocks", "rocks/table", "resp", "resp/types", "actors",
            "tests/sim", "tests/cluster")
SOURCE = (".cpp", ".hpp", ".py")
NEVER_NAMED = ("conftest.py", "__init__.py")
NAME = re.compile(r"`([\w*./{},-]+)`")


def named(text):
    """{name: line} of the first columns of all tables of files."""
    names, inside = {}, False
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == "file":
            inside = True
        elif inside:
            names |= {name: number for name in NAME.findall(cells[0])}
    return names


def fits(name, file):
    base = posixpath.basename(file)
    stem = base.rsplit(".", 1)[0]
    return fnmatch.fnmatchcase(base, name) or fnmatch.fnmatchcase(stem, name.removesuffix(".*"))


def check_readme(folder, text, files, others):
    """files: paths; others: folders below with a README of their own."""
    names = named(text)
    if not names:
        return
    below = [path for path in files if path.startswith(folder + "/") and
             not path.startswith(tuple(other + "/" for other in others))]
    for name, number in names.items():
        if name.endswith("/"):
            found = any(path.startswith(f"{folder}/{name}") for path in files)
        elif "/" in name:
            found = any(fits(posixpath.basename(name), path) and
                        posixpath.dirname(path) == posixpath.dirname(f"{folder}/{name}")
                        for path in files)
        else:
            found = any(fits(name, path) for path in below)
        if not found:
            yield f"{folder}/README.md:{number}: there is no {name}"
    if folder not in COMPLETE:
        return
    skipped = tuple(f"{folder}/{name}" for name in names if name.endswith("/"))
    for path in below:
        if path.endswith(SOURCE) and not path.endswith(NEVER_NAMED) and not (skipped and path.startswith(skipped)) and \
                not any(fits(posixpath.basename(name), path) for name in names):
            yield f"{folder}/README.md: its table of files does not name {path}"


def check(files):
    folders = sorted(posixpath.dirname(path) for path in files
                     if path.endswith("/README.md"))
    for folder in folders:
        others = [other for other in folders if other.startswith(folder + "/")]
        yield from check_readme(folder, files[f"{folder}/README.md"], sorted(files), others)
