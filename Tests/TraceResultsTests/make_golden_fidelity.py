#!/usr/bin/env python3
"""Makes GoldenFidelity.swift: what scipy and numpy say of what the tests give to the fidelity functions.

    python3 Tests/TraceResultsTests/make_golden_fidelity.py > Tests/TraceResultsTests/GoldenFidelity.swift

Variances of Horvitz-Thompson totals are not taken from a formula: every possible sample of a small
population is listed with its probability, and the estimates' variance follows from that alone.
"""
import itertools
import random

import numpy
import scipy
from scipy import stats
from scipy.spatial import distance

random.seed(20261122)


def shares():
    """Wilson's interval by scipy.stats.binomtest."""
    rows = []
    for hits, trials in [(0, 10), (1, 10), (3, 17), (50, 100), (99, 100), (997, 1000), (12, 4711)]:
        interval = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
        rows.append(f"({hits}, {trials}, {float(interval.low)!r}, {float(interval.high)!r})")
    return rows


def totals():
    """Score intervals of a total by solving |estimate - N| = z sqrt(share N) with scipy's brentq."""
    from scipy.optimize import brentq

    z = stats.norm.ppf(0.975)
    rows = []
    for estimate, share in [(10, 9), (40, 9), (1000, 99), (123.5, 3.25), (7, 0.5)]:
        def gap(total):
            return (estimate - total) ** 2 - z * z * share * total

        low = brentq(gap, 1e-9, estimate, xtol=1e-13, rtol=1e-14)
        high = brentq(gap, estimate, 1e7, xtol=1e-11, rtol=1e-14)
        rows.append(f"({estimate}, {estimate * share}, {float(low)!r}, {float(high)!r})")
    return rows


def mixes():
    """Entropy and Jensen-Shannon divergence in bits."""
    rows = []
    for size in [1, 2, 3, 8, 20]:
        left = [random.randint(0, 40) for _ in range(size)]
        right = [random.randint(0, 40) for _ in range(size)]
        left[0] += 1
        right[-1] += 1
        entropy = float(stats.entropy(right, base=2))
        divergence = float(distance.jensenshannon(left, right, base=2)) ** 2
        rows.append(f"({left}, {right}, {entropy!r}, {divergence!r})")
    return rows


def quantiles():
    """Weighted quantiles by numpy's inverted distribution function."""
    rows = []
    for count in [1, 2, 5, 40, 700]:
        values = [int(random.lognormvariate(14, 2)) for _ in range(count)]
        weights = [random.choice([1, 2, 4, 10]) for _ in range(count)]
        wanted = [
            int(numpy.quantile(values, q, weights=weights, method="inverted_cdf"))
            for q in [0.1, 0.5, 0.9, 0.99]
        ]
        rows.append(f"({values}, {weights}, {wanted})")
    return rows


def variances():
    """Mean of the estimated variance over all samples, and the variance of the estimates themselves.

    Units have parts that are kept with probabilities of their own, by one random number for each unit.
    """
    rows = []
    for units in [
        [[(0.5, 3)], [(0.5, 1)], [(0.5, 4)]],
        [[(0.1, 2)], [(0.25, 5)], [(1.0, 7)], [(0.5, 1)]],
        [[(0.5, 3), (0.25, 2)], [(0.1, 1), (0.2, 4)], [(0.75, 2), (0.5, 1), (0.25, 6)]],
    ]:
        # Outcomes of a unit: which of its parts are kept, by falling probability.
        outcomes = []
        for unit in units:
            levels = sorted({p for p, _ in unit}, reverse=True)
            edges = levels + [0]
            choices = [(1 - levels[0], [])]
            for index, level in enumerate(levels):
                kept = [part for part in unit if part[0] >= level]
                choices.append((level - edges[index + 1], kept))
            outcomes.append(choices)
        total = sum(y for unit in units for _, y in unit)
        mean = second = 0.0
        for sample in itertools.product(*outcomes):
            probability = numpy.prod([p for p, _ in sample])
            estimate = sum(y / p for _, kept in sample for p, y in kept)
            mean += probability * estimate
            second += probability * estimate**2
        assert abs(mean - total) < 1e-9
        text = ", ".join(
            "[" + ", ".join(
                f"({float(probability)!r}, [" + ", ".join(f"({p!r}, {float(y)!r})" for p, y in kept) + "])"
                for probability, kept in choices) + "]"
            for choices in outcomes)
        rows.append(f"([{text}], {float(second - mean**2)!r})")
    return rows


def show(name, signature, rows):
    print(f"    static let {name}: [{signature}] = [")
    for row in rows:
        print(f"        {row},")
    print("    ]")


print(f"// Made by make_golden_fidelity.py with scipy {scipy.__version__} and numpy {numpy.__version__}: not "
      "edited by hand.")
print("// swift-format-ignore-file")
print()
print("enum GoldenFidelity {")
print(f"    static let z = {float(stats.norm.ppf(0.975))!r}")
show("shares", "(hits: Double, trials: Double, lower: Double, upper: Double)", shares())
show("totals", "(estimate: Double, variance: Double, lower: Double, upper: Double)", totals())
show("mixes", "(left: [Double], right: [Double], entropyBits: Double, divergenceBits: Double)", mixes())
show("quantiles", "(values: [UInt64], weights: [Double], wanted: [UInt64])", quantiles())
print("    typealias Outcome = (probability: Double, kept: [(probability: Double, sum: Double)])")
show("variances", "(units: [[Outcome]], variance: Double)", variances())
print("}")
