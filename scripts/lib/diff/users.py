"""scripts/diff --users: random rules of ACL SETUSER to both servers, and what they let a user do.

Each seed makes one user by some calls of SETUSER, with rules that fit, that contradict each other and
that are none. The replies must be equal; so must flags, passwords, patterns and selectors of GETUSER;
and ACL DRYRUN must say the same of many commands, of each sub-command, and of keys and channels that the
patterns take or do not take. How the servers put the rules about commands is told by both, and counted
where it differs: the order in which Redis names commands changes with each start of it.
"""

import collections
import random
import time

from diff import documented
from diff.wire import Error

NAMES = ["bob", "eve", "a:b", "x" * 40]
GLOBS = ["a", "a*", "b?", "[ab]c", "*", "k:*", "", "\\*", "ab*z"]
KEYS = ["a", "ab", "b", "bz", "ac", "k:1", "*", "", "abyz", "zz"]
CHANNELS = ["a", "ab", "news", "*", "k:1"]
FLAGS = ["on", "off", "nopass", "resetpass", "reset", "allkeys", "resetkeys", "allchannels", "resetchannels",
         "allcommands", "nocommands", "clearselectors", "sanitize-payload", "skip-sanitize-payload", "ON",
         "ResetKeys", "+@all", "-@all"]
WRONG = ["foo", "+nothing", "-nothing", "+@nothing", "-@", "+", "-", "~", "&", "%X~a", "%RR~a", "%R", "#12",
         "!12", "+get|a|b", "+config|get|x", "-config|nothing", "+config|", "+select|", "+select|0", "-select|0",
         "(", ")", "(+nothing)", "(on)", "(~a", "()", "~a b", ">", "<nothing"]
DRYRUNS = 60


class Commands:
    """What both servers have, and arguments that fit each."""

    def __init__(self, ours, theirs):
        docs = documented.commands(theirs.call("COMMAND", "DOCS"))
        have = {name.decode() for name in ours.call("COMMAND", "LIST")}
        info = {}
        for row in theirs.call("COMMAND"):
            for each in [row, *row[9]]:
                info[each[0].decode()] = each
        self.rows = {name: row for name, row in info.items()
                     if name in have and (name.replace("|", " ") in docs or "|" not in name)}
        self.names = sorted(self.rows)
        self.differing = {}  # categories of one side only
        for row in ours.call("COMMAND"):
            for each in [row, *row[9]]:
                name = each[0].decode()
                if name in info and set(each[6]) != set(info[name][6]):
                    self.differing[name] = sorted(set(each[6]) ^ set(info[name][6]))
        self.categories = [name.decode() for name in theirs.call("ACL", "CAT")]

    def argv(self, rng):
        """A command with as many words as it takes, most of them keys."""
        name = rng.choice(self.names)
        arity = self.rows[name][1]
        words = name.split("|")
        least = abs(arity)
        most = least if arity > 0 else least + rng.randint(0, 3)
        while len(words) < most:
            words.append(rng.choice(KEYS + ["1", "2", "GET", "STORE", "LIMIT"]))
        return words


def rule(rng, commands, inside=False):
    kind = rng.randrange(12)
    if kind < 3:
        return rng.choice("+-") + rng.choice(commands.names)
    if kind < 5:
        return rng.choice("+-") + "@" + rng.choice(commands.categories)
    if kind == 5:
        return rng.choice(["~", "%R~", "%W~", "%RW~", "%r~"]) + rng.choice(GLOBS)
    if kind == 6:
        return "&" + rng.choice(GLOBS)
    if kind == 7:
        return rng.choice(["allkeys", "resetkeys", "allchannels", "resetchannels", "+@all", "-@all"])
    if inside or kind == 8:
        return rng.choice(["+select|" + rng.choice("012"), "+" + rng.choice(["GET", "Set", "CONFIG|GET"])])
    if kind == 9:
        return rng.choice([">", "<"]) + rng.choice(["p", "q"])
    if kind == 10:
        return "(" + " ".join(rule(rng, commands, True) for _ in range(rng.randint(1, 4))) + ")"
    return rng.choice(FLAGS)


def rules(rng, commands):
    made = [rule(rng, commands) for _ in range(rng.randint(1, 8))]
    if rng.random() < 0.15:
        made.insert(rng.randrange(len(made) + 1), rng.choice(WRONG))
    return made


class Different(Exception):
    pass


def agree(what, ours, theirs):
    if ours != theirs:
        raise Different(f"{what}\n    kiwi:  {ours!r}\n    redis: {theirs!r}")


def shown(reply):
    """GETUSER without how the rules about commands are put."""
    if reply is None or isinstance(reply, Error):
        return reply, []
    fields = dict(zip(reply[::2], reply[1::2]))
    texts = [fields.pop(b"commands")]
    selectors = []
    for selector in fields[b"selectors"]:
        parts = dict(zip(selector[::2], selector[1::2]))
        texts.append(parts.pop(b"commands"))
        selectors.append(parts)
    fields[b"selectors"] = selectors
    return fields, [sorted(text.split()) for text in texts]


class Fuzz:
    def __init__(self, servers):
        pair = servers.pair(2, ())
        self.ours, self.theirs = pair.ours, pair.theirs
        self.commands = Commands(self.ours, self.theirs)
        self.told = collections.Counter()

    def both(self, *argv):
        return self.ours.call(*argv), self.theirs.call(*argv)

    def set_user(self, rng, name):
        said = rules(rng, self.commands)
        ours, theirs = self.both("ACL", "SETUSER", name, *said)
        # Kiwi does not send back a password that it was to forget.
        if isinstance(theirs, Error) and b"you are trying to remove" in theirs:
            ours, theirs = (side[side.index(b"':"):] for side in (ours, theirs))
        agree(f"ACL SETUSER {name} {said}", ours, theirs)
        self.told["refused" if isinstance(theirs, Error) else "taken"] += 1

    def line(self, name):
        """All its rules, as Redis puts them."""
        return next(line for line in self.theirs.call("ACL", "LIST") if line.startswith(b"user " + name.encode() + b" "))

    def keys_unknown(self, argv):
        """Where it cannot tell the keys, for the command will fail, Redis asks for no right to any."""
        return isinstance(self.theirs.call("COMMAND", "GETKEYS", *argv), Error)

    def seed(self, seed):
        rng = random.Random(seed)
        name = rng.choice(NAMES)
        self.both("ACL", "DELUSER", name)
        for _ in range(rng.randint(1, 4)):
            self.set_user(rng, name)
            (ours, our_texts), (theirs, their_texts) = map(shown, self.both("ACL", "GETUSER", name))
            agree(f"ACL GETUSER {name}", ours, theirs)
            self.told["put alike" if our_texts == their_texts else "put otherwise"] += 1
        if theirs is None:
            return
        for _ in range(DRYRUNS):
            argv = self.commands.argv(rng)
            ours, theirs = self.both("ACL", "DRYRUN", name, *argv)
            if theirs == b"OK" and ours != theirs and self.keys_unknown(argv):
                self.told["denied here, without keys there"] += 1
                continue
            # A BITFIELD that will fail by its syntax reads for Kiwi, and writes for Redis.
            if argv[0] == "bitfield" and ours == b"OK" != theirs and isinstance(self.theirs.call(*argv), Error):
                self.told["allowed here, to fail"] += 1
                continue
            if ours != theirs:
                agree(f"ACL DRYRUN {name} {argv} of {self.line(name)}", ours, theirs)
            self.told["allowed" if theirs == b"OK" else "denied"] += 1
        for channel in CHANNELS:
            for command in (("SUBSCRIBE", channel), ("PSUBSCRIBE", channel), ("PUBLISH", channel, "x")):
                agree(f"ACL DRYRUN {name} {command}", *self.both("ACL", "DRYRUN", name, *command))


def run(options, servers):
    fuzz = Fuzz(servers)
    begun, seed, differences = time.monotonic(), options.seed, 0
    for name, categories in fuzz.commands.differing.items():
        differences += 1
        print(f"{name}: only one of the two has it in {categories}")
    while options.forever or (seed < options.seed + options.seeds if options.seeds else
                              time.monotonic() - begun < options.seconds):
        try:
            fuzz.seed(seed)
        except Different as difference:
            differences += 1
            print(f"seed {seed}: {difference}")
            if differences >= options.most:
                break
        seed += 1
    told = ", ".join(f"{count} {what}" for what, count in sorted(fuzz.told.items()))
    print(f"{seed - options.seed} users in {time.monotonic() - begun:.0f} s: {differences} differences; {told}")
    return 1 if differences else 0
