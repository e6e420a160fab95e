"""Chapters of large classes, for scripts/lint: what a header says stands in a source stands there.

In a header, `// ---- text with name.cpp` begins a chapter: the methods declared below it, up to the
next such line or the end of the class, are defined in one of the sources that it names, or inline.
"""
import os
import re

HEAD = re.compile(r"^\s*// -{2,}\s*(.*)$")
SOURCE = re.compile(r"\b\w+\.cpp\b")
CLASS = re.compile(r"^(?:struct|class) ([\w:]+)(?: final)?(?: : [^;{]*)? \{")
METHOD = re.compile(r"^  (?:[\w:]|\[\[)[^={}]*?(~?\w+)\($|^  (?:[\w:]|\[\[)[^={}]*?(~?\w+)\([^{}]*$")


def chapters(text):
    """(class, sources of the chapter, line, method declared there)"""
    name, sources = None, []
    for number, line in enumerate(text.splitlines(), 1):
        if found := CLASS.match(line):
            name, sources = found[1], []
        elif found := HEAD.match(line):
            sources = SOURCE.findall(found[1])
        elif line.startswith("};"):
            name, sources = None, []
        elif name and sources and (found := METHOD.match(line)) and "//" not in line.split("(")[0]:
            yield name, sources, number, found[1] or found[2]


def check(files):
    for path, text in sorted(files.items()):
        if not path.endswith(".hpp") or path.startswith("tests/"):
            continue
        folder = os.path.dirname(path)
        for name, sources, number, method in chapters(text):
            own = [text, *(files.get(os.path.join(folder, source), "") for source in sources)]
            if not any(f"{name}::{method}(" in source for source in own):
                yield (f"{path}:{number}: {name}::{method} is not in {' or '.join(sources)}, the "
                       "chapter that it stands in")
