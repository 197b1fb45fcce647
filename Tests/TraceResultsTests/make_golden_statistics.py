#!/usr/bin/env python3
"""Makes GoldenStatistics.swift: what scipy says of the samples that the tests give to our statistics.

    python3 Tests/TraceResultsTests/make_golden_statistics.py > Tests/TraceResultsTests/GoldenStatistics.swift

scipy has no interval for the signed-rank test, so it is inverted here by asking scipy's exact test
between every two neighbouring Walsh averages; likewise for the rank-sum test.
"""
import itertools
import random

import numpy
import scipy
from scipy import stats

random.seed(20261121)


def walsh(values):
    return sorted((values[i] + values[j]) / 2 for i in range(len(values)) for j in range(i, len(values)))


def inverted(points, p_of, alpha):
    """The closure of the shifts that a test keeps, given where its p can change."""
    points = sorted(set(points))
    edges = [points[0] - 1] + points + [points[-1] + 1]
    kept = [
        i for i in range(len(edges) - 1)
        if p_of((edges[i] + edges[i + 1]) / 2) > alpha * (1 + 1e-9)
    ]
    low = edges[kept[0]] if kept[0] > 0 else float("-inf")
    high = edges[kept[-1] + 1] if kept[-1] < len(edges) - 2 else float("inf")
    return low, high


def number(value):
    if value == float("inf"):
        return ".infinity"
    if value == float("-inf"):
        return "-.infinity"
    return repr(float(value))


def numbers(values):
    return "[" + ", ".join(number(v) for v in values) + "]"


def rows(name, type_, lines):
    print(f"    static let {name}: [{type_}] = [")
    for line in lines:
        print(f"        {line},")
    print("    ]\n")


def sample(count, location, scale, digits=4):
    return [round(random.gauss(location, scale), digits) for _ in range(count)]


def main():
    print("// Made by make_golden_statistics.py with scipy", scipy.__version__ + ": not edited by hand.")
    print("// swift-format-ignore-file\n")
    print("enum GoldenStatistics {")

    lines = []
    for count in (5, 6, 8, 10, 13, 15, 20, 24, 30):
        for confidence in (0.9, 0.95, 0.975, 0.9944):
            values = sample(count, 0.03, 0.05, 6)
            low, high = inverted(
                walsh(values),
                lambda shift: stats.wilcoxon([v - shift for v in values], method="exact").pvalue,
                1 - confidence)
            estimate = numpy.median(walsh(values))
            lines.append(
                f"({numbers(values)}, {confidence}, {number(estimate)}, {number(low)}, {number(high)})")
    rows("signedRankIntervals",
         "(values: [Double], confidence: Double, estimate: Double, lower: Double, upper: Double)", lines)

    lines = []
    for count in (5, 9, 14, 25, 40):
        for location in (0.0, 0.02):
            values = sample(count, location, 0.05, 6)
            lines.append(f"({numbers(values)}, {number(stats.wilcoxon(values, method='exact').pvalue)})")
    # With ties and zeros: scipy's permutation of the signs, all of them, zeros dropped.
    for count in (6, 8, 10):
        values = [random.choice([-2, -1, -1, 0, 1, 1, 2, 3]) for _ in range(count)]
        kept = [v for v in values if v]
        p = stats.wilcoxon(
            kept, method=stats.PermutationMethod(n_resamples=2 ** len(kept) + 1)).pvalue
        lines.append(f"({numbers(values)}, {number(p)})")
    rows("signedRankTests", "(values: [Double], pValue: Double)", lines)

    lines = []
    for left, right in ((3, 4), (5, 5), (8, 6), (15, 15), (20, 7)):
        for shift in (0.0, 1.0):
            a, b = sample(left, shift, 1), sample(right, 0, 1)
            got = stats.mannwhitneyu(a, b, method="exact")
            lines.append(
                f"({numbers(a)}, {numbers(b)}, {number(got.statistic)}, {number(got.pvalue)}, true)")
    for left, right in ((8, 9), (20, 20)):
        a = [float(random.randint(0, 6)) for _ in range(left)]
        b = [float(random.randint(1, 7)) for _ in range(right)]
        got = stats.mannwhitneyu(a, b, method="asymptotic")
        lines.append(
            f"({numbers(a)}, {numbers(b)}, {number(got.statistic)}, {number(got.pvalue)}, false)")
    a, b = sample(110, 0.2, 1, 9), sample(100, 0, 1, 9)
    got = stats.mannwhitneyu(a, b, method="asymptotic")
    lines.append(f"({numbers(a)}, {numbers(b)}, {number(got.statistic)}, {number(got.pvalue)}, false)")
    rows("rankSumTests",
         "(first: [Double], second: [Double], statistic: Double, pValue: Double, isExact: Bool)", lines)

    lines = []
    for left, right, confidence in ((4, 5, 0.9), (6, 6, 0.95), (10, 8, 0.95), (15, 12, 0.975)):
        a, b = sample(left, 0.5, 1), sample(right, 0, 1)
        differences = [x - y for x, y in itertools.product(a, b)]
        low, high = inverted(
            differences,
            lambda shift: stats.mannwhitneyu([x - shift for x in a], b, method="exact").pvalue,
            1 - confidence)
        lines.append(
            f"({numbers(a)}, {numbers(b)}, {confidence}, {number(numpy.median(differences))}, "
            f"{number(low)}, {number(high)})")
    rows("shiftIntervals",
         "(first: [Double], second: [Double], confidence: Double, estimate: Double, lower: Double, "
         "upper: Double)", lines)

    lines = []
    for hits, trials in ((0, 1), (0, 59), (1, 59), (57, 60), (60, 60), (3, 200), (100, 353), (997, 1000)):
        for confidence in (0.9, 0.95):
            got = stats.binomtest(hits, trials).proportion_ci(confidence, method="exact")
            lines.append(f"({hits}, {trials}, {confidence}, {number(got.low)}, {number(got.high)})")
    rows("binomialShares",
         "(hits: Int, trials: Int, confidence: Double, lower: Double, upper: Double)", lines)

    lines = []
    for count, paired in ((15, True), (25, True), (20, False)):
        base = [round(random.lognormvariate(5, 0.05), 3) for _ in range(count)]
        head = [round(v * random.lognormvariate(0.04, 0.02), 3) for v in base]
        got = stats.bootstrap(
            (numpy.array(head), numpy.array(base)),
            lambda h, b, axis=-1: numpy.median(h, axis=axis) / numpy.median(b, axis=axis),
            paired=paired, vectorized=True, n_resamples=200_000, method="percentile",
            rng=numpy.random.default_rng(1), batch=2000).confidence_interval
        lines.append(
            f"({numbers(head)}, {numbers(base)}, {'true' if paired else 'false'}, "
            f"{number(got.low)}, {number(got.high)})")
    rows("bootstraps",
         "(numerators: [Double], denominators: [Double], isPaired: Bool, lower: Double, upper: Double)",
         lines)
    print("}")


if __name__ == "__main__":
    main()
