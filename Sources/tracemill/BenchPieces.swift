// One hot piece alone, for a profiler: no timing, no output but a checksum. What callgrind counts is what runs
// inside `benchPieceMeasured`, so neither start-up nor the emptying of queues is in the figures.
import TraceCore
import TraceResults

/// A piece of work that is run as often as asked for.
struct BenchPiece {
    let name: String
    let title: String
    /// Runs it so many times; a number that says whether the work was done.
    let run: (_ iterations: Int) throws -> PieceResult
}

/// What came of a piece.
struct PieceResult: Equatable {
    /// Of spans: how many different ones were in the request bodies. Else what the piece says it is.
    var checksum: UInt64
    /// Bytes of the request bodies, envelopes included.
    var bodyBytes = 0
}

enum BenchPieces {
    static var all: [BenchPiece] {
        spans + starts + liveSpans + bodies + samplers + propagators + ring + allocator
    }

    /// The names and what they are, a line each.
    static var list: String {
        let width = all.map(\.name.count).max() ?? 0
        return all.map {
            $0.name + String(repeating: " ", count: width - $0.name.count + 2) + $0.title + "\n"
        }.joined()
    }

    /// Runs a piece and prints the line that a script reads; or prints the list.
    static func show(_ name: String, iterations: Int) throws {
        if name == "list" { return Output.text(list) }
        guard let piece = all.first(where: { $0.name == name }) else {
            throw CommandFailure.usage(
                "--piece \(name): no such piece; there are "
                    + all.map(\.name).joined(separator: ", "))
        }
        let result: PieceResult
        do {
            result = try piece.run(iterations)
        } catch {
            throw CommandFailure(message: "--piece \(name): \(error)", code: .invalidRun)
        }
        Output.line(
            "\(name) iterations=\(iterations) checksum=\(result.checksum)"
                + (result.bodyBytes > 0 ? " bytes=\(result.bodyBytes)" : ""))
    }
}

/// What is measured: a profiler that collects between this function's entry and its return sees the piece and
/// nothing else.
@inline(never)
func benchPieceMeasured(_ body: () -> Void) { body() }

/// A piece went wrong: its figure would be of something else.
struct PieceFailure: Error, CustomStringConvertible {
    var description: String
}

// MARK: Allocator

extension BenchPieces {
    /// One array an iteration: whether the counting of allocations counts.
    fileprivate static var allocator: [BenchPiece] {
        [
            BenchPiece(name: "allocation", title: "an array; checksum: allocations counted") {
                iterations in
                let calls = HeapCount.calls {
                    benchPieceMeasured {
                        for number in 0..<iterations {
                            ignore([UInt8](repeating: 1, count: number & 15 + 20))
                        }
                    }
                }
                guard let calls else { throw PieceFailure(description: "nothing was counted") }
                return PieceResult(checksum: calls)
            }
        ]
    }

    @inline(never)
    private static func ignore(_ bytes: [UInt8]) {}
}

// MARK: Ring

extension BenchPieces {
    fileprivate static var ring: [BenchPiece] {
        [
            BenchPiece(name: "ring", title: "a push and a pop; checksum: sum of what was popped") {
                iterations in
                let ring = BoundedRing(minimumCapacity: 1024, pages: MappedPageSource())
                var sum: UInt64 = 0
                benchPieceMeasured {
                    for number in 0..<iterations {
                        _ = ring.push(UInt(number))
                        sum &+= UInt64(ring.pop() ?? 0)
                    }
                }
                return PieceResult(checksum: sum)
            }
        ]
    }
}
