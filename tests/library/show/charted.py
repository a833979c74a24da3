"""What a chart shows, read back from it."""

from matplotlib.axes import Axes


def dots(axes: Axes) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Of a `dot_chart`'s panel, by name and measure: the value and the ends of its interval."""
    first = axes.get_figure().axes[0]  # its names are those of all panels
    labels = dict(enumerate(text.get_text() for text in first.get_yticklabels()))
    found = {}
    for marks in axes.containers:
        line, _, (bars,) = marks.lines
        for x, y, ends in zip(*line.get_data(), bars.get_segments(), strict=True):
            found[labels[round(y)], str(marks.get_label())] = (float(x), float(ends[0, 0]), float(ends[1, 0]))
    return found
