"""The peers: how each is started, what it can do, and what has to be said about its figures."""

import dataclasses
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
# The columns, in order.
MEASURES = ("sampled", "unsampled", "encode", "delivered", "memory")
# Settings of the span rows, as `tracemill bench` has them; those of the delivered row are read from it.
SPAN_QUEUE, SPAN_BATCH = 8192, 512

NO_EXPORTER_OF_OURS = (
    "takes no exporter but its own: spans go to the sink meanwhile, on threads whose time is not counted")
NO_ENCODER = "encodes within its exporter, where nothing can be timed alone"
NO_OTLP = "has no OTLP exporter"
NOT_ASKED = "the same as opentelemetry-python's"
OF_SPANS = "of the process that makes the sampled spans: it delivers none"
OF_FULL_QUEUE = "of several deliveries in a row, its queue always full; the others' spans never fill theirs"


@dataclasses.dataclass(frozen=True)
class Peer:
    """A row of the table."""

    name: str
    title: str
    # The distribution (PyPI) or package (Debian) whose version is shown.
    package: str
    registry: str
    worker: str
    # Why a measure is missing.
    missing: dict = dataclasses.field(default_factory=dict)
    # What is to be known about a figure.
    notes: dict = dataclasses.field(default_factory=dict)
    # Measures whose spans go to a sink, and are counted there.
    sends: frozenset = frozenset({"delivered"})
    delivered_spans: int = 0

    def command(self, build):
        """The worker without its arguments; `build` is where the run put what it installed and built."""
        if self.registry == "PyPI":
            return [os.path.join(build, "venv", "bin", "python"), "-B",
                    os.path.join(HERE, "workers", self.worker)]
        return [os.path.join(build, self.worker)]

    def version(self, build):
        """Version of the package, or None when it is not installed."""
        if self.registry == "PyPI":
            text = f"import importlib.metadata as m; print(m.version({self.package!r}))"
            command = [os.path.join(build, "venv", "bin", "python"), "-c", text]
        else:
            command = ["dpkg-query", "--show", "--showformat=${Version}", self.package]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None


_OWN_EXPORTER = frozenset({"sampled", "delivered"})

PEERS = (
    Peer(
        name="python", title="opentelemetry-python", package="opentelemetry-sdk", registry="PyPI",
        worker="opentelemetry_sdk.py", delivered_spans=15_000),
    Peer(
        name="fastotel", title="… with fastotel (Rust)", package="fastotel", registry="PyPI",
        worker="fastotel_processor.py", delivered_spans=40_000, sends=_OWN_EXPORTER,
        missing={"encode": NO_ENCODER, "unsampled": NOT_ASKED},
        notes={"sampled": NO_EXPORTER_OF_OURS}),
    Peer(
        name="honeycomb-pycpp", title="opentelemetry-cpp from Python", package="honeycomb-pycpp",
        registry="PyPI", worker="honeycomb_pycpp_sdk.py", delivered_spans=60_000, sends=_OWN_EXPORTER,
        missing={"encode": NO_ENCODER}, notes={"sampled": NO_EXPORTER_OF_OURS}),
    Peer(
        name="pytracingx", title="opentelemetry-rust from Python", package="pytracingx", registry="PyPI",
        worker="pytracingx_sdk.py", delivered_spans=60_000, sends=_OWN_EXPORTER,
        missing={"encode": NO_ENCODER},
        notes={"sampled": NO_EXPORTER_OF_OURS, "delivered": "its spans have four attributes more"}),
    Peer(
        name="ddtrace", title="ddtrace (Python, Rust)", package="ddtrace", registry="PyPI",
        worker="ddtrace_tracer.py", delivered_spans=15_000, sends=_OWN_EXPORTER,
        missing={"encode": NO_ENCODER},
        notes={"sampled": NO_EXPORTER_OF_OURS,
               "delivered": "its spans have sixteen attributes more; its queue is bounded in bytes",
               "unsampled": "by a rule that keeps none: it records such spans all the same"}),
    Peer(
        name="go", title="opentelemetry-go", package="golang-opentelemetry-otel-dev", registry="Debian",
        worker="go-opentelemetry", sends=frozenset(),
        missing={"encode": NO_OTLP, "delivered": NO_OTLP}),
    Peer(
        name="dd-opentracing", title="dd-opentracing (C++)", package="libdd-opentracing-dev",
        registry="Debian", worker="dd-opentracing", sends=frozenset(),
        missing={"encode": NO_OTLP, "delivered": NO_OTLP},
        notes={"sampled": "no batch processor: finished traces go to its encoder, which is emptied",
               "unsampled": "by a rate of 0: it records such spans all the same"}),
)


def selected(only):
    """The peers named in a comma-separated list; all for None. Raises ValueError for one that is not there."""
    if not only:
        return PEERS
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = {peer.name: peer for peer in PEERS}
    unknown = [name for name in names if name not in known and name != "tracemill"]
    if unknown:
        raise ValueError(f"no peer {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name] for name in known if name in names)
