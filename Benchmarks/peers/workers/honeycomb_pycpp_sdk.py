"""honeycomb-pycpp: the C++ SDK of OpenTelemetry behind Python calls. It is set up by a file and has no flush."""

import tempfile

import common
import honeycomb_pycpp

_CONFIGURATION = """\
file_format: "1.0"
resource:
  attributes:
    - name: service.name
      value: {service}
tracer_provider:
  sampler:
    {sampler}:
  processors:
    - batch:
        schedule_delay: 100
        max_queue_size: {queue}
        max_export_batch_size: {batch}
        exporter:
          otlp_http:
            endpoint: {endpoint}
            encoding: protobuf
"""


class HoneycombPycpp(common.Peer):
    # Now and then its shutdown waits for ever, and is not waited for. Everything has arrived by then: `flush` saw to it.
    exits_at_once = True

    def __init__(self, options, is_sampled):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(_CONFIGURATION.format(
                service=common.SERVICE, sampler="always_on" if is_sampled else "always_off",
                queue=options.queue, batch=options.batch,
                endpoint=options.endpoint or "http://127.0.0.1:9/v1/traces"))
            file.flush()
            self.sdk = honeycomb_pycpp.SDK(file.name)
        self.tracer = self.sdk.tracer_provider.get_tracer(common.SCOPE)
        self.endpoint = options.endpoint
        self.last, self.made = None, 0

    def make(self, first, count):
        start_span, kind, name = self.tracer.start_span, honeycomb_pycpp.SpanKind.SERVER, common.NAME
        method, route, status = common.METHOD, common.ROUTE, common.STATUS
        size, cached = common.SIZE, common.CACHED
        for number in range(first, first + count):
            span = start_span(name, kind=kind)
            span.set_attributes({
                method: "GET", route: "/api/orders/{id}", status: 404 if number & 15 == 0 else 200,
                size: number, cached: number & 1 == 0})
            span.end()
        self.last = span
        self.made += count

    def make_bare(self, count):
        start_span, kind, name = self.tracer.start_span, honeycomb_pycpp.SpanKind.SERVER, common.NAME
        for _ in range(count):
            start_span(name, kind=kind).end()

    def flush(self):
        common.wait_for_sink(self.endpoint, self.made)

    def close(self):
        pass

    def last_trace_id(self):
        return self.last.get_trace_id()


if __name__ == "__main__":
    common.main(HoneycombPycpp)
