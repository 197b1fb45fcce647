"""The same header lines through Python's propagators and ours."""

import collections
import json
import subprocess

import answers
import corpus
import differences


def run(probe, seed, per_propagator, unexplained_path):
    """Compares; returns a dictionary of figures."""
    cases = corpus.cases(seed, per_propagator)
    questions = "".join(json.dumps(case) + "\n" for case in cases)
    output = subprocess.run(
        [probe, "propagate"], input=questions, capture_output=True, text=True, check=True, timeout=120)
    lines = [json.loads(line) for line in output.stdout.split("\n") if line]
    if [line["id"] for line in lines] != [case["id"] for case in cases]:
        raise RuntimeError("the probe did not answer every case in order")
    table = {name: collections.Counter() for name in corpus.PROPAGATORS}
    named = collections.Counter()
    unexplained = []
    for case, line in zip(cases, lines):
        propagator, headers = case["propagator"], case["headers"]
        count = table[propagator]
        count["cases"] += 1
        ours = answers.ours(line)
        plain = differences.expected(propagator, headers, [])
        count["found"] += bool(ours.context or ours.baggage) and bool(plain.context or plain.baggage)
        if not line["agreesWithList"]:
            why = None
        elif plain == ours:
            count["equal"] += 1
            continue
        else:
            why = differences.explain(propagator, headers, ours)
        if why:
            count["explained"] += 1
            named.update(why)
        else:
            count["unexplained"] += 1
            unexplained.append({
                **case, "python": vars(plain), "ours": vars(ours),
                "agreesWithList": line["agreesWithList"]})
    with open(unexplained_path, "w") as file:
        file.writelines(json.dumps(case) + "\n" for case in unexplained)
    return {"table": table, "named": named, "unexplained": unexplained}
