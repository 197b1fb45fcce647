"""Decisions of Python's TraceIdRatioBased against our rendering of it, and against our own rule."""

import json
import random
import subprocess

from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

import corpus

_RATIOS = [0.0, 1.0, 0.5, 0.1, 0.25, 0.3, 1 / 3, 0.01, 0.999, 1e-3, 2 ** -20, 2 ** -56, 1e-18, 2 ** -64,
           1 - 2 ** -53, 0.9999999999]


def _trace_ids(seed, count):
    """Ids of the corpus, random ones, and ones about each ratio's bound."""
    found = {corpus.TRACE, "0" * 31 + "1", "f" * 32, "f" * 16 + "0" * 16, "0" * 16 + "8" + "0" * 15}
    for case in corpus.cases(seed, 100):
        for name, value in case["headers"]:
            if name.lower() == "traceparent" and len(value.strip()) == 55:
                trace = value.strip()[3:35]
                if all(digit in "0123456789abcdef" for digit in trace):
                    found.add(trace)
    draw = random.Random(seed)
    while len(found) < count:
        found.add(f"{draw.getrandbits(128):032x}")
    for ratio in _RATIOS:
        bound = TraceIdRatioBased.get_bound_for_rate(ratio)
        for low in range(max(0, bound - 2), min(2 ** 64, bound + 3)):
            found.add(f"{draw.getrandbits(64):016x}{low:016x}")
    return sorted(found)


def run(probe, seed, count):
    """Compares; returns how many agreed, and the differences."""
    questions = [
        {"id": number, "trace": trace, "ratio": ratio}
        for number, (trace, ratio) in enumerate(
            (trace, ratio) for trace in _trace_ids(seed, count) for ratio in _RATIOS)]
    output = subprocess.run(
        [probe, "sample"], input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True, text=True, check=True, timeout=120)
    lines = [json.loads(line) for line in output.stdout.split("\n") if line]
    if [line["id"] for line in lines] != [question["id"] for question in questions]:
        raise RuntimeError("the probe did not answer every question in order")
    samplers = {ratio: TraceIdRatioBased(ratio) for ratio in _RATIOS}
    wrong, kept, own_agrees = [], 0, 0
    for question, line in zip(questions, lines):
        result = samplers[question["ratio"]].should_sample(None, int(question["trace"], 16), "interop")
        keeps = result.decision is Decision.RECORD_AND_SAMPLE
        kept += keeps
        own_agrees += keeps == line["own"]
        if keeps != line["python"]:
            wrong.append(f"{question['trace']} at {question['ratio']!r}: Python {keeps}, ours {line['python']}")
    return {"decisions": len(questions), "kept": kept, "own_agrees": own_agrees, "wrong": wrong}
