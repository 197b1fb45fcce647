import Testing

@testable import TracePipeline

@Suite struct PartialSuccessTests {
    @Test("The answer's partial success is read")
    func reads() throws {
        #expect(try PartialSuccess.parse([]) == nil)
        #expect(try PartialSuccess.parse([0x0A, 0]) == PartialSuccess())
        #expect(
            try PartialSuccess.parse([0x0A, 6, 0x08, 0xAC, 0x02, 0x12, 1, 0x6D])
                == PartialSuccess(rejectedSpans: 300, errorMessage: "m"))
        // Unknown fields of every wire type are passed over.
        let unknown: [UInt8] =
            [0x18, 1, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2A, 1, 9, 0x35, 1, 2, 3, 4]
        #expect(try PartialSuccess.parse(unknown + [0x0A, 2, 0x08, 5])?.rejectedSpans == 5)
        // A negative count is no count.
        let negative: [UInt8] =
            [0x0A, 11, 0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]
        #expect(try PartialSuccess.parse(negative)?.rejectedSpans == 0)
    }

    @Test(
        "Bytes that are no answer are an error",
        arguments: [
            [0x0A], [0x0A, 5, 1], [0x08, 1], [0x0A, 2, 0x0A, 0], [0x0B], [0x00, 1], [0x0F],
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] as [[UInt8]])
    func malformed(bytes: [UInt8]) {
        #expect(throws: ProtobufError.self) { try PartialSuccess.parse(bytes) }
    }

    @Test("No bytes whatever make the reader read past its end", arguments: 0..<8)
    func anyBytes(seed: Int) {
        var random = JitterSource(seed: UInt64(seed))
        for _ in 0..<5_000 {
            let bytes = (0..<Int(random.nextUnit() * 40)).map { _ in UInt8(random.nextUnit() * 256)
            }
            _ = try? PartialSuccess.parse(bytes)
            _ = try? SpanData.decode(request: bytes)
            var writer = JSONWriter()
            try? OTLPJSONTranscoder.write(unsafe bytes.span.bytes, to: &writer)
        }
    }
}
