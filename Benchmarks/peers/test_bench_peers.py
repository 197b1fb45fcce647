"""The order of the rounds, what a failure stops, and the exit code, with measurements that are made up."""

import contextlib
import io
import json
import os
import tempfile
import types
import unittest
from unittest import mock

import bench_peers
import catalogue
import measuring
import report


class Rounds(unittest.TestCase):
    def setUp(self):
        self.calls = []
        self.broken = {}
        self.kind = measuring.Failure
        self.results = tempfile.TemporaryDirectory()
        self.addCleanup(self.results.cleanup)

    def ours(self, measure, _tracemill, _delivery):
        self.calls.append(("tracemill", measure))
        self.fail_if_asked("tracemill", measure)
        return {"value": 50.0, "peak": 2 << 20, "delivery": {"queueSpans": 100, "batchSpans": 10}}

    def theirs(self, peer, measure, _build, _tracemill, settings):
        self.calls.append((peer.name, measure))
        self.settings = dict(settings)
        self.fail_if_asked(peer.name, measure)
        result = {"value": 500.0, "spans": 100, "peak": 1 << 20}
        return result | ({"counted": 100} if measure in peer.sends else {})

    def fail_if_asked(self, name, measure):
        rounds = self.broken.get((name, measure), ())
        if self.calls.count((name, measure)) - 1 in rounds:
            raise self.kind("as asked")

    def main(self, rounds=2, budget=1000.0):
        given = types.SimpleNamespace(
            tracemill="tracemill", build="build", results=self.results.name, rounds=rounds, budget=budget,
            delivery=1.0, peers=catalogue.selected("python,go"))
        output = io.StringIO()
        ours = report.Row(report.TRACEMILL, "tracemill", "0", {
            measure: report.Cell() for measure in catalogue.MEASURES})
        with contextlib.ExitStack() as stack:
            for patch in [
                    mock.patch.object(bench_peers, "arguments", return_value=given),
                    mock.patch.object(bench_peers, "tracemill_row", return_value=ours),
                    mock.patch.object(bench_peers, "progress"),
                    mock.patch.object(catalogue.Peer, "version", return_value="1"),
                    mock.patch.object(measuring, "check_work", side_effect=self.check_work),
                    mock.patch.object(measuring, "measure_tracemill", side_effect=self.ours),
                    mock.patch.object(measuring, "measure_peer", side_effect=self.theirs),
                    contextlib.redirect_stdout(output)]:
                stack.enter_context(patch)
            code = bench_peers.main()
        return code, output.getvalue()

    def check_work(self, peer, _build, _tracemill):
        if ("check", peer.name) in self.broken:
            raise measuring.Failure("two roots")

    def test_peers_take_turns_within_each_measure(self):
        code, _ = self.main()
        self.assertEqual(code, 0)
        once = [("tracemill", "delivered"), ("python", "delivered"), ("tracemill", "encode"),
                ("python", "encode"), ("tracemill", "unsampled"), ("python", "unsampled"), ("go", "unsampled"),
                ("tracemill", "sampled"), ("python", "sampled"), ("go", "sampled")]
        self.assertEqual(self.calls, once * 2)
        # The others' queue is the one that ours delivered with.
        self.assertEqual((self.settings["queueSpans"], self.settings["batchSpans"]), (100, 10))

    def test_a_round_without_a_figure_is_noted_and_the_others_count(self):
        self.broken[("python", "sampled")] = (0,)
        code, text = self.main(rounds=3)
        self.assertEqual((code, self.calls.count(("python", "sampled"))), (0, 3))
        self.assertIn("opentelemetry-python: failed in 1 of 3 rounds (as asked)", text)

    def test_a_peer_that_only_fails_is_asked_twice(self):
        self.broken[("python", "sampled")] = range(9)
        code, text = self.main(rounds=4)
        self.assertEqual((code, self.calls.count(("python", "sampled"))), (0, 2))
        self.assertEqual(self.calls.count(("go", "sampled")), 4)
        self.assertIn("opentelemetry-python: as asked", text)

    def test_our_broken_ledger_is_exit_code_4_in_whatever_round(self):
        self.broken[("tracemill", "delivered")] = (1,)
        self.kind = measuring.BrokenLedger
        code, text = self.main(rounds=3)
        self.assertEqual(code, 4)
        self.assertIn("tracemill: as asked", text)

    def test_another_failure_of_ours_is_exit_code_1(self):
        self.broken[("tracemill", "encode")] = (0,)
        self.assertEqual(self.main()[0], 1)

    def test_a_peer_that_makes_other_spans_has_no_figures(self):
        self.broken[("check", "python")] = ()
        _, text = self.main()
        self.assertNotIn(("python", "sampled"), self.calls)
        self.assertIn("opentelemetry-python: other spans: two roots", text)

    def test_no_round_starts_that_would_pass_the_budget(self):
        self.main(rounds=50, budget=0.0)
        self.assertEqual(self.calls.count(("tracemill", "sampled")), 1)

    def test_results_are_written_with_the_machine(self):
        self.main()
        names = sorted(os.listdir(self.results.name))
        self.assertEqual([os.path.splitext(name)[1] for name in names], [".json", ".md"])
        with open(os.path.join(self.results.name, names[0]), encoding="utf-8") as file:
            document = json.load(file)
        self.assertEqual((document["rounds"], document["machine"]["cores"]), (2, os.cpu_count()))
        memory = {peer["name"]: peer["figures"]["memory"]["median"] for peer in document["peers"]}
        self.assertEqual(memory, {"tracemill": 2, "python": 1, "go": 1})


class Choosing(unittest.TestCase):
    def test_names_choose_rows_in_the_tables_order(self):
        self.assertEqual([peer.name for peer in catalogue.selected("go, python")], ["python", "go"])
        self.assertEqual(catalogue.selected(None), catalogue.PEERS)

    def test_an_unknown_name_is_refused_with_the_known_ones(self):
        with self.assertRaisesRegex(ValueError, "no peer rust; there are python, "):
            catalogue.selected("go,rust")

    def test_each_peer_says_why_it_lacks_a_figure(self):
        for peer in catalogue.PEERS:
            self.assertLessEqual(set(peer.missing) | set(peer.notes), set(catalogue.MEASURES), peer.name)
            self.assertEqual("delivered" in peer.missing, peer.delivered_spans == 0, peer.name)


if __name__ == "__main__":
    unittest.main()
