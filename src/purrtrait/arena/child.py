"""Runs one training of an arena in a process of its own, and hands stop signals on to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TypeAlias

from purrtrait import machine

Command: TypeAlias = Callable[[Sequence[str]], int]  # words of the command line -> exit code

STOPPED = 128  # exit code of a process that a signal ended, plus the signal's number


class Stopped(Exception):  # noqa: N818 - it is said of an arena, not of the program
    """A signal came: the arena is to be left, and gone on with later."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def purrtrait(words: Sequence[str]) -> int:
    """The exit code of ``purrtrait WORDS`` in a new process; its stdout is nobody's.

    Raises Stopped when a signal came meanwhile, here or only there, once the process has left.
    """
    heard: list[int] = []
    children: list[subprocess.Popen[bytes]] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        for child in children:
            child.send_signal(_handed_on(heard))

    with machine.heard(hand_on):
        # In a group of its own, or Ctrl-C in a terminal would reach it twice, which means: at once.
        child = subprocess.Popen(
            [sys.executable, "-m", "purrtrait", *words],
            stdout=subprocess.DEVNULL,
            process_group=0 if os.name == "posix" else None,
        )
        children.append(child)
        if heard:  # too early to be handed on
            child.send_signal(_handed_on(heard))
        code = child.wait()
    stopped = [*heard, *(number for number in machine.STOPS if code in (STOPPED + number, -number))]
    if stopped:
        raise Stopped(stopped[0])
    return code


def _handed_on(heard: Sequence[int]) -> int:
    """What a training is sent: it may have heard the first signal itself, as of all processes."""
    first = machine.HANDED_ON if len(heard) == 1 else None
    return first or heard[-1]
