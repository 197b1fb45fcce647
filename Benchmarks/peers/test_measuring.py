"""What becomes of a worker's output, and of a worker that does not behave."""

import subprocess
import sys
import unittest
from unittest import mock

import measuring


class Answers(unittest.TestCase):
    def test_last_line_of_output_counts(self):
        self.assertEqual(measuring.answer(0, 'a log line\n{"value": 1.5, "spans": 2}\n\n', "")["spans"], 2)

    def test_a_long_answer_is_read_whole(self):
        text = '{"value": 1, "attributes": "' + "x" * 5000 + '"}'
        self.assertEqual(len(measuring.answer(0, text, "")["attributes"]), 5000)

    def test_anything_else_is_a_failure_with_its_reason(self):
        for code, output, errors, reason in [
                (1, "", "Traceback\nValueError: no such queue\n", "exit code 1: ValueError: no such queue"),
                (0, "", "", "no answer but 'no message'"), (0, "ready\n", "", "no answer but 'ready'"),
                (0, '{"spans": 3}', "", "no answer but '{\"spans\": 3}'"),
                (0, '{"value": "fast"}', "", "no number but 'fast'")]:
            with self.assertRaises(measuring.Failure) as caught:
                measuring.answer(code, output, errors)
            self.assertEqual(str(caught.exception), reason)


class Processes(unittest.TestCase):
    def test_run_gives_code_and_both_outputs(self):
        program = "import sys; print('done'); print('bad', file=sys.stderr); sys.exit(3)"
        code, output, errors, _ = measuring.run([sys.executable, "-c", program])
        self.assertEqual((code, output, errors), (3, "done\n", "bad\n"))

    def test_peak_memory_stays_when_the_memory_is_gone(self):
        program = "b = bytearray(64 << 20); b = None; print('ready', flush=True); input()"
        with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as process:
            memory = measuring.PeakMemory(process.pid)
            self.assertEqual(process.stdout.readline(), "ready\n")
            # Its last look is after this.
            peak = memory.stop()
            process.stdin.close()
        self.assertGreater(peak, 64 << 20)
        self.assertLess(peak, 256 << 20)

    def test_a_worker_that_hangs_is_ended(self):
        with self.assertRaisesRegex(measuring.Failure, "took longer than 0.2 s"):
            measuring.run([sys.executable, "-c", "import threading; threading.Event().wait()"], timeout_s=0.2)

    def test_a_program_that_is_not_there_is_a_failure(self):
        with self.assertRaisesRegex(measuring.Failure, "does not start"):
            measuring.run(["/nowhere/worker"])

    def test_settings_of_sdks_and_proxies_stay_outside(self):
        variables = {"OTEL_BSP_MAX_QUEUE_SIZE": "1", "DD_API_KEY": "1", "https_proxy": "1", "HTTP_PROXY": "1",
                     "PYTHONPATH": "1", "PATH": "/bin"}
        with mock.patch.dict("os.environ", variables, clear=True):
            self.assertEqual(measuring.environment(), {"PATH": "/bin"})

    def test_peak_is_read_from_the_kernels_text(self):
        self.assertEqual(measuring.peak_bytes("VmPeak:\t  9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), 2 << 20)
        self.assertEqual(measuring.peak_bytes("Name:\tkthreadd\n"), 0)


class Tracemill(unittest.TestCase):
    def measure(self, code, output, errors=""):
        with mock.patch.object(measuring, "run", return_value=(code, output, errors, 7)):
            return measuring.measure_tracemill("delivered", "tracemill", 1.0)

    def test_figure_and_settings_come_from_its_bench(self):
        result = self.measure(0, '{"deliveredSpansPerS": 4e6, "delivery": {"queueSpans": 5}}')
        self.assertEqual(result, {"value": 4e6, "peak": 7, "delivery": {"queueSpans": 5}})

    def test_a_ledger_that_does_not_balance_is_no_figure(self):
        with self.assertRaisesRegex(measuring.BrokenLedger, "exit code 4: error: L2 broken"):
            self.measure(4, '{"deliveredSpansPerS": 4e6}', "error: L2 broken\n")
        with self.assertRaises(measuring.Failure) as caught:
            self.measure(2, "", "error: no such figure\n")
        self.assertNotIsInstance(caught.exception, measuring.BrokenLedger)

    def test_a_bench_without_the_figure_is_a_failure(self):
        with self.assertRaisesRegex(measuring.Failure, "bench gave no deliveredSpansPerS"):
            self.measure(0, "{}")


class Values(unittest.TestCase):
    def test_types_may_differ_and_values_may_not(self):
        for one, other in [({"intValue": "200"}, 200), ({"doubleValue": 200.0}, 200),
                           ({"stringValue": "False"}, False), ({"boolValue": False}, False),
                           ({"stringValue": "GET"}, "GET")]:
            self.assertEqual(measuring.plain(one), measuring.plain(other))
        for one, other in [({"intValue": "404"}, 200), ({"stringValue": "true"}, False),
                           ({"stringValue": ""}, "GET")]:
            self.assertNotEqual(measuring.plain(one), measuring.plain(other))


if __name__ == "__main__":
    unittest.main()
