// Calendar text without a locale.

import Glibc

enum UTCTime {
    /// ISO 8601 in UTC: `2023-11-21T09:25:34.853Z`.
    static func text(unixSeconds: Int, milliseconds: Int) -> String {
        var seconds = time_t(unixSeconds)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = unsafe [
            padded(Int(parts.tm_year) + 1900, 4), padded(Int(parts.tm_mon) + 1, 2),
            padded(Int(parts.tm_mday), 2),
        ].joined(separator: "-")
        let time = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec]
            .map { padded(Int($0), 2) }.joined(separator: ":")
        return "\(date)T\(time).\(padded(milliseconds, 3))Z"
    }
}
