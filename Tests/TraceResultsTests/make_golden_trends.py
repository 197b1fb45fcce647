#!/usr/bin/env python3
"""Prints GoldenTrends.swift: Mann's test for a trend by pymannkendall (pip install pymannkendall).

    python3 make_golden_trends.py > GoldenTrends.swift
"""
import random

import pymannkendall

CASES = {
    "rising": [1, 2, 3, 4, 5, 6, 7, 8],
    "falling": [9.5, 8, 7.5, 6, 5, 4.5, 3, 1, 0.5],
    "ties": [1, 1, 2, 2, 3, 2, 3, 3, 4, 4, 4, 1],
    "flat": [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9],
    "balanced": [5, 1, 8, 2, 7, 3, 6, 4],
}
numbers = random.Random(7)
CASES["noise"] = [round(numbers.gauss(0, 1), 3) for _ in range(60)]
CASES["drift"] = [round(0.02 * place + numbers.gauss(0, 0.5), 3) for place in range(60)]

print("// Written by make_golden_trends.py; do not edit.")
print("enum GoldenTrends {")
print("    static let cases: [(name: String, values: [Double], tau: Double, pValue: Double)] = [")
for name, values in CASES.items():
    found = pymannkendall.original_test(values)
    lines = ", ".join(str(float(value)) for value in values)
    print(f'        ("{name}", [{lines}], {float(found.Tau)!r}, {float(found.p)!r}),')
print("    ]")
print("}")
