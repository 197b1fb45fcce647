// The spans of a document as trees, however broken: what is drawn of a trace.

/// A span in its place.
struct ForestRow {
    /// Why a span stands at the top that says it has a parent.
    enum Flaw {
        case parentMissing
        /// It is its own ancestor.
        case cycle
    }

    var span: OTLPTraces.Span
    var service: String
    /// Whether the row above it in the tree is of the same service.
    var isWithinService: Bool
    /// Levels above it.
    var depth: Int
    /// For the last levels, its own at the end: whether it is the last child there.
    var isLast: [Bool]
    var flaw: Flaw?
}

/// Trees of spans: the roots first, then spans without their parents, then those in circles; each by start.
struct SpanForest {
    private(set) var rows: [ForestRow] = []
    private var spans: [(span: OTLPTraces.Span, service: String)] = []
    private var children: [Int: [Int]] = [:]
    private var isPlaced: [Bool] = []

    // A chain of 100,000 spans would take as many levels for each of them.
    private static let levelsMax = 64

    /// O(n log n).
    /// - Parameter rowsMax: rows that are made; further spans are left out.
    init(_ document: OTLPTraces, rowsMax: Int) {
        for resource in document.resourceSpans {
            let service = resource.resource.serviceName
            for span in resource.scopeSpans.lazy.flatMap(\.spans) { spans.append((span, service)) }
        }
        spans.sort {
            ($0.span.startTimeUnixNano, $0.span.spanId) < (
                $1.span.startTimeUnixNano, $1.span.spanId
            )
        }
        isPlaced = Array(repeating: false, count: spans.count)
        var places: [String: Int] = [:]
        for (place, entry) in spans.enumerated() where places[entry.span.spanId] == nil {
            places[entry.span.spanId] = place
        }
        var roots: [Int] = []
        var orphans: [Int] = []
        for (place, entry) in spans.enumerated() {
            guard let parent = entry.span.parentSpanId else {
                roots.append(place)
                continue
            }
            if let found = places[parent] {
                children[found, default: []].append(place)
            } else {
                orphans.append(place)
            }
        }
        for root in roots { place(root, nil, rowsMax) }
        for orphan in orphans { place(orphan, .parentMissing, rowsMax) }
        for rest in spans.indices where !isPlaced[rest] { place(rest, .cycle, rowsMax) }
    }

    /// All spans, whether or not they have a row.
    var spanCount: Int { spans.count }

    /// Earliest start and latest end, Unix time in nanoseconds.
    var extent: (start: UInt64, end: UInt64) {
        let start = spans.first?.span.startTimeUnixNano ?? 0
        let end = spans.lazy.map { max($0.span.startTimeUnixNano, $0.span.endTimeUnixNano) }.max()
        return (start, max(start, end ?? 0))
    }

    private mutating func place(_ root: Int, _ flaw: ForestRow.Flaw?, _ rowsMax: Int) {
        var stack: [(place: Int, parent: Int?, depth: Int, isLast: [Bool])] = [(root, nil, 0, [])]
        while let next = stack.popLast() {
            guard !isPlaced[next.place] else { continue }
            isPlaced[next.place] = true
            let (span, service) = spans[next.place]
            if rows.count < rowsMax {
                rows.append(
                    ForestRow(
                        span: span, service: service,
                        isWithinService: next.parent.map { spans[$0].service == service } ?? false,
                        depth: next.depth, isLast: next.isLast,
                        flaw: next.parent == nil ? flaw : nil))
            }
            let below = (children[next.place] ?? []).filter { !isPlaced[$0] }
            for (index, child) in below.enumerated().reversed() {
                let levels = next.isLast.suffix(Self.levelsMax - 1) + [index == below.count - 1]
                stack.append((child, next.place, next.depth + 1, Array(levels)))
            }
        }
    }
}
