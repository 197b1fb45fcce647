// Where an endpoint is, for the exporter's figures about itself.

import CCurl

extension OTLPHTTPSettings {
    /// Host and port of the endpoint, as `server.address` and `server.port`; nil for what it does not say.
    var server: (address: String?, port: String?) {
        guard let url = unsafe curl_url() else { return (nil, nil) }
        defer { unsafe curl_url_cleanup(url) }
        guard unsafe curl_url_set(url, CURLUPART_URL, endpoint, 0) == CURLUE_OK else {
            return (nil, nil)
        }
        func part(_ part: CURLUPart) -> String? {
            var text: UnsafeMutablePointer<CChar>?
            let flags = UInt32(CURLU_DEFAULT_PORT)
            guard unsafe curl_url_get(url, part, &text, flags) == CURLUE_OK, let text = unsafe text
            else { return nil }
            defer { unsafe curl_free(text) }
            return unsafe String(cString: text)
        }
        return (part(CURLUPART_HOST), part(CURLUPART_PORT))
    }
}
