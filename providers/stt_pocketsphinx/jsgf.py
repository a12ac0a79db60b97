"""JSGF grammars: what may be said, as text, and as the arcs of a finite-state network.

Everything of JSGF 1.0 that a single file can say: rules, alternatives with weights, sequences, groups, optional parts,
``*`` and ``+``, tags (read over), quoted words, ``<NULL>``, ``<VOID>``, comments, recursion at the end of a rule. All
public rules may be spoken. What needs more than a finite network (recursion elsewhere) or other files (``import``) is
refused.

Written down here rather than left to pocketsphinx, which knows only the first public rule, says of a mistake neither
what nor where, and up to 5.0.4 overruns a buffer on some.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

__all__ = ["Arc", "Grammar", "JSGFError", "Network"]

MAX_ARCS = 50_000
"""Above what an engine of this kind decodes in real time."""

MAX_DEPTH = 100

_TOO_LARGE = f"written out it has more than {MAX_ARCS} steps, too many to be decoded as fast as speech"


class JSGFError(Exception):
    """The grammar does not hold; the message says why and on which line."""


class Arc(NamedTuple):
    """From a state to a state, saying a word; ``None`` says nothing."""

    source: int
    target: int
    probability: float
    word: str | None


class Network(NamedTuple):
    """States 0 (start) and 1 (end), and how to get from one to another."""

    arcs: list[Arc]


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    items: tuple[tuple[float, _Node], ...]  # the weights add up to 1


@dataclass(frozen=True, slots=True)
class _Repeat:
    item: _Node
    optional: bool
    repeated: bool


_Node: TypeAlias = _Word | _Rule | _Sequence | _Choice | _Repeat

_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|\{(?:[^{}\\]|\\.)*\})
    |(?P<weight>/[^/\n]*/)
    |<(?P<rule>[^<>\s;|]+)>
    |"(?P<quoted>(?:[^"\\\n]|\\.)*)"
    |(?P<sign>[;=|*+()\[\]])
    |(?P<word>[^\s;=|*+<>()\[\]{}/"]+)""",
    re.X | re.S,
)
_HEADER = re.compile(r"\ufeff?\s*#JSGF\s+[Vv]\d[^;\n]*;")


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


class Grammar:
    """A grammar read from text.

    Raises:
        JSGFError: the text is none.
    """

    def __init__(self, text: str) -> None:
        self._rules: dict[str, _Node] = {}
        self._public: list[str] = []
        self._lines: dict[str, int] = {}
        _Parser(text).read(self._rules, self._public, self._lines)
        if not self._public:
            raise JSGFError("no rule is public, so nothing may be said: write `public <rule> = ...;`")
        for rule in self._references():
            if rule.name not in self._rules and rule.name not in ("NULL", "VOID"):
                raise JSGFError(f"line {rule.line}: there is no rule <{rule.name}>")

    @property
    def words(self) -> dict[str, int]:
        """The words it has, and the line of the first use of each."""
        found: dict[str, int] = {}
        for node in self._nodes():
            if isinstance(node, _Word):
                found.setdefault(node.text, node.line)
        return found

    def network(self) -> Network:
        """The grammar as a network.

        Raises:
            JSGFError: it is recursive elsewhere than at the end of a rule, too large, or nothing can be said.
        """
        builder = _Builder(self._rules, self._lines)
        for name in self._public:
            builder.rule(_Rule(name, self._lines[name]), 0, 1, 1 / len(self._public))
        if not any(arc.word for arc in builder.arcs):
            raise JSGFError("nothing can be said: the public rules have no words")
        return Network(_direct(builder.arcs))

    def _nodes(self) -> Iterator[_Node]:
        stack = list(self._rules.values())
        while stack:
            node = stack.pop()
            yield node
            if isinstance(node, _Sequence):
                stack += node.items
            elif isinstance(node, _Choice):
                stack += [item for _, item in node.items]
            elif isinstance(node, _Repeat):
                stack.append(node.item)

    def _references(self) -> Iterator[_Rule]:
        return (node for node in self._nodes() if isinstance(node, _Rule))


class _Parser:
    def __init__(self, text: str) -> None:
        header = _HEADER.match(text)
        if header is None:
            raise JSGFError("line 1: a grammar begins with `#JSGF V1.0;`")
        self._tokens = list(_tokens(text, header.end()))
        self._at = 0
        self._depth = 0

    def read(self, rules: dict[str, _Node], public: list[str], lines: dict[str, int]) -> None:
        if self._is("word", "grammar"):
            self._take()
            self._expect("word", "the name of the grammar")
            self._expect("sign", "`;` after the name of the grammar", ";")
        while self._peek().kind != "end":
            if self._is("word", "import"):
                raise JSGFError(f"line {self._peek().line}: `import` is not supported: put the rules into one grammar")
            spoken = self._is("word", "public")
            if spoken:
                self._take()
            name = self._expect("rule", "a rule such as `<name> = ...;`")
            if name.text in rules or name.text in ("NULL", "VOID"):
                raise JSGFError(f"line {name.line}: the rule <{name.text}> is there already")
            self._expect("sign", f"`=` after <{name.text}>", "=")
            rules[name.text] = self._choice()
            lines[name.text] = name.line
            if spoken:
                public.append(name.text)
            self._expect("sign", f"`;` at the end of the rule <{name.text}>", ";")

    def _choice(self) -> _Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise JSGFError(f"line {self._peek().line}: groups are nested more than {MAX_DEPTH} deep")
        items = [self._alternative()]
        while self._is("sign", "|"):
            self._take()
            items.append(self._alternative())
        self._depth -= 1
        total = sum(weight for weight, _ in items)
        if not total:
            raise JSGFError(f"line {self._peek().line}: all weights are 0")
        return items[0][1] if len(items) == 1 else _Choice(tuple((weight / total, item) for weight, item in items))

    def _alternative(self) -> tuple[float, _Node]:
        weight = 1.0
        if self._peek().kind == "weight":
            token = self._take()
            try:
                weight = float(token.text.strip("/"))
            except ValueError:
                weight = -1.0
            if not 0 <= weight < 1e9:
                raise JSGFError(f"line {token.line}: `{token.text}` is no weight: write a number, as in `/0.5/`")
        items: list[_Node] = []
        while (item := self._item()) is not None:
            items.append(item)
        if not items:
            token = self._peek()
            raise JSGFError(f"line {token.line}: a word or a rule was expected, and {_shown(token)} is there")
        return weight, items[0] if len(items) == 1 else _Sequence(tuple(items))

    def _item(self) -> _Node | None:
        token = self._peek()
        node: _Node
        if token.kind in ("word", "quoted"):
            self._take()
            words = tuple(_Word(word.lower(), token.line) for word in token.text.split())
            node = words[0] if len(words) == 1 else _Sequence(words)
        elif token.kind == "rule":
            self._take()
            node = _Rule(token.text, token.line)
        elif token.kind == "sign" and token.text in "([":
            self._take()
            node = self._choice()
            close = ")" if token.text == "(" else "]"
            self._expect("sign", f"`{close}` for the `{token.text}` of line {token.line}", close)
            if close == "]":
                node = _Repeat(node, optional=True, repeated=False)
        else:
            return None
        while self._is("sign", "*") or self._is("sign", "+"):
            node = _Repeat(node, optional=self._take().text == "*", repeated=True)
        return node

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, kind: str, text: str) -> bool:
        return self._peek()[:2] == (kind, text)

    def _expect(self, kind: str, what: str, text: str | None = None) -> _Token:
        token = self._peek()
        if token.kind != kind or (text is not None and token.text != text):
            raise JSGFError(f"line {token.line}: {what} was expected, and {_shown(token)} is there")
        return self._take()


def _tokens(text: str, at: int) -> Iterator[_Token]:
    line = 1 + text.count("\n", 0, at)
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise JSGFError(f"line {line}: `{text[at : at + 10].splitlines()[0]}` begins nothing that a grammar has")
        kind = match.lastgroup or ""
        if kind != "skip":
            yield _Token(kind, match[kind], line)
        line += match[0].count("\n")
        at = match.end()
    yield _Token("end", "", line)


def _shown(token: _Token) -> str:
    return "the end" if token.kind == "end" else f"`{token.text[:40]}`"


def _direct(arcs: list[Arc]) -> list[Arc]:
    """The same network with at most one silent arc between two words: more in a row the decoder does not follow."""
    silent: dict[int, list[Arc]] = {}
    for arc in arcs:
        if arc.word is None:
            silent.setdefault(arc.source, []).append(arc)
    spoken = [arc for arc in arcs if arc.word is not None]
    speaking = {arc.source for arc in spoken} | {1}
    direct: list[Arc] = []
    for state in {0, *(arc.target for arc in spoken)}:
        best = {state: 1.0}
        waiting = [state]
        while waiting:
            for arc in silent.get(at := waiting.pop(), ()):
                probability = best[at] * arc.probability
                if probability > best.get(arc.target, 0.0):
                    best[arc.target] = probability
                    waiting.append(arc.target)
        direct += [Arc(state, end, best[end], None) for end in best if end != state and end in speaking]
        if len(direct) > MAX_ARCS:
            raise JSGFError(_TOO_LARGE)
    return direct + spoken


class _Builder:
    """Puts rules between two states."""

    def __init__(self, rules: dict[str, _Node], lines: dict[str, int]) -> None:
        self._rules = rules
        self._lines = lines
        self._states = 2
        self._open: dict[str, tuple[int, int]] = {}
        self.arcs: list[Arc] = []

    def rule(self, rule: _Rule, source: int, target: int, probability: float) -> None:
        if rule.name == "VOID":
            return
        if rule.name == "NULL":
            self._arc(source, target, probability, None)
        elif rule.name not in self._open:
            # A state of its own, for the rule may begin anew at its end.
            begin = self._state()
            self._arc(source, begin, probability, None)
            self._open[rule.name] = begin, target
            self._put(self._rules[rule.name], begin, target, 1.0)
            del self._open[rule.name]
        elif self._open[rule.name][1] == target:
            self._arc(source, self._open[rule.name][0], probability, None)
        else:
            raise JSGFError(
                f"line {rule.line}: the rule <{rule.name}> comes back to itself before its end; only its end may"
            )

    def _put(self, node: _Node, source: int, target: int, probability: float) -> None:
        if isinstance(node, _Word):
            self._arc(source, target, probability, node.text)
        elif isinstance(node, _Rule):
            self.rule(node, source, target, probability)
        elif isinstance(node, _Choice):
            for weight, item in node.items:
                if weight:
                    self._put(item, source, target, probability * weight)
        elif isinstance(node, _Sequence):
            for item in node.items[:-1]:
                between = self._state()
                self._put(item, source, between, probability)
                source, probability = between, 1.0
            if node.items:
                self._put(node.items[-1], source, target, probability)
            else:
                self._arc(source, target, probability, None)
        elif not node.repeated:
            self._arc(source, target, probability, None)
            self._put(node.item, source, target, probability)
        else:
            begin, end = self._state(), self._state()
            self._arc(source, begin, probability, None)
            self._put(node.item, begin, end, 1.0)
            self._arc(end, begin, 1.0, None)
            self._arc(end, target, 1.0, None)
            if node.optional:
                self._arc(begin, target, 1.0, None)

    def _state(self) -> int:
        self._states += 1
        return self._states - 1

    def _arc(self, source: int, target: int, probability: float, word: str | None) -> None:
        if source != target or word is not None:
            self.arcs.append(Arc(source, target, probability, word))
        if len(self.arcs) > MAX_ARCS:
            raise JSGFError(_TOO_LARGE)
