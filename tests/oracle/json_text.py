"""JSON as K3 wants it: RFC 8259 to the letter, no key twice in any object, at most 128 levels."""

import json
import re

MAX_DEPTH = 128
MAX_DIGITS = 40

STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Malformed(ValueError):
    """The text is no JSON that counts."""


class HugeNumber:
    """A number written as an integer that no integer type holds: well-formed, but of no field's type."""


def parse(text: str):
    """The value of a JSON text; `Malformed` if it is none."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise Malformed("nested too deeply")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if SURROGATE.search(text):
        _refuse_lone_surrogates(value)
    return value


def is_whole(text: str) -> bool:
    """Whether a text is one JSON value from beginning to end, whatever its keys and characters (K47)."""
    if _depth(text) > MAX_DEPTH:
        return False
    try:
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _object(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("a key twice in one object")
    return value


def _no_constant(name):
    raise Malformed(f"{name} is not JSON")


def _integer(digits: str):
    return int(digits) if len(digits) <= MAX_DIGITS else HugeNumber()


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in STRING.sub("", text):
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _refuse_lone_surrogates(value) -> None:
    """Half a character cannot be UTF-8, so a text that escapes one is not a text."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError:
                raise Malformed("a lone surrogate in a string") from None
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
