"""pytracingx: Rust's tracing and opentelemetry crates behind Python calls; one pipeline in a process."""

import common
import pytracingx


class Pytracingx(common.Peer):
    def __init__(self, options, is_sampled):
        sink = pytracingx.TraceSink(
            endpoint=options.endpoint or "http://127.0.0.1:9/v1/traces", protocol="http/protobuf",
            sampler="always_on" if is_sampled else "always_off", batch_max_queue=options.queue,
            batch_max_export=options.batch, batch_schedule_delay_ms=100)
        pytracingx.init(pytracingx.Config(service_name=common.SERVICE, console_output=False, sinks=[sink]))
        self.trace_id = None

    def make(self, first, count):
        start_span, name = pytracingx.start_span, common.NAME
        method, route, status = common.METHOD, common.ROUTE, common.STATUS
        size, cached = common.SIZE, common.CACHED
        for number in range(first, first + count):
            span = start_span(name, kind="server")
            # It has no call that sets several.
            span.set_attribute(method, "GET")
            span.set_attribute(route, "/api/orders/{id}")
            span.set_attribute(status, 404 if number & 15 == 0 else 200)
            span.set_attribute(size, number)
            span.set_attribute(cached, number & 1 == 0)
            if number == first + count - 1:
                self.trace_id = span.trace_id()
            span.end()

    def make_bare(self, count):
        start_span, name = pytracingx.start_span, common.NAME
        for _ in range(count):
            start_span(name, kind="server").end()

    def flush(self):
        pytracingx.force_flush()

    def close(self):
        pytracingx.shutdown()

    def last_trace_id(self):
        return self.trace_id


if __name__ == "__main__":
    common.main(Pytracingx)
