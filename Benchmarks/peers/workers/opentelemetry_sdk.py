"""Python's opentelemetry-sdk, with its own batch processor and OTLP exporter."""

import time

import common
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind, format_trace_id


class Discard(SpanExporter):
    """Counts spans and forgets them."""

    spans = 0

    def export(self, spans):
        self.spans += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


class Collect(SpanExporter):
    """Keeps spans as the processor hands them over."""

    def __init__(self):
        self.spans = []

    def export(self, spans):
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


class OpenTelemetrySDK(common.Peer):
    """The SDK; `fastotel` replaces its processor."""

    def __init__(self, options, is_sampled):
        self.provider = TracerProvider(
            sampler=ALWAYS_ON if is_sampled else ALWAYS_OFF,
            resource=Resource({"service.name": common.SERVICE}), shutdown_on_exit=False)
        self.exporter = None
        self.made = 0
        self.provider.add_span_processor(self.processor(options))
        self.tracer = self.provider.get_tracer(common.SCOPE)
        self.last = None

    def processor(self, options):
        if options.measure == "encode":
            self.exporter = Collect()
        elif options.endpoint is None:
            self.exporter = Discard()
        exporter = self.exporter or OTLPSpanExporter(endpoint=options.endpoint)
        return BatchSpanProcessor(
            exporter, max_queue_size=options.queue, max_export_batch_size=options.batch,
            schedule_delay_millis=100)

    def make(self, first, count):
        start_span, kind, name = self.tracer.start_span, SpanKind.SERVER, common.NAME
        method, route, status = common.METHOD, common.ROUTE, common.STATUS
        size, cached = common.SIZE, common.CACHED
        for number in range(first, first + count):
            span = start_span(name, kind=kind)
            # One call for five: cheaper here than five.
            span.set_attributes({
                method: "GET", route: "/api/orders/{id}", status: 404 if number & 15 == 0 else 200,
                size: number, cached: number & 1 == 0})
            span.end()
        self.last = span
        self.made += count

    def make_bare(self, count):
        start_span, kind, name = self.tracer.start_span, SpanKind.SERVER, common.NAME
        for _ in range(count):
            start_span(name, kind=kind).end()

    def flush(self):
        self.provider.force_flush(60_000)
        if isinstance(self.exporter, Discard) and self.exporter.spans != self.made:
            raise RuntimeError(f"{self.made} spans made, {self.exporter.spans} exported")

    def close(self):
        self.provider.shutdown()

    def last_trace_id(self):
        return format_trace_id(self.last.get_span_context().trace_id)

    def encode(self, first, count):
        self.make(first, count)
        self.provider.force_flush(60_000)
        spans, self.exporter.spans = self.exporter.spans, []
        if len(spans) != count:
            raise RuntimeError(f"{count} spans made, {len(spans)} to encode")
        size, start = 0, time.thread_time_ns()
        for index in range(0, count, common.ENCODE_BATCH_SPANS):
            # As its exporter does it.
            size += len(encode_spans(spans[index:index + common.ENCODE_BATCH_SPANS]).SerializePartialToString())
        return time.thread_time_ns() - start, size


if __name__ == "__main__":
    common.main(OpenTelemetrySDK)
