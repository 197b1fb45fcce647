"""What every Python peer shares: the span that is made, the loops around it, and the answer in JSON.

A worker is one process for one figure. It reads its arguments, measures, prints one JSON line and ends;
`measuring.py` starts it. The peer itself is a subclass of `Peer`: its loops are its own, so that no call of
ours stands between one span and the next.
"""

import argparse
import json
import os
import statistics
import sys
import time
import urllib.request

SERVICE = "bench"
SCOPE = "tracemill.bench"
# The shape of BenchSpan in Sources/TraceLoad: a server span with five attributes, three of which vary.
NAME = "GET /api/orders/{id}"
METHOD, ROUTE, STATUS = "http.request.method", "http.route", "http.response.status_code"
SIZE, CACHED = "http.response.body.size", "cache.hit"

# As `tracemill bench`: spans by bursts, the queue emptied between them and outside of the time.
BURST_SPANS = 4096
REPETITIONS = 3
# Enough for the clock, and few enough for a queue that cannot be emptied on request.
REPETITION_NS = 150_000_000
REPETITION_BURSTS = 48
ENCODE_BATCH_SPANS = 512
WARM_UP_SPANS = 2048
# How long the last of a burst may take to the sink.
ARRIVAL_S = 15


def attributes(number):
    """The five attributes of span `number`."""
    return {METHOD: "GET", ROUTE: "/api/orders/{id}", STATUS: 404 if number & 15 == 0 else 200,
            SIZE: number, CACHED: number & 1 == 0}


class Peer:
    """One SDK, opened for one figure."""

    # For an SDK whose shutdown does not always return.
    exits_at_once = False

    def __init__(self, options, is_sampled):
        """Builds the pipeline: a batch processor with the given queue and batch."""
        raise NotImplementedError

    def make(self, first, count):
        """Spans `first` to `first + count`, each started, given its attributes and ended."""
        raise NotImplementedError

    def make_bare(self, count):
        """Spans started and ended, for a sampler that drops them."""
        raise NotImplementedError

    def flush(self):
        """Waits until everything ended so far is exported."""
        raise NotImplementedError

    def close(self):
        """Exports what is left, and ends."""
        raise NotImplementedError

    def last_trace_id(self):
        """Of the span that `make` made last, 32 hexadecimal digits."""
        raise NotImplementedError

    def encode(self, first, count):
        """CPU ns for request bodies of `count` finished spans, and their bytes. Optional."""
        raise NotImplementedError


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", choices=["sampled", "unsampled", "encode", "delivered", "check"],
                        required=True)
    parser.add_argument("--endpoint", help="URL of /v1/traces")
    parser.add_argument("--queue", type=int, required=True, help="bound of the batch processor's queue, spans")
    parser.add_argument("--batch", type=int, required=True, help="spans of an export at most")
    parser.add_argument("--spans", type=int, default=0, help="spans to deliver, or to send for a check")
    return parser.parse_args()


def main(peer_class):
    """Measures what the arguments ask for and prints the answer."""
    given = options()
    peer = peer_class(given, given.measure != "unsampled")
    measure = {"sampled": _sampled, "unsampled": _unsampled, "encode": _encode, "delivered": _delivered,
               "check": _check}[given.measure]
    print(json.dumps(measure(peer, given)), flush=True)
    if peer.exits_at_once:
        sys.stderr.flush()
        os._exit(0)


def wait_for_sink(endpoint, spans):
    """Asks the sink for its count until it is `spans`: a flush, for an SDK that has none."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = endpoint.removesuffix("/v1/traces") + "/tracemill/v1/ledger"
    deadline = time.monotonic() + ARRIVAL_S
    while True:
        with opener.open(url, timeout=ARRIVAL_S) as response:
            counted = json.load(response)["spansTotal"]
        if counted >= spans:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{spans} spans made, {counted} with the sink after {ARRIVAL_S} s")
        time.sleep(0.002)


def _repeated(once):
    """The median of `REPETITIONS` figures, after one to warm up; `once` returns (CPU ns, spans)."""
    figures, spans = [], 0
    for repetition in range(REPETITIONS + 1):
        cpu_ns, count = 0, 0
        for _ in range(REPETITION_BURSTS if repetition else 1):
            burst_ns, burst_spans = once(spans)
            cpu_ns, count, spans = cpu_ns + burst_ns, count + burst_spans, spans + burst_spans
            if cpu_ns >= REPETITION_NS:
                break
        if repetition:
            figures.append(cpu_ns / count)
    return {"value": statistics.median(figures), "spans": spans}


def _sampled(peer, _):
    def burst(number):
        # The time of this thread: what the exporter's thread does meanwhile is not the caller's.
        start = time.thread_time_ns()
        peer.make(number, BURST_SPANS)
        passed = time.thread_time_ns() - start
        peer.flush()
        return passed, BURST_SPANS

    result = _repeated(burst)
    peer.close()
    return result


def _unsampled(peer, _):
    def burst(_):
        start = time.thread_time_ns()
        peer.make_bare(BURST_SPANS)
        return time.thread_time_ns() - start, BURST_SPANS

    result = _repeated(burst)
    peer.close()
    # None of them must arrive anywhere.
    return result | {"spans": 0}


def _encode(peer, _):
    sizes = []

    def burst(number):
        passed, size = peer.encode(number, BURST_SPANS)
        sizes.append(size)
        return passed, BURST_SPANS

    result = _repeated(burst)
    peer.close()
    return result | {"bytesPerSpan": sum(sizes) / (len(sizes) * BURST_SPANS)}


def _delivered(peer, given):
    """All at once into the queue, which holds them, and out of it: from the first start to the last answer."""
    peer.make(0, WARM_UP_SPANS)
    peer.flush()
    start_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
    peer.make(WARM_UP_SPANS, given.spans)
    peer.flush()
    elapsed_ns, used_ns = time.monotonic_ns() - start_ns, time.process_time_ns() - cpu_ns
    peer.close()
    return {"value": given.spans / elapsed_ns * 1e9, "spans": WARM_UP_SPANS + given.spans,
            "cpuNsPerSpan": used_ns / given.spans}


def _check(peer, given):
    peer.make(0, given.spans)
    trace_id = peer.last_trace_id()
    peer.flush()
    peer.close()
    return {"value": 0, "spans": given.spans, "traceID": trace_id, "attributes": attributes(given.spans - 1)}
