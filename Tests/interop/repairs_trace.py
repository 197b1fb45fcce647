"""Known differences of the W3C trace context propagators."""

import re

from repair import Repair, difference, replaced, values, without

KNOWN = []
_TRACE = "tracecontext"


@difference(KNOWN, "traceparent-twice", _TRACE)
def _twice(_, lines):
    if len(values(lines, "traceparent")) < 2:
        return None
    return Repair(without(lines, "traceparent"))


@difference(KNOWN, "traceparent-long", _TRACE)
def _long(_, lines):
    parent = values(lines, "traceparent")
    return Repair(lines, lifted=["traceparent"]) if parent and len(parent[0]) > 512 else None


@difference(KNOWN, "unknown-flags", _TRACE)
def _flags(_, lines):
    parent = values(lines, "traceparent")
    match = re.match(r"([ \t]*[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-)([0-9a-f]{2})", parent[0]) \
        if parent else None
    if match is None or int(match[2], 16) < 4:
        return None
    known = f"{int(match[2], 16) & 3:02x}"
    return Repair(replaced(lines, "traceparent", [match[1] + known + parent[0][match.end():]]))


def _members(lines):
    """The members of all tracestate lines, blanks and empty ones gone."""
    parts = ",".join(values(lines, "tracestate")).split(",")
    return [part.strip(" \t") for part in parts if part.strip(" \t")]


@difference(KNOWN, "tracestate-long", _TRACE)
def _state_long(_, lines):
    states = values(lines, "tracestate")
    if sum(map(len, states)) + len(states) - 1 <= 8192:
        return None
    return Repair(lines, lifted=["tracestate"])


@difference(KNOWN, "tracestate-duplicate-keys", _TRACE)
def _duplicates(_, lines):
    members = _members(lines)
    first = {}
    for member in members:
        first.setdefault(member.split("=")[0], member)
    if len(first) == len(members):
        return None
    # Too many is too many, duplicates or not.
    kept = list(first.values()) if len(members) <= 32 else []
    return Repair(replaced(lines, "tracestate", [",".join(kept)]))


@difference(KNOWN, "tracestate-level-2-keys", _TRACE)
def _level_2(_, lines):
    level_1 = re.compile(r"[a-z][_0-9a-z\-*/]{0,255}|[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13}")
    level_2 = re.compile(r"[a-z0-9][_0-9a-z\-*/@]{0,255}")
    members = _members(lines)
    keys = {}
    for index, member in enumerate(members):
        key, equals, value = member.partition("=")
        if equals and level_2.fullmatch(key) and not level_1.fullmatch(key):
            # Stands for the key on its way through Python.
            keys[f"zz{index}"] = key
            members[index] = f"zz{index}={value}"
    if not keys:
        return None

    def back(text):
        parts = (part.partition("=") for part in text.split(","))
        return ",".join(keys.get(key, key) + equals + value for key, equals, value in parts)

    def wire(answer):
        if "tracestate" in answer.injected:
            answer.injected["tracestate"] = back(answer.injected["tracestate"])
        if answer.context is not None:
            trace, span, flags, state, remote, local = answer.context
            answer.context = (trace, span, flags, back(state), remote, local)

    return Repair(replaced(lines, "tracestate", [",".join(members)]), wire=wire)


@difference(KNOWN, "tracestate-shortened", _TRACE)
def _shortened(_, lines):
    if len(",".join(_members(lines))) <= 512:
        return None

    def wire(answer):
        state = answer.injected.get("tracestate", "")
        if len(state) <= 512:
            return False
        answer.injected["tracestate"] = shortened(state)

    return Repair(lines, wire=wire)


def shortened(state):
    """Trace Context, 3.3.1.5: whole members go, those over 128 characters first, then from the end."""
    members = state.split(",")
    for index in reversed(range(len(members))):
        if len(",".join(members)) > 512 and len(members[index]) > 128:
            del members[index]
    while len(",".join(members)) > 512:
        members.pop()
    return ",".join(members)
