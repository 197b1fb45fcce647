"""Header lines for the propagators: examples as published, generated ones, and mutants of both.

Everything follows from the seed. Values hold what an HTTP field value can hold (RFC 9110, section 5.5):
no CR, LF or NUL, which no server passes on.
"""

import random

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"

# Characters that mutations put in: digits and letters of either case, every separator of the formats,
# blanks, and characters beyond ASCII that other languages take for digits and blanks.
ODD = "0123456789abcdefABCDEFgxzZ-_,;=%+*/@!~.\"\\'() \té\u0663\u00a0\u2003"

PROPAGATORS = ["tracecontext", "baggage", "b3", "b3multi", "tracecontext,baggage"]


def published(propagator):
    """Examples of the specifications and of the W3C test suite (facts, in our own words)."""
    found = []
    if "tracecontext" in propagator:
        found += [[("traceparent", value)] for value in [
            PARENT, f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-02", f"00-{TRACE}-{SPAN}-03",
            f"00-{TRACE}-{SPAN}-09", f"00-{TRACE}-{SPAN}-ff", f"cc-{TRACE}-{SPAN}-01",
            f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
            f"cc-{TRACE}-{SPAN}-01.what-the-future-will-be-like", f"ff-{TRACE}-{SPAN}-01",
            f"00-{TRACE}-{SPAN}-01-", f"01-{TRACE}-{SPAN}-01-", f"01-{TRACE}-{SPAN}-ff",
            f"00-{TRACE}-{SPAN}-01.", f".0-{TRACE}-{SPAN}-01", f"0-{TRACE}-{SPAN}-01",
            f"000-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN.upper()}-01",
            f"00-{TRACE}-{SPAN}-0A", f"00-{TRACE}-{SPAN}-1", f"00-{TRACE}-{SPAN}-001",
            f" \t{PARENT}\t ", f" {PARENT}", "", " ", PARENT[:-1], f"01-{TRACE}-{SPAN}-01-" + "x" * 600,
        ]]
        state = lambda *lines: [("traceparent", PARENT)] + [("tracestate", line) for line in lines]
        found += [
            state("congo=t61rcWkgMzE"), state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            state("foo=1,bar=2", "rojo=1,congo=2", "baz=3"), state(""), state("foo=1", ""),
            state("", "foo=1"), state("foo=1,foo=1"), state("foo=1,foo=2"), state("foo=1", "foo=2"),
            state("foo=1 \t , \t bar=2, \t baz=3"), state(" \tfoo=1 \t"), state("foo =1"),
            state("FOO=1"), state("foo.bar=1"), state("foo@=1,bar=2"), state("@foo=1,bar=2"),
            state("foo@@bar=1,bar=2"), state("foo@bar@baz=1,bar=2"), state("0a=1"), state("9@vendor=1"),
            state("foo=1,"), state(",,foo=1,,"), state("foo"), state("=1"), state("foo="),
            state("foo=bar=baz"), state("foo= leading"), state("foo=a b"), state("foo=\u00e9"),
            state("t" * 256 + "=1"), state("t" * 257 + "=1"), state("t" * 241 + "@" + "v" * 14 + "=1"),
            state("t" * 242 + "@v=1"), state("t@" + "v" * 15 + "=1"), state("foo=" + "v" * 256),
            state("foo=" + "v" * 257), state(",".join(f"k{n}={n}" for n in range(32))),
            state(",".join(f"k{n}={n}" for n in range(33))),
            state(",".join(f"k{n % 32}={n}" for n in range(33))),
            state(",".join(f"key{n}=" + "v" * 120 for n in range(8))),
            state(",".join(f"key{n}=" + "v" * (200 if n == 2 else 60) for n in range(10))),
            state(",".join(f"k{n}=" + "v" * 254 for n in range(32))),
            state(",".join(f"k{n}=" + "v" * 256 for n in range(32))),
            state(",".join(f"{'k' * 250}{n}=" + "v" * 250 for n in range(30))),
            [("tracestate", "foo=1")], [("trace-parent", PARENT)], [("TraceParent", PARENT)],
            [("TRACEPARENT", PARENT), ("TraceState", "foo=1")],
            [("traceparent", PARENT), ("traceparent", f"00-{TRACE}-{SPAN[::-1]}-01")],
            [("traceparent", PARENT), ("traceparent", PARENT)], [],
        ]
    if "baggage" in propagator:
        found += [[("baggage", value)] for value in [
            "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
            "userId=alice,serverNode=DF%2028,isProduction=false",
            "userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false", "userId =   alice",
            "serverNode = DF%2028, isProduction = false", "SomeKey=SomeValue",
            "SomeKey \t = \t SomeValue \t ; \t SomeProp \t , \t SomeKey2 \t = \t SomeValue2 \t ",
            "SomeKey=SomeValue=equals",
            "SomeKey=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29",
            "a=1+2", "a=1,b", "b,a=1", "=1,a=1", "a=,b=2", "a", "", ",", "a=1,,b=2", "a=\"quoted\"",
            "a=1;", "a=1;;p", "a=1;=", "a=1; p = v ;q", "a=%", "a=%zz", "a=%4", "a=%c3", "a=%c3%28",
            "a=%ff%fe", "a=%e2%82", "a=%20x%20", "a=%C2%A0x", "a=%0a", "%41=1", "a+b=1", "a%20b=1",
            "a=1,a=2", "a=1;p,a=2", "a!#$&'*^`|~b=1", "a=é", "é=1", "a=b c", "a=b\\c",
            "a=" + "x" * 4093, "a=" + "x" * 4096, "a=" + "x" * 8190, "a=" + "x" * 8191,
            ",".join(f"k{n}=v" for n in range(180)), ",".join(f"k{n}=v" for n in range(181)),
            ",".join(f"k{n}=v" if n % 3 else "bad" for n in range(240)),
            ",".join(f"key{n}=" + "v" * 500 for n in range(20)), "a=" + "!" * 3000,
            ",".join(f"n{n}=" + "%20" * 800 for n in range(3)) + ",last=1",
        ]]
        found += [
            [("baggage", "userId=alice"), ("baggage", "serverNode=DF%2028,isProduction=false")],
            [("Baggage", "a=1")], [("baggage", ""), ("baggage", "a=1")],
            [("baggage", "a=" + "x" * 5000), ("baggage", "b=" + "y" * 5000)],
        ]
    if "b3" in propagator:
        ids = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1"
        short = "64fe8b2a57d3eff7-e457b5a2e4d86bd1"
        found += [[("b3", value)] for value in [
            f"{ids}-1-05e3ac9a4f6e3b90", f"{ids}-1", f"{ids}-0", f"{ids}-d", ids, short,
            f"{short}-1", f"{short}-d-05e3ac9a4f6e3b90", f"{ids}-05e3ac9a4f6e3b90", "0", "1", "d",
            f"{ids.upper()}-1", f"{ids}-1-05E3AC9A4F6E3B90", f"{ids}-2", f"{ids}-true", f"{ids}-",
            f"{ids}-1-", f"{ids}-1-xyz", f"{ids}-1-{'0' * 16}", f"{ids}-1-05e3ac9a4f6e3b90-1",
            f"{'0' * 32}-e457b5a2e4d86bd1-1", f"80f198ee56343ba864fe8b2a57d3eff7-{'0' * 16}-1",
            f"{'0' * 16}-{'0' * 16}-1", f" {ids}-1 ", f"\t{ids}-d", " 0 ", "", "2", "true",
            "e457b5a2e4d86bd1-1", f"{ids[:-1]}-1", f"x{ids[1:]}-1",
            "\u0663" * 32 + "-" + "\u0663" * 16 + "-1", f"{ids}\u00a0-1",
        ]]
        several = lambda **more: [
            ("X-B3-" + name.replace("_", "-"), value) for name, value in more.items()]
        trace, span = ids.split("-")
        found += [
            several(TraceId=trace, ParentSpanId="05e3ac9a4f6e3b90", SpanId=span, Sampled="1"),
            several(TraceId=trace, SpanId=span), several(TraceId=trace, SpanId=span, Sampled="0"),
            several(TraceId=trace, SpanId=span, Flags="1"), several(TraceId=trace, SpanId=span, Flags="0"),
            several(TraceId=trace, SpanId=span, Sampled="0", Flags="1"),
            several(TraceId=trace[16:], SpanId=span, Sampled="1"), several(Sampled="1"),
            several(Sampled="0"), several(Flags="1"), several(TraceId=trace, Sampled="1"),
            several(SpanId=span, Sampled="1"), several(TraceId=trace, SpanId=span, Sampled="true"),
            several(TraceId=trace, SpanId=span, Sampled="True"),
            several(TraceId=trace, SpanId=span, Sampled="TRUE"),
            several(TraceId=trace, SpanId=span, Sampled="false"),
            several(TraceId=trace, SpanId=span, Sampled="d"),
            several(TraceId=trace, SpanId=span, Sampled="yes"),
            several(TraceId=trace.upper(), SpanId=span, Sampled="1"),
            several(TraceId="0" * 32, SpanId=span, Sampled="1"),
            several(TraceId=trace, SpanId=f" {span} ", Sampled=" 1"),
            several(TraceId=trace, SpanId=span, Sampled="1") * 2,
            several(TraceId=trace, SpanId=span, Sampled="1") + several(TraceId=TRACE, Sampled="0"),
            [("b3", "0")] + several(TraceId=trace, SpanId=span, Sampled="1"),
            [("b3", "junk")] + several(TraceId=trace, SpanId=span, Sampled="1"),
            [("b3", f"{ids}-1")] + several(TraceId=TRACE, SpanId=SPAN, Sampled="0"),
            [("B3", f"{ids}-1")], [("b3", f"{ids}-1"), ("b3", f"{TRACE}-{SPAN}-0")], [],
        ]
    return found


class Generator:
    """Draws header lines that are mostly well-formed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def hex(self, digits):
        return "".join(self.random.choice("0123456789abcdef") for _ in range(digits))

    def blank(self):
        return self.random.choice(["", "", "", "", " ", "\t", "  ", " \t "])

    def headers(self, propagator):
        lines = []
        if "tracecontext" in propagator:
            lines += self.trace_context()
        if "baggage" in propagator and self.random.random() < 0.9:
            lines += self.baggage()
        if "b3" in propagator:
            lines += self.b3_single() if self.random.random() < 0.5 else self.b3_several()
        if self.random.random() < 0.2:
            lines = [(self.random.choice([str.upper, str.title])(name), value) for name, value in lines]
        if self.random.random() < 0.1:
            self.random.shuffle(lines)
        return lines

    def trace_context(self):
        pick = self.random
        version = pick.choice(["00"] * 8 + [self.hex(2)])
        flags = pick.choice(["00", "01", "01", "01", "02", "03", self.hex(2)])
        value = f"{version}-{self.hex(32)}-{self.hex(16)}-{flags}"
        if version != "00" and pick.random() < 0.5:
            value += "-" + self.hex(pick.randrange(20))
        lines = [("traceparent", self.blank() + value + self.blank())]
        for _ in range(pick.choice([0, 1, 1, 1, 2, 3])):
            members = [self.state_member() for _ in range(pick.choice([0, 1, 2, 2, 3, 5, 12]))]
            lines.append(("tracestate", ",".join(members)))
        return lines

    def state_member(self):
        pick = self.random
        letters = "abcdefghijklmnopqrstuvwxyz"
        rest = letters + "0123456789_-*/"
        word = lambda most: "".join(pick.choice(rest) for _ in range(pick.randrange(most)))
        key = pick.choice(letters) + word(pick.choice([3, 3, 8, 40]))
        if pick.random() < 0.15:
            key = pick.choice(letters + "0123456789") + word(8) + "@" + pick.choice(letters) + word(6)
        printable = "".join(chr(code) for code in range(0x20, 0x7f) if chr(code) not in ",=")
        value = "".join(pick.choice(printable) for _ in range(pick.choice([0, 2, 8, 60, 150])))
        return self.blank() + f"{key}={value}{pick.choice('abc~')}" + self.blank()

    def baggage(self):
        pick = self.random
        lines = []
        for _ in range(pick.choice([1, 1, 1, 1, 2])):
            members = [self.member() for _ in range(pick.choice([1, 1, 2, 3, 6]))]
            lines.append(("baggage", ",".join(members)))
        return lines

    def member(self):
        pick = self.random
        token = "!#$&'*.^_`|~" + "abcdefgXYZ019-" * 3
        octets = [chr(c) for c in range(0x21, 0x7f) if chr(c) not in "\",;\\%+"]
        name = "".join(pick.choice(token) for _ in range(1 + pick.randrange(8)))
        value = ""
        for _ in range(pick.choice([0, 1, 4, 12])):
            kind = pick.random()
            if kind < 0.7:
                value += pick.choice(octets)
            elif kind < 0.95:
                text = pick.choice([" ", "%", "é", "日", "🧵", '"', ",", ";", "\\", "a", "+"])
                value += "".join(f"%{byte:02x}" for byte in text.encode())
            else:
                value += "+"
        text = self.blank() + name + self.blank() + "=" + self.blank() + value + self.blank()
        for _ in range(pick.choice([0, 0, 0, 0, 1, 2])):
            text += ";" + self.blank() + pick.choice(["p", "p=1", "ttl = 60", "q=%20", "r=a=b"])
        return text

    def b3_single(self):
        pick = self.random
        value = f"{self.hex(pick.choice([16, 32, 32]))}-{self.hex(16)}"
        value += pick.choice(["", "-0", "-1", "-1", "-d"])
        value += pick.choice(["", "", "-" + self.hex(16)])
        if pick.random() < 0.1:
            value = pick.choice("01d")
        return [("b3", self.blank() + value + self.blank())]

    def b3_several(self):
        pick = self.random
        lines = []
        if pick.random() < 0.95:
            lines.append(("X-B3-TraceId", self.hex(pick.choice([16, 32, 32]))))
        if pick.random() < 0.95:
            lines.append(("X-B3-SpanId", self.hex(16)))
        if pick.random() < 0.3:
            lines.append(("X-B3-ParentSpanId", self.hex(16)))
        if pick.random() < 0.7:
            lines.append(("X-B3-Sampled", pick.choice(["0", "1", "1", "true", "false"])))
        if pick.random() < 0.2:
            lines.append(("X-B3-Flags", pick.choice(["0", "1"])))
        return lines

    def mutate(self, headers):
        """One to three small changes somewhere."""
        lines = list(headers)
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            lines = self.change(lines)
        return lines

    def change(self, lines):
        pick = self.random
        if not lines:
            return lines
        index = pick.randrange(len(lines))
        name, value = lines[index]
        kind = pick.randrange(10)
        at = pick.randrange(len(value) + 1)
        if kind <= 3:
            value = value[:at] + pick.choice(ODD) + value[at + 1:]
        elif kind == 4:
            value = value[:at] + pick.choice(ODD) + value[at:]
        elif kind == 5:
            value = value[:at] + value[at + 1:]
        elif kind == 6:
            value = value[:at]
        elif kind == 7:
            value = value.upper() if pick.random() < 0.5 else value + value[at:]
        elif kind == 8:
            return lines[:index] + [lines[index]] + lines[index:]
        else:
            separators = [place for place, letter in enumerate(value) if letter in ",;-"]
            if separators:
                at = pick.choice(separators)
                return lines[:index] + [(name, value[:at]), (name, value[at + 1:])] + lines[index + 1:]
        return lines[:index] + [(name, value)] + lines[index + 1:]


def cases(seed, per_propagator):
    """The corpus: dictionaries with id, propagator, headers and origin."""
    generator = Generator(seed)
    found = []
    for propagator in PROPAGATORS:
        known = published(propagator)
        drawn = [(lines, "published") for lines in known]
        for number in range(per_propagator):
            if number % 2 == 0:
                drawn.append((generator.headers(propagator), "generated"))
            else:
                base = (generator.random.choice(known) if number % 3 == 0
                        else generator.headers(propagator))
                drawn.append((generator.mutate(base), "mutated"))
        for lines, origin in drawn:
            found.append({
                "id": len(found), "propagator": propagator, "origin": origin,
                "headers": [list(line) for line in lines]})
    return found
