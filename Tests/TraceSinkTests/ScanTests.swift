import Testing

@testable import TraceSink

private func scan(_ bytes: [UInt8]) throws -> BatchSummary {
    try unsafe bytes.withUnsafeBytes { unsafe try CountScanner.scan($0) }
}

private func verify(_ bytes: [UInt8]) throws -> (summary: BatchSummary, semanticSum: UInt64) {
    try unsafe bytes.withUnsafeBytes {
        let result = unsafe try RequestVerifier.verify($0)
        return (result.summary, result.semanticSum)
    }
}

@Suite("Scanning and verifying requests")
struct ScanTests {
    @Test("A request of Python's protobuf has the sums that Python computed")
    func foreignRequest() throws {
        let summary = try scan(OTLPFixture.bytes)
        #expect(summary.spans == OTLPFixture.spans)
        #expect(summary.identitySum == OTLPFixture.identitySum)
        #expect(summary.contentSum == OTLPFixture.contentSum)
        let verified = try verify(OTLPFixture.bytes)
        #expect(verified.summary == summary)
        #expect(verified.semanticSum == OTLPFixture.semanticSum)
    }

    @Test("No bytes are a request without spans")
    func empty() throws {
        #expect(try scan([]) == BatchSummary())
        #expect(try verify([]).summary == BatchSummary())
    }

    @Test("Both ways of looking agree on random requests", arguments: 0..<20 as Range<UInt64>)
    func randomRequests(seed: UInt64) throws {
        var numbers = SeededNumbers(seed)
        var request: [UInt8] = []
        var expected = BatchSummary()
        for _ in 0..<Int.random(in: 0...3, using: &numbers) {
            let spans = (0..<Int.random(in: 0...40, using: &numbers)).map { _ in
                randomSpan(&numbers)
            }
            for span in spans {
                expected.spans += 1
                expected.identitySum &+= LedgerHash.identity(
                    traceHigh: span.traceHigh, traceLow: span.traceLow, spanID: span.spanID)
                expected.contentSum &+= unsafe span.message.withUnsafeBytes {
                    unsafe LedgerHash.content($0)
                }
            }
            request += exportRequest(spans.map(\.message))
        }
        #expect(try scan(request) == expected)
        #expect(try verify(request).summary == expected)
    }

    private func randomSpan(_ numbers: inout SeededNumbers) -> WrittenSpan {
        var span = WrittenSpan()
        span.traceHigh = numbers.next()
        span.traceLow = numbers.next()
        span.spanID = numbers.next()
        span.parent = Bool.random(using: &numbers) ? numbers.next() : 0
        span.name = String(repeating: "ñ", count: Int.random(in: 0...80, using: &numbers))
        let attributes = Int.random(in: 0...8, using: &numbers)
        let unknown = Bool.random(using: &numbers)
        let value = numbers.next()
        span.more = { writer in
            for index in 0..<attributes {
                writer.message(9) { attribute in
                    attribute.text(1, "key\(index)")
                    attribute.message(2) { any in
                        switch index % 4 {
                        case 0: any.text(1, "value")
                        case 1: any.varint(2, 1)
                        case 2: any.varint(3, value)
                        default: any.fixed64(4, value)
                        }
                    }
                }
            }
            writer.message(11) { event in
                event.fixed64(1, value)
                event.text(2, "event")
            }
            if unknown {
                writer.group(200) { $0.group(3) { $0.varint(1, 5) } }
                writer.fixed32(201, 7)
            }
        }
        return span
    }

    @Test("A request cut anywhere is refused or has fewer spans, and nothing crashes")
    func truncation() throws {
        let whole = OTLPFixture.bytes
        // Between two resources a cut leaves a request of its own.
        for count in 0..<whole.count {
            let cut = Array(whole[..<count])
            let scanned = try? scan(cut)
            let verified = try? verify(cut).summary
            #expect(scanned == verified)
            if let scanned { #expect(scanned.spans < OTLPFixture.spans) }
        }
        let one = exportRequest([WrittenSpan().message])
        for count in 1..<one.count {
            #expect(throws: WireError.truncated) { try scan(Array(one[..<count])) }
            #expect(throws: WireError.truncated) { try verify(Array(one[..<count])) }
        }
    }

    @Test("Any byte changed in any way never crashes", arguments: 0..<8 as Range<UInt64>)
    func mutation(seed: UInt64) {
        var numbers = SeededNumbers(seed)
        for _ in 0..<2_000 {
            var bytes = OTLPFixture.bytes
            for _ in 0..<Int.random(in: 1...4, using: &numbers) {
                bytes[Int.random(in: 0..<bytes.count, using: &numbers)] = UInt8.random(
                    in: 0...255, using: &numbers)
            }
            let scanned = try? scan(bytes)
            let verified = try? verify(bytes).summary
            // Whatever verify mode accepts, count mode accepts and counts alike.
            if let verified { #expect(scanned?.spans == verified.spans) }
        }
    }

    @Test("Identifiers in an unusual place or order are found")
    func unusualIdentifiers() throws {
        let usual = try scan(exportRequest([WrittenSpan().message]))
        let unusual = ProtobufWriter { span in
            span.text(5, "name first")
            span.bytes(2, bigEndianBytes(9))
            span.bytes(2, bigEndianBytes(0x3333))
            span.bytes(1, bigEndianBytes(0x1111) + bigEndianBytes(0x2222))
        }
        let summary = try scan(exportRequest([unusual.bytes]))
        #expect(summary.spans == 1)
        #expect(summary.identitySum == usual.identitySum)
        #expect(try verify(exportRequest([unusual.bytes])).summary == summary)
    }

    @Test("Identifiers of a wrong length are refused", arguments: [1, 7, 9, 15, 17])
    func identifierLength(count: Int) {
        let bytes = [UInt8](repeating: 1, count: count)
        for field in [1, 2] as [UInt64] {
            let request = exportRequest([ProtobufWriter { $0.bytes(field, bytes) }.bytes])
            #expect(throws: WireError.identifierLength) { try scan(request) }
            #expect(throws: WireError.identifierLength) { try verify(request) }
        }
    }

    @Test("Groups may be nested, but not deeper than the limit, wherever they are")
    func groups() throws {
        func nested(_ depth: Int) -> [UInt8] {
            var writer = ProtobufWriter()
            for _ in 0..<depth { writer.tag(50, 3) }
            for _ in 0..<depth { writer.tag(50, 4) }
            return writer.bytes
        }
        #expect(try scan(nested(99)) == BatchSummary())
        #expect(throws: WireError.tooDeep) { try scan(nested(100)) }
        #expect(throws: WireError.tooDeep) { try scan(nested(1_000_000)) }
        #expect(throws: WireError.tooDeep) { try verify(nested(1_000_000)) }
        let request = exportRequest([WrittenSpan().message + nested(97)])
        #expect(try scan(request).spans == 1)
        #expect(throws: WireError.tooDeep) { try verify(request) }
        #expect(try verify(exportRequest([WrittenSpan().message + nested(96)])).summary.spans == 1)
    }

    @Test("Values in values may be nested, but not deeper than the limit")
    func nestedValues() throws {
        func request(_ depth: Int, list: Bool) -> [UInt8] {
            var value = ProtobufWriter { $0.varint(3, 1) }.bytes
            for _ in 0..<depth {
                value =
                    ProtobufWriter { outer in
                        outer.message(list ? 6 : 5) { inner in
                            if list {
                                inner.message(1) { $0.bytes(2, value) }
                            } else {
                                inner.bytes(1, value)
                            }
                        }
                    }.bytes
            }
            let attribute = ProtobufWriter {
                $0.text(1, "deep")
                $0.bytes(2, value)
            }.bytes
            let span = WrittenSpan().message + ProtobufWriter { $0.bytes(9, attribute) }.bytes
            return exportRequest([span])
        }
        // Span 4, attribute 5, value 6; each array adds two levels, each list three.
        #expect(try verify(request(47, list: false)).summary.spans == 1)
        #expect(throws: WireError.tooDeep) { try verify(request(48, list: false)) }
        #expect(try verify(request(31, list: true)).summary.spans == 1)
        #expect(throws: WireError.tooDeep) { try verify(request(32, list: true)) }
        #expect(throws: WireError.tooDeep) { try verify(request(3_000, list: false)) }
    }

    @Test("An unbalanced group is refused")
    func unbalancedGroups() {
        #expect(throws: WireError.unbalancedGroup) {
            try scan(ProtobufWriter { $0.tag(9, 4) }.bytes)
        }
        #expect(throws: WireError.unbalancedGroup) {
            try scan(ProtobufWriter { $0.tag(9, 3) }.bytes)
        }
        #expect(throws: WireError.unbalancedGroup) {
            try scan(
                ProtobufWriter {
                    $0.tag(9, 3)
                    $0.tag(8, 4)
                }.bytes)
        }
    }

    @Test("Varints end after ten bytes and 64 bits")
    func varints() throws {
        let most: [UInt8] = [0x18] + Array(repeating: 0xFF, count: 9) + [0x01]
        #expect(try scan(most) == BatchSummary())
        let tooMuch: [UInt8] = [0x18] + Array(repeating: 0xFF, count: 9) + [0x02]
        #expect(throws: WireError.varintTooLong) { try scan(tooMuch) }
        let tooLong: [UInt8] = [0x18] + Array(repeating: 0x80, count: 10) + [0x00]
        #expect(throws: WireError.varintTooLong) { try scan(tooLong) }
        #expect(throws: WireError.truncated) { try scan([0x18, 0x80]) }
    }

    @Test("Lengths beyond the end are refused, also those that would wrap")
    func lengths() {
        #expect(throws: WireError.truncated) { try scan([0x0A, 0x05, 0x00]) }
        let huge: [UInt8] = [0x0A] + Array(repeating: 0xFF, count: 9) + [0x01]
        #expect(throws: WireError.truncated) { try scan(huge) }
        let half: [UInt8] = [0x0A] + Array(repeating: 0xFF, count: 8) + [0x7F]
        #expect(throws: WireError.truncated) { try scan(half) }
    }

    @Test("Tags that no field has are refused")
    func tags() {
        #expect(throws: WireError.invalidTag) { try scan([0x00]) }
        #expect(throws: WireError.invalidTag) { try scan([0x02, 0x00]) }
        #expect(throws: WireError.invalidTag) { try scan([0x0E]) }
        #expect(throws: WireError.invalidTag) { try scan([0x0F]) }
        #expect(throws: WireError.invalidTag) {
            try scan(ProtobufWriter { $0.rawVarint(1 << 32 | 0x0A) }.bytes)
        }
    }

    @Test("Known fields of another wire type are skipped as unknown ones")
    func otherWireTypes() throws {
        let request = ProtobufWriter {
            $0.varint(1, 5)
            $0.fixed64(1, 5)
        }.bytes
        #expect(try scan(request) == BatchSummary())
        let span = WrittenSpan().message + ProtobufWriter { $0.varint(9, 1) }.bytes
        #expect(try verify(exportRequest([span])).summary.spans == 1)
    }

    @Test(
        "Text that is not UTF-8 is refused in verify mode",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE4, 0xB8],
            Array("12345678".utf8) + [0x80], Array("123456".utf8) + [0xC3],
        ] as [[UInt8]])
    func invalidText(bytes: [UInt8]) {
        let places: [(inout ProtobufWriter) -> Void] = [
            { $0.bytes(5, bytes) },
            { $0.bytes(3, bytes) },
            { span in span.message(15) { $0.bytes(2, bytes) } },
            { span in span.message(11) { $0.bytes(2, bytes) } },
            { span in span.message(13) { $0.bytes(3, bytes) } },
            { span in span.message(9) { $0.bytes(1, bytes) } },
            { span in span.message(9) { key in key.message(2) { $0.bytes(1, bytes) } } },
        ]
        for place in places {
            let request = exportRequest([WrittenSpan().message + ProtobufWriter(place).bytes])
            #expect(throws: WireError.invalidUTF8) { try verify(request) }
        }
    }

    @Test("Text of every length up to three words is accepted")
    func validText() throws {
        for count in 0..<30 {
            for tail in ["", "é", "世", "🌍"] {
                var span = WrittenSpan()
                span.name = String(repeating: "x", count: count) + tail
                #expect(try verify(exportRequest([span.message])).summary.spans == 1)
            }
        }
    }
}
