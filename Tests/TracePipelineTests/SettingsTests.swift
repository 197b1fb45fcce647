import Testing

@testable import TracePipeline

@Suite struct SettingsTests {
    @Test(
        "Header names and values that would break a request are refused",
        arguments: [
            ("x-key", "a\r\nx-evil: 1"), ("x-key", "a\nb"), ("x-key", "a\u{0}b"),
            ("x-key", "a\rb"), ("x key", "a"), ("", "a"), ("x:key", "a"), ("x-key\r\ny", "a"),
            ("x-clé", "a"), ("Content-Length", "1"), ("transfer-encoding", "chunked"),
            ("Expect", "100-continue"), ("content-type", "text/plain"),
        ])
    func badHeader(name: String, value: String) {
        #expect(throws: ConfigurationError.self) { try HTTPHeader(name: name, value: value) }
    }

    @Test("A refused header's error does not show its value")
    func errorHidesValue() {
        do {
            _ = try HTTPHeader(name: "authorization: Bearer s3cret", value: "s3cret\r\n")
            Issue.record("the header was accepted")
        } catch {
            #expect(!error.description.contains("s3cret"))
        }
    }

    @Test(
        "An endpoint that cannot be used is an error that says what to write",
        arguments: [
            ("localhost:4318", "write http://localhost:4318"),
            ("127.0.0.1:4318/v1/traces", "write http://127.0.0.1:4318/v1/traces"),
            ("", "no scheme"), ("grpc://localhost:4317", "only http:// and https://"),
            ("file:///etc/passwd", "only http:// and https://"),
            ("http://", "host"), ("http://host:99999/", "65535"), ("http://a b/", "space"),
            ("http://host/\r\nx: y", "control character"),
        ])
    func badEndpoint(endpoint: String, hint: String) {
        do {
            try OTLPHTTPSettings(endpoint: endpoint).validate()
            Issue.record("\(endpoint) was accepted")
        } catch {
            guard case .invalidEndpoint = error else {
                Issue.record("\(error)")
                return
            }
            #expect(error.description.contains(hint))
        }
    }

    @Test(
        "An endpoint is shown without user-info and query",
        arguments: [
            ("https://user:pw@host:4318/v1/traces?key=1#x", "https://host:4318/v1/traces"),
            ("http://a@b@host/", "http://host/"), ("http://host/path", "http://host/path"),
            ("HTTP://host", "HTTP://host"), ("user:pw@host:1/a", "host:1/a"),
            // What stands in front of the last @ may be half a password.
            ("http://user:p/w@host/", "http://(hidden)"), ("http://u:p?w@host", "http://(hidden)"),
            ("http//user:pw@host", "(hidden)"), ("user:pw://host", "(hidden)"),
        ])
    func printable(endpoint: String, shown: String) {
        #expect(OTLPHTTPSettings(endpoint: endpoint).printableEndpoint == shown)
    }

    @Test("Settings out of range are refused")
    func ranges() {
        func refused(_ change: (inout OTLPHTTPSettings) -> Void) -> Bool {
            var settings = OTLPHTTPSettings()
            change(&settings)
            do { try settings.validate() } catch { return true }
            return false
        }
        #expect(!refused { _ in })
        #expect(refused { $0.timeoutMs = -1 })
        #expect(refused { $0.connections = 0 })
        #expect(refused { $0.connections = 65 })
        #expect(refused { $0.retry.jitter = 1.5 })
        #expect(refused { $0.retry.initialBackoffMs = 0 })
        #expect(refused { $0.retry.maxBackoffMs = 1 })
        #expect(refused { $0.retry.multiplier = 0.5 })
        #expect(refused { $0.certificatePath = "/nonexistent/ca.pem" })
        var batch = BatchSettings()
        batch.batchSpans = 4_096
        #expect(throws: ConfigurationError.self) { try batch.validate() }
    }
}
