"""Learning from a table in as few passes as can be: what is asked for together is learnt together.

A transformer asks for statistics by yielding them; what it yields next may depend on what it got.
Each round of questions, of all transformers together, is one pass over the table.
"""

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import dask
import dask.dataframe as dd
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.graph import add_up, for_each, partitions_of
from dmlkit.preprocessing.statistics import GROUPS, TARGET, Statistic

__all__ = ["Learning", "Question", "Training", "ask", "learn", "side_by_side"]


class Training(Protocol):
    """What turns a part of a table that is being trained on."""

    def apply_training(self, part: pd.DataFrame) -> pd.DataFrame:
        """Return the part transformed, out of fold where that matters."""
        ...


class Question(NamedTuple):
    """A statistic of the table after some steps."""

    statistic: Statistic
    steps: tuple[Training, ...] = ()


#: Yields questions, and gets their answers.
Learning = Generator[list[Question], list[Any], None]


def ask(*statistics: Statistic) -> Generator[list[Question], list[Any], list[Any]]:
    """Ask for statistics of the table as it is, in one round; for ``yield from``.

    Returns
    -------
    list
        The answers.
    """
    answers = yield [Question(statistic) for statistic in statistics]
    return answers


def learn(
    learning: Learning, X: Any, y: Any = None, groups: Any = None, *, name: str = "table"
) -> list[str]:
    """Answer all questions, with one pass over the table for each round of them.

    Parameters
    ----------
    learning : generator
    X : dask or pandas DataFrame
    y, groups : Series like X, optional
    name : str
        Of the table, for messages.

    Returns
    -------
    list of str
        What was learnt in each pass.

    Raises
    ------
    InputError
        The table has no rows.
    """
    parts = _parts(X, y, groups)
    passes = []
    try:
        questions = next(learning)
        while True:
            passes.append(_explain(questions))
            answers = _answer(parts, list(dict.fromkeys(questions)), name)
            questions = learning.send([answers[question] for question in questions])
    except StopIteration:
        return [told for told in passes if told]


def side_by_side(learnings: Sequence[Learning]) -> Learning:
    """Let several learn at once: their questions of a round are asked together."""
    waiting: dict[Learning, list[Question]] = {}
    for learning in learnings:
        _advance(waiting, learning, None)
    while waiting:
        asked = list(waiting.items())
        answers = iter((yield [question for _, some in asked for question in some]))
        waiting = {}
        for learning, questions in asked:
            _advance(waiting, learning, [next(answers) for _ in questions])


def _advance(waiting: dict[Learning, list[Question]], learning: Learning, answers: Any) -> None:
    try:
        waiting[learning] = next(learning) if answers is None else learning.send(answers)
    except StopIteration:
        return


def _parts(X: Any, y: Any, groups: Any) -> list[Any]:
    """Return the parts of a table with labels and groups beside the columns, lazily if X is."""
    beside = {TARGET: y, GROUPS: groups}
    given = {name: column for name, column in beside.items() if column is not None}
    if isinstance(X, pd.DataFrame):
        return [_beside(X, *given.values(), names=tuple(given))]
    for name, column in given.items():
        if not isinstance(column, dd.Series) or column.npartitions != X.npartitions:
            raise InputError(
                f"{name.strip('_')} must be a dask Series partitioned like the table. Take both "
                "from one dask frame."
            )
    parts = [partitions_of(column) for column in given.values()]
    return list(for_each(partial(_beside, names=tuple(given)), partitions_of(X), *parts))


def _beside(part: pd.DataFrame, *columns: Any, names: Sequence[str]) -> pd.DataFrame:
    for name, column in zip(names, columns, strict=True):
        if len(column) != len(part):
            raise InputError(
                f"{name.strip('_')} has {len(column):,} rows beside {len(part):,} of the table. "
                "Take both from one frame."
            )
        values = column.array if isinstance(column, pd.Series) else column
        part = part.assign(**{name: values})
    return part


def _answer(parts: list[Any], questions: list[Question], name: str) -> dict[Question, Any]:
    if not questions:
        return {}
    if isinstance(parts[0], pd.DataFrame):
        states = [_look(part, questions=questions) for part in parts]
        return _answers(questions, _add(states, questions=questions), name)
    states = for_each(partial(_look, questions=questions), parts)
    total = add_up(states, partial(_add, questions=questions))
    # `_add` also tells what is wrong with a single part.
    return _answers(questions, dask.compute(total)[0], name)


def _answers(questions: list[Question], total: list[Any], name: str) -> dict[Question, Any]:
    rows, *answers = total
    if not rows:
        raise InputError(f"The {name} has no rows to learn from. Look at the filters before it.")
    return dict(zip(questions, answers, strict=True))


def _look(part: pd.DataFrame, questions: Sequence[Question]) -> list[Any]:
    """Count the rows of one part and answer questions; steps that several share are taken once."""
    views: dict[tuple[int, ...], pd.DataFrame] = {(): part}
    answers = (question.statistic.of(_view(views, question.steps)) for question in questions)
    return [len(part), *answers]


def _view(views: dict[tuple[int, ...], pd.DataFrame], steps: tuple[Training, ...]) -> pd.DataFrame:
    key = tuple(map(id, steps))
    if key not in views:
        before = _view(views, steps[:-1])
        beside = [name for name in (TARGET, GROUPS) if name in before.columns]
        after = steps[-1].apply_training(before)
        views[key] = after.assign(**{name: before[name].array for name in beside})
    return views[key]


def _add(states: list[list[Any]], questions: Sequence[Question]) -> list[Any]:
    rows, *each = zip(*states, strict=True)
    added = (
        question.statistic.add(list(several))
        for question, several in zip(questions, each, strict=True)
    )
    return [sum(rows), *added]


def _explain(questions: Sequence[Question]) -> str:
    return "; ".join(_told(questions))


def _told(questions: Sequence[Question]) -> Iterator[str]:
    """Tell of questions of one kind together: where only the column differs, name all columns."""
    columns: dict[str, list[str]] = {}
    for question in dict.fromkeys(questions):
        words = question.statistic.explain().removesuffix(question.statistic.column)
        columns.setdefault(words, []).append(question.statistic.column)
    for words, names in columns.items():
        yield words + ", ".join(dict.fromkeys(names))
