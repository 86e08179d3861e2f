"""Owns the manual page `reel.1`, which is written from the table of commands and flags, as `commands.md` is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from pipeline.base.project import version
from pipeline.cli.options.commands import COMMANDS, GROUPS, Command, arguments_of
from pipeline.cli.options.declare import Arguments, Flag, flags_of
from pipeline.cli.parser import usage_of

_HEAD = '.\\" Written by scripts/docs; changes made here are lost.\n'
_DATE = "2026-11-29"  # of the version; no page may depend on the day when it is written
_WIDTH = 70  # letters in a line of the source, before some of them are escaped
_EXITS = (
    ("0", "everything was done"),
    ("1", "a step failed, or a check found something"),
    ("2", "the command line or a setting is wrong"),
    ("3", "some files of a batch failed"),
    ("4", "a file that was given cannot be used"),
    ("5", "a model, an environment or a tool is missing"),
    ("6", "another process is using the results"),
    ("70", "a bug of reel"),
    ("130", "interrupted"),
)
_VARIABLES = (
    ("REEL_NAME", "a setting: REEL_PROFILE=balanced; a parameter of a stage: REEL_STAGES__ASR__BEAM_SIZE=3"),
    ("REEL_PROJECT", "the folder of the project, as --project names it"),
    ("REEL_TOKEN", "the token that requests to \"reel serve\" must bring"),
    ("REEL_DEBUG", "not empty: show a traceback with an error"),
    ("HF_TOKEN", "your token for the model hub, for models with terms to accept"),
)  # fmt: skip
_FILES = (
    ("reel.toml", "the settings of the project"),
    (".cache", "models, downloads and results for reuse"),
    (".venvs", "the environments of the stages"),
    ("config/own", "your own models"),
    ("out", "published files, in the current folder: one folder for each media file"),
)
_DESCRIPTION = (
    "reel turns films, talks, calls and podcasts into transcripts, translations and subtitles, on this machine. It runs"
    " open models one after another, each library in an environment of its own. A step is repeated only when something"
    " that decides its result has changed.\n.PP\n"
    "The project is the checkout that reel is started from, or, where it is installed as a package, the current folder."
    " The first run sets up what it needs there."
)


def man_page() -> str:
    """Return the manual page in the macros of man(7), which every system's man can show."""
    return _HEAD + "".join(_parts())


def _parts() -> Iterator[str]:
    yield f'.TH REEL 1 "{_DATE}" "reel {version()}" "User Commands"\n'
    yield ".SH NAME\nreel \\- transcripts, translations and subtitles from open models\n"
    yield ".SH SYNOPSIS\n.B reel\n.I COMMAND\n.RI [ ARGUMENTS ]\n.RI [ FLAGS ]\n"
    yield f".SH DESCRIPTION\n{_text(_DESCRIPTION)}\n"
    yield ".SH EXAMPLES\n"
    for command in COMMANDS[:5]:
        yield from (_item(example, command.summary) for example in command.examples[:1])
    yield ".SH FLAGS OF EVERY COMMAND\n"
    yield from map(_flag, flags_of(Arguments))
    yield _item("-h, --help", "show the help of the command and exit")
    yield ".SH COMMANDS\n"
    for command in COMMANDS:
        yield from _command(command)
    yield from _section("EXIT STATUS", _EXITS)
    yield from _section("ENVIRONMENT", _VARIABLES)
    yield from _section("FILES", _FILES)
    yield ".SH SEE ALSO\nThe documentation in the folder\n.I docs\nof the checkout.\n"


def _section(title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f".SH {title}\n"
    yield from (_item(name, meaning) for name, meaning in rows)


def _command(command: Command) -> Iterator[str]:
    group = command.words[0] if len(command.words) > 1 else ""
    if group and command == next(one for one in COMMANDS if one.words[0] == group):
        yield f".PP\nOf {_text(GROUPS[group])}:\n"
    summary = f"{command.summary[0].upper()}{command.summary[1:]}."
    yield f".SS {_line(usage_of(command))}\n{_text(summary)}\n"
    common = flags_of(Arguments)
    yield from (_flag(flag) for flag in flags_of(arguments_of(command)) if flag not in common)


def _flag(flag: Flag) -> str:
    return _item(", ".join(flag.spellings), flag.help)


def _item(name: str, meaning: str) -> str:
    return f".TP\n.B {_line(name)}\n{_text(meaning)}\n"


def _text(text: str) -> str:
    """Return prose in lines of the usual length, in which nothing is taken for a command of roff."""
    return "\n.PP\n".join(map(_paragraph, text.split("\n.PP\n")))


def _paragraph(text: str) -> str:
    return "\n".join(_line(line) for line in wrap(text, _WIDTH, break_on_hyphens=False))


def _line(text: str) -> str:
    """Return one line of text, in which nothing is taken for a command of roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
