// A small blocking HTTP client for control endpoints on this machine: one request, one answer.

import CCurl

/// A request that got no usable answer.
public struct HTTPRequestError: Error, Sendable, CustomStringConvertible {
    /// `GET http://127.0.0.1:4318/tracemill/v1/ledger`, without user-info or query.
    public let request: String
    public let reason: String

    public var description: String { "\(request): \(reason)" }
}

/// Collects an answer; libcurl holds a pointer to it while the request runs.
private final class ResponseCollector {
    var bytes: [UInt8] = []
    let byteCountMax: Int
    var isTooLarge = false

    init(byteCountMax: Int) {
        self.byteCountMax = byteCountMax
    }
}

/// Sends one request and waits for the answer. Any thread; blocks for `timeoutMs` at most.
///
/// Proxies of the environment are ignored, redirects are not followed. Every status is an answer,
/// also 404 and 500.
/// - Parameters:
///   - method: `GET`, `POST`, …
///   - body: sent as it is; nil sends none.
///   - certificatePath: PEM file with the certificates to trust instead of the system's.
///   - timeoutMs: for everything, connecting included; 1 or more.
///   - responseBytesMax: a longer answer is an error.
/// - Throws: ``HTTPRequestError`` when there is no answer, or not in time.
public func httpRequest(
    method: String, url: String, body: [UInt8]? = nil, certificatePath: String? = nil,
    timeoutMs: Int, responseBytesMax: Int = 256 << 20
) throws(HTTPRequestError) -> (status: Int, body: [UInt8]) {
    CurlLibrary.prepare()
    let name = "\(method) \(OTLPHTTPSettings(endpoint: url).printableEndpoint)"
    guard let handle = unsafe curl_easy_init() else {
        throw HTTPRequestError(request: name, reason: "libcurl gave no handle")
    }
    defer { unsafe curl_easy_cleanup(handle) }
    let collector = ResponseCollector(byteCountMax: responseBytesMax)

    unsafe tracemill_curl_set_string(handle, CURLOPT_URL, url)
    unsafe tracemill_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https")
    unsafe tracemill_curl_set_string(handle, CURLOPT_PROXY, "")
    unsafe tracemill_curl_set_string(handle, CURLOPT_USERAGENT, "tracemill")
    if let certificatePath {
        unsafe tracemill_curl_set_string(handle, CURLOPT_CAINFO, certificatePath)
    }
    unsafe tracemill_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    unsafe tracemill_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
    unsafe tracemill_curl_set_long(handle, CURLOPT_TCP_NODELAY, 1)
    unsafe tracemill_curl_set_long(handle, CURLOPT_QUICK_EXIT, 1)
    unsafe tracemill_curl_set_long(handle, CURLOPT_TIMEOUT_MS, max(1, timeoutMs))
    let user = unsafe Unmanaged.passUnretained(collector).toOpaque()
    unsafe tracemill_curl_set_pointer(handle, CURLOPT_WRITEDATA, user)
    unsafe tracemill_curl_set_data_callback(handle, CURLOPT_WRITEFUNCTION) {
        data, size, count, user in
        // Safe because the collector lives until the request is over.
        let collector = unsafe Unmanaged<ResponseCollector>.fromOpaque(user!).takeUnretainedValue()
        guard collector.bytes.count + size * count <= collector.byteCountMax else {
            collector.isTooLarge = true
            return 0
        }
        unsafe collector.bytes.append(
            contentsOf: UnsafeRawBufferPointer(start: data, count: size * count))
        return size * count
    }
    // No 100-continue, no content type that libcurl makes up.
    var headers = unsafe curl_slist_append(nil, "Expect:")
    unsafe headers = curl_slist_append(headers, "Content-Type: application/octet-stream")
    defer { unsafe curl_slist_free_all(headers) }
    unsafe tracemill_curl_set_list(handle, CURLOPT_HTTPHEADER, headers)

    func perform() -> CURLcode {
        unsafe tracemill_curl_set_string(handle, CURLOPT_CUSTOMREQUEST, method)
        return unsafe curl_easy_perform(handle)
    }
    let code: CURLcode
    if let body {
        code = unsafe body.withUnsafeBytes { bytes in
            unsafe tracemill_curl_set_offset(
                handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count))
            unsafe tracemill_curl_set_long(handle, CURLOPT_POST, 1)
            return unsafe withUnsafePointer(to: UInt8(0)) { none in
                unsafe tracemill_curl_set_pointer(
                    handle, CURLOPT_POSTFIELDS, bytes.baseAddress ?? UnsafeRawPointer(none))
                return perform()
            }
        }
    } else {
        if method == "HEAD" { unsafe tracemill_curl_set_long(handle, CURLOPT_NOBODY, 1) }
        code = perform()
    }
    guard code == CURLE_OK else {
        let reason = unsafe String(cString: curl_easy_strerror(code))
        throw HTTPRequestError(
            request: name,
            reason: collector.isTooLarge
                ? "the answer is longer than \(responseBytesMax) bytes" : reason)
    }
    var status = 0
    unsafe tracemill_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
    return (status, collector.bytes)
}
