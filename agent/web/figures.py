"""Line figures as inline SVG, for the viewer and the report: no script, no picture file, sharp in print.

Colours come from the page's style sheet (classes ``c0`` to ``c7``); each line has a dash and a mark of its own too, so
that none depends on colour. Every figure has its numbers in a table below it, for those who can't see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 660, 260
LEFT, RIGHT, TOP, BOTTOM = 44, 176, 12, 36
STYLES = 8
Point = tuple[float, float]
Band = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a figure: its points, and where known the band (x, low, high) around them."""

    name: str
    points: Sequence[Point]
    band: Sequence[Band] = ()


def figure(
    title: str,
    lines: Sequence[Line],
    x_label: str,
    span: tuple[float, float] | None = None,
    levels: Sequence[tuple[str, float]] = (),
) -> Markup:
    """Lines over a common axis, with horizontal ``levels`` to compare with. ``span`` fixes the vertical axis."""
    xs = [x for line in lines for x, _ in line.points]
    if not xs:
        return Markup()
    low, high = span or _span(lines, levels)
    scale = _Scale(min(xs), max(xs), low, high)
    drawn = [_axes(scale, sorted(set(xs)), x_label), *(_level(scale, name, y) for name, y in levels)]
    drawn += [_band(scale, line, index % STYLES) for index, line in enumerate(lines) if len(line.band) > 1]
    drawn += [_line(scale, line, index % STYLES) for index, line in enumerate(lines)]
    drawn += _names(scale, lines, levels)
    return Markup(
        '<figure class="plot"><figcaption>{}</figcaption>'
        '<div class="wide" tabindex="0" role="region" aria-label="{}, figure">'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></div>{}</figure>'
    ).format(title, title, WIDTH, HEIGHT, title, Markup().join(drawn), _table(title, lines, x_label))


def sparkline(values: Sequence[float], title: str) -> Markup:
    """A probability over rounds, as small as a word."""
    if len(values) < 2:
        return Markup()
    step = 76 / (len(values) - 1)
    points = " ".join(f"{2 + i * step:.1f},{18 - 16 * value:.1f}" for i, value in enumerate(values))
    return Markup(
        '<svg class="spark" viewBox="0 0 80 20" role="img" aria-label="{}">'
        '<polyline class="line c0" points="{}"/></svg>'
    ).format(title, points)


@dataclass(frozen=True, slots=True)
class _Scale:
    x_low: float
    x_high: float
    low: float
    high: float

    def x(self, value: float) -> float:
        span = self.x_high - self.x_low
        return LEFT + (WIDTH - LEFT - RIGHT) * ((value - self.x_low) / span if span else 0.5)

    def y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (inside - self.low) / (self.high - self.low)

    def path(self, points: Sequence[Point]) -> str:
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)


def _span(lines: Sequence[Line], levels: Sequence[tuple[str, float]]) -> tuple[float, float]:
    """The range of what is drawn, in tenths: an axis that is cut is told by its labels."""
    ys = [y for line in lines for _, y in line.points] + [y for _, y in levels]
    ys += [edge for line in lines for _, low, high in line.band for edge in (low, high)]
    low, high = int(min(ys) * 10) / 10, -(-max(ys) * 10 // 1) / 10
    return (low, high) if high - low > 0.05 else (low - 0.1, high + 0.1)


def _axes(scale: _Scale, xs: Sequence[float], x_label: str) -> Markup:
    parts = []
    for i in range(5):
        value = scale.low + (scale.high - scale.low) * i / 4
        y = scale.y(value)
        parts.append(
            Markup('<line class="grid" x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}"/>').format(LEFT, y, WIDTH - RIGHT, y)
            + Markup('<text x="{}" y="{:.1f}" text-anchor="end">{:.2f}</text>').format(LEFT - 6, y + 4, value)
        )
    ticks = xs if len(xs) <= 9 else [xs[round(i * (len(xs) - 1) / 8)] for i in range(9)]
    foot = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>')
    parts += [foot.format(scale.x(x), HEIGHT - BOTTOM + 16, x) for x in ticks]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(middle, HEIGHT - 4, x_label))
    return Markup().join(parts)


def _level(scale: _Scale, name: str, y: float) -> Markup:
    return Markup('<line class="level" x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}"><title>{} {:.3f}</title></line>').format(
        LEFT, scale.y(y), WIDTH - RIGHT, scale.y(y), name, y
    )


def _band(scale: _Scale, line: Line, style: int) -> Markup:
    around = [(x, high) for x, _, high in line.band] + [(x, low) for x, low, _ in reversed(line.band)]
    return Markup('<polygon class="band c{}" points="{}"/>').format(style, scale.path(around))


def _line(scale: _Scale, line: Line, style: int) -> Markup:
    dots = Markup().join(_mark(scale.x(x), scale.y(y), style, f"{line.name}: {y:.3f} at {x:g}") for x, y in line.points)
    return Markup('<polyline class="line c{}" points="{}"/>{}').format(style, scale.path(line.points), dots)


def _mark(x: float, y: float, style: int, title: str) -> Markup:
    shapes = (
        Markup('<circle cx="{0:.1f}" cy="{1:.1f}" r="3.2"'),
        Markup('<rect x="{2:.1f}" y="{3:.1f}" width="6" height="6"'),
        Markup('<path d="M{0:.1f},{3:.1f} l4,7 h-8 z"'),
        Markup('<path d="M{0:.1f},{3:.1f} l4,4 l-4,4 l-4,-4 z"'),
    )
    shape = shapes[style % len(shapes)].format(x, y, x - 3, y - 3.5)
    return shape + Markup(' class="mark c{}"><title>{}</title></{}>').format(
        style, title, ("circle", "rect", "path", "path")[style % len(shapes)]
    )


def _names(scale: _Scale, lines: Sequence[Line], levels: Sequence[tuple[str, float]]) -> list[Markup]:
    """Each line's name at its right end, moved apart where ends are close."""
    ends = [
        (scale.y(line.points[-1][1]), line.name, f"name c{i % STYLES}") for i, line in enumerate(lines) if line.points
    ]
    ends += [(scale.y(y), name, "name level-name") for name, y in levels]
    ends.sort()
    ys = [y for y, _, _ in ends]
    for i in range(1, len(ys)):
        ys[i] = max(ys[i], ys[i - 1] + 14)
    lowest = HEIGHT - BOTTOM + 4
    for i in range(len(ys) - 1, -1, -1):
        ys[i] = min(ys[i], lowest - 14 * (len(ys) - 1 - i))
    return [
        Markup('<text class="{}" x="{}" y="{:.1f}">{}</text>').format(style, WIDTH - RIGHT + 10, y + 4, _short(name))
        for y, (_, name, style) in zip(ys, ends, strict=True)
    ]


def _short(name: str) -> str:
    return name if len(name) <= 22 else name[:21] + "…"


def _table(title: str, lines: Sequence[Line], x_label: str) -> Markup:
    xs = sorted({x for line in lines for x, _ in line.points})
    head = Markup().join(Markup('<th scope="col">{}</th>').format(line.name) for line in lines)
    rows = []
    for x in xs:
        cells = []
        for line in lines:
            value = dict(line.points).get(x)
            cells.append(Markup("<td>{}</td>").format("" if value is None else f"{value:.3f}"))
        rows.append(Markup('<tr><th scope="row">{:g}</th>{}</tr>').format(x, Markup().join(cells)))
    return Markup(
        '<details class="numbers"><summary>its numbers</summary><div class="wide" tabindex="0" role="region" '
        'aria-label="{}: numbers"><table><thead><tr><th scope="col">{}</th>{}</tr></thead><tbody>{}</tbody></table>'
        "</div></details>"
    ).format(title, x_label, head, Markup().join(rows))


def marked(text: str, words: Sequence[str], around: int = 120) -> Markup:
    """The part of a text that holds the words, each in ``<mark>``."""
    folded = text.casefold()
    if len(folded) != len(text):  # a letter that folds to two would shift the marks
        return escape(text[: 3 * around])
    starts = [folded.find(word.casefold()) for word in words]
    first = min((start for start in starts if start >= 0), default=0)
    begin, end = max(0, first - around), first + 2 * around
    spans = _spans(folded, [word.casefold() for word in words], begin, end)
    shown, at = escape("…" if begin else ""), begin
    for start, stop in spans:
        shown += Markup("{}<mark>{}</mark>").format(text[at:start], text[start:stop])
        at = stop
    return shown + escape(text[at:end]) + ("…" if end < len(text) else "")


def _spans(folded: str, words: Sequence[str], begin: int, end: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for word in filter(None, words):
        start = folded.find(word, begin, end)
        while start >= 0:
            spans.append((start, start + len(word)))
            start = folded.find(word, start + len(word), end)
    apart: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if not apart or start >= apart[-1][1]:
            apart.append((start, stop))
    return apart
