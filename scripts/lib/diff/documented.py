"""What COMMAND DOCS says of commands: their arguments as trees, and the choices that these leave."""


def tree(value):
    """COMMAND DOCS in RESP2 (flat lists) as dictionaries with str keys."""
    pairs = zip(value[::2], value[1::2])
    return {key.decode(): item for key, item in pairs}


class Argument:
    """path: where it stands in its command, `order/asc`; what coverage names it by."""

    def __init__(self, flat, above=""):
        row = tree(flat)
        self.name = row["name"].decode()
        self.type = row["type"].decode()
        self.token = row.get("token")
        shown = self.name if not self.token else f"{self.name}:{self.token.decode()}"
        self.path = f"{above}/{shown}" if above else shown
        flags = {flag.decode() for flag in row.get("flags", [])}
        self.optional = "optional" in flags
        self.multiple = "multiple" in flags or "multiple_token" in flags
        self.token_each_time = "multiple_token" in flags
        self.parts = [Argument(part, self.path) for part in row.get("arguments", [])]

    def choices(self, one_of=False):
        """Paths of all that may be there or not: options, alternatives, and `...` for more than one."""
        if self.optional or one_of:
            yield self.path
        if self.multiple:
            yield self.path + "..."
        for part in self.parts:
            yield from part.choices(self.type == "oneof")


class Command:
    """name is as typed: `get`, or `object encoding`."""

    def __init__(self, name, flat):
        self.name = name
        row = tree(flat)
        self.group = row.get("group", b"").decode()
        self.arguments = [Argument(part) for part in row.get("arguments", [])]
        self.choices = frozenset(path for argument in self.arguments for path in argument.choices())
        self.tokens = sorted(set(tokens(self.arguments)))


def tokens(arguments):
    for argument in arguments:
        if argument.token:
            yield argument.token
        yield from tokens(argument.parts)


def commands(docs):
    """name -> Command of a COMMAND DOCS reply; containers give their subcommands instead."""
    found = {}
    for name, flat in zip(docs[::2], docs[1::2]):
        row = tree(flat)
        if "subcommands" in row:
            for sub, sub_flat in zip(row["subcommands"][::2], row["subcommands"][1::2]):
                full = sub.decode().replace("|", " ")
                found[full] = Command(full, sub_flat)
        else:
            found[name.decode()] = Command(name.decode(), flat)
    return found


class Coverage:
    """Which commands were answered without an error, and with which of their choices."""

    def __init__(self, table):
        self.table = table
        self.drawn = {name: 0 for name in table}
        self.met = {}  # name -> choices, of commands that succeeded

    def add(self, name, choices, succeeded):
        if name not in self.table:
            return
        self.drawn[name] += 1
        if succeeded:
            self.met.setdefault(name, set()).update(choices)

    def lines(self):
        """What was reached, and by name what was not."""
        all_choices = sum(len(command.choices) for command in self.table.values())
        met = sum(len(choices) for choices in self.met.values())
        yield f"coverage: {len(self.met)} of {len(self.table)} commands, {met} of {all_choices} options and choices"
        never = sorted(name for name in self.table if not self.drawn[name])
        failed = sorted(name for name in self.table if self.drawn[name] and name not in self.met)
        if never:
            yield f"  not drawn: {', '.join(never)}"
        if failed:
            yield f"  never without an error: {', '.join(failed)}"
        for name in sorted(self.met):
            left = self.table[name].choices - self.met[name]
            if left:
                yield f"  {name} without: {', '.join(sorted(left))}"
