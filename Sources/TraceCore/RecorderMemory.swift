// What a recorder may come to hold, told before there is one: the sizes come from the pools' own arithmetic.

/// The most bytes of its page source that a recorder holds, by part. It holds all of them once as many spans
/// have lived, and as many have waited, as the options allow.
public struct RecorderMemory: Sendable, Equatable {
    /// Live spans: slots and blocks, and the rings that free ones go through.
    public var storeBytes: Int
    /// Finished spans that wait: chunks, one more for each thread, and spans of more than 64 KiB beside them.
    public var ringBytes: Int

    public init(storeBytes: Int, ringBytes: Int) {
        self.storeBytes = storeBytes
        self.ringBytes = ringBytes
    }
}

extension RecorderOptions {
    /// Bytes that waiting spans may hold.
    var queueBytes: Int { queueBytesMax ?? max(64 << 20, queueSpans << 10) }

    /// Chunks for them, without those that are there for being open.
    var queueChunks: Int { max(2, queueBytes / ChunkPool.strideBytes) }

    /// What a recorder with these options may come to hold.
    /// - Parameter threads: threads that end spans at one time; each has a chunk of 64 KiB open.
    public func memory(threads: Int) -> RecorderMemory {
        RecorderMemory(
            storeBytes: NodePool.footprintBytes(
                capacity: liveSpansMax, stride: SlotLayout.strideBytes, pages: pages)
                + NodePool.footprintBytes(
                    capacity: blocksMax, stride: Block.strideBytes, pages: pages),
            ringBytes: ringBytes(threads: threads))
    }

    /// The same of a recorder that follows another: it has a queue, and no live spans of its own.
    public func followerMemory(threads: Int) -> RecorderMemory {
        var follower = self
        (follower.liveSpansMax, follower.blocksMax) = (1, 1)
        return follower.memory(threads: threads)
    }

    private func ringBytes(threads: Int) -> Int {
        ChunkPool.footprintBytes(
            capacity: queueChunks, ownBytesMax: queueBytes, threads: threads, pages: pages)
    }
}
