"""The program: runs the command line and turns errors into messages and exit codes."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

import click

from purrtrait import cli
from purrtrait.lines import show_log

BAD_INPUT = 2
FAILED = 1


def main() -> None:
    """Run ``purrtrait``: 0 all is well, 2 bad input, 1 failed, 128 + n stopped by signal n."""
    if hasattr(signal, "SIGUSR1"):
        # What an arena hands on (machine.HANDED_ON) is a Ctrl-C, wherever a training is by then.
        signal.signal(signal.SIGUSR1, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of a command line."""
    show_log()
    try:
        code = cli.main.main(arguments, prog_name="purrtrait", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):  # click makes the one of the other
        return _say("stopped at once", 130)
    except ValueError as error:
        return _say(str(error), BAD_INPUT)
    except MemoryError:
        return _say("not enough memory; a smaller batch, width or size needs less", FAILED)
    except (OSError, RuntimeError) as error:
        return _say(f"{type(error).__name__}: {error}", FAILED)
    except SystemExit as leave:
        return int(leave.code or 0)
    return code if isinstance(code, int) else 0


def _say(words: str, code: int) -> int:
    with suppress(OSError):  # the terminal may be gone
        click.echo(f"purrtrait: {words}", err=True)
    return code


if __name__ == "__main__":
    main()
