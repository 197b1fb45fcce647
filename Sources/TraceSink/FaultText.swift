// The small grammar of fault texts: words `key=value` with optional quotes, counts, durations,
// sizes, and errors that say what is allowed.

/// Helpers that read the text of faults.
enum FaultText {
    static let kinds = "status, partial, reset, hang, latency, trickle, reply, down, stop, tls"

    /// Splits at a separator that is not between quotes. Quotes stay.
    static func split(
        _ text: String, at separator: Character
    ) throws(SinkFaultSyntaxError) -> [String] {
        var parts = [""]
        var quoted = false
        for character in text {
            if character == "\"" { quoted.toggle() }
            if character == separator, !quoted {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        guard !quoted else {
            throw SinkFaultSyntaxError(description: "a quote is not closed in: \(text)")
        }
        return parts
    }

    /// A `key=value`, or a key alone.
    struct Word {
        let key: String
        let value: String?
        let isQuoted: Bool

        init(_ text: String) throws(SinkFaultSyntaxError) {
            let trimmed = trimming(text)
            guard let equals = trimmed.firstIndex(of: "=") else {
                key = trimmed
                value = nil
                isQuoted = false
                return
            }
            key = trimming(String(trimmed[..<equals]))
            let raw = trimming(String(trimmed[trimmed.index(after: equals)...]))
            isQuoted = raw.count >= 2 && raw.hasPrefix("\"") && raw.hasSuffix("\"")
            value = isQuoted ? String(raw.dropFirst().dropLast()) : raw
        }

        func count() throws(SinkFaultSyntaxError) -> Int {
            guard let value, let number = Int(value), number >= 0 else {
                throw SinkFaultSyntaxError(
                    description: "\(key)=\(value ?? ""): expected a whole number from 0")
            }
            return number
        }

        func duration() throws(SinkFaultSyntaxError) -> Int64 {
            try FaultText.duration(value ?? "", of: "\(key)=\(value ?? "")")
        }

        func choice<Choice: RawRepresentable & CaseIterable>(
            _ type: Choice.Type, default fallback: Choice?
        ) throws(SinkFaultSyntaxError) -> Choice where Choice.RawValue == String {
            if value == nil, let fallback { return fallback }
            guard let value, let choice = Choice(rawValue: value) else {
                let allowed = Choice.allCases.map(\.rawValue).joined(separator: ", ")
                throw SinkFaultSyntaxError(
                    description: "\(key)=\(value ?? ""): use one of \(allowed)")
            }
            return choice
        }
    }

    /// The words after the first, taken out one by one so that what is left over is an error.
    struct Options {
        private var words: [Word]
        private let text: String

        init(_ words: some Sequence<Word>, of text: String) {
            self.words = Array(words)
            self.text = text
        }

        mutating func takeAll(_ key: String) -> [Word] {
            let taken = words.filter { $0.key == key }
            words.removeAll { $0.key == key }
            return taken
        }

        private mutating func takeWord(_ key: String) throws(SinkFaultSyntaxError) -> Word? {
            let taken = takeAll(key)
            guard taken.count <= 1 else {
                throw SinkFaultSyntaxError(description: "\(key) is given twice in \"\(text)\"")
            }
            return taken.first
        }

        mutating func take(_ key: String) throws(SinkFaultSyntaxError) -> String? {
            guard let word = try takeWord(key) else { return nil }
            guard let value = word.value else {
                throw SinkFaultSyntaxError(description: "\(key) needs a value in \"\(text)\"")
            }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw SinkFaultSyntaxError(description: "\(key) has a control character")
            }
            return value
        }

        mutating func takeCount(_ key: String) throws(SinkFaultSyntaxError) -> Int? {
            try takeWord(key)?.count()
        }

        mutating func takeDuration(_ key: String) throws(SinkFaultSyntaxError) -> Int64? {
            try takeWord(key)?.duration()
        }

        mutating func takeBytes(_ key: String) throws(SinkFaultSyntaxError) -> Int? {
            guard let word = try takeWord(key) else { return nil }
            return try FaultText.bytes(word.value ?? "", of: "\(key)=\(word.value ?? "")")
        }

        func finish() throws(SinkFaultSyntaxError) {
            guard let left = words.first else { return }
            throw SinkFaultSyntaxError(
                description: "\"\(left.key)\" does not belong to this fault in \"\(text)\"")
        }
    }

    /// `200ms` and the like, in nanoseconds.
    static func duration(
        _ text: String, of place: String
    ) throws(SinkFaultSyntaxError) -> Int64 {
        let units: [(String, Int64)] = [
            ("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000),
            ("m", 60_000_000_000),
        ]
        for (unit, scale) in units where text.hasSuffix(unit) {
            guard let number = Int64(text.dropLast(unit.count)), number >= 0 else { continue }
            let (product, overflow) = number.multipliedReportingOverflow(by: scale)
            if !overflow { return product }
        }
        throw SinkFaultSyntaxError(
            description: "\(place): expected a duration such as 500us, 200ms, 10s or 1m")
    }

    /// `64MiB` and the like, in bytes.
    static func bytes(_ text: String, of place: String) throws(SinkFaultSyntaxError) -> Int {
        let units: [(String, Int)] = [
            ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1),
        ]
        for (unit, scale) in units where text.hasSuffix(unit) {
            guard let number = Int(text.dropLast(unit.count)), number >= 0 else { continue }
            let (product, overflow) = number.multipliedReportingOverflow(by: scale)
            if !overflow { return product }
        }
        throw SinkFaultSyntaxError(
            description: "\(place): expected a size such as 4096, 64KiB or 200MiB")
    }

    private static func trimming(_ text: String) -> String {
        var slice = text[...]
        while slice.first == " " { slice.removeFirst() }
        while slice.last == " " { slice.removeLast() }
        return String(slice)
    }
}
