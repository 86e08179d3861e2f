"""Changes a module in one place at a time and tells which changes no test notices.

    .venvs/test/bin/python -m tests.mutate pipeline/base/processor.py tests/pipeline/base/test_processor.py [N]
    .venvs/test/bin/python -m tests.mutate --pure [N]     each module of `PURE` with the tests that hold it

Every comparison, sum, `and`, `not` and number of the module is a place; with N, at most so many of them, spread evenly:
the same ones each time. The tests run in a copy of the checkout, so that nothing here is changed. The exit code is the
number of changes that survive: each is a claim that is missing, or code that does nothing.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LIMIT_S = 300
_NOT_COPIED = shutil.ignore_patterns(".git", ".venvs", ".cache", "out", ".*_cache", "__pycache__")
_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
# The modules that decide without input and output, and the quick tests that hold what each decides.
PURE: dict[str, tuple[str, ...]] = {
    "pipeline/base/display.py": ("tests/pipeline/base/test_display.py",),
    "pipeline/base/processor.py": ("tests/pipeline/base/test_processor.py",),
    "pipeline/engine/language_models.py": ("tests/pipeline/engine/test_language_models.py",),
    "pipeline/environments/package_index.py": ("tests/pipeline/environments/test_package_index.py",),
    "pipeline/environments/torch_build.py": ("tests/pipeline/environments/test_torch_build.py",),
    "pipeline/plan/language_checks.py": ("tests/pipeline/plan/test_language_checks.py",),
    "pipeline/plan/llm_services.py": ("tests/pipeline/plan/test_llm_services.py",),
    "pipeline/plan/make_plan.py": ("tests/pipeline/plan",),
    "pipeline/plan/oom_fallback.py": ("tests/pipeline/plan/test_oom_fallback.py",),
    "pipeline/plan/profile.py": (
        "tests/pipeline/plan/test_profile.py",
        "tests/pipeline/base/test_hardware.py",
        "tests/pipeline/plan/test_make_plan.py",
    ),
    "pipeline/plan/recipe.py": ("tests/pipeline/plan/test_recipe.py",),
    "pipeline/plan/remaining.py": ("tests/pipeline/plan/test_remaining.py",),
    "pipeline/plan/result_key.py": ("tests/pipeline/plan/test_result_key.py",),
    "pipeline/plan/translation_backends.py": ("tests/pipeline/plan/test_translation_backends.py",),
    "pipeline/publishing/doubts.py": ("tests/pipeline/publishing/test_doubts.py",),
    "pipeline/publishing/names.py": ("tests/pipeline/publishing/test_names.py",),
    "pipeline/publishing/targets.py": ("tests/pipeline/publishing/test_targets.py",),
    "pipeline/store/pinned.py": ("tests/pipeline/store/test_pinned.py",),
    "pipeline/store/place.py": ("tests/pipeline/store/test_place.py",),
    "pipeline/store/worker_stats.py": ("tests/pipeline/store/test_worker_stats.py",),
    "pipeline/workers/capacity.py": ("tests/pipeline/workers/test_scheduler.py",),
    "pipeline/workers/pools.py": ("tests/pipeline/workers/test_pools.py",),
    "pipeline/workers/scheduler.py": ("tests/pipeline/workers/test_scheduler.py",),
    "shared/text/direction.py": ("tests/shared/text/test_direction.py",),
    "shared/text/glossary.py": ("tests/shared/text/test_glossary.py",),
    "shared/text/language_names.py": ("tests/shared/text/test_language_names.py",),
    "shared/text/sentence_end.py": ("tests/shared/text/test_sentence_end.py",),
    "shared/text/text_width.py": ("tests/shared/text/test_text_width.py",),
    "stages/align/ctc_words.py": ("tests/stages/align/test_ctc_words.py",),
    "stages/asr/doubts.py": ("tests/stages/asr",),
    "stages/asr/untranscribed.py": ("tests/stages/asr",),
    "stages/asr/windows.py": ("tests/stages/asr",),
    "stages/bilingual/pairs.py": ("tests/stages/bilingual",),
    "stages/clean/evidence.py": ("tests/stages/clean",),
    "stages/correct/corrections.py": ("tests/stages/correct",),
    "stages/diarize/clustering.py": ("tests/stages/diarize/test_clustering.py",),
    "stages/fit/evidence.py": ("tests/stages/fit",),
    "stages/mux/burn_in.py": ("tests/stages/mux",),
    "stages/refine/rules.py": ("tests/stages/refine/test_rules.py",),
    "stages/sample/spread.py": ("tests/stages/sample", "tests/stages/fit"),
    "stages/subtitle/cue_layout.py": ("tests/stages/subtitle",),
    "stages/subtitle/cue_sheet.py": ("tests/stages/subtitle",),
    "stages/subtitle/numbers.py": ("tests/stages/subtitle",),
    "stages/subtitle/pinned.py": ("tests/stages/subtitle/test_pins.py",),
    "stages/subtitle/shot_changes.py": ("tests/stages/shots", "tests/stages/subtitle"),
    "stages/subtitle/speakers.py": ("tests/stages/subtitle",),
    "stages/subtitle/spoken_times.py": ("tests/stages/subtitle/test_spoken_times.py",),
    "stages/subtitle/times.py": ("tests/stages/subtitle",),
    "stages/toolkit/cues/line_breaks.py": ("tests/stages/subtitle",),
    "stages/toolkit/cues/rules.py": ("tests/stages/check", "tests/stages/subtitle"),
    "stages/toolkit/cues/words.py": ("tests/stages/subtitle",),
    "stages/toolkit/llm/lines.py": ("tests/stages/toolkit/test_llm_engine.py",),
    "stages/toolkit/sync/cue_words.py": ("tests/stages/sync", "tests/stages/toolkit/test_film_speech.py"),
    "stages/toolkit/sync/judge.py": ("tests/stages/sync",),
    "stages/toolkit/sync/pieces.py": ("tests/stages/sync",),
    "stages/toolkit/sync/placing.py": ("tests/stages/sync",),
    "stages/toolkit/sync/speech_offsets.py": ("tests/stages/sync",),
    "stages/toolkit/sync/word_match.py": ("tests/stages/toolkit/test_word_match.py", "tests/stages/sync"),
    "stages/toolkit/text/word_times.py": ("tests/stages/toolkit/test_word_times.py",),
    "stages/translate/doubts.py": ("tests/stages/translate/test_stage.py",),
    "stages/translate/protected_terms.py": ("tests/stages/translate",),
    "stages/translate/sentences.py": ("tests/stages/translate/test_sentences.py",),
}


@dataclass(frozen=True)
class Mutant:
    """A module that was changed in one line."""

    line: int
    before: str
    after: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield the module with each change that can be made to it."""
    original = ast.unparse(ast.parse(source))
    for number in range(sum(1 for _ in ast.walk(ast.parse(source)))):
        tree = ast.parse(source)
        place = list(ast.walk(tree))[number]
        line = _change(place)
        changed = ast.unparse(tree) if line else original
        if line and changed != original:
            pair = zip(original.splitlines(), changed.splitlines(), strict=False)
            before, after = next((old, new) for old, new in pair if old != new)
            yield Mutant(line, before.strip(), after.strip(), changed)


def _change(node: ast.AST) -> int:
    """Change a place; return its line, 0 where there is nothing to change."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _OTHER:
            node.ops = [_OTHER[type(operator)]()]  # type: ignore[list-item]
        case ast.BinOp() | ast.BoolOp() if type(node.op) in _OTHER:
            node.op = _OTHER[type(node.op)]()  # type: ignore[assignment]
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool"), [node.operand], [])
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(number) | float(number)):
            node.value = number * 2 + 1
        case _:
            return 0
    return int(node.lineno)


def survivors(module: str, tests: Sequence[str], most: int) -> tuple[int, list[Mutant]]:
    """Return how many changes were tried, and those that the tests did not notice."""
    every = list(mutants((ROOT / module).read_text(encoding="utf-8")))
    tried = every[:: max(1, -(-len(every) // most))] if most else every
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "reel"
        shutil.copytree(ROOT, copy, ignore=_NOT_COPIED)
        for linked in (".venvs", ".cache"):
            (copy / linked).symlink_to(ROOT / linked)
        left = []
        for mutant in tried:
            (copy / module).write_text(mutant.source, encoding="utf-8")
            if _passes(copy, tests):
                left.append(mutant)
                print(f"{module}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    return len(tried), left


def _passes(copy: Path, tests: Sequence[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow"]
    command += ["--hypothesis-seed=0", *tests]
    try:
        return subprocess.run(command, cwd=copy, capture_output=True, timeout=_LIMIT_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:  # a loop without an end is noticed too
        return False


def main() -> int:
    """Try the changes of one module, or of all pure ones; return how many survive."""
    match sys.argv[1:]:
        case ["--pure", *most]:
            modules = PURE
        case [module, tests, *most]:
            modules = {module: (tests,)}
        case _:
            sys.exit(__doc__)
    tried, left = 0, 0
    for name, claims in modules.items():
        changes, survived = survivors(name, claims, int(most[0]) if most else 0)
        tried, left = tried + changes, left + len(survived)
        print(f"{name}: {changes - len(survived)} of {changes} changes are noticed", flush=True)
    print(f"{tried - left} of {tried} changes are noticed")
    return min(left, 100)


if __name__ == "__main__":
    sys.exit(main())
