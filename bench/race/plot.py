"""An SVG of the medians: a panel for each figure, a bar for each competitor."""

from html import escape

from results import short

PANEL_WIDTH, BAR, GAP, LABEL, COLUMNS, MARGIN = 420, 16, 4, 90, 2, 16
OURS, THEIRS, REFERENCE = "#c2410c", "#64748b", "#cbd5e1"


def panels_of(results):
    """The first figure of each row, which is the one that the row is about."""
    for row in results.rows:
        figure = row.figures[0]
        values = [(it, results.median(row.name, it.name, figure.name)) for it in results.competitors]
        if any(value for _, value in values):
            yield row, figure, values


def bar(x, y, width, competitor, value, spread):
    colour = REFERENCE if competitor.is_reference else OURS if competitor.name == "stoq" else THEIRS
    text = "-" if value is None else f"{short(value)} ±{spread * 100:.0f} %"
    return (f'<text x="{x + LABEL - 6}" y="{y + BAR - 4}" text-anchor="end">{escape(competitor.name)}</text>'
            f'<rect x="{x + LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
            f'<text x="{x + LABEL + width + 4:.1f}" y="{y + BAR - 4}">{text}</text>')


def panel(results, x, y, row, figure, values):
    room = PANEL_WIDTH - LABEL - 90
    largest = max(value for _, value in values if value is not None) or 1
    better = "more is better" if figure.higher_is_better else "less is better"
    parts = [f'<text x="{x}" y="{y + 12}" font-weight="bold">{escape(row.title)}</text>',
             f'<text x="{x}" y="{y + 27}" fill="#475569">{figure.name}, {escape(figure.unit)}; {better}</text>']
    for index, (competitor, value) in enumerate(values):
        top = y + 36 + index * (BAR + GAP)
        spread = 0 if value is None else results.spread(row.name, competitor.name, figure.name)
        parts.append(bar(x, top, room * (value or 0) / largest, competitor, value, spread))
    return "".join(parts)


def draw(results, caption):
    panels = list(panels_of(results))
    height = 36 + len(results.competitors) * (BAR + GAP) + 24
    rows = -(-len(panels) // COLUMNS)
    total_width = COLUMNS * (PANEL_WIDTH + MARGIN) + MARGIN
    total_height = rows * height + 3 * MARGIN
    drawn = [panel(results, MARGIN + (i % COLUMNS) * (PANEL_WIDTH + MARGIN), 2 * MARGIN + (i // COLUMNS) * height, *it)
             for i, it in enumerate(panels)]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width}" height="{total_height}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
            f'<text x="{MARGIN}" y="{MARGIN}">{escape(caption)}</text>{"".join(drawn)}</svg>\n')
