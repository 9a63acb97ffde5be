"""Reads the text of a condition into its parts, and refuses all that is none.

Python reads the text into a tree (`ast`), of which nothing is ever run: only the nodes that are
named here get past.
"""

import ast
import re
from dataclasses import dataclass

from dmlkit.errors import ConfigurationError
from dmlkit.features.comparable import Constant
from dmlkit.features.comparisons import (
    Among,
    Comparison,
    IsMissing,
    IsTrue,
    Joined,
    Name,
    Not,
    Part,
)

__all__ = ["read_condition"]

SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
#: What says the same when both sides change places.
TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

#: What people write, what Python makes of it, and what to write instead.
REFUSED: dict[type[ast.AST], str] = {
    ast.Attribute: "an attribute has no place in it",
    ast.Call: "a call has no place in it",
    ast.Subscript: "a subscript has no place in it",
    ast.BinOp: "nothing is computed in it (for & and | write and, or)",
    ast.JoinedStr: "an f-string has no place in it",
    ast.NamedExpr: "nothing is assigned in it (write == for equality)",
}

#: Parts within parts; evaluation goes down as deep.
MOST_NESTED = 50
#: Larger whole numbers are in no column.
MOST_BITS = 64

QUOTED = re.compile("`[^`\n]+`")
TOKEN = re.compile(
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')  # a text
    | (`[^`\n]+`)  # a name
    | (\#)
    | (\s)
    """,
    re.DOTALL | re.VERBOSE,
)


def read_condition(text: str) -> Part:
    """Read the text of a condition.

    Raises
    ------
    ConfigurationError
        It is none; tells where, and why.

    Examples
    --------
    >>> read_condition("5 >= `the amount`")
    Comparison(column='the amount', sign='<=', other=5)
    """
    return _Reader(text).read()


@dataclass(frozen=True)
class _Reader:
    text: str

    def read(self) -> Part:
        python = TOKEN.sub(self._as_python, self.text)
        try:
            tree = ast.parse(python, mode="eval")
        except SyntaxError as error:
            # Python counts the end of a text as place 0.
            before = python[: error.offset - 1] if error.offset else python
            place = self._place(len(_bytes(before)))
            word = "".join(self.text[place:].split()[:1])
            raise self._refusal_at(place, error.msg, f" ({word})" if word else "") from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise self._refusal_at(0, str(error) or "it is nested too deeply") from None
        return self._condition(tree.body, MOST_NESTED)

    def _as_python(self, token: re.Match[str]) -> str:
        """Write a token as Python knows it, as many bytes long, which is how `ast` counts."""
        literal, name, comment, space = token.groups()
        if comment:
            raise self._refusal_at(token.start(), "a comment has no place in it")
        if literal and "\n" in literal:
            raise self._refusal_at(token.start(), "a text must end on its line")
        if literal:
            return literal
        return "_" * len(_bytes(name)) if name else " " * len(_bytes(space))

    def _condition(self, node: ast.expr, depth: int) -> Part:
        if not depth:
            raise self._refusal(node, f"there are more than {MOST_NESTED} parts within parts")
        if isinstance(node, ast.BoolOp):
            parts = tuple(self._condition(value, depth - 1) for value in node.values)
            return Joined(parts, all_of_them=isinstance(node.op, ast.And))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self._condition(node.operand, depth - 1))
        if isinstance(node, ast.Compare):
            return self._comparisons(node)
        if isinstance(node, ast.Name):
            return IsTrue(self._name(node))
        raise self._refusal(node, "here a comparison is needed")

    def _comparisons(self, node: ast.Compare) -> Part:
        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        parts = tuple(self._comparison(left, sign, right) for left, sign, right in pairs)
        return parts[0] if len(parts) == 1 else Joined(parts, all_of_them=True)

    def _comparison(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Part:
        if isinstance(sign, ast.In | ast.NotIn):
            return self._among(left, right, wanted=isinstance(sign, ast.In))
        if _is_none(left) or _is_none(right):
            return self._is_missing(left, sign, right)
        if type(sign) not in SIGNS:
            raise self._refusal(right, "'is' goes with None only (write ==)")
        written = SIGNS[type(sign)]
        if not isinstance(left, ast.Name):
            constant = self._constant(left)
            return Comparison(self._name(right), TURNED[written], constant)
        named = isinstance(right, ast.Name)
        return Comparison(
            self._name(left), written, Name(self._name(right)) if named else self._constant(right)
        )

    def _among(self, left: ast.expr, right: ast.expr, wanted: bool) -> Part:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise self._refusal(right, 'here a list is needed, such as ["web", "app"]')
        constants = tuple(self._constant(element) for element in right.elts)
        return Among(self._name(left), constants, wanted)

    def _is_missing(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Part:
        if not isinstance(sign, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
            raise self._refusal(right, "None is neither less nor more (write 'is None')")
        name = self._name(right if _is_none(left) else left)
        return IsMissing(name, wanted=isinstance(sign, ast.Eq | ast.Is))

    def _name(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Name):
            raise self._refusal(node, "here the name of a column is needed")
        written = self._source(node)
        if QUOTED.fullmatch(written):
            return written.strip("`")
        if "`" in written:
            raise self._refusal(node, "a name is in backticks as a whole")
        if written.startswith("__"):
            raise self._refusal(node, "names that begin with two underscores need backticks")
        return written

    def _constant(self, node: ast.expr) -> Constant:
        """Return a number, text or truth value."""
        minus = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        value = node.operand if isinstance(node, ast.UnaryOp) and minus else node
        constant = value.value if isinstance(value, ast.Constant) else ...
        if constant is None:
            raise self._refusal(node, "None can't stand here (write 'is None')")
        if isinstance(constant, str | bool) and not minus:
            return constant
        if isinstance(constant, int) and constant.bit_length() > MOST_BITS:
            raise self._refusal(node, f"whole numbers have at most {MOST_BITS} bits")
        if isinstance(constant, int | float) and not isinstance(constant, bool):
            return -constant if minus else constant
        raise self._refusal(node, "here a number, text, True or False is needed")

    def _source(self, node: ast.expr) -> str:
        source = _bytes(self.text)[node.col_offset : node.end_col_offset]
        return source.decode("utf-8", "surrogatepass")

    def _place(self, offset: int) -> int:
        return len(_bytes(self.text)[:offset].decode("utf-8", "surrogatepass"))

    def _refusal(self, node: ast.expr, why: str) -> ConfigurationError:
        why = REFUSED.get(type(node), why)
        return self._refusal_at(self._place(node.col_offset), why, f" ({self._source(node)})")

    def _refusal_at(self, place: int, why: str, what: str = "") -> ConfigurationError:
        return ConfigurationError(
            f"The condition {self.text!r} can't be read: {why}, at position {place + 1}{what}. "
            "A condition compares columns (==, !=, <, <=, >, >=, in, is None) with numbers, text, "
            "True, False and each other; and, or, not join comparisons."
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
