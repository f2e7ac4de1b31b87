"""The tables of schedules and optimisers."""

from purrtrait.training.optimisers import OPTIMISERS
from purrtrait.training.schedule import SCHEDULES

__all__ = ["OPTIMISERS", "SCHEDULES"]
