"""purrtrait: photos of faces in, a trained generator of new faces out.

The names below load what they need when they are first used, so that ``import purrtrait`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from purrtrait.version import VERSION

if TYPE_CHECKING:
    from purrtrait.face import Model, evaluate, film, load, prepare, resume, sample, train

__version__ = VERSION

__all__ = [
    "Model",
    "__version__",
    "evaluate",
    "film",
    "load",
    "prepare",
    "resume",
    "sample",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("purrtrait.face"), name)
    raise AttributeError(f"purrtrait has no '{name}'; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
