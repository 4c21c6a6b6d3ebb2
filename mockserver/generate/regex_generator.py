"""Generation of strings that match a regular expression (ECMA 262 with common extensions).

The expression is parsed to a tree. A string is generated from the tree, and checked
with the engine that validates values.
"""

from __future__ import annotations

import random
import re
from functools import lru_cache

from msgspec import Struct

from mockserver.jsonschema.patterns import matcher

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_LETTERS = "".join(c for c in _PRINTABLE if c.isalpha())
_DIGITS = "0123456789"
_WORD = _LETTERS + _DIGITS + "_"
_ANY = _LETTERS + _DIGITS + " "
_WIDE = (
    _PRINTABLE + "\t\n" + "".join(map(chr, range(0xA1, 0x250))) + "αβγδεζηθλμνξπρστφχψω" + "абвгдежзиклмно"
)
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": " \t\n"}
_PROPERTIES = {
    **dict.fromkeys(("L", "Letter", "Alphabetic", "Alpha", "Script=Latin", "Latin"), _LETTERS),
    **dict.fromkeys(("Lu", "Uppercase_Letter", "Uppercase"), _LETTERS[:26]),
    **dict.fromkeys(("Ll", "Lowercase_Letter", "Lowercase"), _LETTERS[26:]),
    **dict.fromkeys(("N", "Nd", "Number"), _DIGITS),
    **dict.fromkeys(("P", "Punctuation", "Po"), "!%&*,./:;?@"),
    **dict.fromkeys(("S", "Sm", "Symbol"), "+<=>|~"),
    **dict.fromkeys(("Z", "Zs", "Separator"), " "),
    "Script=Greek": "αβγδεζηθλμνξπρστφχψω",
    "Script=Cyrillic": "абвгдежзиклмно",
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,9})(,(\d{1,9})?)?\})[?+]?")
_GROUP = re.compile(r"\((?:\?(?:(:)|(=|!|<=|<!)|P?<([^>]+)>|>|[a-z-]+(:|\))))?")
_ESCAPE = re.compile(
    r"\\(?:u\{(?P<wide>[0-9A-Fa-f]{1,6})\}|u(?P<four>[0-9A-Fa-f]{4})|x(?P<two>[0-9A-Fa-f]{2})"
    r"|(?P<p>[pP])\{(?P<property>[^}]*)\}|c(?P<control>[A-Za-z])|k<(?P<name>[^>]+)>|(?P<other>.))",
    re.DOTALL,
)


class Chars(Struct, frozen=True):
    """One of several characters."""

    chars: str


class Sequence(Struct, frozen=True):
    """Nodes one after the other."""

    parts: tuple[Node, ...]


class Choice(Struct, frozen=True):
    """One of several nodes."""

    options: tuple[Node, ...]


class Repeat(Struct, frozen=True):
    """A repetition of ``part``. ``maximum`` None means no limit."""

    part: Node
    minimum: int
    maximum: int | None


class Group(Struct, frozen=True):
    """A capturing group."""

    part: Node
    names: tuple[str, ...]
    """Its number, and its name if it has one."""


class BackReference(Struct, frozen=True):
    """The text that a group matched."""

    name: str


class Lookahead(Struct, frozen=True):
    """A positive lookahead."""

    part: Node


Node = Chars | Sequence | Choice | Repeat | Group | BackReference | Lookahead
NOTHING = Sequence(())


class PatternError(ValueError):
    """A pattern that the parser does not support, or whose matches are too long."""


@lru_cache(maxsize=2048)
def parse(pattern: str) -> Node:
    """Return the tree of a pattern. Raises PatternError."""
    parser = _Parser(pattern)
    try:
        tree = parser.choice()
    except RecursionError:
        raise PatternError("the groups are nested too deeply") from None
    if parser.at < len(pattern):
        raise PatternError(f"unbalanced parenthesis at {parser.at}")
    return tree


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.at = 0
        self._pattern = pattern
        self._groups = 0

    def choice(self) -> Node:
        options = [self._run()]
        while self._peek() == "|":
            self.at += 1
            options.append(self._run())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _peek(self) -> str:
        return self._pattern[self.at : self.at + 1]

    def _run(self) -> Node:
        parts: list[Node] = []
        while (char := self._peek()) and char not in "|)":
            part = self._atom(char)
            quantifier = _QUANTIFIER.match(self._pattern, self.at)
            if quantifier:
                self.at = quantifier.end()
                part = self._repeat(part, quantifier)
            if part is not NOTHING:
                parts.append(part)
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts)) if parts else NOTHING

    @staticmethod
    def _repeat(part: Node, quantifier: re.Match[str]) -> Node:
        sign, minimum, comma, maximum = quantifier.groups()
        if part is NOTHING:
            return NOTHING
        if sign:
            return Repeat(part, int(sign == "+"), 1 if sign == "?" else None)
        return Repeat(part, int(minimum), int(maximum) if maximum else None if comma else int(minimum))

    def _atom(self, char: str) -> Node:
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        self.at += 1
        return NOTHING if char in "^$" else Chars(_ANY if char == "." else char)

    def _group(self) -> Node:
        opening = _GROUP.match(self._pattern, self.at)
        if opening is None:
            raise PatternError(f"there is no group at {self.at}")
        self.at = opening.end()
        _, look, name, flags = opening.groups()
        if flags == ")":
            return NOTHING  # (?i): a flag, which does not matter for generation
        captures = opening[0] == "(" or name is not None
        if captures:
            self._groups += 1
        number = str(self._groups)
        inside = self.choice()
        if self._peek() != ")":
            raise PatternError("a group is not closed")
        self.at += 1
        if look:
            return Lookahead(inside) if look == "=" else NOTHING
        return Group(inside, (number, name) if name else (number,)) if captures else inside

    def _escape(self) -> Node:
        name = self._read_escape()
        if isinstance(name, BackReference):
            return name
        return Chars(name) if name else NOTHING

    def _read_escape(self) -> str | BackReference:
        """Return the characters of an escape, none for an assertion."""
        escape = _ESCAPE.match(self._pattern, self.at)
        if escape is None:
            raise PatternError("the pattern ends in a backslash")
        self.at = escape.end()
        code = escape["wide"] or escape["four"] or escape["two"]
        if code:
            return chr(min(int(code, 16), 0x10FFFF))
        if escape["p"]:
            named = escape["property"].removeprefix("General_Category=").removeprefix("gc=")
            chars = _PROPERTIES.get(named, _LETTERS)
            return chars if escape["p"] == "p" else _without(chars)
        if escape["control"]:
            return chr(ord(escape["control"]) % 32)
        if escape["name"]:
            return BackReference(escape["name"])
        char = escape["other"]
        if char in "bBAzZG":
            return ""
        if char.isdigit() and char != "0":
            return BackReference(char)
        if char.lower() in _CLASSES:
            chars = _CLASSES[char.lower()]
            return chars if char.islower() else _without(chars)
        return _CONTROLS.get(char, char)

    def _class(self) -> Node:
        self.at += 1
        negated = self._peek() == "^"
        self.at += negated
        atoms: list[str] = []
        dashes: list[int] = []
        while self._peek() != "]":
            if not (char := self._peek()):
                raise PatternError("a class is not closed")
            if char == "\\":
                read = "\b" if self._pattern.startswith("\\b", self.at) else self._read_escape()
                self.at += 2 if read == "\b" else 0
                atoms.append(read if isinstance(read, str) else "")
            else:
                if char == "-":
                    dashes.append(len(atoms))
                atoms.append(char)
                self.at += 1
        self.at += 1
        chars = _class_chars(atoms, frozenset(dashes))
        if negated:
            return Chars(_without(chars))
        if not chars:
            raise PatternError("a class has no members")
        return Chars(chars)


def _class_chars(atoms: list[str], dashes: frozenset[int]) -> str:
    out: dict[str, None] = {}
    at = 0
    while at < len(atoms):
        ends = at + 1 in dashes and at + 2 < len(atoms) and len(atoms[at]) == len(atoms[at + 2]) == 1
        out.update(dict.fromkeys(_span(atoms[at], atoms[at + 2]) if ends else atoms[at]))
        at += 3 if ends else 1
    # Of a large class, take letters and digits only, which are easy to read
    plain = "".join(c for c in out if c in _WORD)
    return plain if len(plain) >= 26 and len(out) > len(_PRINTABLE) else "".join(out)


def _span(low: str, high: str) -> str:
    first, last = ord(low), ord(high)
    return "".join(
        c for c in map(chr, range(first, min(last, first + 0x7FF) + 1)) if not "\ud800" <= c <= "\udfff"
    )


def _without(chars: str) -> str:
    """Return some characters that are not in ``chars``, letters and digits if possible."""
    left = set(chars)
    for pool in (_ANY, _PRINTABLE, _WIDE):
        if found := "".join(c for c in pool if c not in left):
            return found
    raise PatternError("a class has no members")


MAX_LENGTH = 100_000
"""The maximum length of a generated text."""

_SPREADS = (4, 8, 2, 0, 12, 24, 1, 48, 96, 200, 1000)
"""For each attempt, by how much an unlimited repetition may exceed its minimum."""


def generate_match(
    pattern: str, rng: random.Random, min_length: int = 0, max_length: int | None = None, attempts: int = 60
) -> str | None:
    """Return a text of ``min_length`` to ``max_length`` characters that matches ``pattern``, or None."""
    try:
        tree = parse(pattern)
        is_match = matcher(pattern)
        # How many characters repetitions must add to the shortest match
        missing = min_length - len(generate(tree, rng, 0, maximal=True, apply_lookaheads=False))
        for attempt in range(attempts if missing < 1000 else 8):
            stretched = missing > 0 and attempt % 2 == 0
            spread = missing if stretched else _SPREADS[attempt % len(_SPREADS)]
            text = generate(tree, rng, spread, maximal=stretched, apply_lookaheads=attempt % 4 < 2)
            text = _pad(text, pattern, min_length)
            if min_length <= len(text) and (max_length is None or len(text) <= max_length) and is_match(text):
                return text
    except (PatternError, RecursionError, ValueError):
        return None
    return None


def _pad(text: str, pattern: str, min_length: int) -> str:
    """Return ``text`` with characters added at an end that the pattern does not anchor."""
    padding = "x" * (min_length - len(text))
    if not pattern.endswith("$"):
        return text + padding
    return text if pattern.startswith("^") else padding + text


def generate(tree: Node, rng: random.Random, spread: int, *, maximal: bool, apply_lookaheads: bool) -> str:
    """Return one text. Raises PatternError if it is longer than MAX_LENGTH.

    ``spread``: by how much a repetition may exceed its minimum; with ``maximal``, it does.
    ``apply_lookaheads``: write the texts of lookaheads over it, at random positions.
    """
    writer = _Writer(rng, spread, maximal=maximal)
    writer.write(tree)
    text = "".join(writer.out)
    for lookahead in writer.lookaheads if apply_lookaheads else ():
        wanted = generate(lookahead, rng, 0, maximal=True, apply_lookaheads=False)
        start = rng.randint(0, max(0, len(text) - len(wanted)))
        text = text[:start] + wanted + text[start + len(wanted) :]
    return text


class _Writer:
    def __init__(self, rng: random.Random, spread: int, *, maximal: bool) -> None:
        self.out: list[str] = []
        self.lookaheads: list[Node] = []
        self._rng = rng
        self._spread = spread
        self._maximal = maximal
        self._groups: dict[str, str] = {}

    def write(self, node: Node) -> None:
        match node:
            case Chars(chars):
                self.out.append(chars[int(self._rng.random() * len(chars))])
            case Sequence(parts):
                for part in parts:
                    self.write(part)
            case Choice(options):
                self.write(options[int(self._rng.random() * len(options))])
            case Repeat(part, minimum, maximum):
                self._repeat(part, minimum, maximum)
            case Group(part, names):
                start = len(self.out)
                self.write(part)
                text = "".join(self.out[start:])
                self._groups.update(dict.fromkeys(names, text))
            case Lookahead(part):
                self.lookaheads.append(part)
            case BackReference(name):
                self.out.append(self._groups.get(name, ""))

    def _repeat(self, part: Node, minimum: int, maximum: int | None) -> None:
        high = minimum + self._spread if maximum is None else min(maximum, minimum + self._spread)
        count = high if self._maximal or high <= minimum else self._rng.randint(minimum, high)
        if count > MAX_LENGTH:
            raise PatternError(f"its matches are longer than {MAX_LENGTH} characters")
        if isinstance(part, Chars):
            self.out.append("".join(self._rng.choices(part.chars, k=count)))
            return
        for _ in range(count):
            self.write(part)
            if len(self.out) > MAX_LENGTH:
                raise PatternError(f"its matches are longer than {MAX_LENGTH} characters")
