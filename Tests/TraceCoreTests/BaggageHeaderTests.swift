import Testing

@testable import TraceCore

/// How baggage is read.
@Suite struct BaggageHeaderTests {
    static func extract(_ lines: [String]) -> Baggage {
        let headers = HeaderBuffer(lines.map { ("baggage", $0) })
        return BaggagePropagator.extract(from: headers) ?? Baggage()
    }

    /// `name=value` or `name=value|metadata` of each entry, in order, nothing encoded.
    static func shown(_ baggage: Baggage) -> [String] {
        baggage.entries.map { name, entry in
            "\(name)=\(entry.value)" + (entry.metadata.isEmpty ? "" : "|" + entry.metadata)
        }
    }

    /// Facts from w3c/baggage, test/baggage/test_baggage.py, and the recommendation's own examples.
    @Test(
        "W3C's vectors",
        arguments: [
            ("SomeKey=SomeValue", ["SomeKey=SomeValue"]),
            (
                "SomeKey=SomeValue,SomeKey2=SomeValue2",
                ["SomeKey=SomeValue", "SomeKey2=SomeValue2"]
            ),
            (
                "SomeKey \t = \t SomeValue \t , \t SomeKey2 \t = \t SomeValue2 \t ",
                ["SomeKey=SomeValue", "SomeKey2=SomeValue2"]
            ),
            (
                "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;SomeProp2",
                ["SomeKey=SomeValue|SomeProp", "SomeKey2=SomeValue2|SomeProp2"]
            ),
            (
                "SomeKey \t = \t SomeValue \t ; \t SomeProp \t , \t SomeKey2 \t = \t V2 \t ; \t P2",
                ["SomeKey=SomeValue|SomeProp", "SomeKey2=V2|P2"]
            ),
            (
                "SomeKey=SomeValue;SomePropKey=SomePropValue,K2=V2;PropKey2=PropValue2",
                ["SomeKey=SomeValue|SomePropKey=SomePropValue", "K2=V2|PropKey2=PropValue2"]
            ),
            ("SomeKey=SomeValue=equals", ["SomeKey=SomeValue=equals"]),
            (
                "SomeKey=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29",
                ["SomeKey=\t \"';=asdf!@#$%^&*()"]
            ),
            (
                "SomeKey \t = \t %09%20%22%27%3B%3Dasdf%21%40 \t ",
                ["SomeKey=\t \"';=asdf!@"]
            ),
            (
                "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=p",
                ["key1=value1|property1;property2", "key2=value2", "key3=value3|propertyKey=p"]
            ),
            (
                "userId=alice,serverNode=DF%2028,isProduction=false",
                ["userId=alice", "serverNode=DF 28", "isProduction=false"]
            ),
        ])
    func w3c(header: String, expected: [String]) {
        #expect(Self.shown(Self.extract([header])) == expected)
    }

    /// Facts from opentelemetry-go, baggage/baggage_test.go. Where Go refuses the whole header for one bad
    /// member, the member alone is skipped here.
    @Test(
        "OpenTelemetry Go's vectors",
        arguments: [
            ("", []), ("foo=", ["foo="]), ("foo=1", ["foo=1"]), ("foo=1+1", ["foo=1+1"]),
            ("foo=1%2B1", ["foo=1+1"]), ("foo=1/1", ["foo=1/1"]), ("foo=1%2F1", ["foo=1/1"]),
            ("foo=1=1", ["foo=1=1"]), ("foo=1%3D1", ["foo=1=1"]), (" foo \t= 1\t\t ", ["foo=1"]),
            ("foo=;state=on;red", ["foo=|state=on;red"]),
            ("foo=1;state=on;red", ["foo=1|state=on;red"]), ("foo=0=0=0", ["foo=0=0=0"]),
            ("foo=1;state=on;red,bar=2;yellow", ["foo=1|state=on;red", "bar=2|yellow"]),
            ("foo=1;state=on;red,foo=2", ["foo=2"]), ("key1=val%252", ["key1=val%2"]),
            ("foo=,,bar=", ["foo=", "bar="]), ("=foo", []), ("foo", []), ("\\=value", []),
            ("foo=\\", []), ("foo=1;=v", []), ("foo=1;key\\=v", []), ("foo=1;key=\\", []),
        ])
    func go(header: String, expected: [String]) {
        #expect(Self.shown(Self.extract([header])) == expected)
    }

    /// Facts from opentelemetry-java, W3CBaggagePropagatorTest. An empty value, which Java skips, is a value
    /// in W3C's grammar, and is kept here.
    @Test(
        "OpenTelemetry Java's vectors",
        arguments: [
            (["key=value1,key=value2"], ["key=value2"]), (["  key=value1"], ["key=value1"]),
            (["key     =value1"], ["key=value1"]), (["   =value1"], []), (["ke y=value1"], []),
            (["ke?y=value1"], []),
            (
                ["ke<y=value1, ;sss,key=value;meta1=value1;meta2=value2,ke(y=value;meta=val "],
                ["key=value|meta1=value1;meta2=value2"]
            ),
            (["  key=  value1"], ["key=value1"]), (["key=value%201"], ["key=value 1"]),
            (["key=value1      "], ["key=value1"]),
            (["key=value1      ;meta1=meta2"], ["key=value1|meta1=meta2"]),
            (["key=valu e1"], []), (["key=val\\ue1"], []),
            (["key=  value1,key1=val"], ["key=value1", "key1=val"]),
            (["key=valu e1,key1=val"], ["key1=val"]), (["key=val\\ue1,key1=val"], ["key1=val"]),
            (
                ["key=value;metadata-key=value;othermetadata"],
                ["key=value|metadata-key=value;othermetadata"]
            ),
            (
                [
                    "key1= value1; metadata-key = value; othermetadata, "
                        + "key2 =value2 , key3 =\tvalue3 ; "
                ],
                ["key1=value1|metadata-key = value; othermetadata", "key2=value2", "key3=value3"]
            ),
            (
                [
                    "key1= v;alsdf;-asdflkjasdf===asdlfkjadsf ,,a sdf9asdf-alue1; metadata-key = "
                        + "value; othermetadata, key2 =value2, key3 =\tvalue3 ; "
                ],
                ["key1=v|alsdf;-asdflkjasdf===asdlfkjadsf", "key2=value2", "key3=value3"]
            ),
            (["k1=v1", "k2=v2"], ["k1=v1", "k2=v2"]), (["k1=v1", "k1=v2"], ["k1=v2"]),
            (["k1=v1,k2=v0", "k2=v2,k3=v3"], ["k1=v1", "k2=v2", "k3=v3"]), (["", ""], []),
            (["", "k=v"], ["k=v"]), (["!@#$%^", "key=va%lue"], []),
            (["k1=v1", "key=va%lue", "k2=v2"], ["k1=v1", "k2=v2"]),
        ])
    func java(lines: [String], expected: [String]) {
        #expect(Self.shown(Self.extract(lines)) == expected)
    }

    /// Facts from opentelemetry-python, test_w3cbaggagepropagator.py. Python keeps properties with the value,
    /// and decodes names, which W3C does not encode.
    @Test(
        "OpenTelemetry Python's vectors",
        arguments: [
            ("key1=val1,key2=val2", ["key1=val1", "key2=val2"]),
            ("key1 =   val1,  key2 =val2   ", ["key1=val1", "key2=val2"]),
            ("key1\t=\tval1", ["key1=val1"]), ("key1 = val1;prop=1", ["key1=val1|prop=1"]),
            (
                "key1 = val1 ; prop1 = 1 ; prop2 ;prop3= 2",
                ["key1=val1|prop1 = 1 ; prop2 ;prop3= 2"]
            ),
            ("key 1=val1", []), ("key1=val 1", []), ("key1=val1;pr op=1", []), (" = ", []),
            (
                "key1=val1,key2=val2%3Aval3,key3=val4%40%23%24val5",
                ["key1=val1", "key2=val2:val3", "key3=val4@#$val5"]
            ),
            ("key1=val1,key2=val2,a,val3", ["key1=val1", "key2=val2"]),
            ("key1=,key2=val2", ["key1=", "key2=val2"]), ("header1", []),
            ("key1=val1,key2=test\u{e9}", ["key1=val1"]),
            ("keykey=value%5Evalue", ["keykey=value^value"]),
        ])
    func python(header: String, expected: [String]) {
        #expect(Self.shown(Self.extract([header])) == expected)
    }

    /// Which text stands for bytes that are not UTF-8: Unicode 17, section 3.9, "U+FFFD substitution of
    /// maximal subparts" (tables 3-8 and 3-11).
    @Test(
        "Percent-encoding: any case of digit, invalid UTF-8 replaced, malformed skipped",
        arguments: [
            ("k=%c3%a9", "\u{e9}"), ("k=%C3%a9", "\u{e9}"), ("k=%00", "\u{0}"), ("k=%0a", "\n"),
            ("k=%ff", "\u{fffd}"), ("k=a%80b", "a\u{fffd}b"), ("k=%c3", "\u{fffd}"),
            ("k=%ed%a0%80", "\u{fffd}\u{fffd}\u{fffd}"),
            (
                "k=%61%F1%80%80%E1%80%C2%62%80%63%80%BF%64",
                "a\u{fffd}\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d"
            ),
            ("k=%", nil), ("k=%4", nil), ("k=%4g", nil), ("k=%g4", nil), ("k=a%", nil),
            ("k=%%41", nil), ("k=%+1", nil), ("k=%25", "%"), ("k=%2541", "%41"),
        ])
    func percent(header: String, expected: String?) {
        #expect(Self.extract([header])["k"]?.value == expected)
    }

    @Test("Names and metadata are not decoded")
    func undecoded() {
        #expect(
            Self.shown(Self.extract(["%6bey=%76;%70=%71;%2c"])) == ["%6bey=v|%70=%71;%2c"])
    }

    @Test("Empty properties, which the grammar has not, are left out")
    func emptyProperties() {
        #expect(
            Self.shown(Self.extract(["a=1;,b=2;;p ; ;q=1,c=3; \t,d=4;;="])) == [
                "a=1", "b=2|p ;q=1", "c=3",
            ])
    }

    @Test("Every byte is where it may be, and nowhere else")
    func characters() {
        // RFC 9110, section 5.6.2, and W3C Baggage, "baggage-octet".
        let token = Set("!#$%&'*+-.^_`|~0123456789".utf8)
            .union(UInt8(ascii: "A")...UInt8(ascii: "Z")).union(
                UInt8(ascii: "a")...UInt8(ascii: "z"))
        let octet = Set([0x21]).union(0x23...0x2b).union(0x2d...0x3a).union(0x3c...0x5b)
            .union(0x5d...0x7e)
        for byte in UInt8.min...UInt8.max {
            #expect(BaggageSyntax.isTokenByte(byte) == token.contains(byte), "\(byte)")
            #expect(BaggageSyntax.isValueByte(byte) == octet.contains(Int(byte)), "\(byte)")
            let isPlain = octet.contains(Int(byte)) && !"%+=".utf8.contains(byte)
            #expect(BaggageSyntax.isPlainByte(byte) == isPlain, "\(byte)")
        }
    }

    // MARK: Bounds

    @Test("The first 180 members count, whatever the lines", arguments: [1, 2, 7])
    func memberCount(lineCount: Int) {
        let members = (0..<200).map { "k\($0)=v\($0)" }
        let lines = (0..<lineCount).map { line in
            members[(200 * line / lineCount)..<(200 * (line + 1) / lineCount)]
                .joined(separator: ",")
        }
        #expect(Self.shown(Self.extract(lines)) == Array(members.prefix(180)))
        // Malformed and empty members are none.
        let spoilt = lines.map { "bad,,also bad=1," + $0 }
        #expect(Self.shown(Self.extract(spoilt)) == Array(members.prefix(180)))
    }

    @Test("The first 8192 bytes count; a member that goes on beyond them is not taken")
    func byteCount() {
        func filled(_ count: Int) -> String { "k=" + String(repeating: "v", count: count - 2) }
        #expect(Self.extract([filled(8192)]).count == 1)
        #expect(Self.extract([filled(8193)]).isEmpty)
        #expect(Self.extract([filled(8192) + ",a=1"]).count == 1)
        #expect(Self.extract([filled(8188) + ",a=1"]).count == 2)
        #expect(Self.extract([filled(8189) + ",a=1"]).count == 1)
        #expect(Self.extract([filled(8190) + ",a=1,b=2"]).count == 1)
        // Lines count as if joined with commas.
        #expect(Self.extract([filled(8188), "a=1"]).count == 2)
        #expect(Self.extract([filled(8189), "a=1"]).count == 1)
        #expect(Self.extract([filled(8191), "a=1"]).count == 1)
        #expect(Self.extract([filled(8192), "a=1"]).count == 1)
        #expect(Self.extract(["a=1", filled(8193), "b=2"]).count == 1)
    }
}
