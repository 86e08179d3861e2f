"""Documents are true: their commands run, their links resolve, and they name everything there is."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from docs.generate import REFERENCE, pages
from pipeline.base.errors import EXIT_OK, UsageError
from pipeline.base.setting_names import MODEL_SETTINGS
from pipeline.base.settings import load_settings
from pipeline.cli.help_pages import OVERVIEW
from pipeline.cli.options.commands import COMMANDS, Command
from pipeline.cli.options.declare import Arguments
from pipeline.cli.parser import parse as parsed
from pipeline.engine.addresses.fetch import is_address
from pipeline.plan.registry import STAGES
from shared.environment_manager import INHERITED, ChildPaths, child_environment
from tests.conftest import ROOT, Reel
from tests.source_tree import PACKAGES, name_of, nodes_of, python_files

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PAGES = pages()  # each process that collects tests comes by here, so they are made once
# Tests in `tests/real` do all that these pages say.
FOLLOWED = [ROOT / "docs" / "how-to" / name for name in ("add-a-backend.md", "add-a-stage.md")]
_PAGES = [ROOT / "README.md", ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
TOLD_TO_DO = [page for page in _PAGES if page not in FOLLOWED]
# Commands that need no network and leave the shared environments and models alone.
_EXECUTED = {"run", "plan", "check", "sync", "stage", "runs", "config"}
_LISTS = {"envs list", "models list"}
# These are run on a cache of their own, so that they may delete; packages would have to be fetched, so none are.
_ON_A_COPY = {f"models {action}" for action in ("verify", "prune", "adopt", "export", "import", "key")}
_NOT_IN_A_TEST = "--with-environments"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_CODE = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")
_SPAN = re.compile(r"`([^`\n]+)`")
_OURS = re.compile(r"(REEL_\w+=\S* )*\./(reel|scripts/|bootstrap\.sh|cache-models\.sh)")
_MADE_HERE = {"config/hardware_cache.json", "config/own", "config/own/models.toml"}  # by a command, on each machine
_SUBTITLES = {".srt", ".vtt"}
_MEDIA = {".pdf", ".mkv", ".mp4", ".mp3", ".wav", ".m4a", ".webm"}


@dataclass(frozen=True)
class Told:
    """A command in a document: variables in front of it, its words, and the exit code the document names."""

    variables: dict[str, str]
    program: str
    words: list[str]
    exit_code: int


def commands(document: Path) -> Iterator[Told]:
    """Yield every command of ours in a document's code blocks; `$ echo $?` below one says what it exits with."""
    for _, block in _BLOCK.findall(document.read_text(encoding="utf-8")):
        lines = [line.removeprefix("$ ") for line in block.splitlines()]
        for number, line in enumerate(lines):
            words = shlex.split(line, comments=True) if _OURS.match(line) else []
            if not words:
                continue
            variables = dict(word.split("=", 1) for word in words if word.startswith("REEL_"))
            program, *rest = words[len(variables) :]
            after = [i for i in range(number + 1, len(lines)) if lines[i] == "echo $?"]
            before_next = next((i for i in range(number + 1, len(lines)) if lines[i].startswith("./")), len(lines))
            code = int(lines[after[0] + 1]) if after and after[0] < before_next else EXIT_OK
            yield Told(variables, program, rest, code)


def parse(words: list[str]) -> tuple[Command, Arguments]:
    try:
        return parsed(words)
    except UsageError as error:
        raise AssertionError(f"`./reel {shlex.join(words)}` is not a command: {error}") from error


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_in_a_document_is_one(document: Path) -> None:
    for told in commands(document):
        assert (ROOT / told.program).is_file(), f"{told.program} is not there"
        if told.program == "./reel" and told.words not in ([], ["--help"]):
            parse(told.words)


@pytest.mark.usefixtures("stage_environments")
@pytest.mark.parametrize("document", TOLD_TO_DO, ids=name_of)
def test_every_command_that_a_reader_is_told_to_type_works(document: Path, reel: Reel) -> None:
    reel = replace(reel, in_process=True)  # every stage is a stub
    (reel.folder / "samples").mkdir()
    shutil.copy(ROOT / "samples" / "demo.mp4", reel.folder / "samples")
    cache: Path | None = None
    for told in commands(document):
        if told.program != "./reel":
            continue
        command, arguments = parse(told.words)
        if command.name in _ON_A_COPY:
            cache = cache or copy_of_models(reel.folder)
            words = [word for word in told.words if word != _NOT_IN_A_TEST]
            user = {"HOME": str(home_with_caches(reel.folder)), "REEL_CACHE_DIR": str(cache)}
            reel(*words, extra={**user, **told.variables}, expect=told.exit_code)
            continue
        if any(map(is_address, getattr(arguments, "media", None) or ())):
            continue  # a test in `tests/real` has one on the loopback
        if getattr(arguments, "cluster", None):
            continue  # its machines are the reader's; `tests/real/test_cluster.py` has some
        if command.words[0] not in _EXECUTED and command.name not in _LISTS:
            continue
        if told.exit_code == EXIT_OK:
            for file in files_of(arguments):
                provide(file, reel.folder)
            if glossary := getattr(arguments, "glossary", None):
                (reel.folder / glossary).write_text(glossary_of(document), encoding="utf-8")
            if manifest := getattr(arguments, "manifest", None):
                provide_manifest(document, reel.folder / manifest)
        reel(*told.words, extra={"REEL_STUB": "true", **told.variables}, expect=told.exit_code)


def files_of(arguments: Arguments) -> list[str]:
    """Return the media and subtitle files that a command reads."""
    named = [getattr(arguments, name, None) or () for name in ("media", "inputs", "reference")]
    subtitle = getattr(arguments, "subtitles", None)
    named += [subtitle] if isinstance(subtitle, str) and Path(subtitle).suffix in _SUBTITLES else []
    return [file for files in named for file in ([files] if isinstance(files, str) else files)]


def provide_manifest(document: Path, place: Path) -> None:
    """Write the list that the page shows, with its files."""
    text = document.read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```json\n(\{\"media\".*?)^```", text, re.MULTILINE | re.DOTALL)
    place.write_text(shown, encoding="utf-8")
    for line in shown.splitlines():
        provide(json.loads(line)["media"], place.parent)


def glossary_of(document: Path) -> str:
    """Return the table of terms that the page shows."""
    (shown,) = re.findall(r"^```text\n(source,.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(shown)


def copy_of_models(folder: Path) -> Path:
    """Return the models that are there, under second names; whoever runs the tests has those of the starter profile."""
    cache = folder / "cache"
    for name in ("huggingface", "models"):
        shutil.copytree(ROOT / ".cache" / name, cache / name, symlinks=True, copy_function=os.link)
    return cache


def home_with_caches(folder: Path) -> Path:
    """Return a user's home folder with the caches that documents speak of."""
    home = folder / "user"
    for name in ("huggingface/hub", "torch/hub/checkpoints"):
        (home / ".cache" / name).mkdir(parents=True, exist_ok=True)
    return home


def test_the_ready_workflow_for_ci_types_commands_that_there_are() -> None:
    text = (ROOT / "docs" / "how-to" / "ci" / "reel-models.yml").read_text(encoding="utf-8")
    typed = re.findall(r"\./reel ([^\n)]+)", re.sub(r"\$\{\{.*?\}\}", "subtitle", text))
    assert len(typed) >= 6
    for words in typed:
        parse(shlex.split(words))


def test_the_ready_workflow_for_other_platforms_types_commands_that_there_are() -> None:
    text = (ROOT / "docs" / "how-to" / "ci" / "reel-platforms.yml").read_text(encoding="utf-8")
    typed = re.findall(r"(?:\./reel|\./reel\.ps1|reel\.cmd) (.+)", text)
    assert len(typed) >= 6
    for words in typed:
        parse(shlex.split(words))
    scripts = re.findall(r"\./([\w/-]+(?:\.sh|\.ps1)?)", text)
    assert {"bootstrap.sh", "bootstrap.ps1", "reel.ps1", "scripts/test"} <= set(scripts)
    for script in scripts:
        assert (ROOT / script).is_file(), script


def test_the_batch_script_for_slurm_is_a_script_and_types_commands_that_there_are() -> None:
    script = ROOT / "docs" / "how-to" / "cluster" / "slurm.sh"
    checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    text = script.read_text(encoding="utf-8").replace("\\\n", " ")
    typed = re.findall(r"(?:^|'|\s)\./reel ([^\n'&]+)", text)
    assert len(typed) == 4
    for words in typed:
        parse(shlex.split(words))


def provide(argument: str, folder: Path) -> None:
    """Copy the sample under the name that a reader's own file has in the document."""
    place = folder / argument
    if not place.suffix:
        place = place / "part1.mkv"
    if place.suffix in _SUBTITLES and not place.exists():
        place.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n", encoding="utf-8")
    if place.suffix in _MEDIA and not place.exists():
        place = place.with_name(place.name.replace("*", "part1"))
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "samples" / "demo.mp4", place)


def test_the_documents_hold_what_is_looked_for_in_each_of_them() -> None:
    texts = [document.read_text(encoding="utf-8") for document in DOCUMENTS]
    assert sum(len(list(commands(document))) for document in DOCUMENTS) > 100
    assert sum(len(_LINK.findall(text)) for text in texts) > 100
    assert sum(len(_SPAN.findall(text)) for text in texts) > 100
    assert any(block.startswith("# reel.toml") for text in texts for _, block in _BLOCK.findall(text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        place = (document.parent / file).resolve() if file else document
        assert place.exists(), f"{name_of(document)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{name_of(document)} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_file_of_ours_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    made = {*_MADE_HERE, *re.findall(r"^The new file `(.+)`:$", text, re.MULTILINE)}
    for span in _SPAN.findall(text):
        if re.match(r"(config|pipeline|shared|stages|tests|scripts|docs|samples|benchmarks)/[\w./-]+$", span):
            assert span in made or (ROOT / span).exists(), f"{name_of(document)} names {span}"


def test_every_project_file_shown_in_a_document_is_one_that_is_understood(tmp_path: Path) -> None:
    blocks = [block for document in DOCUMENTS for block in _BLOCK.findall(document.read_text(encoding="utf-8"))]
    shown = [text for kind, text in blocks if kind == "toml" and text.startswith("# reel.toml")]
    assert shown
    for text in shown:
        (tmp_path / "reel.toml").write_text(text, encoding="utf-8")
        settings, _ = load_settings(ROOT / "config" / "defaults.toml", tmp_path / "reel.toml", {}, {})
        for stage, values in settings.stages.items():
            params = {name: value for name, value in values.items() if name not in {"backend", *MODEL_SETTINGS}}
            STAGES[stage].params.model_validate(params)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_generated_page_says_what_the_code_says(page: str) -> None:
    assert (REFERENCE / page).read_text(encoding="utf-8") == PAGES[page], "run scripts/docs"


def test_every_setting_is_in_the_reference() -> None:
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    for name in tomllib.loads((ROOT / "config" / "defaults.toml").read_text(encoding="utf-8")):
        assert name == "stages" or f"| `{name}` |" in text, name


def test_every_stage_parameter_and_backend_is_in_the_reference_with_its_meaning() -> None:
    sections = re.split(r"^## ", (REFERENCE / "stages.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    by_name = {section.split("\n", 1)[0]: section for section in sections}
    for stage in STAGES.values():
        for name in (*stage.params.model_fields, *stage.backends):
            assert f"| `{name}` |" in by_name[stage.name], f"{stage.name}.{name}"
        for name, field in stage.params.model_fields.items():
            assert field.description, f"{stage.name}.{name} has no description"


def test_every_error_code_is_documented_and_none_that_is_gone() -> None:
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    assert told == error_codes()


def error_codes() -> set[str]:
    """Return the codes in the source: first arguments of exceptions, and where the first parameter is `code`."""
    files = python_files(*PACKAGES)
    definitions = [
        node for path in files for node in nodes_of(path) if isinstance(node, ast.ClassDef | ast.FunctionDef)
    ]
    makers = {"ReelError", "StageError"}
    while found := {node.name for node in definitions if _makes_errors(node, makers)} - {*makers, "__init__"}:
        makers |= found
    codes = {"bug"}
    for function in (node for node in definitions if isinstance(node, ast.FunctionDef)):
        defaults = zip(reversed(function.args.args), reversed(function.args.defaults), strict=False)
        codes |= {ast.literal_eval(value) for taken, value in defaults if taken.arg == "code"} - {None, ""}
    for path in files:
        for call in (node for node in nodes_of(path) if isinstance(node, ast.Call)):
            called = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            first = call.args[0] if call.args else None
            if called in makers:
                assert not isinstance(first, ast.JoinedStr), f"{name_of(path)}:{call.lineno} makes up a code"
                if isinstance(first, ast.Constant):
                    code = str(first.value)
                    assert _CODE.fullmatch(code), f"{name_of(path)}:{call.lineno}: {code}"
                    codes.add(code)
    # Before there is a core environment, errors are plain text.
    for early in (ROOT / "reel", ROOT / "pipeline" / "environments" / "bootstrap_core.py"):
        codes |= set(re.findall(rf"\[({_CODE.pattern})\]", early.read_text(encoding="utf-8")))
    return codes


def _makes_errors(node: ast.ClassDef | ast.FunctionDef, known: set[str]) -> bool:
    """Tell whether the first argument of a class or a function is a code."""
    if isinstance(node, ast.ClassDef):
        fields = [ast.unparse(part.target) for part in node.body if isinstance(part, ast.AnnAssign)]
        starts = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
        return fields[:1] == ["code"] or bool(bases & known) or any(_makes_errors(start, known) for start in starts)
    return [argument.arg for argument in node.args.args if argument.arg != "self"][:1] == ["code"]


def test_every_variable_that_a_stage_gets_is_documented() -> None:
    text = (REFERENCE / "environment-variables.md").read_text(encoding="utf-8")
    paths = ChildPaths(Path("/code"), Path("/cache"), (), Path("/home"))
    for name in {*child_environment(paths, {}, offline=True), *INHERITED}:
        assert f"`{name}`" in text, name


def test_every_help_text_begins_with_an_example_that_is_a_command() -> None:
    on_top = [re.split(r" {2,}", line.strip())[0] for line in OVERVIEW.splitlines() if line.startswith("  ./reel ")]
    examples = [*on_top, *_examples_of_leaves()]
    assert on_top
    for example in examples:
        parse(shlex.split(example)[1:])


def _examples_of_leaves() -> Iterator[str]:
    for command in COMMANDS:
        assert command.examples, command.name
        for example in command.examples:
            assert example.startswith(f"reel {command.name}"), command.name
            yield f"./{example}"


def test_the_readme_is_short_and_no_document_has_a_gap_in_its_headings() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
    for document in DOCUMENTS:
        text = _BLOCK.sub("", document.read_text(encoding="utf-8"))
        levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
        assert levels[0] == 1, f"{name_of(document)} has no title"
        assert levels.count(1) == 1, f"{name_of(document)} has two titles"
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), name_of(document)


_UNCLEAR = re.compile(
    r"\b(nobody|somebody|anew)\b"
    r"|(?<!there )\b(is|are|was|were) no (?!longer\b)"
    r"|\b(a|one|each|every|which|several) media (?!(file|librar|server|container|player)\w*\b)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.name not in PAGES], ids=name_of)
def test_a_document_says_who_does_what(document: Path) -> None:
    """`media` has no plural and no singular; "not a" is clearer than "is no"."""
    prose = " ".join(_SPAN.sub("", _BLOCK.sub("", document.read_text(encoding="utf-8"))).split())
    assert not (found := _UNCLEAR.search(prose)), f"{name_of(document)}: {prose[max(found.start() - 40, 0) :][:100]}"


def test_the_page_that_follows_a_file_names_functions_that_there_are() -> None:
    page = (ROOT / "docs" / "explanation" / "one-files-way.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:pipeline|shared|stages)/[\w/]+\.py)`:\s+`(\w+)`", page)
    assert len({module for module, _ in named}) >= 20
    for module, name in named:
        tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
        defined = {
            node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in defined, f"{module} defines no `{name}`"
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", page, re.MULTILINE)]
    assert numbers == list(range(1, 11))


def test_the_map_of_the_documents_leads_to_every_page() -> None:
    page = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link).resolve() for link in _LINK.findall(page)}
    pages = {
        path.resolve()
        for folder in ("how-to", "explanation", "reference")
        for path in (ROOT / "docs" / folder).glob("*.md")
    }
    assert pages <= linked, sorted(path.name for path in pages - linked)


def test_every_decision_has_a_number_of_its_own_and_says_it() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [path.name[:4] for path in pages]
    assert numbers == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for path, number in zip(pages, numbers, strict=True):
        assert path.read_text(encoding="utf-8").startswith(f"# {number}: "), path.name
