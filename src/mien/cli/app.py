"""The command ``mien``: registers the commands and turns errors into exit codes.

0: done; 1: the work failed, with one line on stderr; 2: wrong usage; 130: Ctrl-C; 143: SIGTERM.
"""

import errno
import functools
import os
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from mien import __version__
from mien.cli.audit import audit
from mien.cli.calibrate import calibrate
from mien.cli.card import card
from mien.cli.compare import compare
from mien.cli.console import Terminated, warn
from mien.cli.ensemble import ensemble
from mien.cli.evaluate import evaluate
from mien.cli.explain import explain
from mien.cli.export import export
from mien.cli.fetch import fetch
from mien.cli.groups import groups
from mien.cli.live import live
from mien.cli.models import models
from mien.cli.notice import notice
from mien.cli.recognize import recognize
from mien.cli.serve import serve
from mien.cli.stress import stress
from mien.cli.summarize import summarize
from mien.cli.train import train
from mien.errors import MienError
from mien.spelling import did_you_mean

_UsageError: Any = typer.BadParameter.__base__
"""Typer's own, or that of a Click beside it, as the version has it."""

COMMANDS: tuple[Callable[..., None], ...] = (
    recognize,
    live,
    serve,
    train,
    evaluate,
    compare,
    groups,
    stress,
    explain,
    calibrate,
    export,
    ensemble,
    audit,
    summarize,
    fetch,
    models,
    card,
    notice,
)
"""Every command, in the order of the help; a command is called as its function."""

_WHOLE = (evaluate, compare, groups, stress, explain, calibrate, export, ensemble, audit, summarize)
"""Commands that write all of their result at the end, or nothing."""


_BAD_VALUES = (
    (r"Input should be a valid integer.*|.* is not a valid integer\.?", "it takes a whole number"),
    (r"Input should be a valid number.*|.* is not a valid float\.?", "it takes a number"),
    (r"Input should be greater than or equal to (\S+)", r"it takes a number of at least \1"),
    (r"Input should be less than or equal to (\S+)", r"it takes a number of at most \1"),
    (r"Value error, (.*?)\.?", r"\1"),
)
"""What libraries say of values, as patterns, and what is said in their place."""


class _Commands(TyperGroup):
    """All commands; a name that is none is answered as an option that is none."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is named first."""
        try:
            return super().resolve_command(ctx, args)
        except _UsageError as error:
            near = did_you_mean(args[0], self.list_commands(ctx))
            error.message = f"no such command: {args[0]}" + (f"; {near}" if near else "")
            raise


class _Command(TyperCommand):
    """A command whose help is plain: names without braces, arguments without Python's types.

    An option that it does not have is answered with the nearest that it has.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words after the command's name."""
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            if hasattr(error, "possibilities"):  # of an option that there is none
                error.possibilities = None
                error.message = self._no_option(error.option_name)
            error.message = _in_words(error.message, getattr(error, "param", None))
            raise

    def _no_option(self, name: str) -> str:
        known = [option for parameter in self.params for option in parameter.opts]
        known = [option for option in known if option.startswith("--")]
        near = did_you_mean(name, known)
        words = f"no such option: {name}" + (f"; {near}" if near else "")
        if "--set" not in known:
            return words
        field = "FIELD" if near else name.lstrip("-").replace("-", "_")
        return f"{words}{'' if near else ';'} other fields of a recipe: --set {field}=VALUE"

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the line of usage."""
        return [re.sub(r"[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, whole, for the list of commands; it is wrapped there."""
        return (self.help or "").split("\n\n")[0].replace("\n", " ")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options."""
        for kind in ("argument", "option"):
            records = [
                record
                for parameter in self.get_params(ctx)
                if parameter.param_type_name == kind and (record := parameter.get_help_record(ctx))
            ]
            if kind == "argument":
                records = [(name.split(" <")[0], text) for name, text in records]
            if records:
                with formatter.section(f"{kind.title()}s"):
                    formatter.write_dl(records)


def _in_words(message: str, parameter: Any) -> str:
    least, most = (getattr(parameter, end, None) for end in ("min", "max"))
    if message.startswith(("Input should be g", "Input should be l")) and None not in (least, most):
        return f"it takes a number from {least:g} to {most:.10g}"
    for pattern, words in _BAD_VALUES:
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return found.expand(words)
    return message


app = typer.Typer(
    name="mien",
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
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
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Recognise the expressions that faces show, and train and measure networks that do."""


def _full_place() -> str:
    """What a disk was full for, where the error does not say it: stdout, if that is a file and
    not a line more can be written, or else a library's temporary files."""
    import stat
    import tempfile

    try:
        kind = os.fstat(sys.stdout.fileno()).st_mode
        if stat.S_ISREG(kind) or (stat.S_ISCHR(kind) and not sys.stdout.isatty()):
            os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        return "stdout"

    return f"{tempfile.gettempdir()}, for temporary files; free some space, or set TMPDIR"


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
            raise typer.Exit(1) from None  # no fault of ours that needs words
        except OSError as error:
            # Only writing fills a disk, and files explain that themselves.
            full = error.errno in (errno.ENOSPC, errno.EDQUOT) and not error.filename
            before = f"cannot write to {_full_place()}: " if full else ""
            after = f": {error.filename}" if error.filename else ""
            _fail(f"{before}{error.strerror or error}{after}")
        except MemoryError:
            _fail("out of memory; use smaller pictures or batches")
        except Terminated:
            raise typer.Exit(143) from None
        except KeyboardInterrupt:
            if command in _WHOLE:
                warn("interrupted; no result was written")
            raise typer.Exit(130) from None

    return run


def _fail(message: str) -> NoReturn:
    warn(message)
    raise typer.Exit(1)


for _command in COMMANDS:
    app.command(_command.__name__, cls=_Command)(_guarded(_command))


def main() -> None:
    """Entry point of the command."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid text, and pipes not UTF-8.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
