/// A look at YAML text for anchors and aliases, without parsing it: tokens that begin with `&` or
/// `*` where a value or key may begin, outside quotes, comments and block scalars (YAML 1.2.2
/// §6.9.2, §7.1). It errs on the side of finding one: a plain text may never begin with either.

/// The position of the first anchor or alias in `text`, nil when it has none. O(length).
func firstAnchorOrAlias(in text: String) -> SourcePosition? {
    var scan = AnchorScan()
    var line = 0
    for content in text.split(separator: "\n", omittingEmptySubsequences: false) {
        line += 1
        if let column = scan.column(inLine: content) {
            return SourcePosition(line: line, column: column)
        }
    }
    return nil
}

private struct AnchorScan {
    private enum Quote { case none, single, double }

    private var quote = Quote.none
    /// Column a block scalar's parent stands at; lines further in belong to the scalar.
    private var blockParent: Int?
    private var flowDepth = 0

    /// The column (from 1) of an anchor or alias in this line.
    mutating func column(inLine content: Substring) -> Int? {
        let scalars = Array(content.unicodeScalars)
        let indent = scalars.firstIndex { $0 != " " && $0 != "\r" && $0 != "\t" } ?? scalars.count
        if let parent = blockParent {
            if indent == scalars.count || indent > parent { return nil }
            blockParent = nil
        }
        // Where the innermost `- ` or `? ` of the line leads to: a block scalar's parent column.
        var parent = indent
        var expectsToken = true
        var index = indent
        while index < scalars.count {
            let scalar = scalars[index]
            let next = index + 1 < scalars.count ? scalars[index + 1] : " "
            let endsWord = next == " " || next == "\t" || next == "\r"
            switch quote {
            case .single:
                if scalar == "'" {
                    if next == "'" { index += 1 } else { quote = .none }
                }
            case .double:
                if scalar == "\\" { index += 1 } else if scalar == "\"" { quote = .none }
            case .none:
                switch scalar {
                case " ", "\t", "\r": break
                case "#"
                where index == 0 || scalars[index - 1] == " " || scalars[index - 1] == "\t":
                    return nil
                case "&", "*":
                    if expectsToken { return index + 1 }
                case "-" where expectsToken && endsWord, "?" where expectsToken && endsWord:
                    parent = scalars[(index + 1)...].firstIndex { $0 != " " } ?? index + 1
                case ":" where endsWord || flowDepth > 0:
                    expectsToken = true
                case "[", "{":
                    if expectsToken || flowDepth > 0 {
                        flowDepth += 1
                        expectsToken = true
                    }
                case "]", "}":
                    if flowDepth > 0 { flowDepth -= 1 }
                    expectsToken = false
                case ",": if flowDepth > 0 { expectsToken = true }
                case "'" where expectsToken:
                    (quote, expectsToken) = (.single, false)
                case "\"" where expectsToken:
                    (quote, expectsToken) = (.double, false)
                case "|" where expectsToken && flowDepth == 0,
                    ">" where expectsToken && flowDepth == 0:
                    blockParent = parent
                    return nil
                case "!" where expectsToken:
                    // A tag: what it applies to may still be an anchor.
                    while index + 1 < scalars.count, scalars[index + 1] != " " { index += 1 }
                default: expectsToken = false
                }
            }
            index += 1
        }
        return nil
    }
}
