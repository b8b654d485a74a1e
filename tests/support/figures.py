"""What a benchmark in Python is started with and prints: one JSON object a line, as legion-bench does."""

import argparse
import json
import statistics
import sys


def arguments(what):
    """The command line of a benchmark. `what`: its first lines."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter: shows that it works, no more")
    return parser.parse_args()


def line(bench, value, unit, baseline=None, baseline_value=None, **extras):
    """Prints one figure. `ratio` is value / baseline_value, or null without one."""
    ratio = rounded(value / baseline_value) if baseline_value and value is not None else None
    figures = {"bench": bench, "value": rounded(value), "unit": unit, "baseline": baseline,
               "baseline_value": rounded(baseline_value), "ratio": ratio}
    print(json.dumps({**figures, **{k: rounded(v) for k, v in extras.items()}}), flush=True)


def say(text):
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


def rounded(value):
    """Floats with four digits that count, within lists and dicts too."""
    if isinstance(value, float):
        return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return value


def median(values):
    return statistics.median(values) if values else 0.0


def mean(values):
    return statistics.fmean(values) if values else 0.0


def straight_line(xs, ys):
    """Least squares of y = a + b * x: (a, b, largest distance of a point from the line)."""
    slope, intercept = statistics.linear_regression(xs, ys)
    return intercept, slope, max(abs(intercept + slope * x - y) for x, y in zip(xs, ys))
