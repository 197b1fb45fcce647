import Testing
import TraceResults

@Suite("SHA-256")
struct SHA256DigestTests {
    /// From NIST's examples for FIPS 180-4 and its short-message vectors.
    static let vectors: [(message: [UInt8], digest: String)] = [
        ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ([0xD3], "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
        (
            Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ]

    @Test("NIST's vectors", arguments: vectors.indices)
    func vector(index: Int) {
        #expect(SHA256Digest.hex(of: Self.vectors[index].message) == Self.vectors[index].digest)
    }

    @Test("pieces give the digest of the whole", arguments: [1, 3, 55, 56, 63, 64, 65, 119])
    func pieces(size: Int) {
        let message = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var digest = SHA256Digest()
        for start in stride(from: 0, to: message.count, by: size) {
            digest.update(message[start..<min(start + size, message.count)])
        }
        #expect(digest.finishedHex() == SHA256Digest.hex(of: message))
        // Asking does not end it.
        #expect(digest.finishedHex() == digest.finishedHex())
    }
}

@Suite("Exit codes")
struct ExitCodeTests {
    @Test("the numbers are the published ones")
    func numbers() {
        #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 70, 130, 143])
    }

    @Test("of several findings 2 beats 4 beats 1 beats 3 beats 0")
    func precedence() {
        let order: [ExitCode] = [
            .internalError, .interrupted, .usage, .invalidRun, .regression, .inconclusive, .pass,
        ]
        for (rank, strong) in order.enumerated() {
            for weak in order[rank...] {
                #expect(ExitCode.combining([weak, strong]) == strong)
                #expect(ExitCode.combining([strong, weak]) == strong)
            }
        }
        #expect(ExitCode.combining([]) == .pass)
        #expect(ExitCode.combining([.terminated, .interrupted]) == .terminated)
    }
}
