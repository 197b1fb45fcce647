"""Our exporter's requests, read by Python's protobuf runtime with the package opentelemetry-proto.

The probe exports spans of every shape to a receiver on 127.0.0.1, in protobuf and in JSON, plain and
gzip, and says what they are in values of its own that no encoder has touched. Both must be the same; and
the requests in JSON the same as those in protobuf.
"""

import base64
import contextlib
import gzip
import http.server
import json
import math
import struct
import subprocess
import threading

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_SETTINGS = [
    ("protobuf", "none"), ("protobuf", "gzip"), ("json", "none"), ("json", "gzip"),
]
_TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}


@contextlib.contextmanager
def _receiver():
    """A server that keeps every request: yields its address and the list of (headers, body)."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            requests.append((self.path, dict(self.headers.items()), body))
            self.send_response(200)
            self.send_header("content-type", self.headers["content-type"])
            answer = b"{}" if "json" in self.headers["content-type"] else b""
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _parsed(encoding, headers, body):
    """The request as the protobuf runtime reads it; raises for what it does not accept."""
    headers = {name.lower(): value for name, value in headers.items()}
    if headers["content-type"] != _TYPES[encoding]:
        raise ValueError(f"content-type {headers['content-type']}")
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if encoding == "protobuf":
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        _refuse_unknown(request)
        return request
    # OTLP writes identifiers in hexadecimal where protobuf's JSON has base64 (OTLP, "JSON Protobuf
    # Encoding"). Unknown fields are refused.
    return json_format.Parse(json.dumps(_with_base64_ids(json.loads(body))), ExportTraceServiceRequest())


def _refuse_unknown(message):
    """Bytes that the definition has no field for would be a mistake of the encoder's."""
    again = type(message)()
    again.CopyFrom(message)
    again.DiscardUnknownFields()
    if again.SerializeToString(deterministic=True) != message.SerializeToString(deterministic=True):
        raise ValueError("unknown fields in the request")


def _with_base64_ids(value, key=""):
    if isinstance(value, dict):
        return {name: _with_base64_ids(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_base64_ids(item) for item in value]
    if key in ("traceId", "spanId", "parentSpanId"):
        if value != value.lower():
            raise ValueError(f"upper case in {key}")
        return base64.b64encode(bytes.fromhex(value)).decode()
    # Proto3's mapping of enumerations takes names too; OTLP only numbers.
    if key in ("kind", "code") and not isinstance(value, int):
        raise ValueError(f"{key} is {value!r}")
    # Times and 64-bit integers are decimal strings.
    if key in ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "intValue") \
            and not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}")
    return value


def _value(value):
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return {"string": value.string_value}
    if kind == "int_value":
        return {"int": str(value.int_value)}
    if kind == "double_value":
        number = value.double_value
        bits = struct.unpack(">Q", struct.pack(">d", number))[0]
        return {"double": "nan" if math.isnan(number) else f"{bits:x}"}
    if kind == "bool_value":
        return {"bool": value.bool_value}
    if kind == "bytes_value":
        return {"bytes": value.bytes_value.hex()}
    if kind == "array_value":
        return {"array": [_value(element) for element in value.array_value.values]}
    return {str(kind): None}


def _attributes(attributes):
    return [{"key": entry.key, "value": _value(entry.value)} for entry in attributes]


def _spans(request):
    """The spans of a request in the probe's shape."""
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            if not scope_spans.spans:
                raise ValueError("an envelope without spans")
            scope = scope_spans.scope
            for span in scope_spans.spans:
                yield {
                    "trace": span.trace_id.hex(), "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(), "state": span.trace_state,
                    "flags": span.flags, "name": span.name, "kind": span.kind,
                    "start": str(span.start_time_unix_nano), "end": str(span.end_time_unix_nano),
                    "attributes": _attributes(span.attributes),
                    "droppedAttributes": span.dropped_attributes_count,
                    "events": [{
                        "time": str(event.time_unix_nano), "name": event.name,
                        "attributes": _attributes(event.attributes),
                        "dropped": event.dropped_attributes_count} for event in span.events],
                    "droppedEvents": span.dropped_events_count,
                    "links": [{
                        "trace": link.trace_id.hex(), "span": link.span_id.hex(),
                        "state": link.trace_state, "flags": link.flags,
                        "attributes": _attributes(link.attributes),
                        "dropped": link.dropped_attributes_count} for link in span.links],
                    "droppedLinks": span.dropped_links_count,
                    "status": span.status.code, "message": span.status.message,
                    "resource": _attributes(resource_spans.resource.attributes),
                    "scope": {"name": scope.name, "version": scope.version,
                              "schemaURL": scope_spans.schema_url},
                }


def run(probe, seed, spans):
    """Exports with every setting and compares; returns rows and differences."""
    rows, wrong, by_setting = [], [], {}
    for encoding, compression in _SETTINGS:
        label = f"{encoding}, {'plain' if compression == 'none' else compression}"
        with _receiver() as (endpoint, requests):
            output = subprocess.run(
                [probe, "export", "--endpoint", endpoint, "--encoding", encoding,
                 "--compression", compression, "--seed", str(seed), "--spans", str(spans)],
                capture_output=True, text=True, timeout=120)
        if output.returncode != 0:
            wrong.append(f"{label}: the probe failed: {output.stderr.strip()}")
            continue
        *described, summary = [json.loads(line) for line in output.stdout.split("\n") if line]
        found = _compare(encoding, described, summary, requests, by_setting)
        wrong += [f"{label}: {difference}" for difference in found]
        rows.append((label, len(described), len(requests),
                     sum(len(body) for _, _, body in requests), len(found)))
    first = next(iter(by_setting.values()), None)
    for parsed in by_setting.values():
        if parsed != first:
            wrong.append("requests in protobuf and JSON are not the same after parsing")
    return {"rows": rows, "wrong": wrong}


def _compare(encoding, described, summary, requests, by_setting):
    wrong, received = [], {}
    for path, headers, body in requests:
        if path != "/v1/traces":
            wrong.append(f"path {path}")
        try:
            for span in _spans(_parsed(encoding, headers, body)):
                if span["span"] in received:
                    wrong.append(f"span {span['span']} came twice")
                received[span["span"]] = span
        except Exception as error:  # Whatever a decoder does not accept is the finding.
            wrong.append(f"not a request: {type(error).__name__}: {error}")
    for span in described:
        there = received.get(span["span"])
        if there is None:
            wrong.append(f"span {span['span']} did not arrive")
            continue
        for field in sorted(set(span) | set(there)):
            if span.get(field) != there.get(field):
                wrong.append(f"span {span['span']} {field}: {there.get(field)!r:.300}, "
                             f"made {span.get(field)!r:.300}")
    for name in ("ended", "acknowledged"):
        if summary[name] != len(described):
            wrong.append(f"the exporter's own count, {name}: {summary[name]} of {len(described)}")
    if summary["batches"] != len(requests) or len(received) != len(described):
        wrong.append(f"{len(requests)} requests with {len(received)} spans, "
                     f"{summary['batches']} batches with {len(described)}")
    by_setting[len(by_setting)] = received
    return wrong
