#!/usr/bin/env python3
"""Counts what the compiled span path asks of Swift's runtime, and its traps.

Starts at the entry points named in hot-path.json, follows every call and jump to another function
of the binary, stops at the slow paths listed there, and counts in all code met on the way, run or
not: calls to the runtime by kind, calls to the standard library, calls by pointer, instructions that
end the process. More than hot-path.json allows is an error, but for the copying of bytes, which is only
shown. What of this really runs is for instructions.py to say. Knows x86-64.
"""

import argparse
import json
import pathlib
import platform
import re
import sys
from collections import Counter, deque

from disassembly import Binary, compiler, demangled, run, short

HERE = pathlib.Path(__file__).resolve().parent

# What a call's name says it does. The first that matches counts.
KINDS = [
    ("traps", r"\$ss(17_assertionFailure|18_fatalErrorMessage|16_precondition|10_fatalError).*"
              r"|abort|_?swift_(abort|unexpectedError|deletedMethodError).*"),
    ("references", r"_?swift_(bridgeObject|unknownObject|nonatomic_)?[rR](etain|elease).*"
                   r"|_?swift_(weak|unowned).*"),
    ("allocation", r"_?swift_(allocObject|slowAlloc\w*|allocBox|allocEmptyBox|allocError|initStackObject"
                   r"|initStaticObject|bufferAllocate|makeBoxUnique)"
                   r"|malloc|calloc|realloc|aligned_alloc|posix_memalign|je_\w+|mmap"),
    ("release of memory", r"_?swift_(dealloc\w*|slowDealloc\w*|setDeallocating|destroyBox|deallocBox)"
                          r"|free|munmap"),
    ("exclusivity", r"_?swift_(beginAccess|endAccess)"),
    ("lazy globals", r"_?swift_once|pthread_once|__tls_get_addr|\$s.*(vau|Wz|WZ)"),
    ("types", r"_?swift_(get\w*Metadata\w*|instantiate\w*|checkMetadataState|getWitnessTable"
              r"|getAssociated\w*|conformsToProtocol\w*|dynamicCast\w*|isClassType|getTypeBy\w*)"
              r"|__swift_\w+|\$s.*(Ma|Mn|Md|WL|Wl|Mr)"),
    ("copying", r"mem(cpy|move|set|cmp)(@.*)?|bcmp"),
    ("runtime", r"_?swift_\w+"),
]
# The standard library's own functions; what was specialised from it for us is ours.
STANDARD = re.compile(r"\$s[sS](?!.*(T[gGfBm][0-9a-z_]*|WO[a-z]+)$).*")
# Columns of the table, in order; the rest of what a path may call comes last.
COLUMNS = ["references", "allocation", "release of memory", "exclusivity", "lazy globals", "types",
           "runtime", "library", "pointer", "copying", "traps"]


# What the compiler adds behind a function that has an array on its stack: in no count.
IGNORED = {"__stack_chk_fail"}


def kind_of(name):
    """Which kind of call that is; None for a function of ours."""
    for kind, pattern in KINDS:
        if re.fullmatch(pattern, name):
            return kind
    return None


class Finding:
    """Something on the path: in which function, which kind, what, and where."""

    def __init__(self, function, kind, what, address):
        self.function, self.kind, self.what, self.address = function, kind, what, address


class Walk:
    """Everything that can run between an entry and the slow paths."""

    def __init__(self, binary, entries, slow, ours):
        self.binary, self.ours = binary, re.compile(ours)
        self.slow = slow
        self.functions = {}  # address → the way there, as functions
        self.findings = []
        self.instructions = 0
        queue = deque((entry, ()) for entry in entries)
        for entry in entries:
            self.functions[entry.address] = ()
        while queue:
            function, way = queue.popleft()
            for callee in self._look(function):
                if callee.address not in self.functions:
                    self.functions[callee.address] = (*way, function)
                    queue.append((callee, (*way, function)))

    def _look(self, function):
        """Counts in one function; the functions to follow."""
        code = self.binary.code(function)
        self.instructions += len(code)
        callees = []
        for instruction in code:
            if instruction.is_trap:
                self._note(function, "traps", "trap", instruction)
                continue
            leaves = instruction.is_call or instruction.is_jump
            if not leaves:
                continue
            target = instruction.target
            if target is None:
                name = self._pointed_at(instruction)
                if name:
                    self._note(function, kind_of(name) or "library", name, instruction)
                elif instruction.is_call or not self._is_table_jump(code, instruction):
                    self._note(function, "pointer", "call by pointer", instruction)
                continue
            address, _ = target
            if function.address <= address < function.end and not (
                    instruction.is_call and address == function.address):
                continue  # within the function
            stub = self.binary.stub(address)
            callee = None if stub else self.binary.at(address)
            name = stub or callee.name
            kind = kind_of(name)
            if name in IGNORED:
                continue
            if kind:
                self._note(function, kind, name, instruction)
            elif callee is None or not self.ours.search(name) and (
                    callee.is_global or STANDARD.fullmatch(name)):
                self._note(function, "library", name, instruction)
            elif address not in self.slow:
                callees.append(callee)
        return callees

    @staticmethod
    def _pointed_at(instruction):
        match = re.search(r"# [0-9a-f]+ <([^>@+]+)[^>]*>", instruction.operands)
        return match[1] if match else None

    @staticmethod
    def _is_table_jump(code, jump):
        """Whether a jump by register is a switch: it was loaded from a table just before."""
        index = code.index(jump)
        return any(each.mnemonic.startswith(("movs", "add")) for each in code[max(0, index - 4):index])

    def _note(self, function, kind, what, instruction):
        self.findings.append(Finding(function, kind, what, instruction.address))

    def leave_out(self, patterns):
        """Forgets calls of library functions that are slow paths themselves."""
        names = demangled({each.what for each in self.findings if each.kind == "library"})
        self.findings = [each for each in self.findings if each.kind != "library" or not any(
            pattern.search(names[each.what]) for pattern in patterns)]

    def counts(self):
        return Counter(finding.kind for finding in self.findings)


def executed_checks(binary, executed):
    """Conditional branches that ran and have a trap on one side: address → how often. A check of bounds, of
    an overflow, of a value that must be there."""
    checks = {}
    for address in executed:
        function = binary.containing(address)
        if function is None or function.address in checks:
            continue
        checks[function.address] = trap_branches(binary.code(function))
    return {branch: executed[branch] for branches in checks.values() for branch in branches
            if branch in executed}


def trap_branches(code):
    """Addresses of the conditional branches that lead to a trap or fall through to one."""
    index = {instruction.address: number for number, instruction in enumerate(code)}

    def traps(number):
        """Whether nothing but a trap comes from here on."""
        for instruction in code[number:number + 24]:
            if instruction.is_trap:
                return True
            if instruction.is_call and instruction.target and kind_of(
                    instruction.target[1].split("@")[0]) == "traps":
                return True
            if instruction.is_jump or instruction.mnemonic.startswith("ret"):
                return False
        return False

    found = []
    for number, instruction in enumerate(code):
        if not instruction.is_conditional or instruction.target is None:
            continue
        there = index.get(instruction.target[0])
        if (there is not None and traps(there)) or traps(number + 1):
            found.append(instruction.address)
    return found


def select(binary, patterns):
    """The functions that match any of the patterns, by plain name or by symbol."""
    found = []
    for function, name in binary.names.items():
        if any(pattern.search(name) or pattern.fullmatch(function.name) for pattern in patterns):
            found.append(function)
    return found


def mistakes(plan):
    """What is wrong with a plan: exceptions without a reason, or of entries that there are not."""
    titles = {each["title"] for each in plan["entries"]}
    for each in plan["slowPaths"] + plan["allowed"]:
        if not each.get("why"):
            yield f"no reason is given for {each.get('function') or each.get('kind')}"
        for title in set(each.get("entries") or titles) - titles:
            yield f"there is no entry {title!r}"


def read(path, binary_path):
    """The binary, what to look at, and where not to go on."""
    plan = json.loads(path.read_text())
    for mistake in mistakes(plan):
        raise SystemExit(f"{path.name}: {mistake}")
    binary = Binary(binary_path)
    ours = [each for each in binary.functions.values() if re.search(plan["ours"], each.name)]
    plain = demangled(each.name for each in ours)
    binary.names = {each: plain[each.name] for each in ours}
    binary.prefetch([each for each in ours if re.search(plan["region"], each.name)])
    slow = []
    for each in plan["slowPaths"]:
        matches = select(binary, [re.compile(each["function"])])
        if not matches and not each.get("isLibrary"):
            print(f"note: no function is called {each['function']!r} any more (slowPaths)")
        for function in matches:
            slow.append((function.address, each.get("entries")))
    return plan, binary, slow


def check(plan, binary, slow, where):
    """Walks each entry and prints what is there. The names of entries over their limits."""
    rows, broken, report = [], [], []
    for entry in plan["entries"]:
        functions = select(binary, [re.compile(entry["function"])])
        if len(functions) != 1:
            names = "".join(f"\n    {binary.names[each]}" for each in functions)
            raise SystemExit(
                f"{entry['title']}: {len(functions)} functions are called"
                f" {entry['function']!r}; hot-path.json must name one{names}")
        ends = {address for address, entries in slow
                if entries is None or entry["title"] in entries}
        walk = Walk(binary, functions, ends, plan["ours"])
        allowed = Counter()
        for exception in plan["allowed"]:
            if entry["title"] in exception["entries"]:
                allowed[exception["kind"]] += exception["count"]
        walk.leave_out([re.compile(each["function"]) for each in plan["slowPaths"]])
        counts = walk.counts()
        over = [kind for kind in COLUMNS if counts[kind] > allowed[kind] and kind != "copying"]
        under = [kind for kind in COLUMNS if counts[kind] < allowed[kind]]
        rows.append((entry["title"], walk, counts, over))
        broken += [(entry["title"], kind, counts[kind], allowed[kind]) for kind in over]
        report += [f"{entry['title']}: {kind} {counts[kind]}, {allowed[kind]} allowed: lower it"
                   for kind in under]
    print_table(rows)
    for line in report:
        print(line)
    if broken or where:
        print_findings(rows, binary, where, only=None if where else {b[:2] for b in broken})
    return broken


def print_table(rows):
    heads = ["entry", "functions", "instructions", *COLUMNS]
    lines = [heads]
    for title, walk, counts, over in rows:
        lines.append([title, str(len(walk.functions)), str(walk.instructions)] + [
            f"{counts[kind]}{'!' if kind in over else ''}" for kind in COLUMNS])
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(line, widths))).rstrip())
    print("! more than hot-path.json allows" if any(row[3] for row in rows) else "")


def print_findings(rows, binary, where, only):
    """Each finding once, with the function it is in and the entries it is reached from."""
    places = {}
    for title, walk, _, _ in rows:
        for finding in walk.findings:
            if only is not None and (title, finding.kind) not in only:
                continue
            key = (finding.function.address, finding.kind, finding.what)
            place = places.setdefault(key, (finding, set(), set(), walk))
            place[1].add(title)
            place[2].add(finding.address)
    names = demangled({f.what for f, *_ in places.values()} | {f.function.name for f, *_ in places.values()})
    sources = lines_of(binary.path, sorted({a for p in places.values() for a in p[2]})) if where else {}
    order = {kind: index for index, kind in enumerate(COLUMNS)}
    for key in sorted(places, key=lambda key: (order[key[1]], key[0])):
        finding, titles, addresses, walk = places[key]
        print(f"\n{finding.kind}: {short(names[finding.what])} × {len(addresses)}")
        print(f"    in {short(names[finding.function.name])}")
        way = [each.name for each in walk.functions[finding.function.address]]
        if way:
            print("    from " + " → ".join(short(each) for each in demangled(way).values()))
        print(f"    on the path of: {', '.join(sorted(titles))}")
        for address in sorted(addresses):
            if address in sources:
                print(f"    {address:x}  {sources[address]}")


def lines_of(path, addresses):
    """The source lines that addresses come from, innermost first."""
    text = run(["addr2line", "-e", path, "-i", "-a"],
               text="".join(f"{address:x}\n" for address in addresses), tolerant=True)
    lines = {}
    current = None
    for line in text.splitlines():
        if line.startswith("0x"):
            current = int(line, 16)
            lines[current] = []
        elif current is not None:
            place = line.split(" (")[0].rpartition("/")[2]
            if place not in lines[current] and not place.endswith(("?", ":0")):
                lines[current].append(place)
    return {address: " < ".join(places) for address, places in lines.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", nargs="?", default=".build/release/tracemill")
    parser.add_argument("--plan", type=pathlib.Path, default=HERE / "hot-path.json")
    parser.add_argument("--where", action="store_true", help="every finding with its source lines")
    arguments = parser.parse_args()
    if platform.machine() != "x86_64":
        print(f"skipped: reads x86-64 code, and this machine is {platform.machine()}")
        return 0
    plan, binary, slow = read(arguments.plan, arguments.binary)
    broken = check(plan, binary, slow, arguments.where)
    for title, kind, count, allowed in broken:
        print(f"{title}: {kind}: {count}, and {allowed} allowed")
    if plan["compiler"] != compiler():
        print(f"bench-runtime-calls: nothing was compared: the limits are for {plan['compiler']},"
              f" and this is {compiler()}")
        return 0
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
