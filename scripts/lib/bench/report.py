"""Tables for people, JSON for programs."""

import json
import statistics


def print_table(head, rows, left=1):
    """Columns as wide as they must be; the first `left` of them begin at the left."""
    table = [head] + [[cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for row in table:
        print("  ".join(text.ljust(w) if i < left else text.rjust(w)
                        for i, (text, w) in enumerate(zip(row, widths))).rstrip())


def median_of(rows, key):
    """Of the rows that have it."""
    values = [row[key] for row in rows if row[key] is not None]
    return statistics.median(values) if values else None


def cell(value):
    """Three figures are all that such a measurement has."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value else "0"


def write_json(path, content):
    with open(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    print(f"every figure: {path}")
