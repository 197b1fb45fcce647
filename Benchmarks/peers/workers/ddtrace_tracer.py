"""ddtrace: Datadog's tracer, its spans and writer partly in Rust, exporting OTLP. One tracer in a process."""

import os
import sys


def _configure():
    """Before the import, which reads the environment. Nothing but traces leaves it, and those to loopback."""
    arguments = sys.argv[1:]
    endpoint = arguments[arguments.index("--endpoint") + 1] if "--endpoint" in arguments else None
    if arguments[arguments.index("--measure") + 1] == "unsampled":
        os.environ["DD_TRACE_SAMPLING_RULES"] = '[{"sample_rate": 0}]'
    os.environ.update(
        DD_SERVICE="bench", DD_TRACE_STARTUP_LOGS="false", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        DD_REMOTE_CONFIGURATION_ENABLED="false", DD_TRACE_STATS_COMPUTATION_ENABLED="false",
        DD_TRACE_AGENT_URL="http://127.0.0.1:9", DD_TRACE_WRITER_INTERVAL_SECONDS="0.1",
        # Its queue is bounded by bytes.
        DD_TRACE_WRITER_BUFFER_SIZE_BYTES=str(128 << 20),
        OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=endpoint or "http://127.0.0.1:9/v1/traces")


_configure()

import common
from ddtrace.trace import tracer


class Ddtrace(common.Peer):
    def __init__(self, options, is_sampled):
        self.last = None

    def make(self, first, count):
        start_span, name = tracer.start_span, common.NAME
        method, route, status = common.METHOD, common.ROUTE, common.STATUS
        size, cached = common.SIZE, common.CACHED
        for number in range(first, first + count):
            span = start_span(name, span_type="web")
            span.set_tags({
                method: "GET", route: "/api/orders/{id}", status: 404 if number & 15 == 0 else 200,
                size: number, cached: number & 1 == 0})
            span.finish()
        self.last = span

    def make_bare(self, count):
        start_span, name = tracer.start_span, common.NAME
        for _ in range(count):
            start_span(name, span_type="web").finish()

    def flush(self):
        tracer.flush()

    def close(self):
        tracer.shutdown()

    def last_trace_id(self):
        return f"{self.last.trace_id:032x}"


if __name__ == "__main__":
    common.main(Ddtrace)
