"""Commands drawn from a server's own COMMAND DOCS: every command, every option, also where they do
not belong together.

The documentation gives an argument's type, not what makes sense of it: names say more. HINTS maps a
command's argument, or an argument's name, to a generator; the type is the last resort.
"""

from diff import pools

REPEATED_MOST = 4
DATABASES = [b"0", b"1", b"2", b"-1", b"x", b"1024", b"99999999999999999999"]


def tree(value):
    """COMMAND DOCS in RESP2 (flat lists) as dictionaries with str keys."""
    pairs = zip(value[::2], value[1::2])
    return {key.decode(): item for key, item in pairs}


class Argument:
    def __init__(self, flat):
        row = tree(flat)
        self.name = row["name"].decode()
        self.type = row["type"].decode()
        self.token = row.get("token")
        flags = {flag.decode() for flag in row.get("flags", [])}
        self.optional = "optional" in flags
        self.multiple = "multiple" in flags or "multiple_token" in flags
        self.token_each_time = "multiple_token" in flags
        self.parts = [Argument(part) for part in row.get("arguments", [])]


class Command:
    """name is as typed: `get`, or `object encoding`."""

    def __init__(self, name, flat):
        self.name = name
        row = tree(flat)
        self.group = row.get("group", b"").decode()
        self.since = tuple(int(part) for part in row.get("since", b"0").split(b"."))
        self.arguments = [Argument(part) for part in row.get("arguments", [])]


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


BY_NAME = {
    "seconds": lambda g: pools.duration(g.rng, False),
    "milliseconds": lambda g: pools.duration(g.rng, True),
    "unix-time-seconds": lambda g: pools.deadline(g.rng, g.now, False),
    "unix-time-milliseconds": lambda g: pools.deadline(g.rng, g.now, True),
    "score": lambda g: pools.double(g.rng),
    "increment": lambda g: pools.double(g.rng) if g.rng.random() < 0.5 else pools.integer(g.rng),
    "cursor": lambda g: g.rng.choice([b"0", b"0", b"0", b"0", b"x", b"-1", b""]),
    "count": lambda g: pools.clumsy(g.rng, [b"1", b"2", b"3", b"10", b"0", b"-1", b"-3", b"1000"],
                                    pools.BAD_INTEGERS),
    "offset": lambda g: pools.clumsy(g.rng, [b"0", b"1", b"7", b"8", b"63", b"100", b"#1", b"#2"],
                                     [b"-1", b"x", b"#-1", b"", b"4294967296"]),
    "destination-db": lambda g: g.rng.choice(DATABASES),
    "encoding": lambda g: g.rng.choice([b"u8", b"i8", b"u1", b"i5", b"u63", b"i64", b"u64", b"i65", b"x"]),
    "longitude": lambda g: g.rng.choice([b"13.361389", b"15.087269", b"0", b"-179.9", b"180", b"181", b"x"]),
    "latitude": lambda g: g.rng.choice([b"38.115556", b"37.502669", b"0", b"-85", b"85.05", b"86", b"x"]),
    "radius": lambda g: g.rng.choice([b"100", b"200.5", b"0", b"20000", b"-1", b"x"]),
    "width": lambda g: g.rng.choice([b"400", b"1000", b"0", b"-1", b"x"]),
    "height": lambda g: g.rng.choice([b"400", b"1000", b"0", b"-1", b"x"]),
    "pattern": lambda g: g.rng.choice(pools.PATTERNS),
}
BY_COMMAND = {
    ("zrangebylex", "min"): lambda g: g.rng.choice(pools.LEX),
    ("zrangebylex", "max"): lambda g: g.rng.choice(pools.LEX),
    ("zrevrangebylex", "min"): lambda g: g.rng.choice(pools.LEX),
    ("zrevrangebylex", "max"): lambda g: g.rng.choice(pools.LEX),
    ("zlexcount", "min"): lambda g: g.rng.choice(pools.LEX),
    ("zlexcount", "max"): lambda g: g.rng.choice(pools.LEX),
    ("zremrangebylex", "min"): lambda g: g.rng.choice(pools.LEX),
    ("zremrangebylex", "max"): lambda g: g.rng.choice(pools.LEX),
    ("setrange", "offset"): lambda g: pools.clumsy(
        g.rng, [b"0", b"1", b"5", b"100", b"2047", b"8190", b"8192"], [b"-1", b"x", b"536870912"]),
    ("setbit", "value"): lambda g: g.rng.choice([b"0", b"1", b"1", b"2", b"x"]),
    ("bitpos", "bit"): lambda g: g.rng.choice([b"0", b"1", b"1", b"2", b"x"]),
    ("restore", "ttl"): lambda g: b"0",
    ("move", "db"): lambda g: g.rng.choice(DATABASES),
}
BOUNDS = {"min", "max", "start", "stop", "end"}


class Generator:
    """Draws commands; the same seed and table draw the same ones."""

    def __init__(self, rng, table, now):
        self.rng, self.table, self.now = rng, table, now
        self.names = sorted(table)

    def command(self, name=None):
        """argv; now and then damaged: a word too many, one too few, an unknown option."""
        command = self.table[name or self.rng.choice(self.names)]
        words = [self.case(word.encode()) for word in command.name.split(" ")]
        for argument in self.shuffled_options(command.arguments):
            words += self.argument(command.name, argument)
        return self.damaged(words) if self.rng.random() < 0.04 else words

    def case(self, word):
        return self.rng.choice([word.upper(), word.upper(), word.lower(), word.title()])

    def shuffled_options(self, arguments):
        """Options that stand together in the documentation may come in any order."""
        out, run = [], []
        for argument in arguments:
            if argument.optional and argument.token:
                run.append(argument)
                continue
            self.rng.shuffle(run)
            out += run + [argument]
            run = []
        self.rng.shuffle(run)
        return out + run

    def damaged(self, words):
        kind = self.rng.randrange(4)
        if kind == 0:
            return words[:1]
        if kind == 1:
            return words + [pools.member(self.rng)]
        if kind == 2:
            return words[:-1] or words
        return words + [b"BOGUS"]

    def argument(self, command, argument):
        if argument.optional and self.rng.random() < 0.6:
            return []
        times = self.rng.randint(1, REPEATED_MOST) if argument.multiple else 1
        if argument.multiple and self.rng.random() < 0.02:
            times = self.rng.choice(pools.COUNTS)
        if argument.optional and self.rng.random() < 0.05:
            times += 1  # given twice
        words = []
        for number in range(times):
            if argument.token is not None and (number == 0 or argument.token_each_time):
                words.append(self.case(argument.token))
            words += self.value(command, argument)
        return words

    def value(self, command, argument):
        kind = argument.type
        if kind == "pure-token":
            return []
        if kind == "oneof":
            return self.argument_of_choice(command, self.rng.choice(argument.parts))
        if kind == "block":
            return [word for part in argument.parts for word in self.argument(command, part)]
        return [self.leaf(command, argument)]

    def argument_of_choice(self, command, part):
        words = [self.case(part.token)] if part.token else []
        return words + self.value(command, part)

    def leaf(self, command, argument):
        """One word. numkeys is settled afterwards, by settle_counts()."""
        made = BY_COMMAND.get((command, argument.name)) or BY_NAME.get(argument.name)
        if made:
            return made(self)
        if argument.type == "key":
            return self.rng.choice(pools.KEYS)
        if argument.name == "numkeys":
            return NUMKEYS
        if command.startswith("z") and argument.name in BOUNDS:
            return self.rng.choice(pools.LEX if self.rng.random() < 0.2 else
                                   pools.SCORE_BOUNDS + pools.INTEGERS)
        if argument.type == "integer" or argument.name in BOUNDS:
            return pools.integer(self.rng)
        if argument.type == "double":
            return pools.double(self.rng)
        if argument.type == "unix-time":
            return pools.deadline(self.rng, self.now, "milli" in argument.name or "px" in argument.name)
        if argument.type == "pattern":
            return self.rng.choice(pools.PATTERNS)
        return pools.member(self.rng)

    def next(self, name=None):
        return settle_lex(settle_counts(self.command(name), self.rng), self.rng)


# Redis leaves open what lex ranges hold when scores differ: they have a key of their own, to which
# ZADD gives members of one score, and which no other command names.
LEX_KEY = b"lex"
LEX_COMMANDS = {b"zrangebylex": 1, b"zrevrangebylex": 1, b"zlexcount": 1, b"zremrangebylex": 1}
BYLEX_COMMANDS = {b"zrange": 1, b"zrangestore": 2}


def settle_lex(words, rng):
    name = words[0].lower()
    if name == b"zadd" and rng.random() < 0.2:
        return [words[0], LEX_KEY] + [w for _ in range(rng.randint(1, REPEATED_MOST))
                                      for w in (b"0", pools.member(rng))]
    at = LEX_COMMANDS.get(name)
    if any(word.lower() == b"bylex" for word in words[3:]):
        at = BYLEX_COMMANDS.get(name, at)
    return words[:at] + [LEX_KEY] + words[at + 1:] if at and at < len(words) else words


NUMKEYS = b"\x00numkeys"


def settle_counts(words, rng):
    """Puts the number of keys that follow where numkeys stands: keys are what the pool of keys has."""
    if NUMKEYS not in words:
        return words
    at = words.index(NUMKEYS)
    keys = 0
    while at + 1 + keys < len(words) and words[at + 1 + keys] in pools.KEYS and keys < REPEATED_MOST:
        keys += 1
    wrong = rng.random() < 0.1
    words = list(words)
    words[at] = rng.choice([b"0", b"-1", b"x", b"%d" % (keys + 1)]) if wrong else b"%d" % max(1, keys)
    return words
