#!/usr/bin/env python3
"""Makes TailShareVectors.swift: FNV-1a hashes of salts and trace ids, and how many of 1,000 traces shares keep.

python3 Tests/TracePipelineTests/tail_share.py > Tests/TracePipelineTests/TailShareVectors.swift
"""
from fractions import Fraction

MASK = (1 << 64) - 1


def fnv1a(data):
    value = 14695981039346656037
    for byte in data:
        value = ((value ^ byte) * 1099511628211) & MASK
    return value


def mix(x):
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


# The published vectors of FNV-1a, 64 bits.
assert fnv1a(b"") == 0xCBF29CE484222325
assert fnv1a(b"a") == 0xAF63DC4C8601EC8C
assert fnv1a(b"foobar") == 0x85944171F73967E8


def hashed(salt, high, low):
    salt = salt or "default-hash-seed"
    return fnv1a(salt.encode() + high.to_bytes(8, "big") + low.to_bytes(8, "big"))


def grouped(number):
    digits = f"{number:016X}"
    return "0x" + "_".join(digits[at : at + 4] for at in range(0, 16, 4))


print("// Made by tail_share.py; see there.\n")
print("enum TailShareVectors {")
print("    static let hashes: [(salt: String, high: UInt64, low: UInt64, hash: UInt64)] = [")
ids = [(0, 1), (0x0102030405060708, 0x090A0B0C0D0E0F10), (MASK, MASK), (mix(5), mix(6))]
for salt in ["", "seed", "größe"]:
    for high, low in ids:
        print(f"        (\"{salt}\", {grouped(high)}, {grouped(low)}, {grouped(hashed(salt, high, low))}),")
print("    ]")
print("    static let kept: [(share: Double, traces: Int)] = [")
for share in [0.0, 1e-9, 0.001, 0.01, 0.1, 1 / 3, 0.5, 0.9, 0.999999, 1.0]:
    threshold = int(Fraction(share) * MASK)
    kept = sum(
        hashed("", mix(i), mix((i + 9) & MASK)) <= threshold for i in range(1000)
    ) if share > 0 else 0
    print(f"        ({share!r}, {kept}),")
print("    ]")
print("}")
