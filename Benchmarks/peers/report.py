"""From samples to figures, and from figures to the table, the Markdown and the result file. Measures nothing."""

import dataclasses
import statistics

SCHEMA = "tracemill.peers/1"
TRACEMILL = "tracemill"
COLUMNS = {
    "sampled": ("sampled span", "ns"), "unsampled": ("unsampled root", "ns"), "encode": ("encode", "ns a span"),
    "delivered": ("delivered", "spans/s"), "memory": ("peak memory", "MiB")}


@dataclasses.dataclass
class Cell:
    """One peer's figure of one measure, a sample each round."""

    samples: dict = dataclasses.field(default_factory=dict)
    # Spans produced and spans the sink counted, of all rounds whose spans went there.
    produced: int = 0
    counted: int = 0
    # Why there is no figure, and in which rounds there was none.
    missing: str | None = None
    failure: str | None = None
    failed_rounds: dict = dataclasses.field(default_factory=dict)
    note: str | None = None
    bytes_per_span: float | None = None
    cpu_ns_per_span: float | None = None

    @property
    def values(self):
        return list(self.samples.values())

    @property
    def is_lossless(self):
        return self.produced == self.counted

    def ratio(self, reference):
        """Median over the rounds that both were measured in of this one's sample to the reference's."""
        ratios = [self.samples[number] / reference.samples[number]
                  for number in self.samples if reference.samples.get(number)]
        return statistics.median(ratios) if ratios else None


@dataclasses.dataclass
class Row:
    name: str
    title: str
    version: str
    cells: dict


def number_text(value):
    """Three significant digits or all of the integer part: 9.87, 98.7, 987, 12,345."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def loss_text(cell):
    """What the two sides' counts differ by."""
    difference = cell.counted - cell.produced
    share = abs(difference) / cell.produced if cell.produced else 1
    return f"{'+' if difference > 0 else '−'}{share:.2%}"


class Notes:
    """Footnotes in the order in which they are first needed."""

    def __init__(self):
        self.texts = []

    def mark(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"

    def lines(self):
        return [f"[{number}] {text}" for number, text in enumerate(self.texts, 1)]


def cell_text(row, measure, reference, notes):
    """A cell's two lines: the median, and below it the spread and the ratio to tracemill's."""
    cell = row.cells[measure]
    if cell.missing:
        return "– " + notes.mark(cell.missing), ""
    failure = cell.failure or (not cell.samples and next(iter(cell.failed_rounds.values()), None))
    if failure:
        return "failed " + notes.mark(f"{row.title}: {failure}"), ""
    if not cell.samples:
        return "not run", ""
    mark = " " + notes.mark(cell.note) if cell.note else ""
    if cell.failed_rounds:
        rounds = len(cell.samples) + len(cell.failed_rounds)
        mark += " " + notes.mark(f"{row.title}: failed in {len(cell.failed_rounds)} of {rounds} rounds "
                                 f"({next(iter(cell.failed_rounds.values()))})")
    text = number_text(statistics.median(cell.values))
    if not cell.is_lossless:
        # Not a figure: what arrives is not what was made.
        return f"lossy {loss_text(cell)}{mark}", f"({text})"
    spread = f"{number_text(min(cell.values))}–{number_text(max(cell.values))}"
    other = reference.cells.get(measure) if reference and reference is not row else None
    ratio = cell.ratio(other) if other and other.is_lossless and not other.failure else None
    return text + mark, spread + (f" ×{ratio_text(ratio)}" if ratio else "")


def ratio_text(ratio):
    """0.0042, 0.21, 7.4, 185."""
    if ratio >= 10:
        return f"{ratio:,.0f}"
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2g}"


def _cells(rows, measures):
    reference = next((row for row in rows if row.name == TRACEMILL), None)
    notes = Notes()
    return [(row, [cell_text(row, measure, reference, notes) for measure in measures]) for row in rows], notes


def table(rows, measures):
    """The aligned table as text: two lines a row, footnotes below."""
    cells, notes = _cells(rows, measures)
    columns = [["", "", *(line for row, _ in cells for line in (row.title, f"  {row.version}"))]]
    for index, measure in enumerate(measures):
        columns.append([*COLUMNS[measure], *(line for _, texts in cells for line in texts[index])])
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for number, line in enumerate(zip(*columns)):
        lines.append("  ".join(
            text.ljust(width) if index == 0 else text.rjust(width)
            for index, (text, width) in enumerate(zip(line, widths))).rstrip())
        if number == 1:
            lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join([*lines, "", *notes.lines()])


def markdown(rows, measures, heading):
    """The same as Markdown."""
    cells, notes = _cells(rows, measures)
    lines = [heading, "", "| | " + " | ".join(
        f"{title}, {unit}" for title, unit in (COLUMNS[measure] for measure in measures)) + " |"]
    lines.append("|---|" + "--:|" * len(measures))
    for row, texts in cells:
        joined = ["<br>".join(filter(None, text)) for text in texts]
        lines.append(f"| {row.title} {row.version} | " + " | ".join(joined) + " |")
    return "\n".join([*lines, "", *(line + "  " for line in notes.lines())]) + "\n"


def document(rows, measures, about):
    """The result file: every sample, and what was seen beside."""
    reference = next((row for row in rows if row.name == TRACEMILL), None)
    peers = []
    for row in rows:
        figures = {}
        for measure in measures:
            cell = row.cells[measure]
            figure = {"unit": COLUMNS[measure][1]}
            if cell.samples:
                figure |= {
                    "median": statistics.median(cell.values), "lowest": min(cell.values),
                    "highest": max(cell.values), "samples": cell.values}
                if reference is not None and reference is not row:
                    figure["timesTracemill"] = cell.ratio(reference.cells[measure])
            if cell.produced:
                figure |= {"spansProduced": cell.produced, "spansCounted": cell.counted,
                           "isLossless": cell.is_lossless}
            extras = {"missing": cell.missing, "failure": cell.failure, "note": cell.note,
                      "failedRounds": list(cell.failed_rounds.values()) or None,
                      "bytesPerSpan": cell.bytes_per_span, "cpuNsPerSpan": cell.cpu_ns_per_span}
            figures[measure] = figure | {key: value for key, value in extras.items() if value is not None}
        peers.append({"name": row.name, "title": row.title, "version": row.version, "figures": figures})
    return {"schema": SCHEMA, **about, "peers": peers}
