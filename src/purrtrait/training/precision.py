"""In which precision players compute: float32 throughout, or bfloat16 within their own passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from purrtrait.words import lookup

# What objectives call on players: critics have features too, and some generators a mixture.
PASSES = ("forward", "features", "mixture")

Precision: TypeAlias = Callable[[Iterable[nn.Module], torch.device], AbstractContextManager[None]]


def full(players: Iterable[nn.Module], device: torch.device) -> AbstractContextManager[None]:
    """Players compute in float32, as everything else does."""
    return nullcontext()


@contextmanager
def mixed(players: Iterable[nn.Module], device: torch.device) -> Iterator[None]:
    """Meanwhile the players' own passes compute in bfloat16, and give back float32.

    (Micikevicius et al. 2018, "Mixed precision training"; Kalamkar et al. 2019, "A study of
    BFLOAT16 for deep learning training".) Weights stay float32: convolutions and matrix products
    round what they take. Games, penalties, likelihoods, optimisers and averages never meet
    bfloat16. It has 8 bits of precision but the range of float32, so that small gradients do not
    become 0 and losses need no scaling.

    Each pass is a context of torch.autocast by itself, since that keeps rounded weights until its
    context ends. Those of a pass without gradients must not serve one with gradients: the weights
    would get none.
    """
    with ExitStack() as stack:
        for player in players:
            for name in _passes(player):
                setattr(player, name, _rounded(getattr(player, name), device.type))
                stack.callback(delattr, player, name)
        yield


PRECISIONS: dict[str, Precision] = {"full": full, "mixed": mixed}


def chosen(asked: str, device: torch.device) -> str:
    """The name of the precision that is asked for; ValueError for a name that is none.

    ``auto`` is mixed on CUDA devices that compute in bfloat16, and full elsewhere.
    """
    return lookup(CHOICES, "precision", asked)(device)


def expect_sound(name: str, device: torch.device) -> None:
    """ValueError where a precision gets the gradient of a penalty wrong on a device."""
    if name == "mixed" and not convolves(device):
        raise ValueError(
            "in bfloat16 this processor's convolutions with large kernels are wrong (oneDNN with "
            f"AMX, torch {torch.__version__}), and with them what a penalty teaches the critic. "
            "Expected --precision full, or --set penalty=none"
        )


def convolves(device: torch.device) -> bool:
    """Whether a padded convolution with a kernel as wide as the picture comes out right.

    No network has one; but the gradient of a penalty by the weights of a convolution of stride 1
    is computed as one.
    """
    maps, kernels = (torch.ones(count, 8, 16, 16, device=device) for count in (3, 16))
    exact = conv2d(maps, kernels, padding=1)
    rounded = conv2d(maps.bfloat16(), kernels.bfloat16(), padding=1)
    return torch.allclose(rounded.float(), exact, rtol=0.01)


def _fitting(device: torch.device) -> str:
    # Older cards only emulate it, slowly.
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "mixed" if fast else "full"


CHOICES: dict[str, Callable[[torch.device], str]] = {
    "auto": _fitting,
    "full": lambda device: "full",
    "mixed": lambda device: "mixed",
}


def _passes(player: nn.Module) -> Sequence[str]:
    """Which of a player's methods objectives call."""
    return [name for name in PASSES if hasattr(type(player), name)]


def _rounded(compute: Callable[..., Any], kind: str) -> Callable[..., Any]:
    def computed(*given: Tensor | None) -> Any:
        with torch.autocast(kind, dtype=torch.bfloat16):
            found = compute(*given)
        return _exact(found)

    return computed


def _exact(found: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    """What a pass found, in float32."""
    match found:
        case Tensor():
            return found.float()
        case _:
            parts = [each.float() for each in found]
            return getattr(type(found), "_make", tuple)(parts)  # a named tuple stays one
