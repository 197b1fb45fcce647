"""The known differences between Python's propagators and ours.

A difference is a repair: it removes from the header lines the one thing that both sides see differently,
and where a context cannot be brought about by other header lines, it says what the context has to become.
A case is explained by a set of differences when Python's answer to the repaired lines is our answer to
the lines as they were: field by field, and byte by byte in what is injected. So an explanation predicts;
it does not excuse. docs/interop.md lists them, and says who is right.
"""

import itertools

import answers
import repairs_b3
import repairs_baggage
import repairs_trace

# In the order in which they are applied.
KNOWN = repairs_trace.KNOWN + repairs_baggage.KNOWN + repairs_b3.KNOWN


def expected(propagator, headers, chosen):
    """Python's answer once the chosen differences are repaired; None when one does not apply."""
    lines = [tuple(line) for line in headers]
    applied = []
    for difference in chosen:
        repair = difference(propagator, lines)
        if repair is None:
            return None
        lines = repair.lines
        applied.append(repair)
    lifted = [limit for repair in applied for limit in repair.lifted]
    answer = answers.extract(propagator, lines, lifted)
    for repair in reversed(applied):
        repair.context(answer)
    answers.inject(propagator, answer, lifted)
    for repair in reversed(applied):
        if repair.wire(answer) is False:
            return None
    return answer


def applicable(propagator, headers):
    """The differences that may play a part in these lines, each looked at after those before it."""
    lines = [tuple(line) for line in headers]
    found = []
    for difference in KNOWN:
        if not set(difference.propagators) & set(propagator.split(",")):
            continue
        repair = difference(propagator, lines)
        if repair is not None:
            found.append(difference)
            lines = repair.lines
    return found


def explain(propagator, headers, ours):
    """The smallest set of differences that turns Python's answer into ours; None when there is none."""
    candidates = applicable(propagator, headers)
    for size in range(len(candidates) + 1):
        for chosen in itertools.combinations(candidates, size):
            if expected(propagator, headers, chosen) == ours:
                return [difference.name for difference in chosen]
    return None
