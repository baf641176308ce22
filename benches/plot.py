#!/usr/bin/env python3
"""Draws what `hookyard bench --json` printed: a bar for each scenario that has a rate.

    hookyard bench --rounds 5 --json > bench.json
    python3 benches/plot.py bench.json docs/performance.svg

Needs matplotlib.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

# What each scenario is, in the order in which they are shown.
SCENARIOS = {
    "wire": "wire: load generator into receiver",
    "handler": "handler: actix-web that does nothing",
    "http": "http: durable and delivered",
    "hundred": "the same, 100 hooks, one matches",
    "keyed": "the same, with idempotency keys",
    "accept": "accept: durable, no hook matches",
    "emit": "emit in-process, delivered",
    "record": "emit in-process, no hook matches",
    "fanout": "fan-out to 100 hooks (deliveries)",
}
BASELINES = {"wire", "handler"}


def main(source: str, target: str) -> None:
    with open(source, encoding="utf-8") as lines:
        rows = {row["scenario"]: row for row in map(json.loads, lines)}
    shown = [name for name in SCENARIOS if rows.get(name, {}).get("per_second")]
    if not shown:
        sys.exit(f"{source} has no scenario with a rate")
    rates = [rows[name]["per_second"] for name in shown]
    figure, axes = plt.subplots(figsize=(9, 0.45 * len(shown) + 1))
    colours = ["#b8b8b8" if name in BASELINES else "#2a6f97" for name in shown]
    bars = axes.barh([SCENARIOS[name] for name in shown], rates, color=colours)
    axes.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, max(rates) * 1.15)
    axes.set_xlabel("per second, median of the rounds")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
