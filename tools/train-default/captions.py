"""Captions: what a person might type for one to three events and how they follow one another.

A scene is (relation, events): `single` [a]; `then` [a, b] in the order heard; `while` [a, b] together;
`three` [a, b, c] one after another; `while_then` [a, b] together, then c.
"""
from __future__ import annotations

import itertools
import re

import numpy as np

from sounds import BY_NAME, NAMES

RELATIONS = ("single", "then", "while", "three", "while_then")
EVENTS_OF = {"single": 1, "then": 2, "while": 2, "three": 3, "while_then": 3}

# Slots: A clause, Ag gerund phrase, An noun phrase or gerund phrase; likewise B and C.
TEMPLATES: dict[str, tuple[str, ...]] = {
    "single": ("{A}", "{A}", "{A}", "{Ag}", "{Ag}", "{An}", "{An}", "the sound of {An}", "a recording of {An}",
               "there is {An}", "{An} can be heard", "we hear {An}", "sound of {An}", "{A} again and again",
               "only {An}"),
    "then": ("{A} then {B}", "{A} and then {B}", "{A} and then {B}", "{A}, then {B}", "{A}, and then {B}",
             "{A} before {B}", "{A} before {Bg}", "{A} followed by {Bn}", "{A} followed by {Bn}",
             "{An} followed by {Bn}", "{An}, followed by {Bn}", "{A}, followed by {Bn}", "{Ag} and then {Bg}",
             "{Ag}, then {Bg}", "{An} then {Bn}", "{An}, then {Bn}", "{An} before {Bn}", "first {A}, then {B}",
             "first {An}, then {Bn}", "{A}, after that {B}", "{A} and afterwards {B}", "{A}; later {B}",
             "{A}, and a moment later {B}", "{A} and {B} afterwards", "{A} until {B}", "{A} and finally {B}",
             "{B} after {A}", "{B} after {An}", "{Bn} after {An}", "after {A}, {B}", "after {An}, {B}",
             "before {B}, {A}", "{Bg} after {Ag}", "{B} right after {A}", "{Bn} preceded by {An}",
             "once {A}, {B}", "{B} once {A}"),
    "while": ("{A} while {B}", "{A} while {B}", "{A} as {B}", "{A} as {B}", "while {A}, {B}", "as {A}, {B}",
              "{Ag} while {Bg}", "{Ag} as {B}", "{A} and {B} at the same time", "{Ag} with {Bn} in the background",
              "{A} with {Bn} in the background", "{A} and {B}", "{Ag} and {Bg}", "{An} and {Bn}", "{An} with {Bn}",
              "{A} over {Bn}", "{An} during {Bn}", "{A} together with {Bn}", "{A} and {B} together",
              "{A} amid {Bn}", "{A} in the background while {B}", "{An} mixed with {Bn}"),
    "three": ("{A} then {B} then {C}", "{A}, then {B}, then {C}", "{A}, then {B}, and then {C}",
              "{A} followed by {Bn} and then {Cn}", "{An} followed by {Bn} followed by {Cn}",
              "first {A}, then {B}, finally {C}", "{A}, {B}, and finally {C}", "{A} before {B}, followed by {Cn}",
              "{A} and then {B} and then {C}", "{An}, then {Bn}, then {Cn}", "{A} then {B}, and after that {C}",
              "{A} then {B} followed by {Cn}"),
    "while_then": ("{A} while {B}, then {C}", "{A} as {B}, followed by {Cn}", "{A} and {B} at the same time, then {C}",
                   "{A} while {B} and then {C}", "{A} with {Bn} in the background, then {C}",
                   "{An} and {Bn}, followed by {Cn}", "while {A}, {B}, and then {C}", "{C} after {A} while {B}"),
}
TAILS = ("loudly", "nearby", "in the distance", "softly", "quietly", "outside", "repeatedly", "several times",
         "for a while", "continuously", "in a room")
MARK = 0xE001
MARKS = "".join(chr(MARK + k) for k in range(-1, 3))


def _is_plural(present: str) -> bool:
    first = present.split()[0]
    return not first.endswith("s") or first in ("pass", "cross")


def _clause(name: str, rng: np.random.Generator) -> str:
    subject, present, gerund = BY_NAME[name].clauses[rng.integers(len(BY_NAME[name].clauses))].split("|")
    if rng.random() < 0.2 and not present.startswith("is "):
        present = ("are " if _is_plural(present) else "is ") + gerund
    tail = " " + TAILS[rng.integers(len(TAILS))] if rng.random() < 0.1 else ""
    return f"{subject} {present}{tail}"


def _gerund(name: str, rng: np.random.Generator) -> str:
    subject, _, gerund = BY_NAME[name].clauses[rng.integers(len(BY_NAME[name].clauses))].split("|")
    if subject == "it":
        return gerund
    for article in ("a ", "an ", "the "):
        if subject.startswith(article) and rng.random() < 0.3:
            subject = subject[len(article):]
    tail = " " + TAILS[rng.integers(len(TAILS))] if rng.random() < 0.08 else ""
    return f"{subject} {gerund}{tail}"


def _noun(name: str, rng: np.random.Generator) -> str:
    if rng.random() < 0.45:
        return _gerund(name, rng)
    return BY_NAME[name].nouns[rng.integers(len(BY_NAME[name].nouns))]


def _mark(text: str, event: int) -> str:
    """Encloses a slot's text in private-use characters that name its event; they survive the styling below."""
    return chr(MARK + event) + text + chr(MARK - 1)


def marked_caption(relation: str, events: list[str], rng: np.random.Generator) -> tuple[str, list[tuple[int, int, int]]]:
    """A caption and which of its characters speak of which event: (index in `events`, start, end)."""
    template = TEMPLATES[relation][rng.integers(len(TEMPLATES[relation]))]
    order = list(range(len(events)))
    if relation in ("while", "while_then") and rng.random() < 0.5:
        order[0], order[1] = order[1], order[0]
    filled = {}
    for letter, i in zip("ABC", order):
        filled |= {letter: _mark(_clause(events[i], rng), i), letter + "g": _mark(_gerund(events[i], rng), i),
                   letter + "n": _mark(_noun(events[i], rng), i)}
    text = template.format(**filled)
    style = rng.random()
    if style < 0.06:
        text = re.sub(rf"(?<![^\s{MARKS}])(a|an|the) ", "", text)
    elif style < 0.10:
        text = text.upper()
    elif style < 0.62:
        first = next(i for i, c in enumerate(text) if c.isalpha() and c not in MARKS)
        text = text[:first] + text[first].upper() + text[first + 1:]
    text += "." if rng.random() < 0.4 else ""
    plain, spans = "", []
    for c in text:
        if c == chr(MARK - 1):
            spans[-1] = (*spans[-1], len(plain))
        elif c in MARKS:
            spans.append((ord(c) - MARK, len(plain)))
        else:
            plain += c
    return plain, spans


def caption(relation: str, events: list[str], rng: np.random.Generator) -> str:
    return marked_caption(relation, events, rng)[0]


def held_out_pairs(seed: int, share: float = 0.14) -> set[frozenset[str]]:
    """Unordered pairs of classes that no training scene contains, in any relation."""
    rng = np.random.default_rng(seed + 77)
    pairs = [p for p in itertools.combinations(NAMES, 2) if set(p) != {"dog", "telephone"}]
    chosen = rng.permutation(len(pairs))[:int(len(pairs) * share)]
    return {frozenset(pairs[i]) for i in chosen}


def uses_held_out(events: list[str], held_out: set[frozenset[str]]) -> bool:
    return any(frozenset(p) in held_out for p in itertools.combinations(events, 2))


def random_scene(rng: np.random.Generator, weights: tuple[float, ...],
                 held_out: set[frozenset[str]]) -> tuple[str, list[str]]:
    """A training scene: distinct classes, no held-out pair."""
    relation = RELATIONS[rng.choice(len(RELATIONS), p=np.array(weights) / np.sum(weights))]
    while True:
        events = [NAMES[i] for i in rng.choice(len(NAMES), EVENTS_OF[relation], replace=False)]
        if not uses_held_out(events, held_out):
            return relation, events


def slots(relation: str, events: list[str]) -> list[tuple[str, ...]]:
    """What is heard, step by step: one tuple of simultaneous classes per step."""
    if relation == "while":
        return [tuple(events)]
    if relation == "while_then":
        return [tuple(events[:2]), (events[2],)]
    return [(e,) for e in events]


def step_of(relation: str, event: int) -> int:
    """In which step of its scene an event is heard."""
    return {"while": 0, "while_then": max(0, event - 1)}.get(relation, event)
