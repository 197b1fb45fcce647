// What a run's pipeline was to hold at most, stated before the run, and what it held.

/// Memory of a run, bytes.
public struct MemoryFacts: ResultObject {
    /// Live spans, by the statement.
    public var statedStoreBytes: UInt64 = 0
    /// Finished spans that wait, by the statement.
    public var statedRingBytes: UInt64 = 0
    /// Spans kept back by tail sampling, by the statement.
    public var statedTailBytes: UInt64 = 0
    /// Request bodies, by the statement.
    public var statedBodiesBytes: UInt64 = 0
    /// The exporter's own buffers, by the statement.
    public var statedExporterBytes: UInt64 = 0
    /// What store, ring and bodies held at the end of the measured part, by their allocator's account; nil
    /// where it keeps none.
    public var heldBytes: UInt64?
    /// Resident memory of the process before there was a pipeline.
    public var residentBeforeBytes: UInt64 = 0
    /// The largest resident memory in the measured part: of the whole process, load and plans included.
    public var peakResidentBytes: UInt64 = 0
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    /// The most that the pipeline was to hold.
    public var statedBytes: UInt64 {
        statedStoreBytes + statedRingBytes + statedTailBytes + statedBodiesBytes
            + statedExporterBytes
    }

    public static let fields: [ResultField<MemoryFacts>] = [
        .required("statedStoreBytes", \.statedStoreBytes),
        .required("statedRingBytes", \.statedRingBytes),
        .added("statedTailBytes", \.statedTailBytes),
        .required("statedBodiesBytes", \.statedBodiesBytes),
        .required("statedExporterBytes", \.statedExporterBytes),
        .optional("heldBytes", \.heldBytes),
        .required("residentBeforeBytes", \.residentBeforeBytes),
        .required("peakResidentBytes", \.peakResidentBytes),
    ]
}
