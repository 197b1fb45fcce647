"""What a repair is made of, and helpers over header lines."""


class Repair:
    """Header lines without what both sides see differently."""

    def __init__(self, lines, lifted=(), context=None, wire=None):
        self.lines = lines
        # Limits of the Python package that are out of its way: see answers.extract.
        self.lifted = lifted
        self._context = context
        self._wire = wire

    def context(self, answer):
        """Puts into the extracted context what no header lines can make Python put there."""
        if self._context is not None:
            self._context(answer)

    def wire(self, answer):
        """Does so with the injected lines; False when there was nothing to do."""
        return self._wire(answer) if self._wire is not None else None


class Difference:
    """A named repair for some propagators. Called, it gives the repair, or None where it has no part."""

    def __init__(self, name, propagators, function):
        self.name = name
        self.propagators = propagators
        self._function = function

    def __call__(self, propagator, lines):
        return self._function(propagator, lines)


def difference(known, name, *propagators):
    """Decorates a function (propagator, lines) -> Repair or None, and adds it to a list."""

    def add(function):
        known.append(Difference(name, propagators, function))
        return function

    return add


def values(lines, name):
    return [value for other, value in lines if other.lower() == name]


def without(lines, *names):
    return [(other, value) for other, value in lines if other.lower() not in names]


def replaced(lines, name, new):
    """The lines with those of that name replaced, in the place of the first."""
    result, done = [], False
    for other, value in lines:
        if other.lower() != name:
            result.append((other, value))
        elif not done:
            done = True
            result += [(name, line) for line in new]
    return result
