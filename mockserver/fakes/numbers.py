"""Numbers: within bounds, on the grid of ``multipleOf``, and of a usual size for their name."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from mockserver.fakes.errors import DeadEnd
from mockserver.fakes.names import NUMBERS, is_time, last_word
from mockserver.fakes.shape import Shape, Span

_CENT = Fraction(1, 100)
_FINEST = Fraction(1, 10**18)
_EXACT = 2**53
"""Beyond it, not every integer is a float."""
_MOST_DICE = 2**40


def number(shape: Shape, name: str, rng: random.Random, now_ms: int, *, whole: bool) -> int | float:
    """A number of the shape; ``whole`` for an integer. Raises DeadEnd if there is none."""
    if whole and is_time(name):
        now = now_ms if "int64" in shape.formats else now_ms // 1000
        span = _span(shape, Fraction(now - now // 1000), Fraction(now), whole=True)
    else:
        found = shape.spans.get((name, whole))
        if found is None:
            low, high = NUMBERS.get(last_word(name), (1, 100))
            found = shape.spans[name, whole] = _span(shape, Fraction(low), Fraction(high), whole=whole)
        span = found
    step, first, last = span
    count = (
        first + int(rng.random() * (last - first + 1))
        if last - first < _MOST_DICE
        else rng.randint(first, last)
    )
    numerator = count * step.numerator
    if whole or (step.denominator == 1 and abs(numerator) > _EXACT):
        return numerator // step.denominator
    try:
        return numerator / step.denominator
    except OverflowError:
        return numerator // step.denominator


def _span(shape: Shape, usual_low: Fraction, usual_high: Fraction, *, whole: bool) -> Span:
    """The numbers to choose from: a step, and the least and the greatest multiple of it."""
    step = _grid(shape.steps, whole=whole)
    low, high = _overlap(shape, usual_low, usual_high)
    if step is None:
        finest = max(_FINEST, _resolution(max(abs(low), abs(high))))
        step = max(_CENT, finest)
        while (high - low) / step < 10 and step > finest and low != high:
            step /= 10
    span = _multiples(shape, step, low, high)
    if span is None:  # nothing of a usual size: anything allowed will do
        reach = 1000 * step
        low = shape.low if shape.low is not None else min(Fraction(0), shape.high or 0) - reach
        high = shape.high if shape.high is not None else max(Fraction(0), low) + reach
        span = _multiples(shape, step, low, high)
    if span is None:
        raise DeadEnd(shape.at, _contradiction(shape, step))
    return (step, *span)


def _contradiction(shape: Shape, step: Fraction) -> str:
    """Why there is no number of the shape."""
    low, high = shape.low, shape.high
    if low is None or high is None or low < high:
        return f"there is no multiple of {_text(step)} within its bounds"
    minimum = f"{'exclusiveMinimum' if shape.low_open else 'minimum'} {_text(low)}"
    maximum = f"{'exclusiveMaximum' if shape.high_open else 'maximum'} {_text(high)}"
    if low > high:
        return f"{minimum} is more than {maximum}"
    return f"{minimum} and {maximum} leave no number between them"


def _text(number: Fraction) -> str:
    return str(number if number.denominator == 1 else float(number))


def _resolution(magnitude: Fraction) -> Fraction:
    """A step that floats of that size can still tell apart."""
    return Fraction(2) ** (int(magnitude).bit_length() - 46)


def _grid(steps: list[Fraction], *, whole: bool) -> Fraction | None:
    """The least common multiple of the steps."""
    if whole:
        steps = [*steps, Fraction(1)]
    if not steps:
        return None
    grid = steps[0]
    for step in steps[1:]:
        denominator = grid.denominator * step.denominator
        left, right = grid.numerator * step.denominator, step.numerator * grid.denominator
        grid = Fraction(math.lcm(left, right), denominator)
    return grid


def _overlap(shape: Shape, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """The part of the usual range that is allowed, or else a range of that size at the nearer bound."""
    span = high - low
    if shape.low is not None and shape.low > low:
        low, high = shape.low, max(high, shape.low + (span if shape.low >= high else 0))
    if shape.high is not None and shape.high < high:
        high = shape.high
        low = (
            max(shape.low, high - span)
            if shape.low is not None
            else min(low, high - span if low > high else low)
        )
    return low, high


def _multiples(shape: Shape, step: Fraction, low: Fraction, high: Fraction) -> tuple[int, int] | None:
    """The least and the greatest count of steps between the bounds."""
    first, last = math.ceil(low / step), math.floor(high / step)
    if shape.low_open and shape.low is not None and first * step <= shape.low:
        first = math.floor(shape.low / step) + 1
    if shape.high_open and shape.high is not None and last * step >= shape.high:
        last = math.ceil(shape.high / step) - 1
    return (first, last) if first <= last else None
