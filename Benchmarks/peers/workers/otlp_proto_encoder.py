"""otlp-proto: a request body in Rust from the finished spans of Python's SDK. An encoder and nothing else."""

import common
import otlp_proto
from opentelemetry_sdk import OpenTelemetrySDK


class OTLPProto(OpenTelemetrySDK):
    def body(self, spans):
        return otlp_proto.encode_spans(spans)


if __name__ == "__main__":
    common.main(OTLPProto)
