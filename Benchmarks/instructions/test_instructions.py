"""Whether the two scripts would notice: code known to do each thing they look for, and made-up counts."""

import contextlib
import io
import json
import pathlib
import tempfile
import unittest
from unittest import mock

import instructions
import runtime_calls
from callgrind import Profile
from disassembly import Binary, demangled, run, short
from runtime_calls import Walk, executed_checks, kind_of, trap_branches

HERE = pathlib.Path(__file__).resolve().parent


class KnownCode(unittest.TestCase):
    """Walks over functions compiled from fixtures/Known.swift."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        library = f"{cls.folder.name}/libKnown.so"
        run(["swiftc", "-O", "-wmo", "-parse-as-library", "-module-name", "Known", "-emit-library",
             "-o", library, str(HERE / "fixtures" / "Known.swift")])
        cls.binary = Binary(library)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def function(self, name):
        (function,) = self.binary.named(rf"\$s5Known[0-9]*{name}.*F")
        return function

    def counts(self, name, slow=()):
        ends = {self.function(each).address for each in slow}
        return Walk(self.binary, [self.function(name)], ends, "5Known").counts()

    def test_each_kind_is_found_where_it_is_known_to_be(self):
        for kind in ("references", "allocation", "exclusivity", "pointer", "library"):
            self.assertGreaterEqual(self.counts("known" + kind.capitalize())[kind], 1, kind)
        self.assertGreaterEqual(self.counts("knownTrap")["traps"], 1)

    def test_nothing_is_found_where_nothing_is(self):
        self.assertEqual(sum(self.counts("knownNothing").values()), 0)

    def test_a_call_is_followed_unless_it_is_a_slow_path(self):
        self.assertEqual(self.counts("knownWay")["allocation"],
                         self.counts("knownAllocation")["allocation"])
        self.assertEqual(self.counts("knownWay", slow=["knownAllocation"])["allocation"], 0)

    def test_the_branch_before_a_trap_is_a_check_when_it_ran(self):
        code = self.binary.code(self.function("knownTrap"))
        branches = trap_branches(code)
        self.assertGreaterEqual(len(branches), 1)
        executed = {instruction.address: 10 for instruction in code}
        self.assertEqual(executed_checks(self.binary, executed),
                         {branch: 10 for branch in branches})
        self.assertEqual(trap_branches(self.binary.code(self.function("knownNothing"))), [])
        first = {code[0].address: 10}
        self.assertEqual(executed_checks(self.binary, first), {})

    def test_a_function_over_its_limit_fails_and_one_within_does_not(self):
        plan = {"ours": "5Known", "slowPaths": [], "allowed": [], "entries": [
            {"title": "way", "function": r"Known\.knownWay"}]}
        self.binary.names = {each: demangled([each.name])[each.name]
                             for each in self.binary.named(r"\$s5Known.*F")}
        with contextlib.redirect_stdout(io.StringIO()) as out:
            broken = runtime_calls.check(plan, self.binary, [], where=False)
            self.assertIn(("way", "allocation", 1, 0), broken)
            self.assertIn("knownAllocation", out.getvalue())
            plan["allowed"] = [{"entries": ["way"], "kind": kind, "count": count, "why": "known"}
                               for _, kind, count, _ in broken]
            self.assertEqual(runtime_calls.check(plan, self.binary, [], where=False), [])


class Plans(unittest.TestCase):
    def test_an_exception_needs_a_reason_and_an_entry(self):
        plan = {"entries": [{"title": "start"}], "slowPaths": [], "allowed": [
            {"kind": "traps", "count": 1, "entries": ["start"], "why": "guards memory"}]}
        self.assertEqual(list(runtime_calls.mistakes(plan)), [])
        plan["allowed"].append({"kind": "traps", "count": 1, "entries": ["stop"], "why": "x"})
        plan["slowPaths"].append({"function": "refill"})
        self.assertEqual(list(runtime_calls.mistakes(plan)),
                         ["no reason is given for refill", "there is no entry 'stop'"])


class Names(unittest.TestCase):
    def test_kinds_go_by_the_name(self):
        for name, kind in [("swift_retain", "references"), ("swift_bridgeObjectRelease", "references"),
                           ("swift_release_n", "references"), ("swift_allocObject", "allocation"),
                           ("malloc", "allocation"), ("swift_beginAccess", "exclusivity"),
                           ("swift_once", "lazy globals"), ("memcpy", "copying"),
                           ("swift_isUniquelyReferenced_nonNull_native", "runtime"),
                           ("$s9TraceCore6TracerC", None), ("tracemill_eventfd_new", None)]:
            self.assertEqual(kind_of(name), kind, name)

    def test_short_names_keep_what_tells_functions_apart(self):
        self.assertEqual(
            short("function signature specialization <Arg[0] = Dead> of static"
                  " TraceCore.SlotWriter.(addField in _47D4)(_: Swift.Int, tag: Swift.UInt8) -> ()"),
            "SlotWriter.addField(_: Int, tag: UInt8)")


# Two functions of the program and one of the C library; 4 calls before the measured part.
PROFILE = """# callgrind format
events: Ir
ob=(1) /tmp/x/tracemill
fn=(1) one
0x10 0 100
0x13 0 50
cob=(2) /lib/libc.so.6
cfn=(2) memcpy
calls=10 0x500
0x18 0 70
fn=(3) swift_bridgeObjectRetain
0x40 0 20
cfn=(4) swift_retain
calls=5 0x60
0x44 0 30
ob=(1)
fn=(1)
cfn=(3)
calls=5 0x40
0x19 0 50
ob=(2)
fn=(2)
0x500 0 70
"""


class Counting(unittest.TestCase):
    def test_a_profile_is_added_up_without_what_is_inclusive(self):
        profile = Profile(PROFILE, "tracemill")
        self.assertEqual(profile.total, 240)
        self.assertEqual(profile.of_libraries("tracemill"), 70)
        self.assertEqual(profile.functions, {"one": 150, "swift_bridgeObjectRetain": 20, "memcpy": 70})
        self.assertEqual(profile.executed, {0x10: 100, 0x13: 50, 0x40: 20})
        self.assertEqual(profile.calls[("one", "memcpy")], 10)

    def count(self, instructions, libraries=0.0, checks=0.0, **calls):
        count = mock.Mock(instructions=instructions, libraries=libraries, checks=checks, spread=0)
        count.calls = {**dict.fromkeys(instructions_kinds(), 0), **calls}
        return count

    def verdict(self, count, same_libc=True, **budget):
        budget = {"instructions": 100, "libraries": 0, "calls": {}, "tolerance": 0.02, **budget}
        ((*_, verdict),) = instructions.judge({"piece": count}, {"piece": budget}, same_libc)
        return verdict

    def test_a_count_is_held_against_its_budget(self):
        self.assertEqual(self.verdict(self.count(102)), "holds")
        self.assertEqual(self.verdict(self.count(102.1)), "EXCEEDED")
        self.assertEqual(self.verdict(self.count(97)), "lower")
        self.assertEqual(self.verdict(self.count(104), tolerance=0.05), "holds")
        # Of a small one an instruction is more than two per cent.
        self.assertEqual(self.verdict(self.count(10.9), instructions=10), "holds")
        self.assertEqual(self.verdict(self.count(11.1), instructions=10), "EXCEEDED")

    def test_a_call_of_the_runtime_or_a_check_more_exceeds_it(self):
        self.assertEqual(self.verdict(self.count(100, references=1)),
                         "EXCEEDED, references 1.00 > 0.00")
        self.assertEqual(self.verdict(self.count(100, references=1), calls={"references": 1}), "holds")
        self.assertEqual(self.verdict(self.count(100, checks=2), checks=1),
                         "EXCEEDED, checks 2.0 > 1.0")

    def test_another_c_library_counts_for_nothing(self):
        count = self.count(130, libraries=60)
        self.assertEqual(self.verdict(count, libraries=30), "EXCEEDED")
        self.assertEqual(self.verdict(count, same_libc=False, libraries=30), "holds")

    def test_what_is_wrong_is_the_exit_code(self):
        def code(verdict="holds", failures=(), gone=()):
            with contextlib.redirect_stderr(io.StringIO()):
                return instructions.conclude([("piece", 100.0, 110.0, 0.1, verdict)], failures, gone)
        self.assertEqual(code(), 0)
        self.assertEqual(code("lower"), 0)
        self.assertEqual(code("EXCEEDED"), 1)
        self.assertEqual(code("no budget"), 1)
        self.assertEqual(code(failures=["piece: exit code 4"]), 1)
        self.assertEqual(code(gone=["piece"]), 1)

    def test_two_runs_that_differ_are_noticed(self):
        def profile(total):
            return Profile(f"ob=(1) /x/tracemill\nfn=(1) one\n0x10 0 {total}\n", "tracemill")
        steady = instructions.Count([profile(8192_000), profile(16384_000)], "tracemill")
        self.assertEqual((steady.instructions, steady.spread), (1000, 0))
        restless = instructions.Count([profile(8192_000), profile(16384_000 + 32768)], "tracemill")
        self.assertGreater(restless.spread, instructions.REPEATABILITY)

    def test_recording_keeps_tolerances_and_forgets_pieces_that_are_gone(self):
        known = {"compiler": instructions.compiler(), "pieces": {
            "kept": {"instructions": 5, "tolerance": 0.1}, "gone": {"instructions": 7}}}
        with tempfile.TemporaryDirectory() as folder, mock.patch(
                "instructions.BUDGETS", pathlib.Path(folder) / "budgets.json"):
            def recorded(is_all, known=known):
                instructions.record({"kept": self.count(6), "new": self.count(8)}, known, is_all)
                pieces = json.loads(instructions.BUDGETS.read_text())["pieces"]
                return {name: (piece["instructions"], piece.get("tolerance"))
                        for name, piece in pieces.items()}
            both = {"kept": (6, 0.1), "new": (8, instructions.TOLERANCE)}
            self.assertEqual(recorded(is_all=True), both)
            self.assertEqual(recorded(is_all=False), {**both, "gone": (7, None)})
            self.assertEqual(recorded(is_all=False, known={**known, "compiler": "Swift 1"}), both)

    def test_a_call_that_makes_others_of_its_kind_is_counted_once_and_only_while_measured(self):
        def profile(before, measured):
            text = "ob=(1) /x/tracemill\nfn=(1) one\n"
            text += "".join(f"cfn=({number}) {name}\ncalls={before + measured} 0x1\n0x10 0 7\n"
                            for number, name in ((2, "swift_allocObject"), (3, "swift_bridgeObjectRetain")))
            text += f"0x20 0 {measured}\nfn=(2)\ncfn=(4) swift_slowAlloc\n"
            text += f"calls={before + measured} 0x1\n0x30 0 7\nfn=(4)\ncfn=(5) malloc\n"
            text += f"calls={before + measured} 0x1\n0x40 0 7\nfn=(3)\ncfn=(6) swift_retain\n"
            return Profile(text + f"calls={before + measured} 0x1\n0x50 0 7\n", "tracemill")
        count = instructions.Count([profile(500, 8192), profile(500, 16384)], "tracemill")
        self.assertEqual(count.calls, {"references": 1, "allocation": 1, "exclusivity": 0})

    def test_another_clock_is_another_path(self):
        cycles, system = self.count(100), self.count(100)
        cycles.functions = {"$s9TraceCore": 90.0, "clock_gettime": 0.1}
        system.functions = {"$s9TraceCore": 90.0, "clock_gettime@@GLIBC_2.17": 12.0}
        self.assertIsNone(instructions.other_path({"piece": cycles}))
        self.assertIn("clock_gettime", instructions.other_path({"piece": system}))

    def test_another_compiler_is_said_and_not_compared(self):
        with mock.patch("platform.machine", return_value="x86_64"), mock.patch(
                "shutil.which", return_value="/usr/bin/it"), mock.patch(
                "instructions.compiler", return_value="Swift version 7"):
            reason = instructions.why_not({"compiler": "Swift version 6"}, recording=False)
            self.assertIn("Swift version 6", reason)
            self.assertIn("--record", reason)
            self.assertIsNone(instructions.why_not({"compiler": "Swift version 7"}, recording=False))
            self.assertIsNone(instructions.why_not({"compiler": "Swift version 6"}, recording=True))
        with mock.patch("platform.machine", return_value="x86_64"), mock.patch(
                "shutil.which", return_value=None):
            self.assertIn("valgrind", instructions.why_not({}, recording=False))


def instructions_kinds():
    return instructions.CALL_KINDS


if __name__ == "__main__":
    unittest.main()
