// How the cost grows with what a span says: attributes, the bytes of names and values, events and links.
import TraceCore
import TraceLoad
import TraceResults

extension BenchSuite {
    mutating func attributes() throws {
        let counts = [1, 5, 16, 64, 128]
        var rows = counts.map {
            BenchRow(
                "attributes\($0)SpanNs", "\($0) attribute\($0 == 1 ? "" : "s"), a span",
                beside: "memcpy")
        }
        rows += [
            BenchRow("attributesSlopeNs", "… so each further attribute", beside: ""),
            BenchRow("attributesInterceptNs", "… and a span without any", beside: ""),
            BenchRow("attributesR2", "… r² of that line", unit: "", beside: ""),
        ]
        guard isAnyWanted(rows) else { return }
        let shapes = counts.map { ManyAttributes($0) }
        for shape in shapes { try verify(shape, spans: 1_024) }
        let rig = try BenchRig(clock: clock)
        // About as many bytes a burst, whatever a span has.
        let bursts = counts.map { (count: scaled(12), spans: max(64, 4_096 / max(1, $0 / 4))) }
        measure(rows) { _ in
            var costs: [BenchRig.Cost] = []
            for (shape, burst) in zip(shapes, bursts) {
                costs.append(
                    rig.bursts(shape, burst.count, of: burst.spans, from: rig.made, copies: true))
            }
            let line = Line(through: zip(counts, costs).map { (Double($0), $1.spanNs) })
            return costs.map { BenchSample($0.spanNs, beside: $0.copySpanNs) } + [
                BenchSample(line.slope), BenchSample(line.intercept), BenchSample(line.rSquared),
            ]
        }
        try rig.check("spans of 1 to 128 attributes")
    }

    mutating func lengths() throws {
        let lengths = [8, 64, 512, 4_096]
        for place in [LongText.Place.value, .name] {
            let shapes = lengths.map { LongText(place, bytes: $0) }
            var rows = lengths.map {
                BenchRow(
                    "\(place.rawValue)\($0)SpanNs",
                    "\(place.rawValue) of \(NumberText.grouped($0)) bytes, a span",
                    beside: "memcpy")
            }
            rows.append(
                BenchRow(
                    "\(place.rawValue)NsPerByte", "… so each further byte", unit: "ns", beside: ""))
            guard isAnyWanted(rows) else { continue }
            for shape in shapes { try verify(shape, spans: 1_024) }
            let rig = try BenchRig(clock: clock)
            let rounds = scaled(12)
            let notes: ([[BenchSample]]) -> [String] = { samples in
                zip(samples, lengths).map { samples, bytes in
                    let ns = BenchFigure.median(samples.map(\.value)) / Double(bytes)
                    return NumberText.fixed(ns, decimals: 3) + " ns a byte"
                } + [""]
            }
            measure(rows, notes: notes) { _ in
                var costs: [BenchRig.Cost] = []
                for shape in shapes {
                    let spans = max(128, min(4_096, (512 << 10) / shape.bytes))
                    costs.append(
                        rig.bursts(shape, rounds, of: spans, from: rig.made, copies: true))
                }
                let line = Line(through: zip(lengths, costs).map { (Double($0), $1.spanNs) })
                return costs.map { BenchSample($0.spanNs, beside: $0.copySpanNs) }
                    + [BenchSample(line.slope)]
            }
            try rig.check("\(place.rawValue)s of 8 to 4,096 bytes")
        }
    }

    /// Spans with eight of them and spans with none, by turns.
    mutating func events() throws {
        let kinds: [(BenchRow, Annotated)] = [
            (BenchRow("eventNs", "an event"), Annotated(.events(attributes: 0))),
            (
                BenchRow("eventTwoAttributesNs", "an event with two attributes"),
                Annotated(.events(attributes: 2))
            ),
            (BenchRow("linkNs", "a link"), Annotated(.links(attributes: 0))),
            (
                BenchRow("linkTwoAttributesNs", "a link with two attributes"),
                Annotated(.links(attributes: 2))
            ),
        ]
        let rows = kinds.map(\.0)
        guard isAnyWanted(rows) else { return }
        for (_, shape) in kinds { try verify(shape, spans: 1_024) }
        let rig = try BenchRig(clock: clock)
        let plain = Annotated(.nothing)
        let bursts = scaled(12)
        measure(rows) { _ in
            kinds.map { _, shape in
                let without = rig.bursts(plain, bursts, of: 1_024, from: rig.made).spanNs
                let with = rig.bursts(shape, bursts, of: 1_024, from: rig.made).spanNs
                return BenchSample((with - without) / Double(Annotated.each))
            }
        }
        try rig.check("spans with events and links")
    }
}

/// The straight line nearest to points, by least squares.
struct Line {
    var slope = 0.0
    var intercept = 0.0
    /// The share of the points' variance that the line explains, 0 to 1.
    var rSquared = 0.0

    init(through points: [(x: Double, y: Double)]) {
        let count = Double(points.count)
        guard count > 1 else { return }
        let meanX = points.reduce(0) { $0 + $1.x } / count
        let meanY = points.reduce(0) { $0 + $1.y } / count
        let spreadX = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
        let spreadY = points.reduce(0) { $0 + ($1.y - meanY) * ($1.y - meanY) }
        let both = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) }
        guard spreadX > 0 else { return }
        slope = both / spreadX
        intercept = meanY - slope * meanX
        rSquared = spreadY > 0 ? both * both / (spreadX * spreadY) : 1
    }
}
