// One HTTP request at a time on a reusable libcurl easy handle, with the answer it got. Used by one
// thread: the one that owns the multi handle it is added to.

import CCurl
import Glibc

/// libcurl for this process.
enum CurlLibrary {
    /// Initialises libcurl once and keeps a broken pipe from ending the process: libcurl with
    /// NOSIGNAL leaves SIGPIPE alone, and OpenSSL writes without MSG_NOSIGNAL. A handler that the
    /// program has set stays.
    static func prepare() {
        _ = isReady
    }

    private static let isReady: Bool = {
        var current = sigaction()
        unsafe sigaction(SIGPIPE, nil, &current)
        if unsafe current.__sigaction_handler.sa_handler == nil {
            signal(SIGPIPE, SIG_IGN)
        }
        let status = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        precondition(status == CURLE_OK, "libcurl cannot be initialised")
        return true
    }()
}

/// What one attempt came to, for the classification.
struct AttemptResult {
    /// libcurl's verdict.
    var code: CURLcode
    /// The response's status, 0 when there was none.
    var status: Int
    /// Values of the Retry-After header lines.
    var retryAfter: [String]
    /// The answer's media type in lower case, without parameters; empty when it named none.
    var contentType: String
    /// Times that a request was begun on a connection: 0 when none was made, 2 or more when libcurl
    /// repeated the request because a kept-alive connection had died.
    var requestsBegun: Int
    /// The whole body left this process at least once, so the server may have it.
    var bodyMayHaveArrived: Bool
    /// The answer was longer than allowed and was cut.
    var responseTooLarge: Bool
    /// libcurl's words for an error; host names and numbers, no header values.
    var errorText: String
}

/// An easy handle with everything set that does not change from request to request.
@safe
final class HTTPTransfer {
    /// Answers are read up to here (OTLP/HTTP specification: 4 MiB).
    static let responseBytesMax = 4 << 20
    /// libcurl keeps each header line; a flood of them ends the transfer.
    static let headerBytesMax = 256 << 10
    /// What libcurl copies a body through, a part at a time. Large bodies go twice as fast as with its
    /// usual 64 KiB.
    static let uploadBufferBytes = 1 << 20
    private static let keptResponseCapacityMax = 64 << 10

    let handle: UnsafeMutableRawPointer
    private let errorBuffer: UnsafeMutablePointer<CChar>
    /// The first node of the header list, its text rewritten for each batch; the shared list follows.
    private let numberNode: UnsafeMutablePointer<curl_slist>
    private let numberText: UnsafeMutablePointer<CChar>
    private static let numberTextCapacity = 48
    private static let numberPrefix = "tracemill-batch: "

    private(set) var responseBody: [UInt8] = []
    private var headerByteCount = 0
    private var retryAfter: [String] = []
    private var contentType = ""
    private var requestsBegun = 0
    private var responseTooLarge = false
    private var bodyByteCount = 0

    /// - Parameter sharedHeaders: outlives the transfer; nil for none.
    init(
        settings: OTLPHTTPSettings, sharedHeaders: UnsafeMutablePointer<curl_slist>?
    ) throws(ConfigurationError) {
        CurlLibrary.prepare()
        guard let handle = unsafe curl_easy_init() else {
            throw .transport("libcurl gave no handle")
        }
        unsafe self.handle = handle
        unsafe errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        unsafe numberText = .allocate(capacity: Self.numberTextCapacity)
        unsafe numberText.initialize(repeating: 0, count: Self.numberTextCapacity)
        for (index, byte) in Self.numberPrefix.utf8.enumerated() {
            unsafe numberText[index] = CChar(bitPattern: byte)
        }
        unsafe numberNode = .allocate(capacity: 1)
        unsafe numberNode.initialize(to: curl_slist(data: numberText, next: sharedHeaders))
        try configure(settings)
        unsafe set(
            CURLOPT_HTTPHEADER, list: settings.numbersBatches ? numberNode : sharedHeaders)
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe errorBuffer.deallocate()
        unsafe numberText.deallocate()
        unsafe numberNode.deallocate()
    }

    private func configure(_ settings: OTLPHTTPSettings) throws(ConfigurationError) {
        try set(CURLOPT_URL, settings.endpoint)
        try set(CURLOPT_USERAGENT, "tracemill")
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        // An empty proxy also switches off http_proxy and its kin.
        try set(CURLOPT_PROXY, settings.proxy ?? "")
        if let path = settings.certificatePath { try set(CURLOPT_CAINFO, path) }
        if let path = settings.clientCertificatePath { try set(CURLOPT_SSLCERT, path) }
        if let path = settings.clientKeyPath { try set(CURLOPT_SSLKEY, path) }
        try set(CURLOPT_POST, 1)
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_TCP_NODELAY, 1)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        try set(CURLOPT_UPLOAD_BUFFERSIZE, Self.uploadBufferBytes)
        // Without it, giving up on a name server that swallows the question waits for it all the same.
        try set(CURLOPT_QUICK_EXIT, 1)
        let user = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe set(CURLOPT_ERRORBUFFER, pointer: errorBuffer)
        unsafe set(CURLOPT_WRITEDATA, pointer: user)
        unsafe set(CURLOPT_HEADERDATA, pointer: user)
        unsafe set(CURLOPT_PREREQDATA, pointer: user)
        unsafe tracemill_curl_set_data_callback(handle, CURLOPT_WRITEFUNCTION) {
            data, size, count, user in
            unsafe HTTPTransfer.from(user).receiveBody(
                UnsafeRawBufferPointer(
                    start: data, count: size * count))
        }
        unsafe tracemill_curl_set_data_callback(handle, CURLOPT_HEADERFUNCTION) {
            data, size, count, user in
            unsafe HTTPTransfer.from(user).receiveHeader(
                UnsafeRawBufferPointer(
                    start: data, count: size * count))
        }
        unsafe tracemill_curl_set_request_callback(handle) { user, _, _, _, _ in
            unsafe HTTPTransfer.from(user).requestsBegun += 1
            return CURL_PREREQFUNC_OK
        }
    }

    /// Makes the handle ready to send `body` when it is added to a multi handle.
    ///
    /// - Parameters:
    ///   - body: not copied; must stay where it is until the transfer is over.
    ///   - number: the batch's number, sent when the settings ask for it.
    ///   - timeoutMs: for the whole attempt, name look-up and connecting included; 0 for no limit.
    func prepare(body: UnsafeRawBufferPointer, number: UInt64, timeoutMs: Int) {
        responseBody.removeAll(
            keepingCapacity: responseBody.capacity <= Self.keptResponseCapacityMax)
        headerByteCount = 0
        retryAfter.removeAll(keepingCapacity: true)
        contentType = ""
        requestsBegun = 0
        responseTooLarge = false
        bodyByteCount = body.count
        unsafe errorBuffer[0] = 0
        var index = Self.numberPrefix.utf8.count
        for byte in String(number).utf8 {
            unsafe numberText[index] = CChar(bitPattern: byte)
            index += 1
        }
        unsafe numberText[index] = 0
        unsafe set(CURLOPT_POSTFIELDS, pointer: body.baseAddress ?? UnsafeRawPointer(numberText))
        unsafe tracemill_curl_set_offset(
            handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        unsafe tracemill_curl_set_long(handle, CURLOPT_TIMEOUT_MS, timeoutMs)
    }

    /// The attempt's result, once libcurl has said `code` or the transfer was taken off its multi
    /// handle (`CURLE_ABORTED_BY_CALLBACK`).
    func result(_ code: CURLcode) -> AttemptResult {
        var status = 0
        unsafe tracemill_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        var sentByteCount: curl_off_t = 0
        unsafe tracemill_curl_get_offset(handle, CURLINFO_SIZE_UPLOAD_T, &sentByteCount)
        let text = unsafe String(
            cString: errorBuffer[0] == 0 ? curl_easy_strerror(code) : UnsafePointer(errorBuffer))
        return AttemptResult(
            code: code, status: status, retryAfter: retryAfter, contentType: contentType,
            requestsBegun: requestsBegun,
            bodyMayHaveArrived: requestsBegun > 1
                || (requestsBegun == 1 && sentByteCount >= curl_off_t(bodyByteCount)),
            responseTooLarge: responseTooLarge, errorText: text)
    }

    private func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard responseBody.count + bytes.count <= Self.responseBytesMax else {
            responseTooLarge = true
            return 0
        }
        let count = responseBody.count + bytes.count
        if count > Self.keptResponseCapacityMax, responseBody.capacity < Self.responseBytesMax {
            // All that an answer may have at once: growing by doubling would leave as much again behind
            // in the allocator, and pages that no answer reaches are not touched.
            responseBody.reserveCapacity(Self.responseBytesMax)
        }
        unsafe responseBody.append(contentsOf: bytes)
        return bytes.count
    }

    private func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        headerByteCount += bytes.count
        guard headerByteCount <= Self.headerBytesMax else {
            responseTooLarge = true
            return 0
        }
        if let value = unsafe Self.value(of: "retry-after:", in: bytes) {
            retryAfter.append(value)
        } else if let value = unsafe Self.value(of: "content-type:", in: bytes) {
            // Of several the last one, as of several answers (100 Continue) the last one.
            let mediaType = value.prefix { $0 != ";" }.filter { !$0.isWhitespace }
            contentType = mediaType.lowercased()
        }
        return bytes.count
    }

    /// What stands behind `name` in a header line that begins with it, in upper case or lower.
    private static func value(
        of name: StaticString, in line: UnsafeRawBufferPointer
    ) -> String? {
        let count = name.utf8CodeUnitCount
        guard line.count > count else { return nil }
        for index in 0..<count where unsafe line[index] | 0x20 != name.utf8Start[index] | 0x20 {
            return nil
        }
        return unsafe String(decoding: line.dropFirst(count), as: UTF8.self)
    }

    private static func from(_ user: UnsafeMutableRawPointer?) -> HTTPTransfer {
        // Safe because the transfer sets itself as user data and ends its handle before it goes.
        unsafe Unmanaged<HTTPTransfer>.fromOpaque(user!).takeUnretainedValue()
    }

    private func set(_ option: CURLoption, _ value: Int) throws(ConfigurationError) {
        try check(unsafe tracemill_curl_set_long(handle, option, value), option)
    }

    private func set(_ option: CURLoption, _ value: String) throws(ConfigurationError) {
        try check(unsafe tracemill_curl_set_string(handle, option, value), option)
    }

    private func set(_ option: CURLoption, pointer: UnsafeRawPointer?) {
        unsafe tracemill_curl_set_pointer(handle, option, pointer)
    }

    private func set(_ option: CURLoption, list: UnsafeMutablePointer<curl_slist>?) {
        unsafe tracemill_curl_set_list(handle, option, list)
    }

    private func check(_ status: CURLcode, _ option: CURLoption) throws(ConfigurationError) {
        guard status == CURLE_OK else {
            let reason = unsafe String(cString: curl_easy_strerror(status))
            throw .transport("libcurl refused option \(option.rawValue): \(reason)")
        }
    }
}
