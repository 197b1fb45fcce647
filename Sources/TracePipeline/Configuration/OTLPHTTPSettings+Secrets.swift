// What must never be printed, whoever says it: a server may echo a key in the words of its refusal.

extension OTLPHTTPSettings {
    /// Shorter ones stand in ordinary words, and are no secrets.
    private static let secretBytesMin = 4

    /// Texts that must not be printed, even when a server echoes them: header values and the words in
    /// them, user-info and query of the URLs; each as written, decoded, percent-encoded, in Base64, in
    /// hexadecimal and as JSON escapes it. Longest first.
    var secrets: [String] {
        var found: Set<String> = []
        for header in headers {
            found.insert(header.value)
            found.formUnion(Self.words(header.value))
        }
        for address in [endpoint, proxy ?? ""] { found.formUnion(Self.secrets(ofURL: address)) }
        let plain = found.filter { $0.utf8.count >= Self.secretBytesMin }
        return Set(plain.flatMap(Self.writings)).sorted { $0.utf8.count > $1.utf8.count }
    }

    /// `Bearer abc` is echoed as `abc`, `key=abc; id=d` in parts. The name of a scheme is no secret.
    private static func words(_ value: String) -> [String] {
        let parts = value.split { $0 == " " || $0 == "\t" || $0 == "," || $0 == ";" }
        let hasScheme = parts.count > 1 && parts[0].allSatisfy { $0.isASCII && $0.isLetter }
        var words = parts.dropFirst(hasScheme ? 1 : 0).map(String.init)
        for word in words {
            // What follows a name; the = at the end of Base64 follows none.
            if let equals = word.firstIndex(of: "=") {
                let rest = word[word.index(after: equals)...]
                if !rest.allSatisfy({ $0 == "=" }) { words.append(String(rest)) }
            }
            if hasScheme, let decoded = Base64.decode(word) {
                words += [decoded] + decoded.split(separator: ":").map(String.init)
            }
        }
        return words
    }

    private static func secrets(ofURL address: String) -> [String] {
        guard let mark = address.range(of: "://") else { return [] }
        let rest = address[mark.upperBound...]
        var found: [String] = []
        if let question = rest.firstIndex(of: "?") {
            let query = rest[rest.index(after: question)...].prefix { $0 != "#" }
            found.append(String(query))
            for pair in query.split(separator: "&") {
                let value = pair.firstIndex(of: "=").map { pair[pair.index(after: $0)...] } ?? pair
                found += [String(value), PercentEncoding.decode(String(value)) ?? ""]
            }
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard let at = authority.lastIndex(of: "@") else { return found }
        let written = String(authority[..<at])
        for userInfo in [written, PercentEncoding.decode(written) ?? written] {
            found.append(userInfo)
            if let colon = userInfo.firstIndex(of: ":") {
                found.append(String(userInfo[userInfo.index(after: colon)...]))
            }
        }
        return found
    }

    /// The ways in which an echo may write it.
    private static func writings(_ secret: String) -> [String] {
        let bytes = Array(secret.utf8)
        let base64 = Base64.encode(secret)
        let hexadecimal = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let escaped = secret.unicodeScalars.map { scalar in
            scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : "\(scalar)"
        }.joined()
        return [
            secret, base64, String(base64.prefix { $0 != "=" }), hexadecimal,
            hexadecimal.uppercased(), PercentEncoding.encode(secret), escaped,
        ]
    }
}
