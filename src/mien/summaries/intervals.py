"""95 % intervals over persons: of means, of differences of means, and of median latencies.

Means have Student's t interval: with the ten or twenty persons of a study the percentiles of a
bootstrap are too narrow (docs/summaries.md has both, measured). Medians of times until something
happens are those of Kaplan and Meier (1958), in which whoever never showed it counts as well.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 2000
"""Resamples of persons behind an interval of a median."""
_SEED = 20_261_127


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number about people, and how far it can be trusted."""

    value: float
    """The estimate; NaN where there is none."""
    low: float
    """Lower end of the 95 % interval; NaN where there are too few persons for one."""
    high: float
    """Upper end."""
    n_persons: int
    """Persons behind it."""


def mean_of(
    values: NDArray[np.float64], lowest: float = -math.inf, highest: float = math.inf
) -> Estimate:
    """Mean over persons, each of whom counts once; NaN: nothing is known of that person.

    Args:
        values: one per person, (n,).
        lowest: bound of what is possible, to which the interval is cut.
        highest: likewise.
    """
    known = values[~np.isnan(values)]
    n = len(known)
    if not n:
        return Estimate(math.nan, math.nan, math.nan, 0)
    mean = float(known.mean())
    # Of persons who are all alike nobody knows how far others may differ.
    if n < 2 or known.min() == known.max():
        return Estimate(mean, math.nan, math.nan, n)
    half = student_t(n - 1) * float(known.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, max(lowest, mean - half), min(highest, mean + half), n)


def difference_of(
    first: dict[str, float], second: dict[str, float], largest: float = math.inf
) -> tuple[Estimate, bool]:
    """Mean difference of two groups, the second less the first.

    Args:
        first: value of each person in one group; NaN where nothing is known.
        second: likewise in the other.
        largest: bound of the difference, to which the interval is cut.

    Returns:
        The estimate; and whether it is of pairs: where persons are in both groups, they alone are
        compared with themselves, else Welch's interval compares the groups.
    """
    first = {person: value for person, value in first.items() if not math.isnan(value)}
    second = {person: value for person, value in second.items() if not math.isnan(value)}
    both = [person for person in first if person in second]
    if both:
        pairs = np.array([second[person] - first[person] for person in both])
        return mean_of(pairs, -largest, largest), True
    a, b = np.array(list(first.values())), np.array(list(second.values()))
    n = len(a) + len(b)
    if not len(a) or not len(b):
        return Estimate(math.nan, math.nan, math.nan, n), False
    value = float(b.mean() - a.mean())
    if min(len(a), len(b)) < 2:
        return Estimate(value, math.nan, math.nan, n), False
    parts = [float(group.var(ddof=1)) / len(group) for group in (a, b)]
    error = math.sqrt(sum(parts))
    if error == 0.0:
        return Estimate(value, math.nan, math.nan, n), False
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    half = student_t(freedom) * error
    return Estimate(value, max(-largest, value - half), min(largest, value + half), n), False


def median_latency(latency_s: NDArray[np.float64], seen_s: NDArray[np.float64]) -> Estimate:
    """Time by which half of the persons had shown something.

    Args:
        latency_s: of each person until they did, (n,); NaN: never.
        seen_s: how long each was watched, (n,).

    Returns:
        NaN where fewer than half did, or where so many resamples had none that an end of the
        interval is not known.
    """
    n = len(latency_s)
    value = _kaplan_meier_median(latency_s, seen_s)
    known = latency_s[~np.isnan(latency_s)]
    if n < 2 or math.isnan(value) or (len(known) == n and known.min() == known.max()):
        return Estimate(value, math.nan, math.nan, n)
    generator = np.random.default_rng(_SEED)
    drawn = generator.integers(0, n, (N_RESAMPLES, n))
    medians = np.array([_kaplan_meier_median(latency_s[one], seen_s[one]) for one in drawn])
    ends = np.quantile(np.where(np.isnan(medians), np.inf, medians), (0.025, 0.975), method="lower")
    low, high = (float(end) if math.isfinite(end) else math.nan for end in ends)
    return Estimate(value, low, high, n)


def _kaplan_meier_median(latency_s: NDArray[np.float64], seen_s: NDArray[np.float64]) -> float:
    happened = ~np.isnan(latency_s)
    time_s = np.where(happened, latency_s, seen_s)
    # Whoever was watched until something happened was at risk when it did.
    order = np.lexsort((~happened, time_s))
    time_s, happened = time_s[order], happened[order]
    left = np.arange(len(time_s), 0, -1)
    survival = np.cumprod(1.0 - happened / left)
    (reached,) = np.nonzero(survival <= 0.5 + 1e-12)
    return float(time_s[reached[0]]) if len(reached) else math.nan


def student_t(freedom: float) -> float:
    """The 97.5 % point of Student's t: half the width of a 95 % interval in standard errors.

    Source: Hill, Algorithm 396, Communications of the ACM 13 (1970); good to 5 digits from 3
    degrees of freedom on, exact for 1 and 2.

    Raises:
        ValueError: fewer than one degree of freedom.
    """
    if freedom < 1.0:
        raise ValueError(f"expected at least 1 degree of freedom, got {freedom}")
    p = 0.05
    if freedom == 1.0:
        return 1.0 / math.tan(p * math.pi / 2)
    if freedom == 2.0:
        return math.sqrt(2.0 / (p * (2.0 - p)) - 2.0)
    a = 1.0 / (freedom - 0.5)
    b = 48.0 / a**2
    c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36
    d = ((94.5 / (b + c) - 3.0) / b + 1.0) * math.sqrt(a * math.pi / 2) * freedom
    x = d * p
    y = x ** (2.0 / freedom)
    if y > 0.05 + a:
        x = -1.959963984540054
        y = x * x
        if freedom < 5:
            c += 0.3 * (freedom - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x
        y = math.expm1(a * y * y)
    else:
        y = (
            (
                1.0
                / (((freedom + 6.0) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2.0) * 3.0)
                + 0.5 / (freedom + 4.0)
            )
            * y
            - 1.0
        ) * (freedom + 1.0) / (freedom + 2.0) + 1.0 / y
    return math.sqrt(freedom * y)
