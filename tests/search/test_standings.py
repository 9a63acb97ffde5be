"""Who goes on at a rung does not depend on who arrives first, and nobody waits without need."""

import random
from itertools import pairwise

import pytest

from dmlkit.search.standings import Standings

FACTOR = 3


def best_at_each_rung(scores: dict[int, list[float]], rungs: int) -> list[set[int]]:
    """Who is trained up to each rung and to the end: the best third of those at the one before."""
    reached = [set(scores)]
    for rung in range(rungs):
        ranked = sorted(reached[-1], key=lambda number: (-scores[number][rung], number))
        reached.append(set(ranked[: max(1, len(ranked) // FACTOR)]))
    return reached


def run(scores: dict[int, list[float]], rungs: int, slots: int, seed: int) -> list[set[int]]:
    """Train in an order drawn by chance; return the same as `best_at_each_rung`."""
    chance = random.Random(seed)
    standings = Standings(rungs, FACTOR, higher_is_better=True)
    new, under_way, given_up = sorted(scores), [], []
    reached: list[set[int]] = [set() for _ in range(rungs + 1)]
    while True:
        given_up += standings.given_up(len(new))
        while len(under_way) < slots:
            further = standings.going_on(len(new))
            if further is None and not new:
                break
            number, rung = (new.pop(), 0) if further is None else (further[0], further[1] + 1)
            standings.begin(rung)
            under_way.append((number, rung))
        if not under_way:
            break
        number, rung = under_way.pop(chance.randrange(len(under_way)))
        reached[rung].add(number)
        if rung == rungs:
            standings.leave(rung)
        else:
            standings.arrive(number, rung, scores[number][rung])
    assert len(given_up) == len({*given_up}) == len(scores) - len(reached[-1])
    return reached


@pytest.mark.parametrize("slots", [1, 2, 7, 40])
@pytest.mark.parametrize("trials", [1, 2, 9, 30])
def test_the_best_third_goes_on_in_whichever_order_trials_arrive(trials, slots) -> None:
    for seed in range(5):
        draw = random.Random(seed)
        scores = {number: [draw.choice([0.1, 0.2, draw.random()])] * 2 for number in range(trials)}
        expected = best_at_each_rung(scores, rungs=2)
        assert run(scores, 2, slots, seed) == expected
        assert all(after <= before for before, after in pairwise(expected))


def test_one_that_is_among_the_best_for_sure_does_not_wait_for_the_last() -> None:
    standings = Standings(1, FACTOR, higher_is_better=False)
    for _ in range(9):
        standings.begin(0)
    for number in range(8):
        standings.arrive(number, 0, score=float(number))
    assert standings.going_on(to_begin=0) == (0, 0)  # the ninth takes one of three places at most
    assert standings.going_on(to_begin=0) is None
    assert standings.given_up(to_begin=0) == [3, 4, 5, 6, 7]
    standings.leave(0)  # it failed: of eight, two go on
    assert standings.going_on(to_begin=0) == (1, 0)
    assert standings.given_up(to_begin=0) == [2]


def test_one_of_a_search_before_keeps_its_place_and_stays_where_it_was() -> None:
    standings = Standings(2, FACTOR, higher_is_better=True)
    for number in range(6):
        standings.recall(number, 0, score=-number, settled=number < 2)
    standings.recall(0, 1, score=0.9, settled=True)
    standings.recall(1, 1, score=0.8, settled=False)
    assert sorted(standings.given_up(to_begin=0)) == [1, 2, 3, 4, 5]
    assert standings.going_on(to_begin=0) is None
