"""The figures and the table, from samples that are written down here."""

import unittest

import report
from report import Cell, Row


def row(name, **cells):
    every = {measure: Cell(missing="is not measured here") for measure in report.COLUMNS}
    return Row(name, name.title(), "1.0", every | cells)


def sampled(*values, **others):
    return Cell(samples=dict(enumerate(values)), **others)


class Figures(unittest.TestCase):
    def test_ratio_is_of_the_same_round(self):
        # A machine that slows down by half in the second round slows both.
        ours, theirs = sampled(10, 20, 10), sampled(100, 200, 100)
        self.assertEqual(theirs.ratio(ours), 10)

    def test_rounds_without_either_are_left_out_of_the_ratio(self):
        ours, theirs = Cell(samples={0: 10, 2: 10}), Cell(samples={1: 999, 2: 70})
        self.assertEqual(theirs.ratio(ours), 7)
        self.assertIsNone(Cell(samples={1: 5}).ratio(ours))

    def test_numbers_have_three_digits_or_all_of_the_integer(self):
        self.assertEqual([report.number_text(value) for value in (9.876, 98.76, 987.6, 12345.6)],
                         ["9.88", "98.8", "988", "12,346"])
        self.assertEqual([report.ratio_text(value) for value in (0.0042, 7.44, 185.4, 1234)],
                         ["0.0042", "7.4", "185", "1,234"])

    def test_loss_and_surplus(self):
        self.assertEqual(report.loss_text(Cell(produced=1000, counted=969)), "−3.10%")
        self.assertEqual(report.loss_text(Cell(produced=1000, counted=1010)), "+1.00%")


class Cells(unittest.TestCase):
    def text(self, cell, reference=None):
        notes = report.Notes()
        ours = row(report.TRACEMILL, sampled=reference or sampled(10.0))
        return *report.cell_text(row("peer", sampled=cell), "sampled", ours, notes), notes.lines()

    def test_median_spread_and_ratio(self):
        text = self.text(sampled(300, 100, 200), sampled(10, 10, 10))
        self.assertEqual(text, ("200", "100–300 ×20", []))

    def test_what_is_lost_is_no_figure(self):
        text, below, _ = self.text(sampled(100, produced=1000, counted=990))
        self.assertEqual((text, below), ("lossy −1.00%", "(100)"))

    def test_no_ratio_to_a_reference_that_lost(self):
        _, below, _ = self.text(sampled(100), sampled(10, produced=10, counted=9))
        self.assertEqual(below, "100–100")

    def test_failures_and_gaps_have_footnotes(self):
        self.assertEqual(self.text(Cell(missing="cannot")), ("– [1]", "", ["[1] cannot"]))
        self.assertEqual(self.text(Cell(failure="no")), ("failed [1]", "", ["[1] Peer: no"]))
        self.assertEqual(self.text(Cell(failed_rounds={0: "no"}))[0], "failed [1]")
        text, _, notes = self.text(Cell(samples={0: 5.0, 2: 5.0}, failed_rounds={1: "slow"}))
        self.assertEqual((text, notes), ("5.00 [1]", ["[1] Peer: failed in 1 of 3 rounds (slow)"]))
        self.assertEqual(self.text(Cell())[0], "not run")

    def test_a_footnote_is_written_once(self):
        notes = report.Notes()
        self.assertEqual([notes.mark(text) for text in ("a", "b", "a")], ["[1]", "[2]", "[1]"])
        self.assertEqual(notes.lines(), ["[1] a", "[2] b"])


class Tables(unittest.TestCase):
    def setUp(self):
        self.rows = [
            row(report.TRACEMILL, sampled=sampled(50.0, 60.0, 70.0), delivered=sampled(4e6, note="holds")),
            row("slow", sampled=sampled(5000.0, 6000.0, 7000.0),
                delivered=sampled(12_345.0, produced=10, counted=10, cpu_ns_per_span=80_000.0)),
            row("broken", sampled=Cell(failure="took longer than 60 s"))]
        self.measures = ("sampled", "delivered")

    def test_columns_end_where_their_headings_end(self):
        text = report.table(self.rows, self.measures)
        lines = text.split("\n\n")[0].splitlines()
        end = lines[0].index("sampled span") + len("sampled span")
        ends = {line[:end].rstrip() == line[:end] for line in lines if len(line) >= end}
        self.assertEqual(ends, {True})
        self.assertIn("6,000", lines[5])
        self.assertIn("5,000–7,000 ×100", lines[6])
        self.assertIn("[2] Broken: took longer than 60 s", text)

    def test_markdown_has_a_line_for_each_row(self):
        lines = [line for line in report.markdown(self.rows, self.measures, "# Head").splitlines()
                 if line.startswith("|")]
        self.assertEqual(len(lines), 2 + len(self.rows))
        self.assertEqual({line.count("|") for line in lines}, {4})
        self.assertIn("6,000<br>5,000–7,000 ×100", lines[3])

    def test_document_keeps_every_sample_and_both_counts(self):
        result = report.document(self.rows, self.measures, {"date": "today"})
        slow = result["peers"][1]["figures"]
        self.assertEqual((result["schema"], result["date"]), ("tracemill.peers/1", "today"))
        self.assertEqual(slow["sampled"]["samples"], [5000.0, 6000.0, 7000.0])
        self.assertEqual((slow["sampled"]["median"], slow["sampled"]["timesTracemill"]), (6000.0, 100.0))
        self.assertEqual((slow["delivered"]["spansProduced"], slow["delivered"]["spansCounted"]), (10, 10))
        self.assertEqual(slow["delivered"]["cpuNsPerSpan"], 80_000.0)
        self.assertNotIn("median", result["peers"][2]["figures"]["sampled"])


if __name__ == "__main__":
    unittest.main()
