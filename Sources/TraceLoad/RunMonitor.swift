import Glibc
import TraceCore
import TracePipeline
import TraceResults

/// The threads beside a run: one shows progress and keeps the one-second series, the other has the watch
/// compare batches with the sink twice a second: a sink that is down holds that up, and not the series. They
/// sleep in between.
final class RunMonitor: Sendable {
    private struct State {
        var phase = ""
        var phaseStartedNs: UInt64 = 0
        var totalNs: UInt64?
        var isOver = false
        var series = RunSeries()
        var failure: String?
        var heldBytesMax: UInt64?
        /// When and with what the measured part began; nil before it.
        var start: Reading?
        var intended: IntendedArrivals?
        /// Of the schedule's time where that part begins.
        var intendedFromNs: UInt64 = 0
    }

    private struct Reading {
        var atNs: UInt64 = 0
        var traces: UInt64 = 0
        var spans: UInt64 = 0
        var acknowledged: UInt64 = 0
    }

    private let pipeline: TracingPipeline
    private let replay: Replay
    private let watch: DeliveryWatch
    private let heldBytesOfPages: (@Sendable () -> UInt64)?
    private let allocatedBytes: (@Sendable () -> UInt64)?
    private let onProgress: (@Sendable (ProgressSnapshot) -> Void)?
    private let state = WorkerLock(State())
    private let threads = WorkerLock<[ReplayThread?]>([])

    init(
        pipeline: TracingPipeline, replay: Replay, watch: DeliveryWatch,
        heldBytesOfPages: (@Sendable () -> UInt64)?, allocatedBytes: (@Sendable () -> UInt64)?,
        onProgress: (@Sendable (ProgressSnapshot) -> Void)?
    ) {
        self.pipeline = pipeline
        self.replay = replay
        self.watch = watch
        self.heldBytesOfPages = heldBytesOfPages
        self.allocatedBytes = allocatedBytes
        self.onProgress = onProgress
        threads.withLock { threads in
            threads = [ReplayThread { [self] in loop() }, ReplayThread { [self] in compareLoop() }]
        }
    }

    /// The most that the pipeline's pages held, looked at ten times a second and now; nil where nobody keeps
    /// count.
    var heldBytesMax: UInt64? {
        noteHeldBytes()
        return state.withLock { $0.heldBytesMax }
    }

    private func noteHeldBytes() {
        guard let bytes = heldBytesOfPages?() else { return }
        state.withLock { $0.heldBytesMax = max($0.heldBytesMax ?? 0, bytes) }
    }

    /// The measured part begins, and with it the series.
    ///
    /// - Parameters:
    ///   - intended: what its traces are held against; nil where no schedule says.
    ///   - fromNs: the schedule's time where it begins.
    func beginRun(totalNs: UInt64?, intended: IntendedArrivals?, fromNs: UInt64) {
        begin("run", totalNs: totalNs)
        let start = reading()
        var intended = intended
        _ = intended?.count(beforeNs: fromNs)
        state.withLock { state in
            state.start = start
            state.intended = intended
            state.intendedFromNs = fromNs
        }
    }

    /// From here on the run does this.
    func begin(_ phase: String, totalNs: UInt64?) {
        state.withLock { state in
            state.phase = phase
            state.phaseStartedNs = TraceClock.monotonicNs
            state.totalNs = totalNs
        }
    }

    /// Stops the threads and gives the series of the measured part.
    func finish() -> RunSeries {
        state.withLock { $0.isOver = true }
        threads.withLock { for thread in $0 { thread?.join() } }
        return state.withLock { $0.series }
    }

    /// Why batches could not be compared, if so: then the run is invalid.
    var failure: String? { state.withLock { $0.failure } }

    private func loop() {
        var rateReading = Reading()
        var rowReading = Reading()
        var turn = 0
        while !state.withLock({ $0.isOver }) {
            usleep(50_000)
            turn += 1
            if turn % 5 == 0 {
                let now = reading()
                show(now, since: rateReading)
                rateReading = now
                addRow(now, since: &rowReading)
            }
            if turn % 2 == 0 { noteHeldBytes() }
        }
    }

    private func compareLoop() {
        var turn = 0
        while !state.withLock({ $0.isOver }) {
            usleep(50_000)
            turn += 1
            if turn % 10 == 0 { compare() }
        }
    }

    private func reading() -> Reading {
        let progress = replay.progress
        return Reading(
            atNs: TraceClock.monotonicNs, traces: progress.traces, spans: progress.spans,
            acknowledged: pipeline.ledger.acknowledged.spans)
    }

    private func compare() {
        do {
            try watch.work()
        } catch {
            state.withLock { if $0.failure == nil { $0.failure = "\(error)" } }
        }
    }

    private func show(_ now: Reading, since last: Reading) {
        guard let onProgress else { return }
        var snapshot = ProgressSnapshot()
        let seconds = Double(now.atNs - last.atNs) / 1e9
        state.withLock { state in
            snapshot.phase = state.phase
            snapshot.elapsedNs = now.atNs - state.phaseStartedNs
            snapshot.totalNs = state.totalNs
        }
        guard !snapshot.phase.isEmpty else { return }
        if last.atNs > 0 {
            snapshot.tracesPerS = Double(now.traces - last.traces) / seconds
            snapshot.spansPerS = Double(now.spans - last.spans) / seconds
        }
        let ledger = pipeline.ledger
        snapshot.acknowledgedSpans = ledger.acknowledged.spans
        snapshot.queuedSpans = ledger.queued
        snapshot.droppedSpans = ledger.dropped
        onProgress(snapshot)
    }

    private func addRow(_ now: Reading, since last: inout Reading) {
        guard last.atNs > 0 else {
            last = now
            return
        }
        let start = state.withLock { $0.start }
        // The first row has none of the warm-up in it.
        if let start, last.atNs < start.atNs { last = start }
        guard now.atNs >= last.atNs + 1_000_000_000 else { return }
        let seconds = Double(now.atNs - last.atNs) / 1e9
        var row = [
            "tracesPerS": (Double(now.traces - last.traces) / seconds).rounded(),
            "startedSpansPerS": (Double(now.spans - last.spans) / seconds).rounded(),
            "acknowledgedSpansPerS":
                (Double(now.acknowledged - last.acknowledged) / seconds).rounded(),
            "queuedSpans": Double(pipeline.ledger.queued),
            "residentBytes": Double(ProcessUsage.now().residentBytes),
        ]
        if let bytes = heldBytesOfPages?() { row["heldBytes"] = Double(bytes) }
        if let bytes = allocatedBytes?() { row["allocatedBytes"] = Double(bytes) }
        let lastNs = last.atNs
        state.withLock { state in
            guard state.phase == "run" else { return }
            if let start = state.start {
                row["elapsedS"] = (Double(now.atNs - start.atNs) / 1e6).rounded() / 1e3
            }
            if let start = state.start, state.intended != nil {
                let fromNs = state.intendedFromNs
                let before = state.intended?.count(beforeNs: fromNs + lastNs - start.atNs) ?? 0
                let after = state.intended?.count(beforeNs: fromNs + now.atNs - start.atNs) ?? 0
                row["intendedTracesPerS"] = ((after - before) / seconds).rounded()
            }
            state.series.append(row)
        }
        last = now
    }
}
