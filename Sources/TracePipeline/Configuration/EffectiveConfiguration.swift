// What a configuration came to: each setting, its value, and who set it. For people who wonder why.

/// Every setting with its value and where it comes from, and what was wrong with the environment.
/// Header values and user-info of URLs are not in it.
public struct EffectiveConfiguration: Sendable, Encodable {
    /// Who set a value.
    public enum Origin: Sendable, Equatable {
        case `default`
        case environment(variable: String)
        /// The program, after the environment had been read.
        case code
    }

    /// One setting.
    public struct Row: Sendable {
        /// The property's path in ``TracingConfiguration``.
        public var name: String
        /// Nil where the setting does not apply: those of the OTLP exporter when it is another.
        public var value: String?
        public var origin: Origin
        /// The variables that set it, the one that goes before the others first.
        public var variables: [String]
    }

    public var rows: [Row]
    public var warnings: [ConfigurationWarning]
    /// Variables that begin with OTEL_ and mean nothing here: another SDK's, or misspelled. Names only.
    public var unreadVariables: [String]

    /// - Parameter configuration: as it stands now. A setting whose value is no longer the one after
    ///   reading the environment was set in code; one that was set in code to what it already was
    ///   cannot be told from one that was not.
    public init(_ configuration: TracingConfiguration) {
        let defaults = TracingConfiguration()
        let readings = configuration.readings
        let isFromEnvironment = !readings.texts.isEmpty
        rows = ConfigurationSetting.all.map { setting in
            let value = setting.text(configuration)
            // A configuration that was never read from the environment is compared with the defaults.
            let before = isFromEnvironment ? readings.texts[setting.name] : setting.text(defaults)
            var origin = Origin.default
            if value != before {
                origin = .code
            } else if let variable = setting.variables.first(where: readings.used.contains),
                value != nil
            {
                origin = .environment(variable: variable)
            }
            return Row(
                name: setting.name, value: value, origin: origin, variables: setting.variables)
        }
        warnings = readings.warnings
        let known = Set(ConfigurationSetting.all.flatMap(\.variables))
            .union(DetectionVariable.all)
        let present =
            configuration.detection.variables.map { Array($0.keys) }
            ?? ProcessEnvironment.names
        unreadVariables =
            isFromEnvironment
            ? present.filter { $0.hasPrefix("OTEL_") && !known.contains($0) }.sorted() : []
    }

    public subscript(name: String) -> Row? { rows.first { $0.name == name } }
}

extension TracingConfiguration {
    /// Each setting, its value and where it comes from, as of now.
    public var effective: EffectiveConfiguration { EffectiveConfiguration(self) }
}

extension EffectiveConfiguration.Origin: CustomStringConvertible {
    /// `default`, the variable's name, or `code`.
    public var description: String {
        switch self {
        case .default: "default"
        case .environment(let variable): variable
        case .code: "code"
        }
    }
}

extension EffectiveConfiguration.Row: Encodable {
    private enum Key: String, CodingKey {
        case name, value, from, variable, variables
    }

    /// `from` is `default`, `environment` or `code`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(name, forKey: .name)
        try container.encode(value, forKey: .value)
        switch origin {
        case .default: try container.encode("default", forKey: .from)
        case .environment(let variable):
            try container.encode("environment", forKey: .from)
            try container.encode(variable, forKey: .variable)
        case .code: try container.encode("code", forKey: .from)
        }
        try container.encode(variables, forKey: .variables)
    }
}

extension EffectiveConfiguration: CustomStringConvertible {
    /// The settings that do not stand at their default marked with `*`, then the warnings.
    public var description: String { table }

    /// Name, where it comes from, value: a line each, values last since they may be long. Ended by a
    /// line feed.
    public var table: String {
        let names = rows.map { ($0.origin == .default ? "  " : "* ") + $0.name }
        let origins = rows.map(\.origin.description)
        let nameWidth = (names.map(\.count).max() ?? 0) + 2
        let originWidth = max((origins.map(\.count).max() ?? 0) + 2, 6)
        var lines = [
            Self.padded("  setting", nameWidth) + Self.padded("from", originWidth) + "value"
        ]
        for ((row, name), origin) in zip(zip(rows, names), origins) {
            lines.append(
                Self.padded(name, nameWidth) + Self.padded(origin, originWidth)
                    + Self.printable(row.value ?? "–"))
        }
        if !warnings.isEmpty {
            lines += ["", "warnings"]
            lines += warnings.map { Self.printable("  \($0.variable): \($0.text)") }
        }
        if !unreadVariables.isEmpty {
            lines += ["", "set, but not read here"]
            lines += unreadVariables.map { Self.printable("  \($0)") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// Control characters replaced.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : $0
                }))
    }
}
