"""What config/options.def, config/kiwi.conf and resp/commands/*.def say, as Python values."""
import dataclasses
import re

ROW = re.compile(r"^(SECTION|INTEGER|MEMORY|BOOLEAN|TEXT|CUSTOM|ALIAS|FIXED)\(", re.M)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
COMMAND = re.compile(
    r'^(LOCAL|SESSION|ADMIN|READ|LONG_READ|WRITE|WRITE_OR_READ|BLOCKING_WRITE|BLOCKING_READ)\(([^")]*)'
    r'"([^"]+)",\s*(-?\d+),(.*?)R"\(\n(.*?)\)"\)', re.M | re.S)
ARGUMENT = re.compile(r"^((?:  )*)arg (\S+) (\S+)(.*)$")


@dataclasses.dataclass
class Option:
    section: str
    name: str
    flags: set
    doc: str
    default: str = ""
    allowed: str = ""
    fixed: bool = False


@dataclasses.dataclass
class Argument:
    name: str
    type: str
    words: dict
    parts: list


@dataclasses.dataclass
class Command:
    name: str  # config|get
    facts: dict
    arguments: list


# ---------------------------------------------------------------- options

def closing(text, begin):
    """The position of the parenthesis that closes the one before begin."""
    depth, at = 1, begin
    while depth:
        if text[at] == '"':
            at = STRING.match(text, at).end()
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at - 1


def split(text):
    """At the commas that stand in no bracket and no string."""
    parts, depth, at, begin = [], 0, 0, 0
    while at < len(text):
        if text[at] == '"':
            at = STRING.match(text, at).end()
            continue
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(text[at], 0)
        if text[at] == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    return [part.strip() for part in [*parts, text[begin:]]]


def words(literals):
    """Of string literals that stand side by side."""
    return re.sub(r"\\(.)", r"\1", "".join(STRING.findall(literals)))


def options(text):
    """All rows of options.def, in order; those that nobody is shown have kHidden among their flags."""
    section, rows = "", []
    for match in ROW.finditer(text):
        kind, parts = match[1], split(text[match.end():closing(text, match.end())])
        if kind == "SECTION":
            section = words(parts[0])
        elif kind == "FIXED":
            rows.append(Option(section, words(parts[0]), set(), words(parts[-1]), words(parts[1]) or '""', fixed=True))
        else:
            name = words(parts[2 if kind in ("CUSTOM", "ALIAS") else 1])
            flags = set(re.findall(r"\bk[A-Z]\w+", parts[-2])) | ({"kHidden"} if kind == "ALIAS" else set())
            rows.append(Option(section, name, flags, words(parts[-1])))
    return rows


def sample(text):
    """name -> (value, what is allowed) of kiwi.conf, which kiwi-server --print-config writes."""
    found, comment = {}, []
    for line in text.splitlines():
        if line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif line.strip():
            name, _, value = line.partition(" ")
            allowed = " ".join(comment).rpartition("Allowed: ")[2]
            found[name] = (value, allowed.removesuffix("."))
            comment = []
        else:
            comment = []
    return found


def shown_options(table, conf):
    """Those that a person sets, with their defaults."""
    values, rows = sample(conf), []
    for row in options(table):
        if not row.fixed and "kHidden" not in row.flags:
            row.default, row.allowed = values[row.name]
            rows.append(row)
    return rows


# ---------------------------------------------------------------- commands

def arguments(lines):
    """The tree of the lines that begin with arg."""
    top, stack = [], []
    for line in lines:
        match = ARGUMENT.match(line)
        if not match:
            continue
        depth = len(match[1]) // 2
        given = dict(word.partition("=")[::2] for word in match[4].split())
        argument = Argument(match[2], match[3], given, [])
        del stack[depth:]
        (stack[-1].parts if stack else top).append(argument)
        stack.append(argument)
    return top


def commands(text):
    """The rows of one .def file."""
    rows = []
    for match in COMMAND.finditer(text):
        lines = match[6].splitlines()
        facts = dict(line.partition(" ")[::2] for line in lines if line and not line.startswith((" ", "arg ", "tip ",
                                                                                                 "history ", "key ")))
        rows.append(Command(match[3], facts, arguments(lines)))
    return rows


def shape(argument):
    """As people write it: [EX seconds], key [key ...]."""
    flags = argument.words
    token = flags.get("token", "")
    if argument.type == "oneof":
        text = "|".join(shape(dataclasses.replace(part, words={
            name: value for name, value in part.words.items() if name != "optional"})) for part in argument.parts)
        text = text if "optional" in flags else f"<{text}>"
    elif argument.type == "block":
        text = " ".join(shape(part) for part in argument.parts)
    else:
        text = argument.name if argument.type != "pure-token" else "" if token else '""'
    text = f"{token} {text}".strip()
    if "multiple" in flags:
        again = text if not token or "multiple-token" in flags else text.removeprefix(token).strip()
        text = f"{text} [{again} ...]"
    return f"[{text}]" if "optional" in flags else text


def syntax(command):
    name = command.name.upper().replace("|", " ")
    return " ".join([name, *(shape(argument) for argument in command.arguments)])
