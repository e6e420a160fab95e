"""Lengths of files and functions, and the ratchet of exceptions, for scripts/lint."""

import ast
import os
import re
import subprocess

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
RATCHET = "scripts/ratchet.txt"
HEADING = """\
# Files over 500 lines and functions over 70, as they are. Entries may shrink or go, never grow and
# never be added: scripts/lint compares with the history of this file.
"""
NO_FUNCTION = re.compile(r"^\s*(?:(?:namespace|class|struct|enum|union|extern|if|for|while|switch|"
                         r"else|do|try|catch|return|case|TEST_SUITE)\b|#|//|\}|\{)")
NAME = re.compile(r'([A-Za-z_~][\w:~]*|operator[^\s(]+)\s*\(')


def cpp_functions(text):
    """(name, lines). Relies on the formatting: a body ends at a brace indented as its head is."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        head = line.rstrip()
        indent = len(head) - len(head.lstrip())
        if indent > 4 or not head or NO_FUNCTION.match(head) or not NAME.search(head):
            number += 1
            continue
        last = number  # the head may go on over several lines, up to its brace or semicolon
        while last < len(lines) and not lines[last].rstrip().endswith(("{", ";", "}")):
            last += 1
        if last >= len(lines) or not lines[last].rstrip().endswith("{"):
            number = last + 1
            continue
        closing = " " * indent + "}"
        end = last + 1
        while end < len(lines) and not lines[end].startswith(closing):
            end += 1
        name = NAME.search(head)[1]
        if name == "TEST_CASE":
            name = "TEST_CASE " + head.partition('"')[2].partition('"')[0][:60]
        yield name, end - number + 1
        number = end + 1


def python_functions(text):
    try:
        module = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno - node.lineno + 1


def is_python(path, text):
    return path.endswith(".py") or text.startswith("#!/usr/bin/env python3")


def exceptions(files):
    """key -> lines of everything over a limit today."""
    over = {}
    for path, text in files.items():
        script = path.startswith("scripts/") and text.startswith("#!")
        if not (path.endswith((".cpp", ".hpp", ".py", ".def", ".sh", ".cmake")) or script):
            continue
        count = text.count("\n")
        if count > FILE_LINES_MAX:
            over[f"file {path}"] = count
        functions = cpp_functions(text) if path.endswith((".cpp", ".hpp")) else \
            python_functions(text) if is_python(path, text) else ()
        for name, length in functions:
            if length > FUNCTION_LINES_MAX:
                key = f"function {path} {name}"
                over[key] = max(length, over.get(key, 0))
    return over


def parse_ratchet(text):
    entries = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, _, count = line.rpartition(" ")
            entries[key] = int(count)
    return entries


def git(root, *arguments):
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    except OSError:
        return ""  # a copy of the tree on a machine without git has no history to compare with
    return done.stdout if done.returncode == 0 else ""


def earlier_ratchets(root):
    """All committed versions, oldest first, from the first one that has an entry."""
    versions = []
    for commit in reversed(git(root, "log", "--format=%H", "--", RATCHET).split()):
        entries = parse_ratchet(git(root, "show", f"{commit}:{RATCHET}"))
        if entries or versions:
            versions.append(entries)
    return versions


def check(root, files):
    over = exceptions(files)
    ratchet = parse_ratchet(files.get(RATCHET, ""))
    for key, count in sorted(over.items()):
        limit = FILE_LINES_MAX if key.startswith("file") else FUNCTION_LINES_MAX
        allowed = ratchet.get(key, limit)
        if count > allowed:
            yield f"{key}: {count} lines, at most {allowed} are allowed; split it"
    for key, count in sorted(ratchet.items()):
        if over.get(key, 0) < count:
            now = over.get(key)
            yield (f"{RATCHET}: {key} has " +
                   (f"only {now} lines now, lower its entry from {count}" if now
                    else "no excess any more, remove its entry"))
    for version in earlier_ratchets(root):
        for key, count in sorted(ratchet.items()):
            if count > version.get(key, 0):
                yield f"{RATCHET}: {key} was {version.get(key, 'not listed')}, it must not grow"


def write_ratchet(root, files):
    over = exceptions(files)
    text = HEADING + "".join(f"{key} {count}\n" for key, count in sorted(over.items()))
    with open(os.path.join(root, RATCHET), "w") as file:
        file.write(text)
    files[RATCHET] = text
