"""Commands drawn from a server's own COMMAND DOCS: every command, every option, also where they do
not belong together.

The documentation gives an argument's type, not what makes sense of it: names say more. BY_COMMAND maps
a command's argument, BY_NAME an argument's name, to a generator; the type is the last resort.
"""

from diff import pools, scripts
from diff.blocked import SHORT

REPEATED_MOST = 4
DATABASES = [b"0", b"1", b"2", b"-1", b"x", b"1024", b"99999999999999999999"]
# Words that are no command of a server: what diff.pair makes of them.
EXPIRE_NOW = b"\x00expire"  # a key: its deadline passes
BLOCK = b"\x00block"        # a blocking command: another client asks it
UNBLOCK = b"\x00unblock"    # how: that client waits no longer
WAITING = {"blpop", "brpop", "blmove", "brpoplpush", "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup"}
READS = {"xread", "xreadgroup"}  # wait with BLOCK only


class Drawn(list):
    """argv, and what it was made of."""

    def __init__(self, words, name="", choices=()):
        super().__init__(words)
        self.name, self.choices = name, frozenset(choices)

    def changed(self, words):
        return Drawn(words, self.name, self.choices)


def position(g):
    return pools.clumsy(g.rng, pools.POSITIONS, pools.BAD_INTEGERS)


def offset(g):
    """Of bits, or of LIMIT."""
    if g.group not in ("bitmap", "string"):
        return pools.clumsy(g.rng, [b"0", b"0", b"1", b"2", b"5"], [b"-1", b"x", b"", b"100"])
    return pools.clumsy(g.rng, pools.BIT_OFFSETS + [b"#1", b"#2", b"#1024"],
                        [b"-1", b"x", b"#-1", b"", b"4294967296"])


def increment(g):
    return pools.double(g.rng) if g.rng.random() < 0.5 else pools.integer(g.rng)


def whole_increment(g):
    return pools.integer(g.rng)


def stream_bound(g):
    return g.rng.choice(pools.STREAM_IDS + [b"-", b"+", b"(3", b"(5-1"])


def read_from(g):
    """Of XREAD and XREADGROUP."""
    return g.rng.choice(pools.STREAM_IDS + [b">"] * 8 + [b"0"] * 4 + [b"$", b"+"])


def trim_threshold(g):
    return g.rng.choice(pools.THRESHOLDS if g.rng.random() < 0.6 else pools.STREAM_IDS + pools.BAD_INTEGERS)


def lex(g):
    return g.rng.choice(pools.LEX)


def sort_source(g):
    return g.rng.choice(pools.SORTABLE if g.rng.random() < 0.85 else pools.KEYS)


def timeout(g):
    return pools.clumsy(g.rng, [b"0", b"0", b"0", b"0", SHORT],
                        [b"-1", b"x", b"", b"1e400", b"inf", b"nan", b" 0", b"9223372036854775807", b"-0.0001"])


BY_NAME = {
    "script": lambda g: scripts.text(g.rng, g.scripts),
    "sha1": lambda g: scripts.sha1(g.rng, g.scripts),
    "function-code": lambda g: scripts.library(g.rng, g.scripts),
    "function": lambda g: pools.clumsy(g.rng, scripts.FUNCTIONS, [b"", b"F0", b"nope"]),
    "library-name": lambda g: pools.clumsy(g.rng, scripts.LIBRARIES, [b"", b"L0", b"nope"]),
    "timeout": timeout,
    "seconds": lambda g: pools.duration(g.rng, False),
    "milliseconds": lambda g: pools.duration(g.rng, True),
    "unix-time-seconds": lambda g: pools.deadline(g.rng, g.now, False),
    "unix-time-milliseconds": lambda g: pools.deadline(g.rng, g.now, True),
    "score": lambda g: pools.double(g.rng),
    "increment": increment,
    "cursor": lambda g: g.rng.choice([b"0", b"0", b"0", b"0", b"x", b"-1", b""]),
    "count": lambda g: pools.clumsy(g.rng, [b"1", b"2", b"3", b"10", b"0", b"-1", b"-3", b"1000"],
                                    pools.BAD_INTEGERS),
    "offset": offset,
    "destination-db": lambda g: g.rng.choice(DATABASES),
    "encoding": lambda g: pools.clumsy(g.rng, [b"u8", b"i8", b"u1", b"i5", b"u63", b"i64"],
                                       [b"u64", b"i65", b"x", b"u0", b"i", b""]),
    "longitude": lambda g: pools.coordinate(g.rng, "longitude"),
    "latitude": lambda g: pools.coordinate(g.rng, "latitude"),
    "radius": lambda g: pools.length(g.rng),
    "width": lambda g: pools.length(g.rng),
    "height": lambda g: pools.length(g.rng),
    "pattern": lambda g: g.rng.choice(pools.PATTERNS),
    "id": lambda g: g.rng.choice(pools.STREAM_IDS),
    "last-id": lambda g: g.rng.choice(pools.STREAM_IDS),
    "max_deleted_entry_id": lambda g: g.rng.choice(pools.STREAM_IDS),
    "min-idle-time": lambda g: pools.clumsy(g.rng, pools.IDLE_TIMES, [b"x", b"", b"1.5"]),
    "threshold": trim_threshold,
    **{name: lambda g: g.rng.choice([b"g1", b"g1", b"g2"]) for name in ("group", "groupname")},
    **{name: lambda g: g.rng.choice([b"c1", b"c1", b"c2"]) for name in ("consumer", "consumername")},
}
BY_COMMAND = {
    **{(name, bound): lex for name in ("zrangebylex", "zrevrangebylex", "zlexcount", "zremrangebylex")
       for bound in ("min", "max")},
    **{(name, bound): position for name in ("getrange", "substr", "bitcount", "bitpos", "lrange", "ltrim")
       for bound in ("start", "end", "stop")},
    **{(name, bound): stream_bound for name in ("xrange", "xrevrange", "xpending", "xautoclaim")
       for bound in ("start", "end")},
    **{(name, "increment"): whole_increment for name in ("bitfield", "incrby", "decrby", "hincrby")},
    ("bitop", "operation"): lambda g: g.case(pools.clumsy(g.rng, [b"AND", b"OR", b"XOR", b"NOT"], [b"NAND", b""])),
    ("setrange", "offset"): lambda g: pools.clumsy(
        g.rng, [b"0", b"1", b"5", b"100", b"2047", b"2048", b"8190", b"8192", b"16384"],
        [b"-1", b"x", b"536870912"]),
    ("setbit", "value"): lambda g: g.rng.choice([b"0", b"1", b"1", b"2", b"x"]),
    ("bitpos", "bit"): lambda g: g.rng.choice([b"0", b"1", b"1", b"2", b"x"]),
    ("restore", "ttl"): lambda g: b"0",
    # Both wait, and find nothing: whoever could add it is behind them.
    **{(name, "milliseconds"): lambda g: pools.clumsy(g.rng, [b"1", b"2"], [b"-1", b"x", b"1.5"])
       for name in ("xread", "xreadgroup")},
    **{(name, "id"): read_from for name in ("xread", "xreadgroup")},
    ("xclaim", "ms"): lambda g: pools.clumsy(g.rng, [b"0", b"1000", b"1000000000"], pools.BAD_INTEGERS),
    ("move", "db"): lambda g: g.rng.choice(DATABASES),
    **{(name, "pattern"): lambda g: g.rng.choice(pools.BY) for name in ("sort", "sort_ro")},
    **{(name, "by-pattern"): lambda g: g.rng.choice(pools.BY) for name in ("sort", "sort_ro")},
    **{(name, "get-pattern"): lambda g: g.rng.choice(pools.GET) for name in ("sort", "sort_ro")},
    ("sort", "key"): sort_source,
    ("sort_ro", "key"): sort_source,
}
# By the word in front: the documentation of 7.0 calls both patterns `pattern`.
BY_TOKEN = {("sort", b"GET"): lambda g: g.rng.choice(pools.GET), ("sort_ro", b"GET"): lambda g: g.rng.choice(pools.GET)}
BOUNDS = {"min", "max", "start", "stop", "end"}
# Arguments that a long series of different ones reaches thresholds by.
SERIAL = {"member", "field", "element", "value"}


class Generator:
    """Draws commands; the same seed and table draw the same ones."""

    def __init__(self, rng, table, now):
        self.rng, self.table, self.now = rng, table, now
        self.scripts = scripts.pool(rng) if any(name.startswith(("eval", "script", "function")) for name in table) else []
        self.names = sorted(set(table) - WAITING | READS.intersection(table))
        self.waiting = sorted(WAITING.intersection(table))
        self.tokens = sorted({token for command in table.values() for token in command.tokens})
        self.series = None  # while a long run is drawn: number -> its word
        self.number = 0     # in it
        self.group = ""     # of the command that is drawn
        self.choices = set()

    def sequence(self, count):
        """So many commands, in blocks of MULTI now and then, and keys that expire."""
        out = []
        while len(out) < count:
            kind = self.rng.random()
            if self.waiting and (kind > 0.95 or not self.names):
                out += self.scene()
            elif kind < 0.03:
                out += self.block()
            elif kind < 0.04:
                out.append(Drawn([EXPIRE_NOW, self.rng.choice(pools.KEYS)]))
            elif kind < 0.045 and "xadd" in self.table:
                out += self.entries()
            else:
                out.append(self.next())
        return out

    def block(self):
        watch = [Drawn([b"WATCH", self.rng.choice(pools.KEYS)], "watch")] if self.rng.random() < 0.3 else []
        between = [self.next() for _ in range(self.rng.choice((0, 0, 1)))] if watch else []
        inside = [self.next(self.rng.choice(self.waiting) if self.waiting and self.rng.random() < 0.1 else None)
                  for _ in range(self.rng.randint(0, 6))]
        end = Drawn([b"DISCARD"], "discard") if self.rng.random() < 0.1 else Drawn([b"EXEC"], "exec")
        return [*watch, *between, Drawn([b"MULTI"], "multi"), *inside, end]

    def scene(self):
        """Another client waits while commands of the same types go on; then it is let go."""
        waits = settle_wait(self.next(self.rng.choice(self.waiting)), self.rng)
        near = [name for name in self.names if self.table[name].group == self.table[waits.name].group]
        between = self.rng.randint(0, 6) if self.names else 0
        meanwhile = [self.next(self.rng.choice(near) if near and self.rng.random() < 0.7 else None)
                     for _ in range(between)]
        if waits.name in READS:
            meanwhile = [words for words in meanwhile if not wakes_otherwise(words)]
        how = self.rng.choice([(), (b"TIMEOUT",), (b"ERROR",), (b"error",), (b"never",)])
        groups = [Drawn([b"XGROUP", b"CREATE", key, b"g1", self.rng.choice([b"$", b"$", b"0"]), b"MKSTREAM"], "xgroup create")
                  for key in pools.FAVOURITES["stream"] if waits.name == "xreadgroup" and self.rng.random() < 0.7]
        return [*groups, waits.changed([BLOCK, *waits]), *meanwhile, Drawn([UNBLOCK, *how], "client unblock")]

    def entries(self):
        """Entries of one stream, around the sizes at which a node is full."""
        key, ms = self.rng.choice(pools.FAVOURITES["stream"]), self.rng.choice((30, 40))
        names = self.rng.choice(([b"f"], [b"f", b"g"], [b"f", b"7"]))
        size = self.rng.choice(pools.ENTRY_BYTES)
        out = []
        for number in range(self.rng.choice(pools.ENTRIES)):
            words = [b"XADD", key, b"%d-*" % ms]
            for name in names if self.rng.random() < 0.9 else [b"other"]:
                words += [name, b"%d" % number if self.rng.random() < 0.3 else b"v" * size]
            out.append(Drawn(words, "xadd"))
        return out

    def next(self, name=None):
        return settle_lex(settle_streams(settle_counts(self.command(name), self.rng), self.rng), self.rng)

    def command(self, name=None):
        """Now and then damaged: a word too many, one too few, an option of another command."""
        command = self.table[name or self.rng.choice(self.names)]
        self.group, self.choices = command.group, set()
        words = [self.case(word.encode()) for word in command.name.split(" ")]
        for argument in self.shuffled_options(command.arguments):
            words += self.argument(command.name, argument)
        drawn = Drawn(words, command.name, self.choices)
        return Drawn(self.damaged(words), command.name) if self.rng.random() < 0.04 else drawn

    def case(self, word):
        return self.rng.choice([word.upper(), word.upper(), word.lower(), word.title()])

    def shuffled_options(self, arguments):
        """Options that stand together in the documentation may come in any order."""
        out, run = [], []
        for argument in arguments:
            if argument.optional and (argument.token or argument.type in ("oneof", "block")):
                run.append(argument)
                continue
            self.rng.shuffle(run)
            out += run + [argument]
            run = []
        self.rng.shuffle(run)
        return out + run

    def damaged(self, words):
        kind = self.rng.randrange(5)
        if kind == 0:
            return words[:1]
        if kind == 1:
            return words + [pools.member(self.rng)]
        if kind == 2:
            return words[:-1] or words
        if kind == 3:
            at = self.rng.randint(1, len(words))
            return words[:at] + [self.rng.choice(self.tokens or [b"GET"])] + words[at:]
        return words + [b"BOGUS"]

    def argument(self, command, argument):
        if argument.optional and self.rng.random() < 0.6:
            return []
        if argument.optional:
            self.choices.add(argument.path)
        times = self.rng.randint(1, REPEATED_MOST) if argument.multiple else 1
        long_run = argument.multiple and self.series is None and self.rng.random() < 0.04
        if long_run:
            times, self.series = pools.series(self.rng)
            times = max(1, times)
        elif argument.optional and self.rng.random() < 0.05:
            times += 1  # given twice
        if times > 1 and argument.multiple:
            self.choices.add(argument.path + "...")
        words = []
        for number in range(times):
            if long_run:
                self.number = number
            if argument.token is not None and (number == 0 or argument.token_each_time):
                words.append(self.case(argument.token))
            words += self.value(command, argument)
        if long_run:
            self.series = None
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
        self.choices.add(part.path)
        if part.token == b"*":  # of XADD: the rest of an id that does not tell the time
            return [b"%d-*" % self.rng.randint(1, 30)]
        words = [self.case(part.token)] if part.token else []
        return words + self.value(command, part)

    def leaf(self, command, argument):
        """One word. numkeys is settled afterwards, by settle_counts()."""
        if self.series is not None and argument.name in SERIAL:
            return self.series(self.number)
        made = BY_TOKEN.get((command, argument.token)) or BY_COMMAND.get((command, argument.name)) or \
            BY_NAME.get(argument.name)
        if made:
            return made(self)
        if argument.type == "key":
            return self.key()
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

    def key(self):
        """Mostly of the command's own type, or nobody would get further than WRONGTYPE."""
        favourites = pools.FAVOURITES.get(self.group, pools.KEYS)
        draw = self.rng.random()
        if self.group == "string" and draw < 0.1:
            return self.rng.choice(pools.WEIGHTS)
        if self.group == "hash" and draw < 0.1:
            return self.rng.choice(pools.WEIGHT_HASHES)
        return self.rng.choice(favourites if draw < 0.75 else pools.KEYS)


# Redis leaves open what lex ranges hold when scores differ: they have a key of their own, to which
# ZADD gives members of one score, and which no other command names.
LEX_KEY = b"lex"
LEX_COMMANDS = {b"zrangebylex": 1, b"zrevrangebylex": 1, b"zlexcount": 1, b"zremrangebylex": 1}
BYLEX_COMMANDS = {b"zrange": 1, b"zrangestore": 2}


def settle_lex(words, rng):
    name = words[0].lower()
    if name == b"zadd" and rng.random() < 0.2:
        return Drawn([words[0], LEX_KEY] + [w for _ in range(rng.randint(1, REPEATED_MOST))
                                            for w in (b"0", pools.member(rng))], "zadd")
    at = LEX_COMMANDS.get(name)
    if name in BYLEX_COMMANDS and any(word.lower() == b"bylex" for word in words[3:]):
        at = BYLEX_COMMANDS[name]
        words = words.changed(words[:at + 1] + [rng.choice(pools.LEX) for _ in words[at + 1:at + 3]] + words[at + 3:])
    return words.changed(words[:at] + [LEX_KEY] + words[at + 1:]) if at and at < len(words) else words


def settle_streams(words, rng):
    """XREAD and XREADGROUP: mostly as many ids as keys."""
    if words[0].lower() not in (b"xread", b"xreadgroup") or b"streams" not in [w.lower() for w in words] or \
            rng.random() < 0.1:
        return words
    begin = [w.lower() for w in words].index(b"streams") + 1
    keys = [w for w in words[begin:] if w in pools.KEYS and w not in pools.STREAM_IDS]
    ids = [w for w in words[begin:] if w not in keys]
    return words.changed(words[:begin] + keys + [rng.choice(ids or [b"0"]) for _ in keys])


def wakes_otherwise(words):
    """Redis wakes who waits for a stream by XADD, with an empty array if the entry was trimmed at once,
    and not by XGROUP SETID; Kiwi where there is something to get."""
    lower = [word.lower() for word in words]
    return lower[:2] == [b"xgroup", b"setid"] or (lower[0] == b"xadd" and (b"maxlen" in lower or b"minid" in lower))


def settle_wait(words, rng):
    """XREAD and XREADGROUP of a client of its own: for ever, and mostly for what is new."""
    if words.name not in READS:
        return words
    lower = [word.lower() for word in words]
    settled = list(words)
    if b"streams" in lower:
        new = b"$" if words.name == "xread" else b">"
        keys = rng.sample(pools.FAVOURITES["stream"], rng.choice((1, 1, 2)))
        ids = [new if rng.random() < 0.8 else rng.choice(pools.STREAM_IDS) for _ in keys]
        settled = settled[:lower.index(b"streams") + 1] + keys + ids if rng.random() < 0.8 else settled
    if b"block" not in lower[:-1]:
        return words.changed([settled[0], b"BLOCK", b"0", *settled[1:]])
    at = lower.index(b"block") + 1
    settled[at] = b"0" if settled[at] in (b"1", b"2") else settled[at]
    return words.changed(settled)


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
    settled = list(words)
    settled[at] = rng.choice([b"0", b"-1", b"x", b"%d" % (keys + 1)]) if wrong else b"%d" % max(1, keys)
    return words.changed(settled)
