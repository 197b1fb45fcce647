"""One piece of the command under callgrind: how many instructions, in which functions, calling what."""

import os
import re
import subprocess
from collections import Counter

# The marker around what is measured (Sources/tracemill/BenchPieces.swift).
MEASURED = "*benchPieceMeasured*"

# memcpy and its like are chosen by the processor: here always the ones that every x86-64 has, so that
# another machine counts the same.
TUNABLES = "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-AVX512F,-AVX512VL,-RTM"

# Address in the file, line (always 0 without debug information), instructions.
COST = re.compile(r"^0x([0-9a-f]+) \d+ (\d+)$")
NAMED = re.compile(r"^(c?fn|c?ob)=\((\d+)\)(?: (.*))?$")


class Profile:
    """What callgrind wrote, for all of the measured part."""

    def __init__(self, text, own):
        self.executed = Counter()   # address in the program itself → how often
        self.functions = Counter()  # name → instructions of its own
        self.objects = Counter()    # file → instructions
        # Caller and name → how often, before and after the measured part, too.
        self.calls = Counter()
        names = {}
        function = file = called = ""
        is_inclusive = False
        for line in text.splitlines():
            if match := NAMED.match(line):
                kind, number, name = match.groups()
                key = (kind.removeprefix("c"), number)
                if name:
                    names[key] = name
                name = names[key]
                if kind == "fn":
                    function = name
                elif kind == "ob":
                    file = name
                elif kind == "cfn":
                    called = name
            elif line.startswith("calls="):
                # A name that ends in 'n says how deep a recursion is.
                self.calls[function.split("'")[0], called.split("'")[0]] += int(
                    line[6:].split()[0])
                is_inclusive = True
            elif match := COST.match(line):
                if not is_inclusive:
                    self.functions[function.split("'")[0]] += int(match[2])
                    self.objects[file] += int(match[2])
                    if os.path.basename(file) == own:
                        self.executed[int(match[1], 16)] += int(match[2])
                is_inclusive = False

    @property
    def total(self):
        return sum(self.functions.values())

    def of_libraries(self, own):
        """Instructions outside of the program itself: the C library's."""
        return sum(cost for file, cost in self.objects.items() if os.path.basename(file) != own)


class PieceFailed(Exception):
    pass


def run_piece(binary, piece, iterations, folder):
    """One run of a piece: the profile of what was measured."""
    out = os.path.join(folder, f"{piece}.{iterations}.callgrind")
    environment = {"PATH": os.environ.get("PATH", ""), "GLIBC_TUNABLES": TUNABLES}
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
               "--collect-atstart=no", f"--toggle-collect={MEASURED}", "--quiet",
               "--dump-instr=yes", "--compress-pos=no", "--vgdb=no",
               binary, "bench", "--piece", piece, "--iterations", str(iterations)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120,
                              check=False)
    except subprocess.TimeoutExpired:
        raise PieceFailed(f"{piece}: not done after 120 s") from None
    if done.returncode != 0:
        raise PieceFailed(f"{piece}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    with open(out, encoding="utf-8") as file:
        profile = Profile(file.read(), os.path.basename(binary))
    if f"iterations={iterations} checksum=" not in done.stdout or profile.total == 0:
        raise PieceFailed(f"{piece}: nothing was measured: {done.stdout.strip()}")
    return profile
