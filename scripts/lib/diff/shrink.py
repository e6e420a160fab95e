"""Fewer and fewer commands that still show the difference (Zeller's ddmin, without its complements
of single elements twice)."""


def shrink(commands, fails, tries=2000):
    """The shortest list found; fails(commands) runs them on empty servers."""
    parts = 2
    while len(commands) >= 2 and tries > 0:
        size = max(1, len(commands) // parts)
        for begin in range(0, len(commands), size):
            fewer = commands[:begin] + commands[begin + size:]
            tries -= 1
            if fewer and fails(fewer):
                commands, parts = fewer, max(2, parts - 1)
                break
            if tries <= 0:
                break
        else:
            if size == 1:
                break
            parts = min(len(commands), parts * 2)
    return commands
