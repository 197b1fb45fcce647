#!/usr/bin/env python3
"""Counts the instructions of each hot piece with callgrind and holds them against the budgets.

A piece runs twice, in two processes, the second time twice as often. What an iteration takes must be the
same to 0.1%, but for what the C library and the allocator do, which comes in bursts. Only what runs
between entry and return of the command's marker function is counted: start-up is not in the figures.
Exit code 1 when a budget is
exceeded, a count does not repeat or a piece fails; 0 with a line that says so when nothing could be
compared (another compiler, another processor, no valgrind).
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import platform
import re
import shutil
import sys
import tempfile

from callgrind import PieceFailed, run_piece
from disassembly import Binary, compiler, demangled, run, short
from runtime_calls import executed_checks, kind_of, lines_of

HERE = pathlib.Path(__file__).resolve().parent
BUDGETS = HERE / "budgets.json"
# Of the first run and of the second.
ITERATIONS = (8192, 16384)
# By how much an iteration may differ between the two.
REPEATABILITY = 0.001
# By how much a count may exceed its budget, or an instruction, whichever is more: what a new budget says.
TOLERANCE = 0.02
# Kinds of runtime calls that are counted as they happen.
CALL_KINDS = ["references", "allocation", "exclusivity"]

MALLOC = {"malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign"}

# The way of a span of five attributes, stage by stage, each a difference of pieces.
STAGES = [
    ("start", [("start", 1), ("liveLoop", -1)]),
    ("five attributes", [("sampledSpan", 1), ("bareSpan", -1)]),
    ("end", [("bareSpan", 1), ("start", -1), ("liveLoop", 1)]),
    ("drain", [("encode", 1)]),
]
# What the allocator does is its own affair; the piece is there to test the counting of allocations.
UNCOUNTED = {"allocation"}
# Whose functions are shown.
PROFILED = ["sampledSpan", "encode"]


def libc():
    return " ".join(platform.libc_ver())


class Count:
    """What an iteration of one piece takes."""

    def __init__(self, profiles, own):
        self.instructions = profiles[1].total / ITERATIONS[1]
        self.libraries = profiles[1].of_libraries(own) / ITERATIONS[1]
        few, many = ((profile.total - profile.of_libraries(own)) / count
                     for profile, count in zip(profiles, ITERATIONS))
        self.spread = abs(few - many) / many
        # Callgrind counts calls in what is not measured, too: the second run has so many iterations more.
        calls = profiles[1].calls.copy()
        calls.subtract(profiles[0].calls)
        self.calls = dict.fromkeys(CALL_KINDS, 0)
        for (caller, name), count in calls.items():
            kind = kind_of(name)
            # One kind's functions call each other; and what Swift allocates it allocates by malloc.
            if kind not in CALL_KINDS or kind_of(caller) == kind and name not in MALLOC:
                continue
            if kind != "allocation" or name in MALLOC:
                self.calls[kind] += count / (ITERATIONS[1] - ITERATIONS[0])
        self.executed = profiles[1].executed
        self.functions = {name: cost / ITERATIONS[1]
                          for name, cost in profiles[1].functions.items()}


def count_checks(binary, counts):
    """Adds how many of the branches that ran stand before a trap."""
    for count in counts.values():
        checks = executed_checks(binary, count.executed)
        count.checks = sum(checks.values()) / ITERATIONS[1]
        count.check_places = {address: times / ITERATIONS[1] for address, times in checks.items()}


def measure(binary, pieces, jobs):
    """Both runs of every piece; what was measured, and what failed."""
    counts, failures = {}, []
    with tempfile.TemporaryDirectory(prefix="tracemill-instructions-") as folder:
        own = "tracemill"
        copy = os.path.join(folder, own)
        # Callgrind chokes on the debug information, and needs the names.
        run(["objcopy", "--strip-debug", binary, copy])
        with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
            futures = {piece: [pool.submit(run_piece, copy, piece, iterations, folder)
                               for iterations in ITERATIONS] for piece in pieces}
            for piece in pieces:
                try:
                    results = [future.result() for future in futures[piece]]
                except PieceFailed as failure:
                    failures.append(str(failure))
                    continue
                counts[piece] = Count(results, own)
    for piece, count in counts.items():
        if count.spread > REPEATABILITY:
            failures.append(f"{piece}: an iteration differs by {count.spread:.2%} between two runs,"
                            f" more than {REPEATABILITY:.1%}")
    return counts, failures


def judge(counts, budgets, same_libc):
    """A row for each piece: name, budget, found, excess, verdict. Without the C library's share where that
    is another one."""
    rows = []
    for piece, count in counts.items():
        budget = budgets.get(piece)
        found = count.instructions - (0 if same_libc else count.libraries)
        if budget is None:
            rows.append((piece, None, found, None, "no budget"))
            continue
        allowed = budget["instructions"] - (0 if same_libc else budget["libraries"])
        excess = found / allowed - 1
        slack = max(budget["tolerance"] * allowed, 1)
        more = [f"{kind} {count.calls[kind]:.2f} > {budget['calls'].get(kind, 0):.2f}"
                for kind in CALL_KINDS
                if count.calls[kind] > budget["calls"].get(kind, 0) + 0.005]
        if count.checks > budget.get("checks", 0) + 0.5:
            more.append(f"checks {count.checks:.1f} > {budget.get('checks', 0):.1f}")
        if found > allowed + slack or more:
            verdict = ", ".join(["EXCEEDED"] + more)
        elif found < allowed - slack:
            verdict = "lower"
        else:
            verdict = "holds"
        rows.append((piece, allowed, found, excess, verdict))
    return rows


def aligned(lines):
    """Columns, the first to the left, the others to the right but for a last one of words."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if column in (0, len(line) - 1) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def table(rows, counts):
    lines = [["piece", "budget", "found", "", "libc", "checks", *CALL_KINDS, ""]]
    for piece, allowed, found, excess, verdict in rows:
        count = counts[piece]
        lines.append([
            piece, "–" if allowed is None else f"{allowed:.1f}", f"{found:.1f}",
            "" if excess is None else f"{excess:+.1%}", f"{count.libraries:.1f}", f"{count.checks:.1f}",
            *(f"{count.calls[kind]:.2f}" for kind in CALL_KINDS), verdict])
    return "instructions an iteration\n\n" + aligned(lines)


def stages(counts):
    """The stages' instructions, where their pieces were run."""
    return {title: sum(counts[piece].instructions * sign for piece, sign in parts)
            for title, parts in STAGES if all(piece in counts for piece, _ in parts)}


def stage_table(counts):
    by_stage = stages(counts)
    if not by_stage:
        return ""
    lines = [["stage of a span with five attributes", "instructions"]]
    lines += [[title, f"{count:.0f}"] for title, count in by_stage.items()]
    lines.append(["sum", f"{sum(by_stage.values()):.0f}"])
    return aligned([[*line, ""] for line in lines])


def function_table(counts):
    lines = [["function", "piece", "instructions"]]
    for piece in PROFILED:
        if piece not in counts:
            continue
        functions = sorted(counts[piece].functions.items(), key=lambda item: -item[1])
        shown = [item for item in functions if item[1] >= 1]
        plain = demangled(name for name, _ in shown)
        lines += [[short(plain[name])[:72], piece, f"{cost:.1f}"] for name, cost in shown]
    return aligned([[*line, ""] for line in lines]) if len(lines) > 1 else ""


def check_table(binary, counts):
    """Each check that ran, by its source lines."""
    lines = [["check", "pieces", "an iteration"]]
    places = {}
    for piece, count in counts.items():
        for address, times in count.check_places.items():
            if times >= 0.01:
                places.setdefault(address, []).append((piece, times))
    sources = lines_of(binary.path, sorted(places))
    for address, found in sorted(places.items()):
        pieces = ", ".join(piece for piece, _ in found[:3]) + (" …" if len(found) > 3 else "")
        lines.append([sources.get(address) or f"{address:x}", pieces,
                      f"{max(times for _, times in found):.2f}"])
    return aligned([[*line, ""] for line in lines])


def document(counts, rows):
    verdicts = {row[0]: row[4] for row in rows}
    return {
        "schema": "tracemill.instructions/1", "architecture": platform.machine(),
        "compiler": compiler(), "libc": libc(), "iterations": ITERATIONS[1],
        "pieces": {piece: {
            "instructions": round(count.instructions, 2), "libraries": round(count.libraries, 2),
            "checks": round(count.checks, 2),
            "calls": {kind: round(value, 3) for kind, value in count.calls.items() if value >= 0.005},
            **({"verdict": verdicts[piece]} if piece in verdicts else {}),
        } for piece, count in counts.items()},
    }


def record(counts, known, is_all):
    """The budgets as counted; what was not run stays if not all was, and tolerances of their own stay."""
    budgets = document(counts, [])
    old = known.get("pieces", {})
    for piece, budget in budgets["pieces"].items():
        budget["tolerance"] = old.get(piece, {}).get("tolerance", TOLERANCE)
    if not is_all and known.get("compiler") == budgets["compiler"]:
        budgets["pieces"] = {**old, **budgets["pieces"]}
    BUDGETS.write_text(json.dumps(budgets, indent=2) + "\n")


def why_not(known, recording):
    """Why nothing can be compared here; None when it can."""
    if platform.machine() != "x86_64":
        return f"pieces are counted on x86-64, and this machine is {platform.machine()}"
    for tool in ("valgrind", "objcopy"):
        if not shutil.which(tool):
            return f"{tool} is not installed (apt-get install valgrind binutils)"
    if recording:
        return None
    if not known:
        return "there are no budgets yet: make bench-instructions ARGS=--record"
    if known["compiler"] != compiler():
        return (f"the budgets are for {known['compiler']}, and this is {compiler()};"
                " set them anew with make bench-instructions ARGS=--record")
    return None


def other_path(counts):
    """Why what was counted is not what the budgets are for; None when it is."""
    for count in counts.values():
        if any("clock_gettime" in name and cost > 1 for name, cost in count.functions.items()):
            return ("spans go by clock_gettime here, since valgrind shows no invariant cycle counter"
                    " on this processor")
    return None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", nargs="?", default=".build/release/tracemill")
    parser.add_argument("--record", action="store_true", help="make what is counted the budgets")
    parser.add_argument("--only", help="pieces whose names contain one of these, comma-separated")
    parser.add_argument("--checks", action="store_true",
                        help="where the checks are that can trap, with their source lines")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def main():
    options = arguments()
    known = json.loads(BUDGETS.read_text()) if BUDGETS.exists() else {}
    if reason := why_not(known, options.record):
        print(f"bench-instructions skipped, nothing was compared: {reason}")
        return 0
    listed = run([options.binary, "bench", "--piece", "list"])
    pieces = [each for each in re.findall(r"^(\w+) ", listed, re.MULTILINE)
              if each not in UNCOUNTED]
    if options.only:
        pieces = [each for each in pieces if any(part in each for part in options.only.split(","))]
    counts, failures = measure(options.binary, pieces, options.jobs)
    if reason := other_path(counts):
        print(f"bench-instructions skipped, nothing was compared: {reason}")
        return 0
    binary = Binary(options.binary)
    count_checks(binary, counts)
    if options.record:
        if not failures:
            record(counts, known, is_all=not options.only)
        known = json.loads(BUDGETS.read_text()) if BUDGETS.exists() else {}
    same_libc = known.get("libc") == libc()
    rows = judge(counts, known.get("pieces", {}), same_libc)
    if options.json:
        print(json.dumps({**document(counts, rows), "stages": stages(counts)}, indent=2))
    else:
        if not same_libc and known:
            print(f"without the C library: the budgets are for {known['libc']}, this is {libc()}\n")
        texts = [table(rows, counts), stage_table(counts), function_table(counts)]
        if options.checks:
            texts.append(check_table(binary, counts))
        for text in texts:
            if text:
                print(text + "\n")
    gone = [] if options.only else sorted(set(known.get("pieces", {})) - set(pieces))
    return conclude(rows, failures, gone)


def conclude(rows, failures, gone):
    """Says what is wrong, on standard error; the exit code."""
    say = lambda text: print(f"bench-instructions: {text}", file=sys.stderr)
    for failure in failures:
        say(failure)
    for piece in gone:
        say(f"{piece} has a budget, and there is no such piece")
    exceeded = [row for row in rows if row[4].startswith("EXCEEDED")]
    for piece, allowed, found, excess, verdict in exceeded:
        say(f"{piece}: budget {allowed:.1f}, found {found:.1f} ({excess:+.1%}) {verdict[9:]}".rstrip())
    if exceeded:
        say("where the cost is meant: make bench-instructions ARGS=--record, and say why in the commit")
    unknown = [row[0] for row in rows if row[4] == "no budget"]
    if unknown:
        say(f"without a budget: {', '.join(unknown)}; make bench-instructions ARGS=--record")
    lower = [row[0] for row in rows if row[4] == "lower"]
    if lower:
        say(f"lower than budgeted: {', '.join(lower)}; keep it: make bench-instructions ARGS=--record")
    return 1 if exceeded or failures or gone or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
