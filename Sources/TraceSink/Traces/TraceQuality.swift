// What became of a trace on its way: does it hang together, and is every call in it continued?

/// How well a trace arrived. What is meant by each figure is in docs/sink.md.
struct TraceQuality: Equatable {
    /// One root, every parent present, every span reachable from the root.
    var isConnected = false
    /// Spans without a parent.
    var roots = 0
    /// Spans whose parent is not there.
    var orphans = 0
    /// Spans whose identifier another span of the trace has too.
    var repeatedIDs = 0
    /// Spans that are their own ancestors, and those below them.
    var cyclic = 0
    /// Spans inside a service whose parent is in another service.
    var strayChildren = 0
    /// Calls to a service that sends spans, ended well, that nothing continues.
    var disconnectedCalls = 0
    /// Longest chain from a root or an orphan down, in spans. Spans that are their own ancestors
    /// are in no chain.
    var depth = 0

    /// Connected, with parents that can be right, and with every call continued.
    var isComplete: Bool { isConnected && strayChildren == 0 && disconnectedCalls == 0 }

    /// Roots beyond the first.
    var extraRoots: Int { max(0, roots - 1) }

    /// Spans with a parent that cannot be theirs.
    var wrongParents: Int { cyclic + extraRoots + strayChildren }
}

/// Judges traces. Keeps its memory from one to the next; not thread-safe.
struct TraceJudge {
    /// What a span has for a parent when that is no place of a span.
    enum Parent {
        static let none = -1
        static let missing = -2
        /// Itself.
        static let ring = -3
    }

    /// Place of each span's parent, or one of ``Parent``.
    private(set) var parents: [Int] = []
    /// Whether a span of each is continued in another service, or in the same one by an entry.
    private(set) var isContinued: [Bool] = []
    /// Whether an earlier span has the same identifier: taken for a copy, and judged no further.
    private(set) var isRepeated: [Bool] = []
    private var order: [Int] = []
    private var depths: [Int] = []
    private var path: [Int] = []

    /// Judges a trace. O(n log n) for n spans.
    mutating func judge(_ trace: StudiedTrace, _ names: NameTable) -> TraceQuality {
        var quality = TraceQuality()
        let spans = trace.spans
        findParents(spans, &quality)
        for (place, parent) in parents.enumerated() where parent >= 0 && !isRepeated[place] {
            let span = spans[place]
            let crosses = span.service != spans[parent].service
            if crosses, !span.kind.isEntry { quality.strayChildren += 1 }
            if crosses || (span.kind.isEntry && span.kind != .unspecified) {
                isContinued[parent] = true
            }
        }
        for (place, span) in spans.enumerated()
        where span.kind == .client && span.peer == .callee && !span.isError {
            guard !isContinued[place], !isRepeated[place] else { continue }
            if span.peerName != NameTable.other, names.isService[Int(span.peerName)] {
                quality.disconnectedCalls += 1
            }
        }
        quality.cyclic = measureDepth(&quality)
        quality.isConnected =
            quality.roots == 1 && quality.orphans == 0 && quality.cyclic == 0
            && quality.repeatedIDs == 0 && !trace.isCut
        return quality
    }

    private mutating func findParents(_ spans: [StudiedSpan], _ quality: inout TraceQuality) {
        order.removeAll(keepingCapacity: true)
        order.append(contentsOf: spans.indices)
        order.sort { spans[$0].spanID < spans[$1].spanID }
        isRepeated.removeAll(keepingCapacity: true)
        isRepeated.append(contentsOf: repeatElement(false, count: spans.count))
        for place in order.indices.dropFirst()
        where spans[order[place]].spanID == spans[order[place - 1]].spanID {
            quality.repeatedIDs += 1
            isRepeated[order[place]] = true
        }
        parents.removeAll(keepingCapacity: true)
        isContinued.removeAll(keepingCapacity: true)
        for (place, span) in spans.enumerated() {
            isContinued.append(false)
            if span.parentSpanID == 0 {
                quality.roots += isRepeated[place] ? 0 : 1
                parents.append(Parent.none)
            } else if let found = find(span.parentSpanID, in: spans) {
                // A span that names itself as its parent is in a ring of one.
                parents.append(found == place ? Parent.ring : found)
            } else {
                quality.orphans += isRepeated[place] ? 0 : 1
                parents.append(Parent.missing)
            }
        }
    }

    // Walks up from each span to one whose depth is known, then down again; returns how many spans
    // are below no root or orphan.
    private mutating func measureDepth(_ quality: inout TraceQuality) -> Int {
        let unknown = 0
        let visiting = -2
        let ring = -1
        depths.removeAll(keepingCapacity: true)
        depths.append(contentsOf: repeatElement(unknown, count: parents.count))
        var ringed = 0
        for start in parents.indices where depths[start] == unknown {
            var place = start
            var known = unknown
            while true {
                if depths[place] == visiting || depths[place] == ring {
                    known = ring
                    break
                }
                if depths[place] > 0 {
                    known = depths[place]
                    break
                }
                depths[place] = visiting
                path.append(place)
                if parents[place] == Parent.ring {
                    known = ring
                    break
                }
                if parents[place] < 0 { break }
                place = parents[place]
            }
            while let last = path.popLast() {
                if known == ring {
                    ringed += 1
                } else {
                    known += 1
                    quality.depth = max(quality.depth, known)
                }
                depths[last] = known
            }
        }
        return ringed
    }

    private func find(_ id: UInt64, in spans: [StudiedSpan]) -> Int? {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if spans[order[middle]].spanID < id { low = middle + 1 } else { high = middle }
        }
        return low < order.count && spans[order[low]].spanID == id ? order[low] : nil
    }
}
