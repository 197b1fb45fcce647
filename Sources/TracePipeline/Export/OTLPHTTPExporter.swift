// Sends request bodies over OTLP/HTTP: a libcurl multi handle with a fixed number of slots, each
// holding one batch until it is settled. Everything here belongs to one thread, the exporter thread.

import CCurl
import Glibc
import Logging
import TraceCore

/// The transport and its retries.
///
/// The owner hands a body to a free slot with ``submit(slot:number:payload:deadlineNs:nowNs:)``, calls
/// ``step(nowNs:)`` after each wake-up, takes what was settled from ``nextFinished()`` and sleeps in
/// ``wait(eventFileDescriptor:untilNs:)``. A wait to try again holds the slot and its body, not a
/// connection. A Retry-After holds back every request, since the server speaks of itself and not of one
/// batch: until it has passed, or until the deadline of the batch that it answered where that comes first.
@safe
final class OTLPHTTPExporter {
    /// One batch at a time.
    @safe
    private final class Slot {
        enum State {
            case free
            /// To be sent as soon as a connection is free and the time has come.
            case waiting(untilNs: UInt64)
            case sending
        }

        let transfer: HTTPTransfer
        var buffers: RequestBuffers
        var state = State.free
        var payload: UnsafeRawBufferPointer
        var number: UInt64 = 0
        var order: UInt64 = 0
        var deadlineNs: UInt64 = 0
        var failures = 0
        var attempts = 0
        var indeterminate = false
        var firstSentNs: UInt64 = 0
        var lastSentNs: UInt64 = 0

        init(transfer: HTTPTransfer, buffers: consuming RequestBuffers) {
            self.transfer = transfer
            self.buffers = buffers
            unsafe payload = UnsafeRawBufferPointer(start: nil, count: 0)
        }
    }

    let slotCount: Int
    /// The largest body that may be handed over, bytes.
    let bodyBytesMax: Int
    private let settings: OTLPHTTPSettings
    private let multi: UnsafeMutableRawPointer
    private let headers: UnsafeMutablePointer<curl_slist>?
    private var slots: [Slot] = []
    private let encoder: RequestEncoder
    private var finished: [FinishedExport] = []
    private var finishedHead = 0
    private var random = JitterSource()
    private var diagnostics: ExportDiagnostics
    private var nextOrder: UInt64 = 0
    private var sendingCount = 0
    /// No request is begun before this moment: the server asked for it.
    private var heldUntilNs: UInt64 = 0
    /// No attempt is begun from here on; nil before shutdown.
    private var shutdownDeadlineNs: UInt64?

    /// - Parameters:
    ///   - slotCount: batches held at once: in flight, and one more being built or waiting.
    ///   - bodyCapacityBytes: the largest body that the owner can hand over.
    ///   - pages: where compressed bodies are kept.
    init(
        settings: OTLPHTTPSettings, slotCount: Int, bodyCapacityBytes: Int = .max,
        pages: any PageSource = MappedPageSource(), logger: Logger
    ) throws(ConfigurationError) {
        try settings.validate()
        CurlLibrary.prepare()
        guard let multi = unsafe curl_multi_init() else {
            throw .transport("libcurl gave no multi handle")
        }
        self.settings = settings
        self.slotCount = slotCount
        unsafe self.multi = multi
        unsafe headers = Self.headerList(settings)
        diagnostics = ExportDiagnostics(
            logger: logger, endpoint: settings.printableEndpoint, secrets: settings.secrets)
        encoder = try RequestEncoder(settings)
        bodyBytesMax = RequestEncoder.bodyCapacityBytes(settings, atMost: bodyCapacityBytes)
        unsafe tracemill_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, settings.connections)
        unsafe tracemill_curl_multi_set_long(
            multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, settings.connections)
        for _ in 0..<slotCount {
            slots.append(
                Slot(
                    transfer: try unsafe HTTPTransfer(settings: settings, sharedHeaders: headers),
                    buffers: RequestBuffers(
                        settings, bodyCapacityBytes: bodyBytesMax, pages: pages)))
        }
    }

    deinit {
        for slot in slots {
            if case .sending = slot.state {
                unsafe curl_multi_remove_handle(multi, slot.transfer.handle)
            }
        }
        // The transfers' handles go before the list that they refer to, and before the multi handle
        // whose connections they used.
        slots.removeAll()
        unsafe curl_multi_cleanup(multi)
        unsafe curl_slist_free_all(headers)
    }

    private static func headerList(
        _ settings: OTLPHTTPSettings
    ) -> UnsafeMutablePointer<curl_slist>? {
        var lines = [
            "Content-Type: \(settings.encoding.contentType)",
            // Without it, a large body waits a second for the server's 100-continue.
            "Expect:",
        ]
        if settings.compression == .gzip { lines.append("Content-Encoding: gzip") }
        if settings.numbersBatches, let name = settings.runName {
            lines.append("tracemill-run: \(name)")
        }
        lines += settings.headers.map(\.line)
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines {
            unsafe list = curl_slist_append(list, line)
        }
        return unsafe list
    }

    // MARK: Handing over

    /// Takes a body into a free slot. It is sent by the next ``step(nowNs:)``.
    ///
    /// - Parameters:
    ///   - payload: must stay where it is, unchanged, until the slot is reported as finished.
    ///   - deadlineNs: monotonic; no attempt is begun after it and none lasts beyond it.
    func submit(
        slot index: Int, number: UInt64, payload: UnsafeRawBufferPointer, deadlineNs: UInt64,
        nowNs: UInt64
    ) {
        let slot = slots[index]
        guard case .free = slot.state else { preconditionFailure("slot \(index) is in use") }
        slot.number = number
        slot.order = nextOrder
        nextOrder += 1
        slot.deadlineNs = deadlineNs
        slot.failures = 0
        slot.attempts = 0
        slot.indeterminate = false
        slot.firstSentNs = 0
        slot.lastSentNs = 0
        do throws(UnsendableBody) {
            unsafe slot.payload = try encoder.encode(payload, in: &slot.buffers)
            slot.state = .waiting(untilNs: nowNs)
        } catch {
            diagnostics.warn(.refused(error.description), nowNs: nowNs)
            settle(index, slot, .dropped(error.reason), nowNs: nowNs)
        }
    }

    /// The next settled batch, oldest first. Its slot is free again.
    func nextFinished() -> FinishedExport? {
        guard finishedHead < finished.count else {
            finished.removeAll(keepingCapacity: true)
            finishedHead = 0
            return nil
        }
        defer { finishedHead += 1 }
        return finished[finishedHead]
    }

    // MARK: Driving

    /// Begins what is due, moves what is in flight, and settles what is over. Never blocks.
    func step(nowNs: UInt64) {
        var now = nowNs
        repeat {
            let begun = beginDue(nowNs: now)
            if sendingCount == 0 { return }
            var running: Int32 = 0
            unsafe curl_multi_perform(multi, &running)
            let ended = collect()
            if !begun && !ended { return }
            now = TraceClock.monotonicNs
        } while true
    }

    /// When the next attempt is to be begun or given up, monotonic; nil when nothing waits for time.
    func nextDueNs() -> UInt64? {
        var due: UInt64?
        for slot in slots {
            guard case .waiting(let untilNs) = slot.state else { continue }
            // One that only waits for a connection needs no timer, except for its deadline.
            let hasConnection = sendingCount < settings.connections
            let moment = hasConnection ? max(untilNs, heldUntilNs) : UInt64.max
            due = min(due ?? .max, moment, slot.deadlineNs)
        }
        return due
    }

    /// Sleeps until something happens on a connection, `eventFileDescriptor` can be read, or
    /// `untilNs` (nil: no limit) has come. Without a request in flight it is a plain poll: idle
    /// connections wake nobody.
    ///
    /// - Returns: whether `eventFileDescriptor` can be read.
    func wait(eventFileDescriptor: Int32, untilNs: UInt64?) -> Bool {
        if sendingCount == 0 { return MonotonicTime.poll(eventFileDescriptor, untilNs: untilNs) }
        let timeoutMs = untilNs.map {
            MonotonicTime.millisecondsLeft(until: $0, nowNs: TraceClock.monotonicNs)
        }
        var descriptor = curl_waitfd(
            fd: eventFileDescriptor, events: Int16(CURL_WAIT_POLLIN), revents: 0)
        unsafe curl_multi_poll(multi, &descriptor, 1, Int32(timeoutMs ?? Int(Int32.max)), nil)
        return descriptor.revents != 0
    }

    // MARK: Ending

    /// From now on no attempt is begun at or after `deadlineNs`: batches that would have to wait that
    /// long are dropped by the next ``step(nowNs:)``, those still to come too.
    func beginShutdown(deadlineNs: UInt64) {
        shutdownDeadlineNs = deadlineNs
    }

    /// Settles everything as dropped at shutdown; requests in flight are cut off.
    func abandonAll(nowNs: UInt64) {
        for (index, slot) in slots.enumerated() {
            switch slot.state {
            case .free: continue
            case .waiting: break
            case .sending:
                unsafe curl_multi_remove_handle(multi, slot.transfer.handle)
                sendingCount -= 1
                note(slot.transfer.result(CURLE_ABORTED_BY_CALLBACK), in: slot)
            }
            settle(index, slot, .dropped(.shutdown), nowNs: nowNs)
        }
    }

    // MARK: Inside

    private func beginDue(nowNs: UInt64) -> Bool {
        var begun = false
        while true {
            var chosen: Int?
            for (index, slot) in slots.enumerated() {
                guard case .waiting(let untilNs) = slot.state else { continue }
                if nowNs >= slot.deadlineNs {
                    settle(index, slot, .dropped(.retriesExhausted), nowNs: nowNs)
                } else if let deadlineNs = shutdownDeadlineNs,
                    max(nowNs, untilNs, heldUntilNs) >= deadlineNs
                {
                    settle(index, slot, .dropped(.shutdown), nowNs: nowNs)
                } else if untilNs <= nowNs, heldUntilNs <= nowNs,
                    chosen.map({ slots[$0].order > slot.order }) ?? true
                {
                    chosen = index
                }
            }
            guard let chosen, sendingCount < settings.connections else { return begun }
            begin(slots[chosen], nowNs: nowNs)
            begun = true
        }
    }

    private func begin(_ slot: Slot, nowNs: UInt64) {
        var timeoutMs = settings.timeoutMs
        if slot.deadlineNs != .max {
            let leftMs = MonotonicTime.millisecondsLeft(until: slot.deadlineNs, nowNs: nowNs)
            timeoutMs = timeoutMs == 0 ? leftMs : min(timeoutMs, leftMs)
        }
        unsafe slot.transfer.prepare(
            body: slot.payload, number: slot.number, timeoutMs: timeoutMs)
        let status = unsafe curl_multi_add_handle(multi, slot.transfer.handle)
        precondition(status == CURLM_OK, "a handle is added once, by the thread that owns it")
        slot.state = .sending
        sendingCount += 1
        slot.lastSentNs = nowNs
        if slot.firstSentNs == 0 { slot.firstSentNs = nowNs }
    }

    private func collect() -> Bool {
        var any = false
        var code = CURLE_OK
        while let handle = unsafe tracemill_curl_multi_next_done(multi, &code) {
            unsafe curl_multi_remove_handle(multi, handle)
            guard let index = slots.firstIndex(where: { unsafe $0.transfer.handle == handle })
            else { preconditionFailure("libcurl reported a handle that is not ours") }
            sendingCount -= 1
            any = true
            conclude(index, slots[index], code)
        }
        return any
    }

    private func note(_ result: AttemptResult, in slot: Slot) {
        slot.attempts += max(1, result.requestsBegun)
        if result.bodyMayHaveArrived { slot.indeterminate = true }
    }

    private func conclude(_ index: Int, _ slot: Slot, _ code: CURLcode) {
        let nowNs = TraceClock.monotonicNs
        let result = slot.transfer.result(code)
        let verdict = ResponseClassification.verdict(
            result, body: slot.transfer.responseBody, encoding: settings.encoding,
            nowUnixNs: TraceClock.unixNs)
        slot.attempts += max(1, result.requestsBegun)
        // libcurl has repeated the request by itself: the first one may have been taken.
        slot.indeterminate =
            slot.indeterminate || verdict.indeterminate || result.requestsBegun > 1
        if let warning = verdict.warning { diagnostics.warn(warning, nowNs: nowNs) }
        switch verdict.step {
        case .settled(let outcome):
            settle(index, slot, outcome, nowNs: nowNs)
        case .retry(let retryAfterNs):
            slot.failures += 1
            if settings.retry.maxAttempts > 0, slot.failures >= settings.retry.maxAttempts {
                settle(index, slot, .dropped(.retriesExhausted), nowNs: nowNs)
                return
            }
            let backoffNs = settings.retry.backoffNs(afterAttempts: slot.failures, using: &random)
            var untilNs = nowNs &+ backoffNs
            if let retryAfterNs, retryAfterNs > 0 {
                // Beyond the deadline there is nothing to wait for: the batch is given up then.
                let (moment, overflow) = nowNs.addingReportingOverflow(retryAfterNs)
                untilNs = min(overflow ? .max : moment, slot.deadlineNs)
                heldUntilNs = max(heldUntilNs, untilNs)
            }
            slot.state = .waiting(untilNs: untilNs)
        }
    }

    private func settle(_ index: Int, _ slot: Slot, _ outcome: BatchOutcome, nowNs: UInt64) {
        unsafe finished.append(
            FinishedExport(
                slot: index, outcome: outcome, indeterminate: slot.indeterminate,
                attempts: slot.attempts, firstSentNs: slot.firstSentNs,
                lastSentNs: slot.lastSentNs, settledNs: nowNs,
                wireByteCount: slot.payload.count))
        slot.state = .free
        unsafe slot.payload = UnsafeRawBufferPointer(start: nil, count: 0)
    }
}
