"""Medians, spreads and ratios of all heats; as a table, as JSON and as the RESULT line."""

import statistics


class Results:
    def __init__(self, rows, competitors, absent):
        self.rows, self.competitors, self.absent = rows, competitors, absent
        self.values = {}    # (row, competitor, figure) -> the numbers of all rounds
        self.reasons = {}   # (row, competitor) -> why there is no number
        self.failed = set()  # (row, competitor)
        self.failures = 0
        self.heats = 0
        self.ceilings = []  # dictionaries

    def add(self, row, competitor, cell):
        key = (row.name, competitor.name)
        self.heats += 1
        self.failures += cell.failed
        if cell.failed:
            self.failed.add(key)
        if cell.reason:
            self.reasons[key] = cell.reason
            return
        for figure in row.figures:
            self.values.setdefault((*key, figure.name), []).append(figure.take(cell))

    def median(self, row, competitor, figure):
        """None where there is no figure: a competitor that failed once has none."""
        values = self.values.get((row, competitor, figure))
        if not values or (row, competitor) in self.reasons:
            return None
        return statistics.median(values)

    def spread(self, row, competitor, figure):
        """Half of what lies between the smallest and the largest, as a share of the median."""
        values = self.values[row, competitor, figure]
        middle = statistics.median(values)
        return (max(values) - min(values)) / 2 / middle if middle else 0.0

    def peers(self):
        return [it.name for it in self.competitors if it.name != "stoq" and not it.is_reference]

    def best_peer(self, row, figure):
        """Name and median of the best peer. Nobody knows it when one of them failed."""
        if any((row, name) in self.failed for name in self.peers()):
            return None, None
        known = [(self.median(row, name, figure.name), name) for name in self.peers()]
        known = [it for it in known if it[0] is not None]
        if not known:
            return None, None
        value, name = max(known) if figure.higher_is_better else min(known)
        return name, value

    def ratio(self, row, figure):
        """How far ahead of the best peer STOQ is: above 1 is ahead, whichever way is better."""
        ours, (_, theirs) = self.median(row, "stoq", figure.name), self.best_peer(row, figure)
        if not ours or not theirs:
            return None
        return ours / theirs if figure.higher_is_better else theirs / ours

    def ratio_text(self, row, figure):
        """The ratio, and between what it lay in the rounds."""
        ratio, (best, _) = self.ratio(row, figure), self.best_peer(row, figure)
        if ratio is None:
            return "-"
        pairs = zip(self.values[row, "stoq", figure.name], self.values[row, best, figure.name])
        rounds = [a / b if figure.higher_is_better else b / a for a, b in pairs if a and b]
        return f"{ratio:.2f} ({min(rounds):.2f} to {max(rounds):.2f}, {best})"

    def ceiling(self, name="c_gbps"):
        values = [it[name] for it in self.ceilings]
        return statistics.median(values) if values else None

    # --- Forms ---

    def cell_text(self, row, competitor, figure):
        value = self.median(row.name, competitor.name, figure.name)
        if value is None:
            return "-"
        spread = self.spread(row.name, competitor.name, figure.name)
        return f"{short(value)} ±{spread * 100:.0f}%"

    def table(self):
        header = ["row", "figure", *(it.name for it in self.competitors), "ahead of best peer"]
        lines = [header]
        for row in self.rows:
            for figure in row.figures:
                cells = [self.cell_text(row, it, figure) for it in self.competitors]
                lines.append([row.name, f"{figure.name}, {figure.unit}", *cells,
                              self.ratio_text(row.name, figure)])
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
                         for line in lines)

    def ceiling_text(self):
        u, a, c = (short(self.ceiling(name)) for name in ("u_gbps", "a_gbps", "c_gbps"))
        return f"ceiling, Gbit/s: raw UDP {u}, AES-128-GCM {a}, together {c}"

    def reasons_text(self):
        lines = [f"{name}: takes no part: {reason}" for name, reason in self.absent.items()]
        lines += [f"{name}, {row}: {reason}" for (row, name), reason in sorted(self.reasons.items())]
        return "\n".join(lines)

    def as_json(self):
        cells = [{
            "row": row.name, "competitor": it.name, "figure": figure.name, "unit": figure.unit,
            "median": self.median(row.name, it.name, figure.name),
            "values": self.values.get((row.name, it.name, figure.name), []),
            "reason": self.reasons.get((row.name, it.name)),
        } for row in self.rows for it in self.competitors for figure in row.figures]
        return {"cells": cells, "absent": self.absent, "ceilings": self.ceilings,
                "competitors": [vars(it) for it in self.competitors]}

    def result_line(self):
        figures = {(row.name, figure.name): figure for row in self.rows for figure in row.figures}
        words = {}

        def put(name, value):
            words[name] = "none" if value is None else short(value) if isinstance(value, float) else value

        def ours(row, figure):
            return self.median(row, "stoq", figure)

        def ratio(row, figure):
            return self.ratio(row, figures[row, figure]) if (row, figure) in figures else None

        bulk, ceiling, quinn = ours("bulk_down", "gbps"), self.ceiling(), self.median("bulk_down", "quinn", "gbps")
        put("bulk_gbps", bulk)
        put("bulk_up_gbps", ours("bulk_up", "gbps"))
        put("ceiling_gbps", ceiling)
        put("bulk_share_of_ceiling", bulk / ceiling if bulk and ceiling else None)
        best = figures.get(("bulk_down", "gbps"))
        put("best_peer", self.best_peer("bulk_down", best)[0] if best else None)
        put("bulk_vs_best_peer", ratio("bulk_down", "gbps"))
        put("bulk_up_vs_best_peer", ratio("bulk_up", "gbps"))
        put("bulk_vs_quinn", bulk / quinn if bulk and quinn else None)
        put("requests_per_s", ours("requests_100", "rate"))
        put("requests_vs_best_peer", ratio("requests_100", "rate"))
        put("requests_300_vs_best_peer", ratio("requests_300", "rate"))
        put("p50_us", ours("latency", "p50"))
        put("p99_us", ours("latency", "p99"))
        put("p99_vs_best_peer", ratio("latency", "p99"))
        put("p50_spinning_us", ours("latency_spinning", "p50"))
        put("p99_spinning_us", ours("latency_spinning", "p99"))
        put("p99_beside_bulk_us", ours("latency_beside_bulk", "p99"))
        put("handshakes_per_s", ours("handshakes", "rate"))
        put("handshakes_vs_best_peer", ratio("handshakes", "rate"))
        put("idle_kb", ours("idle_1000", "memory"))
        put("paced_server_cpu", ours("paced", "server_cpu"))
        put("paced_client_cpu", ours("paced", "client_cpu"))
        put("socket_drops", ours("bulk_down", "drops"))
        put("peers", str(len(self.peers())))
        put("heats", str(self.heats))
        put("failed", str(self.failures))
        return "RESULT " + " ".join(f"{name}={value}" for name, value in words.items())


def short(value):
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
