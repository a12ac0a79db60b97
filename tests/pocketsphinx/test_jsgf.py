"""Grammars: what they allow, and what is said about those that do not hold."""

import itertools
import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_pocketsphinx.jsgf import Arc, Grammar, JSGFError
from stt_pocketsphinx.task import DIGIT_NUMERALS, digits_grammar

HEAD = "#JSGF V1.0;\n"


def sentences(text: str, longest: int = 4) -> set[str]:
    """All that a grammar allows, up to so many words, found by walking through its network."""
    arcs = Grammar(text).network().arcs
    found: set[str] = set()
    seen: set[tuple[int, tuple[str, ...]]] = {(0, ())}
    waiting: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while waiting:
        state, words = waiting.pop()
        if state == 1:
            found.add(" ".join(words))
        for arc in arcs:
            step = arc.target, words if arc.word is None else (*words, arc.word)
            if arc.source == state and len(step[1]) <= longest and step not in seen:
                seen.add(step)
                waiting.append(step)
    return found


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ("public <a> = yes;", {"yes"}),
        ("grammar x;\npublic <a> = Yes | no way;", {"yes", "no way"}),
        ("public <a> = [please] stop;", {"stop", "please stop"}),
        ("public <a> = a [b [c]];", {"a", "a b", "a b c"}),
        ("public <a> = (a | b) c;", {"a c", "b c"}),
        ("public <a> = a+;", {"a", "a a", "a a a", "a a a a"}),
        ("public <a> = a b*;", {"a", "a b", "a b b", "a b b b"}),
        ("public <a> = (a b)+;", {"a b", "a b a b"}),
        ("public <a> = [a*] b;", {"b", "a b", "a a b", "a a a b"}),
        ("public <a> = <b> c; <b> = a | b;", {"a c", "b c"}),
        ("public <a> = <b> <b>; <b> = a | b;", {"a a", "a b", "b a", "b b"}),
        ("public <a> = a; public <b> = b;", {"a", "b"}),
        ("public <a> = a <a> | b;", {"b", "a b", "a a b", "a a a b"}),
        ("public <a> = a <b>; <b> = b <a> | c;", {"a c", "a b a c"}),
        ('public <a> = "new york" {city} | a { {not} ;', {"new york", "a"}),
        ("public <a> = a <NULL> | <VOID> b;", {"a"}),
        ("public <a> = /3/ a | /1.5/ b | /0/ c;", {"a", "b"}),
        ("// a line\n/* a\nblock */ public <a.b> = don't; // end", {"don't"}),
    ],
)
def test_it_allows_what_it_says(rules: str, allowed: set[str]) -> None:
    """The network goes through exactly the sentences of the grammar."""
    if "{ {" in rules:
        with pytest.raises(JSGFError, match="line 2"):
            sentences(HEAD + rules)
        return
    assert sentences(HEAD + rules) == allowed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"line 1: .*begins with `#JSGF V1.0;`"),
        ("public <a> = b;", r"line 1: .*begins with `#JSGF V1.0;`"),
        (HEAD, "no rule is public"),
        (HEAD + "<a> = b;", "no rule is public"),
        (HEAD + "public <a> = b", "line 2: `;` at the end of the rule <a> was expected, and the end is there"),
        (HEAD + "\npublic a = b;", r"line 3: a rule such as .* and `a` is there"),
        (HEAD + "public <a> b;", "line 2: `=` after <a> was expected, and `b` is there"),
        (HEAD + "public <a> = b |\n;", "line 3: a word or a rule was expected, and `;` is there"),
        (HEAD + "public <a> = (b\n| c;", r"line 3: `\)` for the `\(` of line 2"),
        (HEAD + "public <a> =\n<b>;", "line 3: there is no rule <b>"),
        (HEAD + "public <a> = b;\n<a> = c;", "line 3: the rule <a> is there already"),
        (HEAD + "import <x.y>;", "line 2: `import` is not supported"),
        (HEAD + "public <a> = <a> b | c;", "line 2: the rule <a> comes back to itself before its end"),
        (HEAD + "public <a> = b {tag;", "line 2: `{tag;` begins nothing"),
        (HEAD + "public <a> = /x/ b;", "line 2: `/x/` is no weight"),
        (HEAD + "public <a> = /0/ b | /0/ c;", "line 2: all weights are 0"),
        (HEAD + "public <a> = <VOID>;", "nothing can be said"),
        (HEAD + "public <a> = " + "(" * 150 + "b" + ")" * 150 + ";", "nested more than"),
        (HEAD + "public <a> = <b> <b> <b> <b> <b> <b> <b> <b>;" + "<b> = " + " | ".join("b" * 9999) + ";", "too many"),
    ],
)
def test_what_does_not_hold_is_told_with_its_line(text: str, says: str) -> None:
    """A mistake is refused, and the message says what was expected, what is there, and where."""
    with pytest.raises(JSGFError, match=says):
        Grammar(text).network()


@given(st.text(st.sampled_from('ab<>=;|*+()[]{}/"\\ \n') | st.characters(), max_size=40))
def test_whatever_comes_is_a_grammar_or_refused(text: str) -> None:
    """No text raises anything else."""
    with suppress(JSGFError):
        assert Grammar(HEAD + text).network().arcs


def test_words_come_with_their_lines() -> None:
    """Each word has the line of a use of it, for messages."""
    assert Grammar(HEAD + "public <a> = b\n| c {no word} <d>;\n<d> = [E];").words == {"b": 2, "c": 3, "e": 4}


def test_no_path_needs_two_silent_arcs_in_a_row() -> None:
    """The decoder follows one only: where two lead, there is one that leads there at once."""
    arcs = Grammar(HEAD + "public <a> = [[a] [b]]* <c>; <c> = [d] (e [f])+;").network().arcs
    silent = {(arc.source, arc.target) for arc in arcs if arc.word is None}
    assert silent
    assert all((a, d) in silent for a, b in silent for c, d in silent if b == c and a != d)
    assert all(0 < arc.probability <= 1 for arc in arcs)


def test_weights_become_probabilities() -> None:
    """Three to one is three quarters."""
    arcs = Grammar(HEAD + "public <a> = /3/ a | /1/ b;").network().arcs
    assert {arc.word: arc.probability for arc in arcs if arc.word} == {"a": 0.75, "b": 0.25}


@given(st.integers(1, 4), st.none() | st.integers(0, 3))
def test_digits_are_as_many_as_asked_for(least: int, more: int | None) -> None:
    """From the least number to the most, and any digit in each place."""
    most = None if more is None else least + more
    arcs = Grammar(digits_grammar(least, most)).network().arcs
    assert {arc.word for arc in arcs} - {None} == set(DIGIT_NUMERALS)
    assert lengths(arcs, 8) == set(range(least, min(most or 8, 8) + 1))


def lengths(arcs: list[Arc], longest: int) -> set[int]:
    """The numbers of words in which a network can be gone through."""
    silent = {(arc.source, arc.target) for arc in arcs if arc.word is None}
    spoken = {(arc.source, arc.target) for arc in arcs if arc.word is not None}

    def closed(states: set[int]) -> set[int]:
        return states | {end for begin, end in silent if begin in states}

    def steps() -> Iterator[set[int]]:
        states = closed({0})
        while True:
            yield states
            states = closed({end for begin, end in spoken if begin in states})

    return {count for count, states in enumerate(itertools.islice(steps(), longest + 1)) if 1 in states}


def test_the_cards_of_the_documentation_hold() -> None:
    """A grammar with all of it, as people write them."""
    text = """#JSGF V1.0;

    /** cards */
    grammar cards;

    public <cards> = <card> [<card>] | <rank> <rank>;
    <card> = <rank> [ of ] <suit>;
    <suit> = clubs | hearts;
    <rank> = ace | two;
    """
    allowed = sentences(text, 6)
    assert "ace of clubs two hearts" in allowed
    assert "two two" in allowed
    assert not any(re.search(r"clubs of|^clubs", sentence) for sentence in allowed)
