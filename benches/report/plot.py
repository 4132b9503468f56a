"""Lookup times of others as multiples of ours: an SVG for the README."""

import math

from report.measured import BATCHES, SHAPES, name, ratio

SHAPE = SHAPES[1]
LINES = {
    "ndarray": "#d62728",
    "candle": "#9467bd",
    "burn": "#8c564b",
    "gemm": "#1f77b4",
    "faer": "#2ca02c",
    "torch": "#ff7f0e",
    "torch out=": "#ff7f0e",
    "numpy": "#7f7f7f",
}
LABELS = {"ndarray": "ndarray select + dot", "torch": "PyTorch", "torch out=": "PyTorch, out=", "numpy": "NumPy, out="}
DASHED = {"torch out="}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 400, 60, 170, 54, 52
STYLE = "font-family:sans-serif;font-size:13px;fill:#333"


def svg(run):
    """None where there is nothing to draw."""
    lines = {contender: ratios(run, contender) for contender in LINES}
    lines = {contender: values for contender, values in lines.items() if any(values)}
    if not lines:
        return None
    highest = max(value for values in lines.values() for value in values if value)
    lowest = min(1.0, *(value for values in lines.values() for value in values if value))
    low, high = math.floor(math.log2(lowest) * 2) / 2, math.ceil(math.log2(highest) * 2) / 2 + 1e-9

    def x(i):
        return LEFT + (WIDTH - LEFT - RIGHT) * i / (len(BATCHES) - 1)

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log2(value) - low) / (high - low)

    _, rank, dim = SHAPE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(
            LEFT,
            22,
            f"Time of a lookup of n ids, as a multiple of ours (d = {dim}, r = {rank}, one thread)",
            weight="bold",
        ),
        text(LEFT, 40, "gather and multiply with other libraries; below the thick line they are faster", size=12),
        text(x((len(BATCHES) - 1) / 2), HEIGHT - 12, "n, uniform ids", anchor="middle"),
    ]
    for value in (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 32, 64):
        if low <= math.log2(value) <= high:
            stroke = 'stroke="#333" stroke-width="2.5"' if value == 1 else 'stroke="#ddd"'
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" {stroke}/>')
            parts.append(text(LEFT - 8, y(value) + 4, f"{value:g}", anchor="end"))
    for i, n in enumerate(BATCHES):
        parts.append(text(x(i), HEIGHT - BOTTOM + 18, f"{n:,}", anchor="middle"))
    for place, (contender, values) in enumerate(lines.items()):
        color, dash = LINES[contender], ' stroke-dasharray="5 3"' if contender in DASHED else ""
        points = [(x(i), y(value)) for i, value in enumerate(values) if value]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in points]
        key_x, key_y = WIDTH - RIGHT + 14, TOP + 14 + 22 * place
        parts.append(
            f'<line x1="{key_x}" x2="{key_x + 22}" y1="{key_y}" y2="{key_y}" stroke="{color}" stroke-width="2"{dash}/>'
        )
        parts.append(text(key_x + 28, key_y + 4, LABELS.get(contender, contender), size=12))
    return "\n".join([*parts, "</svg>", ""])


def ratios(run, contender):
    workloads = [f"lookup/{name(SHAPE)}/n{n}" for n in BATCHES]
    return [ratio(run.peer(workload, 1, contender), run.peer(workload, 1, "ours")) for workload in workloads]


def text(x, y, words, anchor="start", size=13, weight="normal"):
    style = STYLE.replace("13px", f"{size}px")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" style="{style}">{words}</text>'
