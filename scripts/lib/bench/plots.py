"""Pictures, by Debian's matplotlib; imported only where one is asked for."""

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend must be chosen first)

COLORS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#64b5cd")


def _save(figure, path):
    figure.savefig(path)
    pyplot.close(figure)
    print(f"picture: {path}")


def _grid(count, columns, width, height):
    rows = (count + columns - 1) // columns
    figure, axes = pyplot.subplots(rows, columns, squeeze=False, layout="constrained",
                                   figsize=(width * columns, height * rows))
    flat = [axis for row in axes for axis in row]
    for axis in flat[count:]:
        axis.axis("off")
    return figure, flat[:count]


def bars(path, title, charts):
    """charts: (title, [(label, middle, lowest, highest)]), one small bar chart each."""
    figure, axes = _grid(len(charts), 3, 4.6, 2.4)
    known = list(dict.fromkeys(label for _, bars_ in charts for label, *_ in bars_))
    color = {label: COLORS[number % len(COLORS)] for number, label in enumerate(known)}
    for axis, (name, bars_) in zip(axes, charts):
        labels = [label for label, *_ in bars_]
        middles = [middle for _, middle, _, _ in bars_]
        spread = [[middle - low for _, middle, low, _ in bars_],
                  [high - middle for _, middle, _, high in bars_]]
        axis.barh(labels, middles, xerr=spread, color=[color[label] for label in labels])
        axis.invert_yaxis()
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=8)
        for row, middle in enumerate(middles):
            text = f" {middle:,.0f}" if middle >= 100 else f" {middle:.3g}"
            axis.annotate(text, (0, row), fontsize=7, va="center")
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def curves(path, title, charts):
    """charts: (title, x label, y label, log x?, {name: [(x, y)]}), one small plot each."""
    figure, axes = _grid(len(charts), 3 if len(charts) > 2 else len(charts), 4.6, 3.2)
    for axis, (name, x_label, y_label, logarithmic, lines) in zip(axes, charts):
        for number, (label, points) in enumerate(lines.items()):
            axis.plot([x for x, _ in points], [y for _, y in points], label=label,
                      marker="." if len(points) < 30 else None,
                      color=COLORS[number % len(COLORS)], linewidth=1.2)
        if logarithmic:
            axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel(x_label, fontsize=8)
        axis.set_ylabel(y_label, fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
        if len(lines) > 1:
            axis.legend(fontsize=7)
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def timeline(path, title, y_label, lines, spans):
    """lines: {name: [(seconds, y)]}; spans: [(name, from, to)] are shaded and named."""
    figure, axis = pyplot.subplots(figsize=(13, 4), layout="constrained")
    for number, (label, points) in enumerate(lines.items()):
        axis.plot([x for x, _ in points], [y for _, y in points], label=label, linewidth=0.9,
                  color=COLORS[number % len(COLORS)])
    for name, begin, end in spans:
        axis.axvspan(begin, end, alpha=0.15, color="gray")
        axis.annotate(name, (begin, 0.97), xycoords=("data", "axes fraction"), fontsize=7,
                      rotation=90, va="top")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("s")
    axis.set_ylabel(y_label)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.suptitle(title, fontsize=10)
    _save(figure, path)
