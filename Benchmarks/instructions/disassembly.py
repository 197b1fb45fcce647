"""A binary's functions, instruction by instruction, as objdump tells them; one function at a time."""

import bisect
import re
import subprocess

# `  7a09e:\tcall   555d0 <name>`, `  7a048:\tmov    0x3cdf1(%rip),%rax        # b6e40 <name>`
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t(\S+)\s*(.*)$")
TARGET = re.compile(r"^\*?([0-9a-f]+) <([^>]+)>")
POINTED_AT = re.compile(r"# ([0-9a-f]+) <([^>]+)>")
SYMBOL = re.compile(r"^([0-9a-f]+) (?:([0-9a-f]{16}) )?([tTwWiuV]) (.+)$", re.MULTILINE)
# Prefixes that objdump writes as mnemonics of their own.
PREFIXES = {"bnd", "notrack", "data16", "rep", "repz", "repnz", "lock", "cs", "ds", "es"}


class Instruction:
    __slots__ = ("address", "mnemonic", "operands")

    def __init__(self, address, mnemonic, operands):
        self.address, self.mnemonic, self.operands = address, mnemonic, operands

    @property
    def target(self):
        """Address and name of where a direct jump or call goes, else None."""
        match = TARGET.match(self.operands)
        return (int(match[1], 16), match[2]) if match and self.operands[0] != "*" else None

    @property
    def is_call(self):
        return self.mnemonic in ("call", "callq")

    @property
    def is_jump(self):
        return self.mnemonic.startswith("j")

    @property
    def is_conditional(self):
        return self.is_jump and self.mnemonic not in ("jmp", "jmpq")

    @property
    def is_trap(self):
        return self.mnemonic in ("ud2", "ud1", "ud1l", "int3", "hlt")

    @property
    def is_padding(self):
        return self.mnemonic in ("int3",) or self.mnemonic.startswith("nop") or (
            self.mnemonic == "xchg" and self.operands == "%ax,%ax")


class Function:
    def __init__(self, address, end, name, is_global):
        self.address, self.end, self.name, self.is_global = address, end, name, is_global


class Binary:
    """Reads symbols at once and code when asked for."""

    def __init__(self, path):
        self.path = path
        self.functions = {}
        self._code = {}
        self._stubs = None
        listing = run(["nm", "-n", "-S", "--defined-only", path])
        if not listing.strip():
            raise SystemExit(f"{path} has no symbols: it must not be stripped of them")
        rows = [match.groups() for match in SYMBOL.finditer(listing)]
        self._starts = sorted({int(address, 16) for address, *_ in rows})
        for address, size, kind, name in rows:
            address, size = int(address, 16), int(size or "0", 16)
            known = self.functions.get(address)
            if known:
                # Several names of one place: a global one says more.
                if kind == "T" and not known.is_global:
                    known.name, known.is_global = name, True
                continue
            end = address + size if size else self._next(address)
            self.functions[address] = Function(address, end, name, kind in "TWVu")

    def _next(self, address):
        """Where the next symbol begins."""
        index = bisect.bisect_right(self._starts, address)
        return self._starts[index] if index < len(self._starts) else address + 4096

    def at(self, address):
        """The function that begins there. Of those that several modules have, the linker keeps one name and
        may leave the others' code: such a function gets its address for a name."""
        if address not in self.functions:
            self.functions[address] = Function(
                address, self._next(address), f"unnamed_{address:x}", False)
        return self.functions[address]

    def named(self, pattern):
        """Functions whose symbol matches a regular expression as a whole."""
        compiled = re.compile(pattern)
        return [each for each in self.functions.values() if compiled.fullmatch(each.name)]

    def containing(self, address):
        """The function whose code that is."""
        index = bisect.bisect_right(self._starts, address) - 1
        function = self.functions.get(self._starts[index]) if index >= 0 else None
        return function if function and address < function.end else None

    def stub(self, address):
        """The name behind an entry of the procedure linkage table."""
        if self._stubs is None:
            self._stubs = {}
            text = run(["objdump", "-d", "--no-show-raw-insn", "-j", ".plt", "-j", ".plt.sec",
                        "-j", ".plt.got", self.path], tolerant=True)
            for match in re.finditer(r"^([0-9a-f]+) <(.+)@plt>:$", text, re.MULTILINE):
                self._stubs[int(match[1], 16)] = match[2].split("@")[0]
        return self._stubs.get(address)

    def code(self, function):
        """The function's instructions, without what pads it to the next one."""
        if function.address not in self._code:
            self._load(function.address, function.end)
        return self._code.get(function.address, [])

    def prefetch(self, functions):
        """Disassembles what lies between the first and the last of them in one go."""
        if functions:
            self._load(min(f.address for f in functions), max(f.end for f in functions))

    def _load(self, start, end):
        text = run(["objdump", "-d", "--no-show-raw-insn", "-w", f"--start-address={start}",
                    f"--stop-address={end}", self.path])
        current, last = None, 0
        for line in text.splitlines():
            match = INSTRUCTION.match(line)
            if not match:
                continue
            address, mnemonic, operands = int(match[1], 16), match[2], match[3].strip()
            while mnemonic in PREFIXES and operands:
                mnemonic, _, operands = operands.partition(" ")
                operands = operands.strip()
            if address in self.functions:
                current, last = self._code.setdefault(address, []), self.functions[address].end
                current.clear()
            if current is not None and address < last:
                current.append(Instruction(address, mnemonic, operands))
        for code in self._code.values():
            while code and code[-1].is_padding:
                code.pop()


def run(command, text=None, tolerant=False):
    """Output of a command; the script ends with its complaint when it fails."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is not installed") from None
    if done.returncode != 0 and not tolerant:
        raise SystemExit(f"{' '.join(command[:3])}: {done.stderr.strip()}")
    return done.stdout


def compiler():
    return run(["swift", "--version"]).splitlines()[0].strip()


def demangled(names):
    """Swift's names in plain text, by symbol."""
    names = list(names)
    if not names:
        return {}
    lines = run(["swift", "demangle", "--compact"], text="\n".join(names) + "\n").splitlines()
    return dict(zip(names, lines))


def short(name):
    """A demangled name without what a table has no room for."""
    while name.startswith(("function signature specialization", "generic specialization",
                           "generic not re-abstracted specialization", "merged ")):
        name = name[7:] if name.startswith("merged ") else name.partition("> of ")[2] or name[9:]
    name = re.sub(r"\((\w+) in _[0-9A-F]+\)", r"\1", name)
    name = re.sub(r"\b(TraceCore|Swift|Synchronization|static|implicit)[. ]", "", name)
    return re.sub(r" -> (\(\)|[^()]*)$", "", name)
