"""SVG line charts in a grid: a column for each round-trip time, a row for each rate."""

from html import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 190, 120, 60, 56, 34
COLOURS = {"cubic": "#64748b", "newreno": "#0891b2", "bbr": "#c2410c"}


def _line(points, x, y, colour):
    steps = max(len(points) - 1, 1)
    placed = [(x + WIDTH * i / steps, y + HEIGHT * (1 - min(max(value, 0), 1))) for i, (_, value) in enumerate(points)]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in placed)
    dots = "".join(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.5" fill="{colour}"/>' for px, py in placed)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}'


def _frame(x, y, labels):
    parts = [f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#cbd5e1"/>']
    for value in (0, 0.5, 1):
        py = y + HEIGHT * (1 - value)
        parts.append(f'<text x="{x - 4}" y="{py + 4:.1f}" text-anchor="end" fill="#475569">{value:g}</text>')
    for i, label in enumerate(labels):
        px = x + WIDTH * i / max(len(labels) - 1, 1)
        parts.append(f'<text x="{px:.1f}" y="{y + HEIGHT + 13}" text-anchor="middle" fill="#475569">{escape(label)}</text>')
    return "".join(parts)


def grid(title, panels, algorithms, columns):
    """`panels`: (caption, {algorithm: [(label, value from 0 to 1)]}), row by row."""
    drawn = []
    for index, (caption, lines) in enumerate(panels):
        x = LEFT + (index % columns) * (WIDTH + GAP)
        y = TOP + (index // columns) * (HEIGHT + 2 * GAP) + 16
        labels = [label for label, _ in next(iter(lines.values()))]
        drawn.append(f'<text x="{x}" y="{y - 6}" font-weight="bold">{escape(caption)}</text>' + _frame(x, y, labels)
                     + "".join(_line(points, x, y, COLOURS[name]) for name, points in lines.items()))
    legend = "".join(f'<text x="{LEFT + 90 * i}" y="38" fill="{COLOURS[name]}">● {name}</text>'
                     for i, name in enumerate(algorithms))
    rows = -(-len(panels) // columns)
    width = LEFT + columns * (WIDTH + GAP)
    height = TOP + rows * (HEIGHT + 2 * GAP)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
            f'font-size="11"><rect width="100%" height="100%" fill="white"/>'
            f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>{legend}{"".join(drawn)}</svg>\n')


def _by_loss(results, algorithms, figure):
    alone = [it for it in results if it.kind == "alone"]
    for mbps in sorted({it.mbps for it in alone}):
        for round_trip in sorted({it.round_trip_ms for it in alone}):
            here = [it for it in alone if (it.mbps, it.round_trip_ms) == (mbps, round_trip)]
            yield (f"{mbps} Mbit/s, {round_trip} ms",
                   {name: [(f"{it.loss * 100:g} %", figure(it)) for it in sorted(here, key=lambda it: it.loss)
                           if it.algorithm == name] for name in algorithms})


def _by_round_trip(results, kind, algorithms, figure):
    these = [it for it in results if it.kind == kind]
    for mbps in sorted({it.mbps for it in these}):
        lines = {name: [(f"{it.round_trip_ms} ms", figure(it))
                        for it in sorted(these, key=lambda it: it.round_trip_ms)
                        if (it.algorithm, it.mbps) == (name, mbps)] for name in algorithms}
        yield f"{mbps} Mbit/s", {name: points for name, points in lines.items() if points}


def drawings(results, algorithms):
    fairness = list(_by_round_trip(results, "alike", algorithms, lambda it: it.fairness))
    beside = list(_by_round_trip(results, "beside_cubic", algorithms, lambda it: it.share))
    return {
        "utilisation": grid("Share of the bottleneck that is used, by random loss",
                            list(_by_loss(results, algorithms, lambda it: it.utilisation)), algorithms, 4),
        "queue": grid("Mean queue, share of a full one, by random loss",
                      list(_by_loss(results, algorithms, lambda it: it.queue_share)), algorithms, 4),
        "fairness": grid("Two flows alike: Jain's index, by round-trip time", fairness, algorithms, len(fairness)),
        "beside_cubic": grid("One flow beside one of CUBIC: its share, by round-trip time", beside,
                             [name for name in algorithms if name != "cubic"], len(beside)),
    }
