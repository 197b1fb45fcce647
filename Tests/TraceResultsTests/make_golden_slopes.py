#!/usr/bin/env python3
"""Prints GoldenSlopes.swift: slopes and their intervals by scipy.stats.theilslopes (pip install scipy).

    python3 make_golden_slopes.py > GoldenSlopes.swift
"""
import random

from scipy.stats import theilslopes

numbers = random.Random(11)
CASES = {
    "a line": [(x, 2 * x + 1) for x in range(8)],
    "flat": [(x, 5) for x in range(10)],
    "a step": [(x, 3 if x < 12 else 9) for x in range(24)],
    "noise": [(x, round(numbers.gauss(0, 1), 3)) for x in range(40)],
    "drift": [(x * 0.7, round(0.05 * x + numbers.gauss(0, 0.4), 3)) for x in range(50)],
    "falling, ties in both": [(x // 2, -(x // 3)) for x in range(30)],
    "outliers": [(x, 0.5 * x + (100 if x % 7 == 3 else numbers.gauss(0, 0.1))) for x in range(35)],
}

print("// Written by make_golden_slopes.py; do not edit.")
print("enum GoldenSlopes {")
print("    struct Case {")
print("        var name: String")
print("        var x: [Double]")
print("        var y: [Double]")
print("        var slope: Double")
print("        var lower: Double")
print("        var upper: Double")
print("    }")
print("    static let cases: [Case] = [")
for name, points in CASES.items():
    x = [round(float(point[0]), 4) for point in points]
    y = [round(float(point[1]), 4) for point in points]
    found = theilslopes(y, x, alpha=0.95)
    print("        Case(")
    print(f'            name: "{name}",')
    for axis, values in (("x", x), ("y", y)):
        print(f"            {axis}: {values},")
    print(f"            slope: {float(found.slope)!r},")
    print(f"            lower: {float(found.low_slope)!r},")
    print(f"            upper: {float(found.high_slope)!r}),")
print("    ]")
print("}")
