import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlkit.errors import ConfigurationError
from dmlkit.features.conditions import Condition


def test_columns_are_those_that_are_read_once_each():
    condition = Condition.parse("b > 1 and `the a` == c or not b < 2 or d is None or e in [1] or f")
    assert condition.columns == ["b", "the a", "c", "d", "e", "f"]


def test_any_name_can_stand_in_backticks():
    condition = Condition.parse('`card type` == "a`b" and "`" != `größe` and `__class__` == 1')
    assert condition.columns == ["card type", "größe", "__class__"]
    assert condition.holds({"card type": "a`b", "größe": "", "__class__": 1})


def test_a_condition_may_go_on_on_the_next_line():
    condition = Condition.parse("\n  a > 1\n  and a < 3\r\n")
    assert condition.mask({"a": np.array([1, 2, 3])}).tolist() == [False, True, False]


def test_a_condition_is_its_text_and_can_be_sent_to_workers():
    condition = Condition.parse("a > 1")
    assert condition == Condition.parse(" a > 1 ") == pickle.loads(pickle.dumps(condition))
    assert condition.text == "a > 1"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("amount.real > 1", r"an attribute .* at position 1 \(amount.real\)"),
        ("a > 1 and f(3)", r"a call .* at position 11 \(f\(3\)\)"),
        ("a == f(3)", r"a call .* at position 6"),
        ("`é é`[0] == 1", r"a subscript .* at position 1 "),
        ("'é' == a and `ü`.b == 1", r"an attribute .* at position 14 \(`ü`.b\)"),
        ("a > 1 & b > 2", r"write and, or.* at position 5 \(1 & b\)"),
        ("a + 1 > 2", "nothing is computed"),
        ("a = 1", r"at position 3 \(=\).*=="),
        ("(a := 1) > 1", "nothing is assigned"),
        ("a == f'{b}'", "an f-string"),
        ("[x for x in a] == 1", "name of a column|number, text"),
        ("(lambda: 1) == a", "number, text"),
        ("(a > 1) == True", "number, text"),
        ("a if b else c", "a comparison is needed"),
        ("__import__ == 1", "two underscores"),
        ("1 < 2", "name of a column"),
        ("True", "a comparison is needed"),
        ("a == b'x'", "number, text"),
        ("a == 1j", "number, text"),
        ("a == ...", "number, text"),
        ("a == -True", "number, text"),
        ("a == -'x'", "number, text"),
        ("a is True", r"write =="),
        ("a < None", "write 'is None'"),
        ("a in [None]", "write 'is None'"),
        ("a in b", r"a list is needed"),
        ("a in 'text'", "a list is needed"),
        (f"a == {2**65}", "64 bits"),
        ("a > 1 # large", r"read: a comment has no place in it, at position 7\."),
        ("`a`b > 1", r"backticks as a whole, at position 1 \(`a`b\)"),
        ("1 < b`a`", r"backticks as a whole, at position 5"),
        ("`a``b`", r"backticks as a whole"),
        ("a > 'x\ny'", "on its line"),
        ("`a > 1", "at position 1"),
        ("a >", "at position 4"),
        ("a > 1; b", "at position 6"),
        ("a > 1 AND b > 2", r"at position 7 \(AND\).*and, or, not join"),
        ("", "write a text such as"),
        ("a > 1 \x00", "can't be read"),
        ("a == '\ud800'", "can't be read"),
        ("not " * 10_000 + "a", "nested|parts within parts|recursion"),
        ("(" * 300 + "a" + ")" * 300, "parentheses"),
        (" and ".join(["(a or not "] * 60) + "b" + ")" * 60, "can't be read"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_place(text, why):
    with pytest.raises(ConfigurationError, match=why):
        Condition.parse(text)


@pytest.mark.parametrize("text", [None, 3, True, ["a > 1"]])
def test_what_is_no_text_is_no_condition(text):
    with pytest.raises(ConfigurationError, match="write a text such as"):
        Condition.parse(text)


@given(st.text(alphabet="ab`'\"#é\n ()[]<>=!.,:_0-5\\", max_size=30))
def test_any_text_is_a_condition_or_is_refused_with_a_sentence(text):
    try:
        condition = Condition.parse(text)
    except ConfigurationError as error:
        assert repr(text.strip()) in str(error) or repr(text) in str(error)
    else:
        assert condition.columns
