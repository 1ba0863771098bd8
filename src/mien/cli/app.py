"""The command ``mien``: registers the commands and turns errors into exit codes.

0: done; 1: the work failed, with one line on stderr; 2: wrong usage; 130: Ctrl-C.
"""

import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from mien import __version__
from mien.cli.audit import audit
from mien.cli.evaluate import evaluate
from mien.cli.export import export
from mien.cli.fetch import fetch
from mien.cli.models import models
from mien.cli.recognize import recognize
from mien.cli.train import train
from mien.errors import MienError

COMMANDS: tuple[Callable[..., None], ...] = (
    recognize,
    train,
    evaluate,
    export,
    audit,
    fetch,
    models,
)
"""Every command, in the order of the help; a command is called as its function."""

app = typer.Typer(
    name="mien",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mien {__version__}")
        raise typer.Exit


@app.callback()
def mien(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Recognise the expressions that faces show, and train and prove networks that do."""


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """A command that ends with one line on stderr where it fails."""

    @functools.wraps(command)
    def run(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
            sys.stdout.flush()
        except MienError as error:
            _fail(str(error))
        except BrokenPipeError:
            # Nobody reads any more; without this, Python complains again as it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _fail("the output was closed before everything was written")
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            _fail(f"{error.strerror or error}{where}")
        except MemoryError:
            _fail("out of memory; use smaller pictures or batches")
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return run


def _fail(message: str) -> NoReturn:
    print("mien:", " ".join(message.splitlines()), file=sys.stderr)
    raise typer.Exit(1)


for _command in COMMANDS:
    app.command(_command.__name__)(_guarded(_command))


def main() -> None:
    """Entry point of the command."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid text, and pipes not UTF-8.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
