"""Keeps what was computed of a tensor for as long as that tensor lives."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

Rest = ParamSpec("Rest")
Found = TypeVar("Found")


def remembered(
    compute: Callable[Concatenate[Tensor, Rest], Found],
) -> Callable[Concatenate[Tensor, Rest], Found]:
    """The same function, which answers from memory when it is asked again about the same tensor.

    An uncertainty compares the same reals with many sets of samples: what the reals say by
    themselves is then computed once. A tensor that was changed in place counts as another one.
    Nobody may change an answer in place.
    """
    kept = WeakTensorKeyDictionary()

    @wraps(compute)
    def asked(features: Tensor, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Found:
        key = (args, tuple(kwargs.items()))
        version, answers = kept.get(features, (-1, {}))
        if version != features._version:
            answers = {}
            kept[features] = (features._version, answers)
        if key not in answers:
            answers[key] = compute(features, *args, **kwargs)
        answer: Found = answers[key]
        return answer

    return asked
