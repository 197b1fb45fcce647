// What reading the environment came to: which variables were taken over, and what was wrong with others.

/// A variable that could not be used as it is. The text never shows a secret.
public struct ConfigurationWarning: Sendable, Hashable, Encodable {
    public var variable: String
    /// What is wrong, and what is used instead.
    public var text: String
}

/// Kept in the configuration, so that it can say later where each setting comes from.
struct EnvironmentReadings: Sendable {
    /// Variables whose value was taken over.
    var used: Set<String> = []
    var warnings: [ConfigurationWarning] = []
    /// Every setting's text when the environment had been read: one that differs later was set in
    /// code.
    var texts: [String: String] = [:]
}
