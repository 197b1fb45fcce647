import Foundation
import Testing

@testable import TracePipeline

/// Regular expressions of bounded cost, against Foundation's.
@Suite struct TailPatternTests {
    @Test(
        "An expression is found where it should be",
        arguments: [
            ("a", "cat", true), ("^a", "cat", false), ("t$", "cat", true), ("^cat$", "cat", true),
            ("", "", true), ("^$", "", true), ("^$", "x", false), ("a|b", "xb", true),
            ("^(GET|POST) /api/v[0-9]+/", "POST /api/v12/x", true), ("[^/]+$", "/a/", false),
            ("a{2,3}b", "xaab", true), ("^a{2,3}$", "aaaa", false), ("a{0}b", "b", true),
            ("\\d{3}", "a12", false), ("\\w\\W\\s", "x. ", true), ("a.c", "a\nc", false),
            ("ö+", "schööön", true), ("[à-ü]x", "éx", true), ("\\.", "a", false),
            ("[]x]", "]", true),
            ("(?:ab)*c", "ababc", true), ("a??b", "ab", true), ("(a|)b", "b", true),
            ("[a\\]-]", "-", true), ("\\{1\\}", "{1}", true), ("x*", "", true),
        ] as [(String, String, Bool)])
    func found(pattern: String, text: String, isFound: Bool) throws {
        #expect(try TailPattern(pattern).isFound(in: text) == isFound)
    }

    @Test(
        "Random expressions are found where Foundation finds them",
        arguments: 1...12 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = TailRandom(seed: seed)
        func expression(_ depth: Int) -> String {
            switch random.next() % (depth < 4 ? 9 : 4) {
            case 0: return ["a", "b", "c"][Int(random.next() % 3)]
            case 1: return "."
            case 2: return ["[ab]", "[^a]", "[a-b]", "\\w"][Int(random.next() % 4)]
            case 3: return ["a", "bc"][Int(random.next() % 2)]
            case 4, 5: return expression(depth + 1) + expression(depth + 1)
            case 6: return "(" + expression(depth + 1) + "|" + expression(depth + 1) + ")"
            case 7:
                return "(" + expression(depth + 1) + ")" + ["*", "+", "?"][Int(random.next() % 3)]
            default: return "(" + expression(depth + 1) + "){1,2}"
            }
        }
        for _ in 0..<60 {
            var pattern = expression(0)
            if random.next() % 3 == 0 { pattern = "^" + pattern }
            if random.next() % 3 == 0 { pattern += "$" }
            let mine = try TailPattern(pattern)
            let theirs = try NSRegularExpression(pattern: pattern)
            for _ in 0..<20 {
                let text = String(
                    (0..<random.next() % 7).map { _ in "abc".randomElement(using: &random)! })
                let range = NSRange(text.startIndex..., in: text)
                #expect(
                    mine.isFound(in: text) == (theirs.firstMatch(in: text, range: range) != nil),
                    "\(pattern) in \(text)")
            }
        }
    }

    @Test("An expression that would take others for ever takes as many steps as its length says")
    func bounded() throws {
        // (a*)*b and friends on a long run of a's: exponential where one goes back.
        let text = String(repeating: "a", count: 4_000)
        for pattern in ["^(a*)*b$", "^(a|aa)+$b", "^(a|a)*b$", "^(.*)*x$"] {
            #expect(try !TailPattern(pattern).isFound(in: text))
        }
        #expect(try TailPattern("^a{1000}").steps.count <= TailPattern.stepsMax + 1)
    }

    @Test("Of a long text the first 4,096 bytes count")
    func longText() throws {
        let text = String(repeating: "a", count: 4_090) + "bcdefghijk"
        #expect(try TailPattern("bcdef").isFound(in: text))
        #expect(try !TailPattern("hij").isFound(in: text))
        #expect(try !TailPattern("k$").isFound(in: text))
    }

    @Test(
        "What is no expression is refused, with its place",
        arguments: [
            "(", ")", "a)", "[", "[z-a]", "*", "a|*", "\\", "\\q", "\\1", "(?=a)", "(?i)a", "a{",
            "a{3,2}",
            "a{1001}", "((((a{50}){50}){50}){50})", "[\\q]",
        ])
    func refused(pattern: String) {
        #expect {
            try TailPattern(pattern)
        } throws: { error in
            guard let failure = error as? TailPattern.Failure else { return false }
            return failure.character >= 1 && "\(failure)".contains(pattern)
        }
    }
}
