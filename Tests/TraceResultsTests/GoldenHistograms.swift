// Histograms written by the Python library hdrhistogram 0.10.8 (PyPI): what it encodes, and what
// it answers, for `HdrHistogram(1, 3_600_000_000_000, 3)` with the given values recorded.

import Testing

struct GoldenHistogram: CustomTestStringConvertible, Sendable {
    var name: String
    /// Value and count of every bucket, by its smallest value.
    var buckets: [(value: UInt64, count: UInt64)]
    var total: UInt64
    /// By Python's `get_value_at_percentile`, where its floating point reaches.
    var percentiles: [(percentile: Double, valueNs: UInt64)]
    var meanNs: Double
    var encoded: String

    var testDescription: String { name }

    static let all: [GoldenHistogram] = [
        GoldenHistogram(
            name: "empty",
            buckets: [],
            total: 0,
            percentiles: [
                (50, 0),
                (90, 0),
                (99, 0),
                (99.9, 0),
                (100, 0),
            ],
            meanNs: 0.0,
            encoded: "HISTFAAAAB14nJNpmSzMgADMUJoRyHQz2LGAwf4DRAAATjkESw=="),
        GoldenHistogram(
            name: "one sample",
            buckets: [
                (42, 1)
            ],
            total: 1,
            percentiles: [
                (50, 42),
                (90, 42),
                (99, 42),
                (99.9, 42),
                (100, 42),
            ],
            meanNs: 42.0,
            encoded: "HISTFAAAACN4nJNpmSzMwMDAxAABzFCaEch0M9ixgMH+A0QgmAkAV70Eog=="),
        GoldenHistogram(
            name: "zeros",
            buckets: [
                (0, 3)
            ],
            total: 3,
            percentiles: [
                (50, 0),
                (90, 0),
                (99, 0),
                (99.9, 0),
                (100, 0),
            ],
            meanNs: 0.0,
            encoded: "HISTFAAAACJ4nJNpmSzMwMDAyAABzFAayGd2M9ixgMH+A0SADQBSrARS"),
        GoldenHistogram(
            name: "edges of buckets",
            buckets: [
                (1, 1),
                (2047, 2),
                (2048, 7),
                (4094, 1),
                (4096, 1),
                (3_599_182_594_048, 7),
            ],
            total: 19,
            percentiles: [
                (50, 2049),
                (90, 3_601_330_077_695),
                (99, 3_601_330_077_695),
                (99.9, 3_601_330_077_695),
                (100, 3_601_330_077_695),
            ],
            meanNs: 1326410230407.1052,
            encoded: "HISTFAAAAC54nJNpmSzMwMDAxwABzFCaEch0M9ixgMH+A1SA6ac8C99vfiamqbeY+QCoAQgU"),
        GoldenHistogram(
            name: "single and longer gaps, counts around the byte limits",
            buckets: [
                (10, 1),
                (12, 1),
                (15, 1),
                (1000, 63),
                (1001, 64),
                (1002, 8191),
                (1003, 8192),
                (69_952, 1_048_576),
            ],
            total: 1_065_089,
            percentiles: [
                (50, 70_015),
                (90, 70_015),
                (99, 70_015),
                (99.9, 70_015),
                (100, 70_015),
            ],
            meanNs: 68914.51685539894,
            encoded: """
                HISTFAAAADZ4nJNpmSzMwMAgxgABzFCaEch0M9ixgMH+A0RAmImRiZlpPX9dA+O/+oYGxo2JDUASAO/3\
                C0w=
                """),
        GoldenHistogram(
            name: "counts of nine bytes",
            buckets: [
                (5, 1_099_511_627_783),
                (999_936, 36_028_797_018_963_971),
                (2_998_927_360, 1),
            ],
            total: 36_029_896_530_591_755,
            percentiles: [
                (50, 1_000_447),
                (90, 1_000_447),
                (99, 1_000_447),
                (99.9, 1_000_447),
            ],
            meanNs: 1000161.4776466393,
            encoded:
                "HISTFAAAADJ4nJNpmSzMwMAgzgABzFCaEch0M9ixgMH+A0SAs68BCBy2rmNsa4AAxufbGZkAL/gORQ=="),
        GoldenHistogram(
            name: "ramp to ten milliseconds",
            buckets: [],
            total: 10_000,
            percentiles: [
                (50, 5_001_215),
                (90, 9_003_007),
                (99, 9_904_127),
                (99.9, 9_994_239),
                (100, 10_002_431),
            ],
            meanNs: 5000504.7578,
            encoded: """
                HISTFAAAANZ4nJNpmSzMwCDyjgECmKE0I5DpZrBjAYP9B4jAeX6ms/xMUzmYnrIzLWRh+sgMRcuZmL4z\
                YkErGZmqmSrx4GwmayC0BZPk0bpM0kyyQIgg6c/nZ+Jl4gZiCESwsIsOV3l2JlYwZIbSqJB40VH9Q18/\
                MxMjGsQQwAWJVkgLM0ctH7V81HIqmIkOWDBEcAEaqBy1fNTyUcvpaTkLOmDDEKGNIL3sGbV81PJRy3EK\
                ckAAFwcHBgurIAFp2ho0avmo5aOWU9UgAQEhAQHsBNVkaG0FDwAig4YB
                """),
        GoldenHistogram(
            name: "lognormal",
            buckets: [],
            total: 400,
            percentiles: [
                (50, 6639),
                (90, 83_967),
                (99, 719_359),
                (99.9, 2_942_975),
                (100, 2_942_975),
            ],
            meanNs: 56022.83,
            encoded: """
                HISTFAAAAiJ4nC2SQWsTURSF887MMAzDEIchhJCGEIYhhBJiGaSUUEqQKuIii1KKFAmlC5dSRFy4VOlC\
                xEURceemlCIuigv1J7jqD5D+AHdCF2797msyTN6be+4759x738rrk6LRCMaNm1+wXB3be7d/fG5s/b0J\
                dDVUV2+dnDRRqlKZcgU8IyXhc77W9RgwBmtpqohIAbqhRH2+DNlUDzRln4HY+UfkBqzvHfQJ0EQVT0Yy\
                ocijLbSc12v6NWGdqs2BDXU0Q3eu70a5g0DfS+zybpNmIl3hsNQDzrQIx6QNkXhCbKET563uQ5pAbrCD\
                cCLdl+m35Qvp8CZgBbt/Tr2whmGkNeQWspYMkO1rFclch9DsIV3qQGM0c74HYEO9gDiHMAaDr+JQxHaT\
                /w6JBSoV4Ehb7Kn/DtU5fXO+9fQ99v1wlDcX1Gs8C1kNNeEKxqlwUHsfYVPyUgmne1rqZr6LfdJ7y7wd\
                IleOrMAHatTH7Gd48BNIEMmxYxZLJswNaMIYWVc/WeElQAxlJj9pLA6wuO9zrKdxWBGr9QySAuN3obP5\
                rFPetdNP58cS6SWqq3CltL4N2zYWO4wtx0DgR5Hqo4nvmYcCzTlnujqiqcwExzPkR/Je/5iZK7sUdleP\
                gKzAXT2FNEHwkK9X1reH1soDMt45XTpKvwwo8o106vTVLsPvCLqU6/Il1LFd4l9OF9K5w9CZzFGEVU59\
                uKXrQKeRjmP9B2C7Tpw=
                """),
    ]
}
