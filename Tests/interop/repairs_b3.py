"""Known differences of the B3 propagators. What is well-formed: openzipkin/b3-propagation, README."""

import re

from repair import Repair, difference, replaced, values, without

KNOWN = []
_B3 = ("b3", "b3multi")
_SEVERAL = ["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"]
_SINGLE = re.compile(r"([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d]))?(?:-([0-9a-f]{16}))?")


def _first(lines, name):
    found = values(lines, name)
    return found[0] if found else None


@difference(KNOWN, "b3-blanks", *_B3)
def _blanks(_, lines):
    new = [
        (name, value.strip(" \t") if name.lower() in ["b3", *_SEVERAL] else value)
        for name, value in lines]
    return Repair(new) if new != lines else None


def _single_fault(value):
    """Why a `b3` value is malformed; None for a well-formed one."""
    if value in ("0", "1", "d"):
        return None
    match = _SINGLE.fullmatch(value)
    if match:
        return "b3-zero-ids" if any(part and not part.strip("0") for part in match.group(1, 2, 4)) \
            else None
    if _SINGLE.fullmatch(value.lower()):
        return "b3-upper-case"
    fields = value.split("-")
    if _SINGLE.fullmatch("-".join(fields[:2])) is None:
        return "b3-malformed"
    if len(fields) == 3:
        return "b3-bad-state"
    if len(fields) == 4:
        return "b3-bad-state" if fields[2] not in ("0", "1", "d") else "b3-bad-parent"
    return "b3-malformed"


def _several_fault(lines):
    """Why the `X-B3-…` lines are malformed; None for well-formed ones."""
    trace, span = _first(lines, "x-b3-traceid"), _first(lines, "x-b3-spanid")
    sampled = _first(lines, "x-b3-sampled")
    if sampled is not None and sampled.lower() not in ("0", "1", "true", "false"):
        return "b3-bad-state"
    if trace is None or span is None:
        # Two ids or none: one alone is no context, and no decision either.
        return None if trace is span else "b3-malformed"
    if _SINGLE.fullmatch(f"{trace}-{span}"):
        return None if trace.strip("0") and span.strip("0") else "b3-zero-ids"
    return "b3-upper-case" if _SINGLE.fullmatch(f"{trace}-{span}".lower()) else "b3-malformed"


def _fault(name):
    @difference(KNOWN, name, *_B3)
    def _(_, lines):
        new = lines
        single = _first(new, "b3")
        if single is not None and _single_fault(single) == name:
            new = without(new, "b3")
        if _first(new, "b3") is None and _several_fault(new) == name:
            new = without(new, *_SEVERAL)
        return Repair(new) if new != lines else None


for _name in ["b3-upper-case", "b3-zero-ids", "b3-bad-state", "b3-bad-parent", "b3-malformed"]:
    _fault(_name)


@difference(KNOWN, "b3-words", *_B3)
def _words(_, lines):
    sampled = _first(lines, "x-b3-sampled")
    if sampled is None or sampled.lower() not in ("true", "false"):
        return None
    digit = "1" if sampled.lower() == "true" else "0"
    return Repair(replaced(lines, "x-b3-sampled", [digit]))


@difference(KNOWN, "b3-parent-without-state", *_B3)
def _parent(_, lines):
    single = _first(lines, "b3")
    match = _SINGLE.fullmatch(single) if single else None
    if match is None or match[3] or not match[4]:
        return None
    return Repair(replaced(lines, "b3", [f"{match[1]}-{match[2]}"]))


def _state(lines):
    """What well-formed lines say: (has ids, '0' | '1' | 'd' | 'parent' | None)."""
    single = _first(lines, "b3")
    if single:
        if len(single) == 1:
            return False, single
        match = _SINGLE.fullmatch(single)
        if match is None:
            return False, None
        # A parent where the state would be: see b3-parent-without-state.
        return True, "parent" if match[4] and not match[3] else match[3]
    sampled = _first(lines, "x-b3-sampled")
    state = "d" if _first(lines, "x-b3-flags") == "1" else sampled
    return _first(lines, "x-b3-traceid") is not None, state


def _local(flags, local):
    def change(answer):
        if answer.context is not None:
            trace, span, _, state, remote, _ = answer.context
            answer.context = (trace, span, flags, state, remote, local)

    return change


def _say(propagator, state):
    """Makes the injected lines say that about sampling."""

    def wire(answer):
        lines = answer.injected
        if propagator == "b3":
            if "b3" in lines:
                lines["b3"] = "-".join(lines["b3"].split("-")[:2] + ([state] if state else []))
            elif state:
                lines["b3"] = state
        else:
            lines.pop("x-b3-sampled", None)
            if state == "d":
                lines["x-b3-flags"] = "1"
            elif state:
                lines["x-b3-sampled"] = state

    return wire


@difference(KNOWN, "b3-deferred", *_B3)
def _deferred(propagator, lines):
    if _state(lines) != (True, None):
        return None
    return Repair(lines, context=_local(0, ("deferred",)), wire=_say(propagator, None))


@difference(KNOWN, "b3-debug", *_B3)
def _debug(propagator, lines):
    if _state(lines) != (True, "d"):
        return None
    return Repair(lines, context=_local(1, ("debug",)), wire=_say(propagator, "d"))


@difference(KNOWN, "b3-decision-alone", *_B3)
def _decision(propagator, lines):
    has_ids, state = _state(lines)
    if has_ids or state not in ("0", "1", "d"):
        return None
    local = {"0": ("denied",), "1": (), "d": ("debug",)}[state]

    say = _say(propagator, state)

    def wire(answer):
        # Only now: of ids that are zero Python injects zeros.
        answer.context = ("0" * 32, "0" * 16, 0 if state == "0" else 1, "", True, local)
        say(answer)

    return Repair(lines, wire=wire)
