// What a pipeline may come to hold, told before there is one.

import TraceCore

/// The most memory that a pipeline takes for spans, by part, bytes. All of it is in use once as many spans
/// live, wait and are on their way as the configuration allows; until then only as much as ever was.
public struct MemoryStatement: Sendable, Equatable {
    /// Live spans (``RecorderOptions/liveSpansMax``, ``RecorderOptions/blocksMax``).
    public var storeBytes = 0
    /// Finished spans that wait, in the queues of all processors (``BatchSettings/queueSpans``,
    /// ``RecorderOptions/queueBytesMax``).
    public var ringBytes = 0
    /// Spans that tail stages keep back, with their tables (``TailSampling/memoryBytesMax``).
    public var tailBytes = 0
    /// Request bodies, being built, on their way or waiting to be sent again
    /// (``BatchSettings/bodyBytesMax``, ``OTLPHTTPSettings/connections``).
    public var bodiesBytes = 0
    /// What exporters hold beside them: libcurl's buffers, bodies in JSON or compressed.
    public var exporterBytes = 0
    /// Of all this, what comes from the configuration's page source: all but libcurl's buffers and JSON.
    public var pagesBytes = 0

    public init() {}

    public var totalBytes: Int {
        storeBytes + ringBytes + tailBytes + bodiesBytes + exporterBytes
    }
}

extension MemoryStatement: CustomStringConvertible {
    /// With tail sampling its part stands behind the ring's.
    /// `memory: store 138.4 MiB, ring 130.2 MiB, bodies 128.0 MiB, exporter 2.0 MiB: at most 398.6 MiB`
    public var description: String {
        "memory: store \(Self.mebibytes(storeBytes)), ring \(Self.mebibytes(ringBytes)), "
            + (tailBytes > 0 ? "tail \(Self.mebibytes(tailBytes)), " : "")
            + "bodies \(Self.mebibytes(bodiesBytes)), exporter \(Self.mebibytes(exporterBytes)): "
            + "at most \(Self.mebibytes(totalBytes))"
    }

    private static func mebibytes(_ bytes: Int) -> String {
        let tenths = (bytes * 10 + (1 << 19)) >> 20
        return "\(tenths / 10).\(tenths % 10) MiB"
    }
}

extension TracingConfiguration {
    /// What a pipeline of this configuration may come to hold for its spans.
    ///
    /// Beside it there are the stacks of the exporter threads, the contexts and tracestates that the program
    /// keeps, what custom processors and exporters hold, and forty bytes for each tracer's scope.
    /// - Parameter threads: threads that end spans at one time; each keeps 64 KiB of the ring open.
    public func memoryStatement(threads: Int) -> MemoryStatement {
        let first = PipelineAssembly.primarySettings(self)
        let memory = PipelineAssembly.recorderOptions(self, first.batch).memory(threads: threads)
        var statement = MemoryStatement()
        statement.storeBytes = memory.storeBytes
        statement.ringBytes = memory.ringBytes
        statement.pagesBytes = memory.storeBytes + memory.ringBytes
        statement.add(first.exporter, first.batch, pages: recorder.pages)
        for additional in additionalProcessors {
            guard let settings = PipelineAssembly.settings(of: additional, self) else { continue }
            let follower = PipelineAssembly.recorderOptions(self, settings.batch)
                .followerMemory(threads: threads)
            statement.ringBytes += follower.storeBytes + follower.ringBytes
            statement.pagesBytes += follower.storeBytes + follower.ringBytes
            statement.add(settings.exporter, settings.batch, pages: recorder.pages)
        }
        return statement
    }
}

extension MemoryStatement {
    fileprivate mutating func add(
        _ exporter: ExporterChoice, _ batch: BatchSettings, pages: some PageSource
    ) {
        if let tail = batch.tail {
            let bytes = tail.holdSizes.footprintBytes(pages: pages)
            tailBytes += bytes
            pagesBytes += bytes
        }
        var bodies = 1
        var capacityBytes = batch.bodyCapacityBytes
        if case .otlp(let settings) = exporter {
            bodies = settings.connections + 1
            capacityBytes = RequestEncoder.bodyCapacityBytes(settings, atMost: capacityBytes)
            let buffers = RequestBuffers.footprint(
                settings, bodyCapacityBytes: capacityBytes, pages: pages)
            exporterBytes +=
                bodies
                * (HTTPTransfer.uploadBufferBytes + buffers.jsonBytes + buffers.compressedBytes)
            pagesBytes += bodies * buffers.compressedBytes
        }
        let bodyBytes = ExportBody.footprintBytes(capacityBytes: capacityBytes, pages: pages)
        bodiesBytes += bodies * bodyBytes
        pagesBytes += bodies * bodyBytes
    }
}

extension BatchSettings {
    /// The longest request that a body of ``bodyBytesMax`` takes.
    var bodyCapacityBytes: Int { bodyBytesMax - ExportBody.spareBytes }
}
