"""Runs the peers by turns and prints one table; README.md says how and what the columns mean.

Ends with 0; with 4 when tracemill's own ledger does not balance, 1 when tracemill gave no figure, 2 for bad
arguments. A peer that fails says so in its row.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time

import catalogue
import measuring
import report

ROOT = os.path.dirname(os.path.dirname(catalogue.HERE))
TIMED = tuple(measure for measure in catalogue.MEASURES if measure != "memory")


def arguments():
    parser = argparse.ArgumentParser(description="The same work through tracemill and through other SDKs.")
    parser.add_argument("--tracemill", default=os.path.join(ROOT, ".build", "release", "tracemill"))
    parser.add_argument("--build", default=os.path.join(ROOT, ".build-peers"),
                        help="where ./run put what it installed and built")
    parser.add_argument("--results", default=os.path.join(ROOT, "results"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="peers by name, comma-separated; tracemill always runs")
    parser.add_argument("--budget", type=float, default=330, help="seconds after which no round starts")
    parser.add_argument("--delivery", type=float, default=0.7, help="seconds of each delivery of tracemill")
    given = parser.parse_args()
    if not 1 <= given.rounds <= 100:
        parser.error(f"--rounds {given.rounds}: write a number from 1 to 100")
    try:
        given.peers = catalogue.selected(given.only)
    except ValueError as error:
        parser.error(str(error))
    if not os.access(given.tracemill, os.X_OK):
        parser.error(f"there is no {given.tracemill}: make build")
    return given


def progress(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


def machine():
    """What the figures are of."""
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cores": os.cpu_count(), "kernel": f"{platform.system()} {platform.release()}",
            "loadAverage": os.getloadavg()[0]}


def tracemill_row(path):
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True)
    row = report.Row(report.TRACEMILL, "tracemill", done.stdout.strip().removeprefix("tracemill "), {
        measure: report.Cell() for measure in catalogue.MEASURES})
    row.cells["delivered"].note = "its own ledger holds, batch by batch"
    row.cells["memory"].note = catalogue.OF_FULL_QUEUE
    return row


def peer_row(peer, build):
    version = peer.version(build)
    row = report.Row(peer.name, peer.title, f"{peer.package} {version or '?'} ({peer.registry})", {
        measure: report.Cell(missing=peer.missing.get(measure), note=peer.notes.get(measure))
        for measure in catalogue.MEASURES})
    if version is None:
        for cell in row.cells.values():
            cell.failure = "not installed"
    if "delivered" in peer.missing:
        row.cells["memory"].note = catalogue.OF_SPANS
    return row


class Run:
    """Rounds of measures of peers, in that order: each figure beside the others' of the same minute."""

    def __init__(self, given):
        self.given = given
        self.rows = [tracemill_row(given.tracemill)]
        self.peers = [None]
        for peer in given.peers:
            self.rows.append(peer_row(peer, given.build))
            self.peers.append(peer)
        self.settings = {"spanQueue": catalogue.SPAN_QUEUE, "spanBatch": catalogue.SPAN_BATCH,
                         "queueSpans": 0, "batchSpans": 0, "deliveryS": given.delivery}
        self.rounds = 0
        self.is_broken = False

    def check(self):
        """Looks at the spans of each peer that sends some; a peer with others has no figures."""
        for row, peer in zip(self.rows, self.peers):
            if peer is None or "delivered" in peer.missing or row.cells["delivered"].failure:
                continue
            progress(f"checking the spans of {row.name}")
            try:
                measuring.check_work(peer, self.given.build, self.given.tracemill)
            except (measuring.Failure, OSError) as error:
                for cell in row.cells.values():
                    cell.failure = f"other spans: {error}"

    def measure(self):
        started, longest = time.monotonic(), 0.0
        while self.rounds < self.given.rounds:
            began = time.monotonic()
            if self.rounds and began - started + longest > self.given.budget:
                progress(f"stopping after {self.rounds} rounds: another would pass {self.given.budget:.0f} s")
                return
            # Delivery first: tracemill's tells the queue and batch for the others'.
            for measure in reversed(TIMED):
                progress(f"round {self.rounds + 1} of {self.given.rounds}, {measure}:", end="")
                for row, peer in zip(self.rows, self.peers):
                    self.measure_cell(row, peer, measure)
                progress("")
            self.rounds += 1
            longest = max(longest, time.monotonic() - began)

    def measure_cell(self, row, peer, measure):
        cell = row.cells[measure]
        if cell.missing or cell.failure:
            return
        try:
            if peer is None:
                result = measuring.measure_tracemill(measure, self.given.tracemill, self.given.delivery)
                if measure == "delivered":
                    self.settings |= {key: result["delivery"][key] for key in ("queueSpans", "batchSpans")}
            else:
                result = measuring.measure_peer(
                    peer, measure, self.given.build, self.given.tracemill, self.settings)
        except (measuring.Failure, OSError, KeyError) as error:
            self.is_broken |= isinstance(error, measuring.BrokenLedger)
            self.fail(cell, peer, str(error) or type(error).__name__)
            progress(f" {row.name} failed ({error})", end="")
            return
        cell.samples[self.rounds] = result["value"]
        cell.bytes_per_span = result.get("bytesPerSpan")
        cell.cpu_ns_per_span = result.get("cpuNsPerSpan")
        if "counted" in result:
            cell.produced += result["spans"]
            cell.counted += result["counted"]
        # Of the process that delivers; of the one that makes spans where none does.
        if measure == ("sampled" if "delivered" in (peer.missing if peer else {}) else "delivered"):
            row.cells["memory"].samples[self.rounds] = result["peak"] / (1 << 20)
        progress(f" {row.name} {report.number_text(result['value'])}", end="")


    def fail(self, cell, peer, text):
        """Notes a round without a figure. Ours has to hold in each; a peer that fails twice and never did it is
        not asked again."""
        cell.failed_rounds[self.rounds] = text
        if peer is None or (len(cell.failed_rounds) > 1 and not cell.samples):
            cell.failure = text


def main():
    given = arguments()
    started = datetime.datetime.now(datetime.timezone.utc)
    about = {"date": started.strftime("%Y-%m-%dT%H:%M:%SZ"), "machine": machine()}
    run = Run(given)
    run.check()
    run.measure()
    about |= {"rounds": run.rounds, "settings": run.settings}
    heading = (f"{run.rounds} rounds, interleaved: median, below it lowest–highest and × tracemill\n"
               f"{about['machine']['cpu']}, {about['machine']['cores']} cores, {about['machine']['kernel']}, "
               f"load average {about['machine']['loadAverage']:.1f} before; {about['date']}")
    print(f"\nbench-peers · {heading}\n\n{report.table(run.rows, catalogue.MEASURES)}")
    os.makedirs(given.results, exist_ok=True)
    stem = os.path.join(given.results, f"peers-{started:%Y%m%dT%H%M%S}")
    with open(stem + ".json", "w", encoding="utf-8") as file:
        json.dump(report.document(run.rows, catalogue.MEASURES, about), file, indent=2, ensure_ascii=False)
        file.write("\n")
    with open(stem + ".md", "w", encoding="utf-8") as file:
        file.write(report.markdown(run.rows, catalogue.MEASURES, heading))
    print(f"\nresults: {os.path.relpath(stem, ROOT)}.json, .md")
    if run.is_broken:
        return measuring.INVALID_RUN
    return 1 if any(cell.failure for cell in run.rows[0].cells.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
