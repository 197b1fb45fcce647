"""What the Python packages make of header lines, in the shape in which both sides are compared."""

import contextlib
import dataclasses

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.textmap import Getter, Setter
from opentelemetry.trace.propagation import tracecontext


@dataclasses.dataclass
class Answer:
    """A context as extracted, and the lines that are injected of it."""

    # (trace, span, flags, state, remote, local) or None; local is what only B3 says.
    context: tuple = None
    # (name, value, metadata) in order.
    baggage: list = dataclasses.field(default_factory=list)
    # name in lower case: value
    injected: dict = dataclasses.field(default_factory=dict)


class _Lines(Getter):
    """Header lines, found whatever their case, as the API asks of a getter for HTTP."""

    def get(self, carrier, key):
        return [value for name, value in carrier if name.lower() == key.lower()] or None

    def keys(self, carrier):
        return [name for name, _ in carrier]


class _Into(Setter):
    def set(self, carrier, key, value):
        carrier[key.lower()] = value


_KNOWN = {
    "tracecontext": tracecontext.TraceContextTextMapPropagator,
    "baggage": W3CBaggagePropagator,
    "b3": B3SingleFormat,
    "b3multi": B3MultiFormat,
}


@contextlib.contextmanager
def _limits(lifted):
    """The same package with a limit of its own lifted: 'tracestate', 'traceparent' or 'member'."""
    places = {
        "tracestate": (tracecontext, "_TRACECONTEXT_MAXIMUM_TRACESTATE_LENGTH"),
        "traceparent": (tracecontext.TraceContextTextMapPropagator, "_TRACEPARENT_MAXIMUM_LENGTH"),
        "member": (W3CBaggagePropagator, "_MAX_PAIR_LENGTH"),
    }
    kept = [(*places[name], getattr(*places[name])) for name in lifted]
    try:
        for owner, name, _ in kept:
            setattr(owner, name, 1 << 30)
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)


def extract(propagator, headers, lifted=()):
    """What the Python propagators find; nothing is injected yet."""
    lines = [tuple(line) for line in headers]
    context = Context()
    with _limits(lifted):
        for name in propagator.split(","):
            context = _KNOWN[name]().extract(lines, context, getter=_Lines())
    answer = Answer()
    span = trace.get_current_span(context).get_span_context()
    if span != trace.INVALID_SPAN_CONTEXT:
        answer.context = (
            trace.format_trace_id(span.trace_id), trace.format_span_id(span.span_id),
            int(span.trace_flags), span.trace_state.to_header(), span.is_remote, ())
    answer.baggage = [(name, value, "") for name, value in baggage.get_all(context).items()]
    return answer


def inject(propagator, answer, lifted=()):
    """Fills in what the Python propagators inject of the answer's context."""
    context = Context()
    if answer.context is not None:
        trace_id, span_id, flags, state, remote, _ = answer.context
        span = trace.SpanContext(
            int(trace_id, 16), int(span_id, 16), remote, trace.TraceFlags(flags),
            trace.TraceState.from_header([state]))
        context = trace.set_span_in_context(trace.NonRecordingSpan(span), context)
    for name, value, _ in answer.baggage:
        context = baggage.set_baggage(name, value, context)
    answer.injected = {}
    with _limits(lifted):
        for name in propagator.split(","):
            _KNOWN[name]().inject(answer.injected, context, setter=_Into())
    return answer


def ours(line):
    """The probe's answer in the same shape."""
    answer = Answer()
    found = line.get("context")
    if found is not None:
        answer.context = (
            found["trace"], found["span"], found["flags"], found["state"], found["remote"],
            tuple(found["local"]))
    answer.baggage = [tuple(entry) for entry in line["baggage"]]
    for name, value in line["injected"]:
        if name in answer.injected:
            raise ValueError(f"injected twice: {name}")
        answer.injected[name] = value
    return answer
