// The Retry-After response header (RFC 9110 §10.2.3, dates of §5.6.7): a wait in seconds or a moment
// in time. Pure functions; used by the exporter thread, once for each refused request.

/// How long a server asked to wait before the next request.
enum RetryAfter {
    /// Nanoseconds to wait from now, never less than asked, or nil when `value` is neither form.
    ///
    /// A date already past is 0. A number too large for the clock saturates. `-1`, fractions, empty
    /// and anything else are nil: the caller goes by its own backoff.
    /// - Parameter nowUnixNs: the wall clock, nanoseconds since 1970, for the date form.
    static func waitNs(_ value: String, nowUnixNs: UInt64) -> UInt64? {
        let text = Array(value.utf8).trimmedOfWhitespace
        guard let first = text.first else { return nil }
        if first.isDigit {
            return wholeSeconds(text)
        }
        guard let seconds = unixSeconds(text) else { return nil }
        guard seconds > 0 else { return 0 }
        let (moment, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return .max }
        return moment > nowUnixNs ? moment - nowUnixNs : 0
    }

    /// The longest wait that any of several header lines asks for: never early for any of them.
    static func longestWaitNs(_ values: [String], nowUnixNs: UInt64) -> UInt64? {
        values.compactMap { waitNs($0, nowUnixNs: nowUnixNs) }.max()
    }

    private static func wholeSeconds(_ text: ArraySlice<UInt8>) -> UInt64? {
        var seconds: UInt64 = 0
        for byte in text {
            guard byte.isDigit else { return nil }
            let (tens, overflow) = seconds.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(byte - 0x30))
            seconds = overflow || carry ? .max / 10 : sum
        }
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : nanoseconds
    }

    /// Seconds since 1970 of an IMF-fixdate, an RFC 850 date or an asctime date, all in GMT.
    private static func unixSeconds(_ text: ArraySlice<UInt8>) -> Int64? {
        let words = text.split(whereSeparator: { $0 == 0x20 || $0 == 0x2C || $0 == 0x2D })
        // Sun, 06 Nov 1994 08:49:37 GMT | Sunday, 06-Nov-94 08:49:37 GMT
        if words.count == 6, words[5].elementsEqual("GMT".utf8) {
            guard let year = number(words[3], digits: 2...4) else { return nil }
            let fullYear: Int
            switch words[3].count {
            case 4: fullYear = year
            // RFC 850 has two digits: those far ahead belong to the last century.
            case 2: fullYear = year + (year < 70 ? 2000 : 1900)
            default: return nil
            }
            return seconds(year: fullYear, month: words[2], day: words[1], time: words[4])
        }
        // Sun Nov  6 08:49:37 1994
        if words.count == 5, let year = number(words[4], digits: 4...4) {
            return seconds(year: year, month: words[1], day: words[2], time: words[3])
        }
        return nil
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ].map { Array($0.utf8) }

    private static func seconds(
        year: Int, month: ArraySlice<UInt8>, day: ArraySlice<UInt8>, time: ArraySlice<UInt8>
    ) -> Int64? {
        let clock = time.split(separator: 0x3A, omittingEmptySubsequences: false)
        guard let monthIndex = months.firstIndex(of: Array(month)),
            let day = number(day, digits: 1...2), (1...31).contains(day), clock.count == 3,
            let hour = number(clock[0], digits: 2...2), hour < 24,
            let minute = number(clock[1], digits: 2...2), minute < 60,
            let second = number(clock[2], digits: 2...2), second <= 60
        else { return nil }
        let days = daysSince1970(year: year, month: monthIndex + 1, day: day)
        return Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
    }

    private static func number(_ text: ArraySlice<UInt8>, digits: ClosedRange<Int>) -> Int? {
        guard digits.contains(text.count), text.allSatisfy(\.isDigit) else { return nil }
        return text.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// The proleptic Gregorian day number, from Howard Hinnant's `days_from_civil`.
    private static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

extension UInt8 {
    var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0D || self == 0x0A }
}

extension Array where Element == UInt8 {
    /// Without leading and trailing spaces, tabs and line ends.
    var trimmedOfWhitespace: ArraySlice<UInt8> {
        guard let start = firstIndex(where: { !$0.isBlank }),
            let end = lastIndex(where: { !$0.isBlank })
        else { return [] }
        return self[start...end]
    }
}
