"""Processes: a sink that counts, a worker that measures, tracemill's own bench, and how large each grew.

Everything started here ends here: with its context, at its timeout, or with this process.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import threading
import urllib.request

WORKER_TIMEOUT_S = 30
_POLL_S = 0.01
# Keys of `tracemill bench --json` for our measures.
BENCH_KEYS = {"sampled": "sampledSpanNs", "unsampled": "unsampledSpanNs", "encode": "encodeSpanNs",
              "delivered": "deliveredSpansPerS"}


# What `tracemill` ends with when a span is unaccounted for.
INVALID_RUN = 4


class Failure(Exception):
    """A figure that could not be had, and why, in a line."""


class BrokenLedger(Failure):
    """A span of tracemill's is unaccounted for."""


def environment():
    """This process's, without what would reach into an SDK's settings or send its traffic elsewhere."""
    return {key: value for key, value in os.environ.items()
            if not key.startswith(("OTEL_", "DD_", "PYTHON", "RUST_LOG", "GO"))
            and not key.lower().endswith("_proxy")}


class PeakMemory:
    """Watches VmHWM of a process until it ends. The kernel keeps the maximum, so only the last look counts."""

    def __init__(self, process_id):
        self.bytes = 0
        self._path = f"/proc/{process_id}/status"
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self):
        is_over = False
        while not is_over:
            is_over = self._is_over.wait(_POLL_S)
            try:
                with open(self._path, encoding="ascii", errors="replace") as file:
                    self.bytes = max(self.bytes, peak_bytes(file.read()))
            except OSError:
                return

    def stop(self):
        self._is_over.set()
        self._thread.join()
        return self.bytes


def peak_bytes(status):
    """VmHWM of the text of /proc/PID/status; 0 where there is none."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def run(command, timeout_s=WORKER_TIMEOUT_S):
    """Runs a command to its end: exit code, standard output, standard error, peak resident bytes."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment())
        except OSError as error:
            raise Failure(f"does not start: {error.strerror}") from error
        memory = PeakMemory(process.pid)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failure(f"took longer than {timeout_s} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            peak = memory.stop()
        output.seek(0)
        errors.seek(0)
        return process.returncode, output.read(), errors.read(), peak


def last_line(text):
    """The last line with something in it: what a traceback or an error message comes down to."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def answer(code, output, errors):
    """The JSON object in a worker's last line; raises Failure for anything else."""
    if code != 0:
        raise Failure(f"exit code {code}: {last_line(errors)[:200]}")
    try:
        result = json.loads(last_line(output))
        value = result["value"]
    except (ValueError, KeyError, TypeError):
        raise Failure(f"no answer but {last_line(output)[:200]!r}") from None
    if not isinstance(value, (int, float)):
        raise Failure(f"no number but {value!r}")
    return result


@contextlib.contextmanager
def sink(tracemill, mode="count"):
    """`tracemill sink` on a free port of loopback; gives its URL. It ends with its standard input."""
    process = subprocess.Popen(
        [tracemill, "sink", "--port", "0", "--mode", mode, "--embedded"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env=environment())
    # However this ends, the sink does too.
    timer = threading.Timer(WORKER_TIMEOUT_S + 30, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
        url = next((word for word in line.split() if word.startswith("http://127.0.0.1:")), None)
        if url is None:
            raise Failure(f"the sink did not say where it listens: {line!r}")
        yield url.rstrip("/")
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        timer.cancel()
        process.stdout.close()


def get(url):
    """JSON from the sink. Never by way of a proxy: it listens on loopback."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as response:
        return json.load(response)


def measure_peer(peer, measure, build, tracemill, settings):
    """One figure of a peer in one round: its worker's answer, with the peak memory and what the sink counted."""
    command = peer.command(build) + ["--measure", measure]
    if measure == "delivered":
        queue, batch = settings["queueSpans"], settings["batchSpans"]
        command += ["--spans", str(peer.delivered_spans)]
    else:
        queue, batch = settings["spanQueue"], settings["spanBatch"]
    command += ["--queue", str(queue), "--batch", str(batch)]
    if measure not in peer.sends:
        code, output, errors, peak = run(command)
        return answer(code, output, errors) | {"peak": peak}
    with sink(tracemill) as url:
        code, output, errors, peak = run([*command, "--endpoint", url + "/v1/traces"])
        result = answer(code, output, errors)
        ledger = get(url + "/tracemill/v1/ledger")
    size = ledger["bytesInflated"] / ledger["spansTotal"] if ledger["spansTotal"] else 0
    return {"bytesPerSpan": size} | result | {"peak": peak, "counted": ledger["spansTotal"]}


def measure_tracemill(measure, tracemill, delivery_s):
    """One figure of tracemill in one round: the median of its bench, whose own ledger must balance."""
    key = BENCH_KEYS[measure]
    command = [tracemill, "bench", "--json", "--only", key, "--repetitions", "3",
               "--delivery", f"{delivery_s * 1000:.0f}ms"]
    code, output, errors, peak = run(command)
    if code != 0:
        kind = BrokenLedger if code == INVALID_RUN else Failure
        raise kind(f"exit code {code}: {last_line(errors)[:200]}")
    try:
        bench = json.loads(output)
    except ValueError:
        bench = {}
    if not isinstance(bench.get(key), (int, float)):
        raise Failure(f"bench gave no {key}")
    return {"value": bench[key], "peak": peak, "delivery": bench.get("delivery", {})}


CHECK_SPANS = 64


def check_work(peer, build, tracemill):
    """Has the peer send spans to a sink that decodes them: roots, each a trace, with the five attributes.

    Raises Failure when they are not the spans that everybody makes.
    """
    with sink(tracemill, "verify") as url:
        code, output, errors, _ = run(
            peer.command(build) + ["--measure", "check", "--spans", str(CHECK_SPANS), "--queue", "8192",
                                   "--batch", "512", "--endpoint", url + "/v1/traces"])
        made = answer(code, output, errors)
        ledger = get(url + "/tracemill/v1/ledger")
        if (ledger["spansTotal"], ledger["tracesComplete"]) != (CHECK_SPANS, CHECK_SPANS):
            raise Failure(f"made {CHECK_SPANS} root spans; the sink has {ledger['spansTotal']} spans in "
                          f"{ledger['tracesComplete']} whole traces")
        trace = get(f"{url}/tracemill/v1/traces/{made['traceID']}")
    found = {attribute["key"]: plain(attribute["value"]) for attribute in trace["spans"][-1]["attributes"]}
    for key, value in made["attributes"].items():
        if found.get(key) != plain(value):
            raise Failure(f"{key} is {value!r}, the sink has {found.get(key)!r}")


def plain(value):
    """A value for comparison, whatever type an SDK gave it: numbers as numbers, the rest as lower-case text."""
    if isinstance(value, dict):
        value = next(iter(value.values()))
    try:
        return float(value) if not isinstance(value, bool) else str(value).lower()
    except (TypeError, ValueError):
        return str(value).lower()
