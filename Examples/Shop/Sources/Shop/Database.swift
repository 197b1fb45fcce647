// A database as its service sees it: a client span for each query. It emits no spans itself.
// Source: OpenTelemetry semantic conventions, "Database client spans".

import TraceCore

/// One table of rows by key.
actor Database<Row: Sendable> {
    private let name: String
    private let table: String
    private let tracer: Tracer
    private var rows: [String: Row]

    init(_ name: String, table: String, _ tracer: Tracer, rows: [String: Row] = [:]) {
        self.name = name
        self.table = table
        self.tracer = tracer
        self.rows = rows
    }

    /// - Parameter operation: SELECT, INSERT, UPDATE: what the span is called by.
    func query<Value: Sendable>(
        _ operation: String, _ body: @Sendable (inout [String: Row]) -> Value
    ) -> Value {
        tracer.withSpan(
            named: "\(operation) \(table)", kind: .client,
            attributes: [
                "db.system.name": "postgresql", "db.namespace": .string(name),
                "db.collection.name": .string(table), "db.operation.name": .string(operation),
            ]
        ) { _ in body(&rows) }
    }
}
