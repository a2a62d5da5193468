#!/usr/bin/env python3
"""Shows how well each signal separates kinds of documents.

    scripts/audit.py OUTPUT [PICTURE]

OUTPUT is a folder of JSON lines that `score --output-format json` wrote, with a column kind. Prints the
median of each signal for each kind, and the area under the ROC for each pair of kinds: the probability
that a signal is higher for a document of the first kind than for one of the second; ties count half.
PICTURE is an SVG file to write: one row of dots for each kind, one dot for each document.
"""

import itertools
import json
import math
import pathlib
import statistics
import sys

SIGNALS = ["perplexity", "entropy", "min_k", "min_k_plus_plus", "curvature", "longest_greedy_run"]
LOGARITHMIC = {"perplexity", "longest_greedy_run"}
COLORS = ["#2563eb", "#d97706", "#9333ea"]
WIDTH, LEFT, ROW, GAP = 760, 200, 14, 34


def area(first, second):
    """The area under the ROC, by counting pairs."""
    wins = sum((a > b) + 0.5 * (a == b) for a, b in itertools.product(first, second))
    return wins / (len(first) * len(second))


def table(documents, kinds):
    pairs = list(itertools.combinations(kinds, 2))
    print("| signal | " + " | ".join(f"median, {kind}" for kind in kinds), end=" | ")
    print(" | ".join(f"area, {a} over {b}" for a, b in pairs), "|")
    print("|---" * (1 + len(kinds) + len(pairs)) + "|")
    for signal in SIGNALS:
        values = {kind: [d[signal] for d in documents if d["kind"] == kind] for kind in kinds}
        cells = [f"{statistics.median(values[kind]):,.2f}" for kind in kinds]
        cells += [f"{area(values[a], values[b]):.3f}" for a, b in pairs]
        print(f"| `{signal}` | " + " | ".join(cells) + " |")


def picture(documents, kinds):
    height = len(SIGNALS) * (len(kinds) * ROW + GAP)
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for i, signal in enumerate(SIGNALS):
        scale = (lambda x: math.log(x + 1)) if signal in LOGARITHMIC else (lambda x: x)
        values = [scale(d[signal]) for d in documents]
        low, span = min(values), (max(values) - min(values)) or 1
        top = i * (len(kinds) * ROW + GAP)
        axis = " (logarithmic)" if signal in LOGARITHMIC else ""
        ends = min(d[signal] for d in documents), max(d[signal] for d in documents)
        svg.append(f'<text x="8" y="{top + 14}" font-weight="bold">{signal}{axis}</text>')
        svg.append(f'<text x="{LEFT}" y="{top + 14}" fill="#555">{ends[0]:,.2f}</text>')
        svg.append(f'<text x="{WIDTH - 8}" y="{top + 14}" fill="#555" text-anchor="end">{ends[1]:,.2f}</text>')
        for j, kind in enumerate(kinds):
            y = top + 22 + j * ROW
            svg.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{kind}</text>')
            for document in documents:
                if document["kind"] == kind:
                    x = LEFT + (WIDTH - LEFT - 8) * (scale(document[signal]) - low) / span
                    svg.append(
                        f'<circle cx="{x:.1f}" cy="{y}" r="3" fill="{COLORS[j % len(COLORS)]}" fill-opacity="0.35"/>'
                    )
    return "\n".join(svg + ["</svg>", ""])


def main(output, picture_file=None):
    documents = []
    for file in sorted(pathlib.Path(output).glob("part-*")):
        for line in file.read_text(encoding="utf-8").splitlines():
            documents.append(json.loads(line))
    documents = [d for d in documents if all(d.get(signal) is not None for signal in SIGNALS)]
    kinds = list(dict.fromkeys(d["kind"] for d in documents))
    table(documents, kinds)
    if picture_file:
        pathlib.Path(picture_file).write_text(picture(documents, kinds), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
