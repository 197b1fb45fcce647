"""Compares tracemill with Python's OpenTelemetry packages; see docs/interop.md.

Ends with 0 when every difference is one that is known and explained there, and with 1 otherwise.
"""

import argparse
import importlib.metadata
import logging
import os
import re
import sys
import time

import differences
import exporter
import propagation
import sampling
import sink

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def table(rows):
    """Rows of text in columns, the first row underlined."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def listed(wrong):
    """The first of a list of findings."""
    return [f"  {text}" for text in wrong[:10]] + ([f"  … {len(wrong)} in all"] if len(wrong) > 10 else [])


def show_versions():
    names = ["opentelemetry-api", "opentelemetry-propagator-b3", "opentelemetry-exporter-otlp-proto-http",
             "opentelemetry-proto", "protobuf"]
    print("python", sys.version.split()[0] + ",",
          ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))


def check_documentation():
    """Every known difference is in docs/interop.md, and no other."""
    with open(os.path.join(ROOT, "docs", "interop.md")) as file:
        documented = set(re.findall(r"^\| `([a-z0-9]+-[a-z0-9-]+)` \|", file.read(), re.MULTILINE))
    known = {difference.name for difference in differences.KNOWN}
    return [f"{name}: not in docs/interop.md" for name in sorted(known - documented)] + [
        f"{name}: in docs/interop.md, but no known difference" for name in sorted(documented - known)]


def compare_propagation(options):
    print("\nPropagators: the same header lines through both, extracted and injected again")
    path = os.path.join(options.output, "unexplained.jsonl")
    result = propagation.run(options.probe, options.seed, options.cases, path)
    counts = list(result["table"].items())
    print(table([["propagators", "cases", "both found", "equal", "explained", "unexplained"]] + [
        [name] + [count[key] for key in ["cases", "found", "equal", "explained", "unexplained"]]
        for name, count in counts]))
    print()
    print(table([["difference (docs/interop.md)", "cases"]] + [
        [difference.name, result["named"][difference.name]] for difference in differences.KNOWN]))
    for case in result["unexplained"][:5]:
        print(f"  {case['propagator']} {case['headers']!r:.400}\n"
              f"    python {case['python']!r:.400}\n    ours   {case['ours']!r:.400}")
    if result["unexplained"]:
        print(f"  all of them: {path}")
    # The examples hold each at least once: one that is gone means that somebody has changed.
    gone = [difference.name for difference in differences.KNOWN if not result["named"][difference.name]]
    print("\n".join(f"  {name}: no longer a difference" for name in gone), end="\n" if gone else "")
    return len(result["unexplained"]) + len(gone)


def compare_sampling(options):
    print("\nRatio sampling: TraceIdRatioBased against Sampler.foreign(.python, …)")
    result = sampling.run(options.probe, options.seed, options.ids)
    print(f"{result['decisions']} decisions, {result['kept']} kept, {len(result['wrong'])} differ; "
          f"our own rule (56 bits, consistent probability sampling) agrees in {result['own_agrees']}")
    print("\n".join(listed(result["wrong"])), end="\n" if result["wrong"] else "")
    return len(result["wrong"])


def compare_sink(options):
    print("\nSink: spans of the Python SDK through its OTLP exporter, read back from tracemill sink")
    result = sink.run(options.tracemill, options.seed, options.spans)
    print(table([["sink, body", "spans", "requests", "bytes", "differences"], *result["rows"]]))
    print("\n".join(listed(result["wrong"])), end="\n" if result["wrong"] else "")
    return len(result["wrong"])


def compare_exporter(options):
    print("\nExporter: our requests through Python's protobuf runtime")
    result = exporter.run(options.probe, options.seed, options.spans)
    print(table([["encoding, body", "spans", "requests", "bytes", "differences"], *result["rows"]]))
    print("\n".join(listed(result["wrong"])), end="\n" if result["wrong"] else "")
    return len(result["wrong"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probe", required=True, help="the program interop-probe")
    parser.add_argument("--tracemill", required=True, help="the program tracemill")
    parser.add_argument("--seed", type=int, default=1, help="of the corpus and of the spans")
    parser.add_argument("--cases", type=int, default=1000, help="generated cases of each propagator")
    parser.add_argument("--ids", type=int, default=1500, help="trace ids for the samplers")
    parser.add_argument("--spans", type=int, default=500, help="spans each way, for every setting")
    parser.add_argument("--output", default=".build-interop", help="where unexplained.jsonl goes")
    options = parser.parse_args()
    os.makedirs(options.output, exist_ok=True)
    # The packages warn of every malformed header, and of every limit that is reached.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    started = time.monotonic()
    show_versions()
    wrong = check_documentation()
    print("\n".join(listed(wrong)), end="\n" if wrong else "")
    count = len(wrong)
    for part in [compare_propagation, compare_sampling, compare_sink, compare_exporter]:
        count += part(options)
    print(f"\ninterop: {'all differences are explained' if count == 0 else f'{count} unexplained'}, "
          f"{time.monotonic() - started:.0f} s")
    sys.exit(0 if count == 0 else 1)


if __name__ == "__main__":
    main()
