import Foundation
import Testing

/// A secret put in by every door there is, and looked for wherever anything comes out: plain, encoded, escaped,
/// and in part.
@Suite("Secrets", .serialized)
struct SecretTests {
    private static let header = Canary("a header in YAML", 1)
    private static let bearer = Canary("a bearer token in YAML", 2, middle: "+/")
    private static let variable = Canary("a variable that a header names", 3)
    private static let user = Canary("user-info of the endpoint in YAML", 4)
    private static let query = Canary("the query of the endpoint in YAML", 5)
    private static let option = Canary("user-info of --endpoint", 6)
    private static let optionQuery = Canary("the query of --endpoint", 7)
    private static let environmentHeader = Canary("OTEL_EXPORTER_OTLP_HEADERS", 8)
    private static let environmentUser = Canary("OTEL_EXPORTER_OTLP_ENDPOINT", 9)
    private static let environmentQuery = Canary("the query in the environment", 10)
    private static let proxy = Canary("user-info of http_proxy", 11)
    private static let key = Canary("the file of a TLS key", 12, middle: "")
    private static let canaries = [
        header, bearer, variable, user, query, option, optionQuery, environmentHeader,
        environmentUser, environmentQuery, proxy, key,
    ]

    private static let environment = [
        "CANARY": variable.secret,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=\(environmentHeader.percentEncoded),x-b=c",
        "OTEL_EXPORTER_OTLP_ENDPOINT":
            "http://me:\(environmentUser.percentEncoded)@127.0.0.1:9?t=\(environmentQuery.percentEncoded)",
        "http_proxy": "http://me:\(proxy.percentEncoded)@127.0.0.1:9",
        "all_proxy": "http://me:\(proxy.percentEncoded)@127.0.0.1:9",
    ]

    /// A place to send to with a secret in its user-info and one in its query.
    private static func endpoint(
        _ port: Int, _ user: Canary = user, _ query: Canary = query, scheme: String = "http"
    ) -> String {
        "\(scheme)://me:\(user.percentEncoded)@127.0.0.1:\(port)/v1/traces"
            + "?token=\(query.percentEncoded)&x=1"
    }

    private static func scenario(
        to endpoint: String?, exporter: String = "", headers: String? = nil
    ) -> String {
        let headers =
            headers
            ?? "{x-api-key: \(header.yaml), authorization: 'Bearer \(bearer.secret)', x-v: 'a ${CANARY}'}"
        let place = endpoint.map { "endpoint: '\($0)', " } ?? ""
        // A batch is given up after a second, so that a receiver that is not there takes no longer.
        return Scenarios.shop(
            rate: "200",
            extra:
                "ids: fixed\nvariants: {plain: {}, half: {sampler: \"parentbased_traceidratio:50%\"}}",
            exporter: place + "headers: \(headers), retry: {initial: 20ms, max: 50ms}\(exporter)"
        ).replacing("delay: 20ms}", with: "delay: 20ms, timeout: 1s}")
    }

    // MARK: Looking

    /// The files that hold the secrets by themselves.
    private static let inputs: Set<String> = ["shop.yaml", "key.pem"]

    private static let search = CanarySearch(canaries)

    private func expectNoneIn(_ data: Data, _ place: String) {
        if let (canary, around) = Self.search.first(in: data) {
            Issue.record("the secret of \(canary.door) is in \(place): \(around)")
        }
    }

    /// Looks at what a command says.
    @discardableResult
    private func run(_ arguments: [String], _ scratch: Scratch) throws -> Command {
        let command = try Command.run(
            arguments, environment: Self.environment, folder: scratch.url)
        let what = arguments.prefix(2).joined(separator: " ")
        expectNoneIn(Data(command.output.utf8), "standard output of \(what)")
        expectNoneIn(Data(command.errors.utf8), "standard error of \(what)")
        return command
    }

    /// Looks at every file of a folder, whatever its name.
    private func expectNoneInFiles(_ scratch: Scratch, _ what: String) throws {
        for name in try FileManager.default.subpathsOfDirectory(atPath: scratch.url.path)
        where !Self.inputs.contains(name) {
            expectNoneIn(Data(name.utf8), "the name of a file of \(what)")
            let file = scratch.url.appendingPathComponent(name)
            if let data = try? Data(contentsOf: file) {
                expectNoneIn(data, "\(name), written by \(what)")
            }
        }
    }

    @Test("every writing of a secret would be found")
    func finds() {
        let canary = Self.header
        let text = Data(canary.secret.utf8)
        for hidden in [
            "x" + canary.secret + "y", "me:" + canary.percentEncoded,
            (Data("Bearer ".utf8) + text).base64EncodedString(),
            (Data("me:".utf8) + text + Data(":z".utf8)).base64EncodedString(),
            text.base64EncodedString(), text.map { String(format: "%02X", $0) }.joined(),
            String(canary.secret.dropLast(5)), String(canary.secret.dropFirst(5)),
        ] {
            let found = Self.search.first(in: Data(("a file with " + hidden).utf8))
            #expect(found?.canary.door == canary.door, "\(hidden)")
        }
        #expect(Self.search.first(in: Data("Bearer (hidden), http://127.0.0.1:9".utf8)) == nil)
    }

    // MARK: A run and all that reads its results

    @Test("do not show in a run, its result, or anything that is made of it")
    func results() throws {
        let scratch = try Scratch()
        let sink = try RunningCommand(
            ["sink", "--port", "0", "--store", "traces", "--mode", "verify"], folder: scratch,
            environment: Self.environment)
        try sink.wait("its port") { sink.output.contains("listening on ") }
        let port = try #require(
            sink.output.split(separator: "\n").first?.split(separator: ":").last.flatMap {
                Int($0)
            })
        _ = try scratch.file("shop.yaml", Self.scenario(to: Self.endpoint(port)))
        #expect(try run(["validate", "shop.yaml"], scratch).exitCode == 0)
        #expect(try run(["topology", "shop.yaml"], scratch).exitCode == 0)
        for name in ["a.json", "b.json"] {
            let table = try run(["run", "shop.yaml", "--output", name], scratch)
            #expect(table.exitCode == 0, "\(table.errors)")
        }
        let json = try run(["run", "shop.yaml", "--json", "--output", "c.json"], scratch)
        // The secrets were used: the receiver took what came with them.
        #expect(try json.json()["valid"] as? Bool == true)
        let other = Self.endpoint(port, Self.option, Self.optionQuery)
        #expect(
            try run(
                ["run", "shop.yaml", "--endpoint", other, "--output", "d.json"], scratch
            ).exitCode == 0)
        for form in ["html", "md", "xml", "csv"] {
            let report = try run(["report", "a.json", "b.json", "-o", "report.\(form)"], scratch)
            #expect(report.exitCode == 0, "\(report.errors)")
        }
        try run(["history", "add", "a.json", "b.json", "d.json"], scratch)
        try run(["history", "list", "--json"], scratch)
        try run(["history", "show", "cpuNsPerSpan"], scratch)
        try run(["compare", "a.json", "b.json", "--svg", "c.svg", "--json"], scratch)
        try run(["merge", "a.json", "b.json", "--output", "m.json"], scratch)
        try run(["doctor"], scratch)
        sink.send(SIGTERM)
        _ = try sink.exitCode()
        expectNoneIn(Data((sink.output + sink.errors).utf8), "what the sink says")
        try expectNoneInFiles(scratch, "these commands")
        #expect(scratch.fileNames.count > 10)
    }

    @Test(
        "do not show in the arguments, files and results of the runs that other commands start",
        arguments: [
            [
                "gate", "shop.yaml", "--variant-base", "plain", "--variant-head", "half",
                "--rounds", "1", "--calibration-share", "0", "--output", "gate.json", "--markdown",
                "gate.md", "--budget", "keptSpans exact",
            ],
            [
                "compare", "shop.yaml", "--rounds", "1", "--sampler", "always_on", "--output",
                "c.json",
            ],
        ])
    func children(_ arguments: [String]) throws {
        let scratch = try Scratch()
        // To its own receiver, with headers: the endpoint is left out.
        _ = try scratch.file("shop.yaml", Self.scenario(to: nil))
        let command = try RunningCommand(
            arguments, folder: scratch, environment: Self.environment)
        var lists: Set<String> = []
        try command.wait("its end") {
            lists.formUnion(command.argumentLists)
            return !command.process.isRunning
        }
        // The variants keep different spans: a verdict, and a result.
        #expect(try command.exitCode() == (arguments[0] == "gate" ? 1 : 0), "\(command.errors)")
        // The command, its runs and their receivers.
        #expect(lists.count >= 3, "\(lists)")
        expectNoneIn(Data(lists.joined(separator: "\n").utf8), "the arguments of a process")
        try command.expectNothingLeft()
        try expectNoneInFiles(scratch, arguments[0])
    }

    // MARK: Servers and networks that fail

    @Test("do not show when a server says them all again", arguments: [400, 401, 503, 200])
    func echoed(status: Int) throws {
        let server = status == 200 ? EchoServer.rejecting() : EchoServer.refusing(status)
        defer { server.stop() }
        let scratch = try Scratch()
        for encoding in ["protobuf", "json"] {
            _ = try scratch.file(
                "shop.yaml",
                Self.scenario(
                    to: Self.endpoint(Int(server.port)),
                    exporter: ", timeout: 1s, encoding: \(encoding)"
                ))
            let command = try run(["run", "shop.yaml", "--output", "r.json"], scratch)
            #expect([0, 4].contains(command.exitCode), "\(command.errors)")
            #expect(!command.errors.isEmpty)
            if status == 200 { #expect(command.errors.contains("(hidden)")) }
        }
        try expectNoneInFiles(scratch, "runs to a server that echoes")
    }

    @Test("do not show when nobody is there, or nobody who may be trusted")
    func unreachable() throws {
        let scratch = try Scratch()
        _ = try scratch.file("key.pem", "-----BEGIN PRIVATE KEY-----\n\(Self.key.secret)\n")
        _ = try scratch.file("cert.pem", "no certificate\n")
        let tls = ", timeout: 1s, tls: {cert: cert.pem, key: key.pem}"
        for (endpoint, exporter) in [
            (Self.endpoint(9), ", timeout: 1s"),
            (Self.endpoint(9).replacing("127.0.0.1", with: "no-such-host.invalid"), ""),
            (Self.endpoint(9, scheme: "https"), tls),
        ] {
            _ = try scratch.file(
                "shop.yaml",
                Self.scenario(to: endpoint, exporter: exporter))
            let command = try run(["run", "shop.yaml", "--output", "r.json"], scratch)
            #expect([2, 4].contains(command.exitCode), "\(command.errors)")
            #expect(!command.errors.isEmpty)
        }
        try expectNoneInFiles(scratch, "runs to nobody")
        for command in [["topology", "--sink"], ["trace", "--sink"]] {
            let address = Self.endpoint(9).replacing("/v1/traces", with: "")
            for address in [address, String(address.prefix { $0 != "?" })] {
                #expect(try run(command + [address], scratch).exitCode == 2)
            }
        }
    }

    // MARK: Mistakes

    @Test("do not show in what is said of an endpoint that cannot be used")
    func malformed() throws {
        let scratch = try Scratch()
        let (user, query) = (Self.option.percentEncoded, Self.optionQuery.percentEncoded)
        _ = try scratch.file("shop.yaml", Self.scenario(to: nil))
        for endpoint in [
            "me:\(user)@collector:4318", "ftp://me:\(user)@collector/",
            "http//me:\(user)@collector/",
            "http:/me:\(user)@collector", "me:\(user)://collector",
            "http://me:\(user)@collector:x/",
            "http://me:\(user)@collector:99999/?t=\(query)", "http://me:\(user) @collector/",
            "http://me:\(Self.option.secret)@collector/",
            "http://\(Self.option.secret)@collector:1/",
            "http://me:a/\(user)@collector/", "http://me:a?\(user)@collector/", "://\(user)@h/",
            "http://[\(user)@collector/", "collector?t=\(query)", "http://?t=\(query)",
        ] {
            let command = try run(
                ["run", "shop.yaml", "--quiet", "--endpoint", endpoint, "--output", "r.json"],
                scratch)
            #expect([2, 4].contains(command.exitCode), "\(endpoint): \(command.errors)")
            #expect(!command.errors.isEmpty, "\(endpoint)")
            _ = try run(
                ["run", "shop.yaml", "--traces", "5", "--fidelity", "--endpoint", endpoint], scratch
            )
            var environment = Self.environment
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
            let doctor = try Command.run(["doctor", "--config"], environment: environment)
            expectNoneIn(Data((doctor.output + doctor.errors).utf8), "doctor of \(endpoint)")
        }
    }

    @Test("do not show in what is said of a scenario that cannot be used")
    func mistakes() throws {
        let scratch = try Scratch()
        let secret = Self.header.yaml
        let bare = Self.bearer.secret
        for headers in [
            "\(secret)", "[\(secret)]", "{x-api-key: [\(secret)]}", "{x-api-key: {a: \(secret)}}",
            "{x-api-key: \(secret), x-api-key: \(secret)}", "{x-api-key: \(secret)",
            "{x-api-key: \(secret) \(secret)}", "{x-api-key: \(bare): \(bare)}",
            "{x-api-key: *\(bare)}", "{x-api-key: &\(bare) a}", "{x-api-key: !\(bare) a}",
            "{x-api-key: 'a ${\(bare)'}", "{'authorization: Bearer \(bare)': a}",
            "{'Bearer \(bare)': a}", "{x-api-key: \"\(bare)\\q\"}",
            "{x-api-key: \"a\\r\\n\(bare)\"}", "{content-type: \(secret)}",
            "{x-api-key: \(secret), : }", "{x-api-key: %\(bare)}", "{x-api-key: @\(bare)}",
        ] {
            _ = try scratch.file("shop.yaml", Self.scenario(to: nil, headers: headers))
            for arguments in [["validate"], ["run", "--quiet", "--output", "r.json"]] {
                let command = try run(arguments + ["shop.yaml"], scratch)
                // A tag changes nothing; some mistakes are only seen when the headers are made.
                let isGood = headers.contains("!") || arguments == ["validate"]
                #expect(isGood || command.exitCode == 2, "\(headers): \(command.errors)")
            }
        }
        for endpoint in ["[\(Self.endpoint(9))]", "me:\(Self.user.percentEncoded)@collector"] {
            _ = try scratch.file("shop.yaml", Self.scenario(to: endpoint))
            #expect(try run(["validate", "shop.yaml"], scratch).exitCode == 2)
        }
    }

    @Test("do not show in what the environment configures, right or wrong")
    func environment() throws {
        let scratch = try Scratch()
        for arguments in [["doctor", "--config"], ["doctor", "--config", "--json"]] {
            let command = try run(arguments, scratch)
            #expect(command.exitCode == 0, "\(command.errors)")
            #expect(command.output.contains("(hidden)"))
            #expect(command.output.contains("http://127.0.0.1:9/v1/traces"))
        }
        let encoded = Self.environmentHeader.percentEncoded
        for headers in [
            encoded, "=\(encoded)", "x-api-key:\(encoded)", "a b=\(encoded)",
            "x-api-key=%ZZ\(encoded)", "authorization: Bearer \(encoded)=1",
            "Bearer \(encoded)==", "content-length=\(encoded)", "x=a%0D%0A\(encoded)",
        ] {
            var environment = Self.environment
            environment["OTEL_EXPORTER_OTLP_HEADERS"] = headers
            let command = try Command.run(["doctor", "--config"], environment: environment)
            #expect(command.exitCode == 0, "\(command.errors)")
            expectNoneIn(Data((command.output + command.errors).utf8), "doctor of \(headers)")
        }
    }
}
