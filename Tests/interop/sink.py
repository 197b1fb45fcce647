"""Spans of the Python SDK, sent by its own OTLP exporter to `tracemill sink`, and read back from there.

The SDK has no exporter that speaks JSON: there its own protobuf messages go through the protobuf runtime's
JSON mapping, with identifiers in hexadecimal as OTLP has them. What the sink decoded (GET /tracemill/v1/traces/ID) is compared field by field with the spans as the SDK
had them when they ended, and its counts with theirs.
"""

import base64
import collections
import contextlib
import gzip
import itertools
import json
import math
import random
import subprocess
import threading
import urllib.request

from google.protobuf import json_format
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

_TEXTS = ["", "a", "GET /orders/{id}", "naïve café", "日本語", "🧵🪡", "tab\tline\n\"quoted\"\\", "x" * 300,
          "y" * 20_000, "\x01\x1f\u2028"]
_INTS = [0, 1, -1, 127, 128, 2 ** 53 + 1, -(2 ** 53) - 1, 2 ** 63 - 1, -(2 ** 63)]
_DOUBLES = [0.0, -0.0, 0.1, -1.5, 1 / 3, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan]
_KINDS = list(SpanKind)


class _Maker:
    """Draws spans of every shape."""

    def __init__(self, seed, processor):
        self.random = random.Random(seed)
        # The SDK draws its ids from the generator that all share.
        random.seed(seed)
        tight = SpanLimits(
            max_span_attributes=3, max_events=2, max_links=1, max_event_attributes=1,
            max_link_attributes=1, max_span_attribute_length=10)
        providers = []
        for name, limits in [("checkout", None), ("каталог", None), ("limited", tight)]:
            resource = Resource({"service.name": name, "host.cpus": 4, "tags": ["a", "b"], "ratio": 0.5})
            provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
            provider.add_span_processor(processor())
            providers.append(provider)
        self.providers = providers
        self.tracers = [
            provider.get_tracer(*scope) for provider in providers
            for scope in [("http", "1.2.3"), ("grpc", None, "https://opentelemetry.io/schemas/1.27.0")]]
        self.contexts = []

    def value(self):
        pick = self.random
        return pick.choice([
            lambda: pick.choice(_TEXTS), lambda: pick.choice(_INTS), lambda: pick.choice(_DOUBLES),
            lambda: pick.random() < 0.5, lambda: [pick.choice(_TEXTS[:6]) for _ in range(pick.randrange(4))],
            lambda: [pick.choice(_INTS) for _ in range(pick.randrange(4))],
            lambda: [pick.choice(_DOUBLES) for _ in range(pick.randrange(4))],
            lambda: [pick.random() < 0.5 for _ in range(pick.randrange(4))],
            lambda: bytes(pick.randrange(256) for _ in range(pick.choice([0, 1, 40]))),
        ])()

    def attributes(self, most):
        return {f"key.{self.random.randrange(20)}": self.value() for _ in range(self.random.randrange(most + 1))}

    def context(self):
        pick = self.random
        if self.contexts and pick.random() < 0.5:
            return pick.choice(self.contexts)
        return SpanContext(
            pick.getrandbits(127) + 1, pick.getrandbits(63) + 1, is_remote=pick.random() < 0.7,
            trace_flags=TraceFlags(1),
            trace_state=TraceState([("rojo", "00f067aa0ba902b7"), ("congo", "t61")][:pick.randrange(3)]))

    def make(self):
        pick = self.random
        parent = None
        if pick.random() < 0.7:
            parent = trace.set_span_in_context(trace.NonRecordingSpan(self.context()))
        links = [Link(self.context(), self.attributes(2)) for _ in range(pick.choice([0, 0, 1, 2]))]
        start = 1_700_000_000_000_000_000 + pick.randrange(2 ** 56)
        span = pick.choice(self.tracers).start_span(
            pick.choice(_TEXTS[1:9]), context=parent or trace.context_api.Context(),
            kind=pick.choice(_KINDS), attributes=self.attributes(5), links=links, start_time=start)
        for _ in range(pick.randrange(5)):
            kind = pick.randrange(4)
            if kind == 0:
                span.set_attributes(self.attributes(3))
            elif kind == 1:
                span.add_event(pick.choice(_TEXTS), self.attributes(3), start + pick.randrange(10 ** 9))
            elif kind == 2:
                try:
                    raise ValueError(pick.choice(_TEXTS[1:6]))
                except ValueError as error:
                    span.record_exception(error, timestamp=start + 5)
            else:
                span.add_link(self.context(), self.attributes(2))
        span.set_status(pick.choice([
            Status(StatusCode.UNSET), Status(StatusCode.OK), Status(StatusCode.ERROR, pick.choice(_TEXTS)),
            Status(StatusCode.ERROR)]))
        span.end(start + pick.randrange(10 ** 12))
        self.contexts.append(span.get_span_context())


def _value(value):
    """As the sink writes an attribute value."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": _double(value)}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, str):
        return {"stringValue": value}
    return {"arrayValue": {"values": [_value(element) for element in value]}}


def _double(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    # The sink writes a zero below zero as text, so that its sign survives.
    return "-0" if value == 0 and math.copysign(1, value) < 0 else value


def _attributes(attributes):
    return [{"key": key, "value": _value(value)} for key, value in (attributes or {}).items()]


def _expected(span):
    """A span of the SDK as the sink answers it. Flags have no trace flags: see docs/interop.md."""
    context = span.get_span_context()
    flags = lambda other: 0x300 if other is not None and other.is_remote else 0x100
    expected = {
        "serviceName": span.resource.attributes["service.name"],
        "spanId": trace.format_span_id(context.span_id),
        "flags": flags(span.parent),
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes),
        "events": [{
            "timeUnixNano": str(event.timestamp), "name": event.name,
            "attributes": _attributes(event.attributes),
            "droppedAttributesCount": event.dropped_attributes} for event in span.events],
        "links": [{
            "traceId": trace.format_trace_id(link.context.trace_id),
            "spanId": trace.format_span_id(link.context.span_id), "flags": flags(link.context),
            "attributes": _attributes(link.attributes),
            "droppedAttributesCount": link.dropped_attributes} for link in span.links],
        "status": {"code": span.status.status_code.value},
        "droppedAttributesCount": span.dropped_attributes,
        "droppedEventsCount": span.dropped_events,
        "droppedLinksCount": span.dropped_links,
    }
    if span.parent is not None:
        expected["parentSpanId"] = trace.format_span_id(span.parent.span_id)
    if context.trace_state:
        expected["traceState"] = context.trace_state.to_header()
    if span.status.description:
        expected["status"]["message"] = span.status.description
    return expected


@contextlib.contextmanager
def _sink(tracemill, mode):
    """A sink on a free port of loopback; it ends with its standard input."""
    process = subprocess.Popen(
        [tracemill, "sink", "--port", "0", "--mode", mode, "--embedded"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(120, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
        address = next((word for word in line.split() if word.startswith("http://")), None)
        if address is None:
            raise RuntimeError(f"the sink did not say where it listens: {line!r}")
        yield address.rstrip("/")
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        timer.cancel()
        process.stdout.close()


class _JSONExporter(SpanExporter):
    """Posts what the SDK's own encoder makes, as OTLP's JSON."""

    def __init__(self, endpoint, compresses):
        self.endpoint = endpoint
        self.compresses = compresses

    def export(self, spans):
        message = json_format.MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        body = json.dumps(_with_hexadecimal_ids(message)).encode()
        headers = {"content-type": "application/json"}
        if self.compresses:
            body = gzip.compress(body)
            headers["content-encoding"] = "gzip"
        request = urllib.request.Request(self.endpoint, body, headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return SpanExportResult.SUCCESS if response.status == 200 else SpanExportResult.FAILURE

    def shutdown(self):
        pass


def _with_hexadecimal_ids(value, key=""):
    if isinstance(value, dict):
        return {name: _with_hexadecimal_ids(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_hexadecimal_ids(item) for item in value]
    is_id = key in ("traceId", "spanId", "parentSpanId")
    return base64.b64decode(value).hex() if is_id else value


def _get(address, path):
    with urllib.request.urlopen(address + path, timeout=10) as response:
        return json.load(response)


def _exporter(address, encoding, compresses):
    endpoint = address + "/v1/traces"
    if encoding == "JSON":
        return _JSONExporter(endpoint, compresses)
    compression = Compression.Gzip if compresses else Compression.NoCompression
    return OTLPSpanExporter(endpoint=endpoint, compression=compression)


def _send(exporter, seed, spans):
    """Makes and sends the spans; returns them as the SDK had them."""
    kept = InMemorySpanExporter()

    class Both(BatchSpanProcessor):
        def on_end(self, span):
            kept.export([span])
            super().on_end(span)

    maker = _Maker(seed, lambda: Both(exporter, max_queue_size=spans, max_export_batch_size=32))
    for _ in range(spans):
        maker.make()
    for provider in maker.providers:
        provider.force_flush()
    for provider in maker.providers:
        provider.shutdown()
    return list(kept.get_finished_spans())


def run(tracemill, seed, spans):
    """Sends and compares, in both encodings and modes, plain and gzip; returns rows and differences."""
    rows, wrong = [], []
    for mode, encoding, compresses in itertools.product(
            ["verify", "count"], ["protobuf", "JSON"], [False, True]):
        with _sink(tracemill, mode) as address:
            sent = _send(_exporter(address, encoding, compresses), seed, spans)
            ledger = _get(address, "/tracemill/v1/ledger")
            found = _differences(address, sent, ledger)
        label = f"{mode}, {encoding}, {'gzip' if compresses else 'plain'}"
        wrong += [f"{label}: {difference}" for difference in found]
        rows.append((label, len(sent), ledger["requests"], ledger["bytesReceived"], len(found)))
    return {"rows": rows, "wrong": wrong}


def _differences(address, sent, ledger):
    wrong = []
    for name, count in [("spansTotal", len(sent)), ("spansDistinct", len(sent)), ("badRequests", 0)]:
        if ledger[name] != count:
            wrong.append(f"ledger {name}: {ledger[name]}, sent {count}")
    if ledger["mode"] == "count":
        return wrong
    services = collections.Counter(span.resource.attributes["service.name"] for span in sent)
    if ledger["services"] != dict(services):
        wrong.append(f"services: {ledger['services']}, sent {dict(services)}")
    if ledger["invalidSpans"] or ledger["negativeDurations"]:
        wrong.append("invalid spans, or spans that end before they start")
    by_trace = collections.defaultdict(list)
    for span in sent:
        by_trace[trace.format_trace_id(span.get_span_context().trace_id)].append(_expected(span))
    if ledger["traces"] != len(by_trace):
        wrong.append(f"traces: {ledger['traces']}, sent {len(by_trace)}")
    for trace_id, spans in by_trace.items():
        answer = _get(address, f"/tracemill/v1/traces/{trace_id}")
        spans.sort(key=lambda span: (int(span["startTimeUnixNano"]), span["spanId"]))
        for index, span in enumerate(spans):
            there = answer["spans"][index] if index < len(answer["spans"]) else {}
            for field in sorted(set(span) | set(there)):
                if not _same(span.get(field), there.get(field)):
                    wrong.append(f"{trace_id} {span['spanId']} {field}: "
                                 f"{there.get(field)!r:.300}, sent {span.get(field)!r:.300}")
        if len(answer["spans"]) != len(spans) or answer["isCut"]:
            wrong.append(f"{trace_id}: {len(answer['spans'])} spans, sent {len(spans)}")
    return wrong


def _same(one, other):
    """Equal, types included."""
    if isinstance(one, float) or isinstance(other, float):
        # JSON has no difference between 1 and 1.0.
        return isinstance(one, (int, float)) and isinstance(other, (int, float)) and one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other
