"""Known differences of the W3C baggage propagators."""

import re
import urllib.parse

from opentelemetry.baggage import _is_valid_pair
from repair import Repair, difference, replaced, values

KNOWN = []
_BAGGAGE = "baggage"
_BYTES_MAX = 8192
_MEMBERS_MAX = 180
# What our side sends as it is: baggage-octet without %, + and =.
_PLAIN = "!#$&'()*-./:<>?@[]^_`{|}~"


def _line(lines):
    found = values(lines, _BAGGAGE)
    return found[0] if found else None


def _with(lines, members):
    return replaced(lines, _BAGGAGE, [",".join(members)])


def _split(member):
    """Name, value and properties, each without blanks around; None when there is no equals sign."""
    name, equals, rest = member.partition("=")
    if not equals:
        return None
    value, *properties = rest.split(";")
    return name.strip(" \t"), value.strip(" \t"), properties


def _is_good(member):
    """Whether Python takes the member."""
    name, equals, value = member.partition("=")
    return bool(equals) and member.isascii() and _is_valid_pair(name.strip(" \t"), value.strip(" \t"))


def _rewritten(lines, rewrite):
    """The lines with `rewrite` applied to each member (None drops it); None when nothing changes."""
    line = _line(lines)
    if line is None:
        return None
    old = line.split(",")
    new = [other for other in map(rewrite, old) if other is not None]
    return None if new == old else _with(lines, new)


@difference(KNOWN, "baggage-several-lines", _BAGGAGE)
def _several(_, lines):
    found = values(lines, _BAGGAGE)
    return Repair(replaced(lines, _BAGGAGE, [",".join(found)])) if len(found) > 1 else None


@difference(KNOWN, "baggage-too-long", _BAGGAGE)
def _too_long(_, lines):
    line = _line(lines)
    if line is None or len(line.encode()) <= _BYTES_MAX:
        return None
    kept = line.encode()[:_BYTES_MAX + 1].rpartition(b",")[0]
    return Repair(_with(lines, [kept.decode(errors="replace")]))


@difference(KNOWN, "baggage-long-member", _BAGGAGE)
def _long_member(_, lines):
    line = _line(lines)
    # Encoding triples a member at most.
    if line is None or all(len(part) * 3 <= 4096 for part in line.split(",")):
        return None
    return Repair(lines, lifted=["member"])


@difference(KNOWN, "baggage-malformed-counted", _BAGGAGE)
def _counted(_, lines):
    line = _line(lines)
    if line is None or line.count(",") < _MEMBERS_MAX:
        return None
    rewritten = _rewritten(lines, lambda part: part if _is_good(part) else None)
    return Repair(rewritten) if rewritten is not None else None


@difference(KNOWN, "baggage-empty-property", _BAGGAGE)
def _empty_property(_, lines):
    def rewrite(part):
        head, *properties = part.split(";")
        return ";".join([head] + [other for other in properties if other.strip(" \t")])

    rewritten = _rewritten(lines, rewrite)
    return Repair(rewritten) if rewritten is not None else None


@difference(KNOWN, "baggage-broken-escape", _BAGGAGE)
def _broken(_, lines):
    def rewrite(part):
        parts = _split(part)
        is_broken = parts is not None and re.search("%(?![0-9A-Fa-f]{2})", parts[1])
        return None if is_broken else part

    rewritten = _rewritten(lines, rewrite)
    return Repair(rewritten) if rewritten is not None else None


@difference(KNOWN, "baggage-name-decoded", _BAGGAGE)
def _name_decoded(_, lines):
    names = {}

    def rewrite(part):
        parts = _split(part)
        if parts is None or not _is_good(part) or not set(parts[0]) & set("%+"):
            return part
        # Stands for the name on its way through Python.
        names.setdefault(parts[0], f"zz{len(names)}zz")
        return names[parts[0]] + part[part.index("="):]

    rewritten = _rewritten(lines, rewrite)
    if rewritten is None:
        return None
    back = {placeholder: name for name, placeholder in names.items()}

    def context(answer):
        answer.baggage = [(back.get(name, name), *rest) for name, *rest in answer.baggage]

    return Repair(rewritten, context=context)


@difference(KNOWN, "baggage-plus", _BAGGAGE)
def _plus(_, lines):
    def rewrite(part):
        head, equals, rest = part.partition("=")
        value, semicolon, properties = rest.partition(";")
        return head + equals + value.replace("+", "%2B") + semicolon + properties

    rewritten = _rewritten(lines, rewrite)
    return Repair(rewritten) if rewritten is not None else None


@difference(KNOWN, "baggage-properties", _BAGGAGE)
def _properties(_, lines):
    metadata = {}

    def rewrite(part):
        parts = _split(part)
        if parts is None or not _is_good(part):
            return part
        head, semicolon, rest = part.partition(";")
        # Of a name that comes twice the last one counts, with or without properties.
        metadata[parts[0]] = rest.strip(" \t")
        return head if semicolon else part

    rewritten = _rewritten(lines, rewrite)
    if rewritten is None:
        return None

    def context(answer):
        answer.baggage = [(name, value, metadata.get(name, "")) for name, value, _ in answer.baggage]

    def wire(answer):
        members = answer.injected.get(_BAGGAGE, "").split(",")
        with_metadata = [
            member + ";" + entry[2] if entry[2] else member
            for member, entry in zip(members, answer.baggage)]
        _put(answer, ",".join(with_metadata))

    return Repair(rewritten, context=context, wire=wire)


@difference(KNOWN, "baggage-encoded-blanks", _BAGGAGE)
def _encoded_blanks(_, lines):
    guarded = set()

    def rewrite(part):
        parts = _split(part)
        if parts is None or not _is_good(part) or parts[2]:
            return part
        name, value, _ = parts
        decoded = urllib.parse.unquote_plus(value)
        if decoded == decoded.strip():
            guarded.discard(name)
            return part
        guarded.add(name)
        return f"{name}=Z{value}Z"

    rewritten = _rewritten(lines, rewrite)
    if rewritten is None:
        return None

    def context(answer):
        answer.baggage = [
            (name, value[1:-1] if name in guarded else value, metadata)
            for name, value, metadata in answer.baggage]

    return Repair(rewritten, context=context)


# What follows is about injection: the lines stay, and Python's answer is rewritten. The last one is
# applied first.


@difference(KNOWN, "baggage-escapes", _BAGGAGE)
def _escapes(_, lines):
    if _line(lines) is None:
        return None

    def wire(answer):
        header = answer.injected.get(_BAGGAGE, "")
        members = [member.partition("=") for member in header.split(",")]
        names = [member[0] for member in members]
        if "+" in "".join(member[2] for member in members) \
                or names != [entry[0] for entry in answer.baggage]:
            return False
        ours = ",".join(
            f"{name}={urllib.parse.quote(urllib.parse.unquote(value), safe=_PLAIN)}"
            for name, _, value in members)
        return _put(answer, ours)

    return Repair(lines, wire=wire)


@difference(KNOWN, "baggage-name-escaped", _BAGGAGE)
def _name_escaped(_, lines):
    if _line(lines) is None:
        return None

    def wire(answer):
        names = {urllib.parse.quote_plus(name): name for name, *_ in answer.baggage}
        members = (
            member.partition("=") for member in answer.injected.get(_BAGGAGE, "").split(","))
        return _put(answer, ",".join(names.get(name, name) + equals + value
                                     for name, equals, value in members))

    return Repair(lines, wire=wire)


@difference(KNOWN, "baggage-blank-as-plus", _BAGGAGE)
def _blank_as_plus(_, lines):
    if _line(lines) is None:
        return None
    # A plus sign itself Python sends as %2B.
    return Repair(
        lines, wire=lambda answer: _put(answer, answer.injected.get(_BAGGAGE, "").replace("+", "%20")))


@difference(KNOWN, "baggage-room-after-escaping", _BAGGAGE)
def _room(_, lines):
    if _line(lines) is None:
        return None

    def wire(answer):
        kept = answer.injected.get(_BAGGAGE, "").count(",") + (_BAGGAGE in answer.injected)
        if kept == len(answer.baggage):
            return False
        return _put(answer, ",".join(
            urllib.parse.quote_plus(name) + "=" + urllib.parse.quote_plus(value)
            for name, value, _ in answer.baggage))

    return Repair(lines, wire=wire)


def _put(answer, header):
    """Makes it the injected header; False when it was that before."""
    if header == answer.injected.get(_BAGGAGE, ""):
        return False
    answer.injected[_BAGGAGE] = header
    return True
