"""Affine transforms of points: a point p goes to matrix[:, :2] @ p + matrix[:, 2]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

# x and y in pixels from the upper left corner of the photo; the middle of its first pixel is at
# (0.5, 0.5), so that scaling a photo scales its points.
Point: TypeAlias = tuple[float, float]
Matrix: TypeAlias = np.ndarray  # (2, 3) float64


def scaling(factor: float) -> Matrix:
    """Make everything larger by ``factor``, away from the upper left corner."""
    return np.array([[factor, 0.0, 0.0], [0.0, factor, 0.0]])


def shift(right: float, down: float) -> Matrix:
    """Move everything by so many pixels."""
    return np.array([[1.0, 0.0, right], [0.0, 1.0, down]])


def composed(second: Matrix, first: Matrix) -> Matrix:
    """Do ``first``, then ``second``."""
    together: Matrix = second[:, :2] @ first
    together[:, 2] += second[:, 2]
    return together


def inverted(matrix: Matrix) -> Matrix:
    """Undo ``matrix``."""
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])


def moved(matrix: Matrix, points: Sequence[Point] | np.ndarray) -> np.ndarray:
    """Points (N, 2), in a list or an array, where ``matrix`` takes them: (N, 2)."""
    places = np.asarray(points, dtype=np.float64).reshape(-1, 2)  # an empty list has no width
    there: np.ndarray = places @ matrix[:, :2].T + matrix[:, 2]
    return there
