import Yams

/// Patches on parts of a scenario: the nodes of a patch laid over those of what it changes, so that the
/// whole is read by the same reader, and a mistake in the patch is reported where the patch stands.
/// One thread, with the reader.

extension ScenarioReader {
    /// Nodes that patches may make the reader read again, over all, each patch counting as ten more: a
    /// file of a few lines must not stand for hours of work.
    static let patchedNodesMax = 100_000

    /// `patch` laid over `base`: sections and maps of names are joined key by key, everything else
    /// (distributions, generators, samplers, lists) is replaced.
    func merged(_ base: Node?, _ patch: Node, _ section: ScenarioSection) -> Node {
        let types = Dictionary(
            section.keys.map { ($0.name, $0.type) }, uniquingKeysWith: { first, _ in first })
        return joined(base, patch) { name, own, other in
            switch types[name] {
            case .section(let inner): return merged(own, other, inner)
            case .either(let alternatives):
                for case .section(.tail) in alternatives { return merged(own, other, .tail) }
                return other
            case .map: return joined(own, other) { _, _, value in value }
            default: return other
            }
        }
    }

    private func joined(
        _ base: Node?, _ patch: Node, _ join: (String, Node, Node) -> Node
    ) -> Node {
        guard case .mapping(let changes) = patch, case .mapping(let mapping) = base else {
            return patch
        }
        var pairs = mapping.map { ($0.key, $0.value) }
        var places: [String: Int] = [:]
        for (place, pair) in pairs.enumerated() {
            if case .scalar(let key) = pair.0 { places[key.string] = place }
        }
        for (key, value) in changes {
            if case .scalar(let scalar) = key, let place = places[scalar.string] {
                pairs[place] = (key, join(scalar.string, pairs[place].1, value))
            } else {
                pairs.append((key, value))
            }
        }
        return .mapping(Node.Mapping(pairs, changes.tag, changes.style, changes.mark))
    }

    /// Whether so many more nodes may be read for patches; says so once when they may not.
    func mayPatch(_ node: Node?, at position: SourcePosition) -> Bool {
        guard patchedNodes <= Self.patchedNodesMax else { return false }
        patchedNodes += 10 + (node?.nodeCount ?? 0)
        guard patchedNodes > Self.patchedNodesMax else { return true }
        report(
            .tooLarge, at: position,
            "the patches of this file stand for more than \(Self.patchedNodesMax) values; write "
                + "fewer, or patch fewer operations at once")
        return false
    }

    /// The rest of a path such as `error.rate` as nested mappings around `value`, at the place of
    /// the whole path. In a map of names the rest is one name, whatever dots it has.
    func nested(
        _ path: Substring, at mark: Mark?, in section: ScenarioSection, _ value: Node
    ) -> Node {
        let name = path.prefix { $0 != "." }
        let rest = path.dropFirst(name.count + 1)
        guard !rest.isEmpty else { return pair(name, value, mark) }
        switch section.keys.first(where: { $0.name == name })?.type {
        case .section(let inner):
            return pair(name, nested(rest, at: mark, in: inner, value), mark)
        case .map: return pair(name, pair(rest, value, mark), mark)
        // Nothing of its own stands below: the whole is a key that nobody knows.
        default: return pair(path, value, mark)
        }
    }

    private func pair(_ name: Substring, _ value: Node, _ mark: Mark?) -> Node {
        let key = Node.scalar(Node.Scalar(String(name), .implicit, .plain, mark))
        return .mapping(Node.Mapping([(key, value)], .implicit, .block, mark))
    }
}

extension Node {
    /// This node and all below it.
    var nodeCount: Int {
        switch self {
        case .scalar, .alias: 1
        case .sequence(let sequence): sequence.reduce(1) { $0 + $1.nodeCount }
        case .mapping(let mapping):
            mapping.reduce(1) { $0 + $1.key.nodeCount + $1.value.nodeCount }
        }
    }
}
