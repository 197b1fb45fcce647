#!/usr/bin/env python3
"""Makes GoldenChangePoints.swift: where ruptures (https://centre-borelli.github.io/ruptures-docs)
finds the change points of the series that the tests give to ours.

    python3 -m venv V && V/bin/pip install ruptures==1.1.10 scipy
    V/bin/python Tests/TraceResultsTests/make_golden_changepoints.py \
        > Tests/TraceResultsTests/GoldenChangePoints.swift

The ranks are scipy's midranks; the search is ruptures' exact dynamic programme over every number of
changes, the penalty added here: nothing is shared with PELT, neither the pruning nor the code.
"""
import math
import random

import numpy
import ruptures
import scipy
from scipy import stats

random.seed(20261122)


def changes(values, factor):
    """The cheapest partition at a penalty, by trying every number of changes."""
    ranks = stats.rankdata(values)
    spread = numpy.std(ranks, ddof=1)
    if spread == 0:
        return []
    signal = (ranks / spread).reshape(-1, 1)
    search = ruptures.Dynp(model="l2", min_size=1, jump=1).fit(signal)
    penalty = factor * math.log(len(values))
    cost = ruptures.costs.CostL2().fit(signal)
    best, found = cost.sum_of_costs([len(values)]), []
    for count in range(1, min(8, len(values))):
        ends = search.predict(n_bkps=count)
        total = cost.sum_of_costs(ends) + penalty * count
        if total < best - 1e-9:
            best, found = total, ends[:-1]
    # And ruptures' own PELT must agree with its dynamic programme.
    ends = ruptures.Pelt(model="l2", min_size=1, jump=1).fit(signal).predict(pen=penalty)
    assert ends[:-1] == found, (values, ends, found)
    return found


def steps(levels, lengths, noise):
    return [round(level * math.exp(random.gauss(0, noise)), 3)
            for level, length in zip(levels, lengths) for _ in range(length)]


def series():
    for length in (2, 5, 7, 8, 12, 40):
        yield steps([100], [length], 0.05)
    for length in (3, 4, 5, 10, 25):
        yield steps([100, 120], [length, length], 0.01)
    yield steps([100, 110, 100], [15, 12, 15], 0.02)
    yield steps([100, 90, 95, 80], [20, 10, 18, 9], 0.015)
    yield steps([50, 55], [40, 5], 0.02)
    yield [100.0] * 20
    yield [100.0] * 9 + [101.0] * 9
    yield [float(random.randint(1, 4)) for _ in range(30)]
    yield [float(1 + index // 12 + random.randint(0, 1)) for index in range(48)]
    outliers = steps([100], [30], 0.01)
    outliers[7] *= 40
    outliers[21] *= 90
    yield outliers
    yield [float(index) for index in range(24)]


def main():
    print(f"""// Made by make_golden_changepoints.py with ruptures {ruptures.version.__version__ if hasattr(ruptures, 'version') else '1.1.10'}, scipy {scipy.__version__}: do not edit.

/// Series and the change points that ruptures finds in them.
struct GoldenChangePoints {{
    var values: [Double]
    var penaltyFactor: Double
    var changes: [Int]

    static let all: [GoldenChangePoints] = [""")
    for values in series():
        for factor in (1.5, 2.5, 4):
            found = changes(values, factor)
            text = ", ".join(f"{value:g}" for value in values)
            lines, line = [], ""
            for word in text.split(" "):
                if len(line) + len(word) > 76:
                    lines.append(line.rstrip())
                    line = ""
                line += word + " "
            lines.append(line.rstrip())
            body = "\n                ".join(lines)
            print(f"        GoldenChangePoints(\n            values: [\n                {body},\n"
                  f"            ], penaltyFactor: {factor}, changes: {found}),")
    print("    ]\n}")


if __name__ == "__main__":
    main()
