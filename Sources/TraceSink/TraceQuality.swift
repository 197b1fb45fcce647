// What became of a trace on its way: does it hang together?

/// How well a trace arrived.
struct TraceQuality: Equatable {
    /// One root, every parent present, every span reachable from the root.
    var isComplete = false
    /// Spans without a parent.
    var roots = 0
    /// Spans whose parent is not there.
    var orphans = 0
    /// Spans whose identifier another span of the trace has too.
    var repeatedIDs = 0
    /// Longest chain from a root or an orphan down, in spans. Spans that are their own ancestors
    /// are in no chain.
    var depth = 0

    init() {}

    /// Judges a trace. O(n log n) for n spans.
    init(_ trace: KeptTrace) {
        let order = trace.spans.indices.sorted { trace.spans[$0].spanID < trace.spans[$1].spanID }
        let ids = order.map { trace.spans[$0].spanID }
        for index in ids.indices.dropFirst() where ids[index] == ids[index - 1] {
            repeatedIDs += 1
        }
        // The parent of each span, by its place in `order`; itself for roots and orphans.
        var parents = Array(ids.indices)
        for (place, index) in order.enumerated() {
            let parent = trace.spans[index].parentSpanID
            if parent == 0 {
                roots += 1
            } else if let found = Self.place(of: parent, in: ids) {
                // A span that names itself as its parent is in a ring of one.
                parents[place] = found == place ? Self.ring : found
            } else {
                orphans += 1
            }
        }
        let ringed = measureDepth(parents)
        isComplete = roots == 1 && orphans == 0 && ringed == 0 && repeatedIDs == 0 && !trace.isCut
    }

    private static let ring = -1

    // Walks up from each span to one whose depth is known, then down again; returns how many spans
    // are below no root or orphan.
    private mutating func measureDepth(_ parents: [Int]) -> Int {
        let unknown = 0
        let visiting = -2
        var depths = Array(repeating: unknown, count: parents.count)
        var path: [Int] = []
        var ringed = 0
        for start in parents.indices where depths[start] == unknown {
            var place = start
            var known = unknown
            while true {
                if place == Self.ring || depths[place] == visiting || depths[place] == Self.ring {
                    known = Self.ring
                    break
                }
                if depths[place] > 0 {
                    known = depths[place]
                    break
                }
                depths[place] = visiting
                path.append(place)
                if parents[place] == place { break }
                place = parents[place]
            }
            while let last = path.popLast() {
                if known == Self.ring {
                    ringed += 1
                } else {
                    known += 1
                    depth = max(depth, known)
                }
                depths[last] = known
            }
        }
        return ringed
    }

    private static func place(of id: UInt64, in ids: [UInt64]) -> Int? {
        var low = 0
        var high = ids.count
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < ids.count && ids[low] == id ? low : nil
    }
}
