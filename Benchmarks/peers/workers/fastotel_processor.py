"""fastotel: spans of Python's SDK, copied at their end into a batch processor and exporter in Rust."""

import common
from fastotel import OTLPSpanProcessor
from opentelemetry_sdk import OpenTelemetrySDK


class Fastotel(OpenTelemetrySDK):
    def processor(self, options):
        # The unsampled row needs no endpoint: nothing is sent.
        return OTLPSpanProcessor(
            endpoint=options.endpoint or "http://127.0.0.1:9/v1/traces", max_queue_size=options.queue,
            max_export_batch_size=options.batch, schedule_delay_millis=100)


if __name__ == "__main__":
    common.main(Fastotel)
