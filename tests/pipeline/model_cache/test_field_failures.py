"""Failures of model caches in the field, each with the tests that would fail if it happened here.

The failures are those of five pipelines of this kind that people have written about: folders looked for by hand-made
names, caches split over two roots, offline forced on a partial cache, and so on. Some are tested in this file; the
table says where the others are, and is itself tested.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from pipeline.base.project import CONFIG
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.manifest import HubSource, Model, load_manifest
from pipeline.model_cache.selection import select_models
from shared.environment_manager import ChildPaths, child_environment, missing_injection
from tests.conftest import ROOT, Reel
from tests.fakes.hub import Hub, serve
from tests.fakes.models import REVISION, WHISPER, lock
from tests.source_tree import nodes_of, python_files

CACHE, FETCH, ACCESS, TOKEN = (
    "pipeline/model_cache/test_cache.py",
    "pipeline/model_cache/test_fetch.py",
    "pipeline/model_cache/test_fetch_access.py",
    "pipeline/model_cache/test_hub_token.py",
)
VARIABLES, MOVED, SERVED = "shared/test_environment_manager.py", "real/test_moved_cache.py", "real/test_served.py"
HERE = "pipeline/model_cache/test_field_failures.py"

# The failure as it was met, and what holds against it: the file of a test and its name.
FAILURES: dict[str, tuple[tuple[str, str], ...]] = {
    "models are looked for under a hand-made pattern of folder names, and not found": (
        (HERE, "test_every_model_lies_under_the_name_that_the_hubs_client_gives_its_repository"),
        (FETCH, "test_the_hubs_own_client_finds_what_was_fetched_offline_by_name_without_a_revision"),
    ),
    "models lie with and without `hub/`, because one library obeys a variable of its own": (
        (HERE, "test_variables_that_split_the_cache_reach_no_stage"),
        ("pipeline/model_cache/test_adopt.py", "test_a_cache_split_over_two_roots_ends_whole"),
    ),
    "a folder that exists is reported as success, one with another name as failure": (
        (CACHE, "test_a_folder_that_exists_is_not_a_model"),
        (CACHE, "test_a_short_file_and_a_flipped_byte_are_found_and_repaired"),
    ),
    "a gated model ends in 401, one after the other, without a way out": (
        (ACCESS, "test_each_kind_of_closed_door_has_a_code_and_a_page_to_visit"),
        (ACCESS, "test_all_gated_models_are_asked_about_first_and_told_together_and_the_others_come"),
    ),
    "a login stops working once the cache is moved": (
        (TOKEN, "test_the_login_is_found_where_the_user_has_moved_it"),
        (TOKEN, "test_the_variable_wins_then_the_secrets_file_then_the_users_own_login"),
    ),
    "a token lies in a file that others can read, and reaches stages and logs": (
        (TOKEN, "test_a_secrets_file_that_others_can_read_is_refused_with_the_command_that_closes_it"),
        (ACCESS, "test_a_token_stands_in_no_event_no_error_and_no_text_of_its_own"),
        (VARIABLES, "test_nothing_is_inherited_but_what_the_list_names"),
    ),
    "models are cached by running the pipeline, which needs audio, so some are skipped": (
        (HERE, "test_caching_runs_no_stage_and_starts_no_process"),
        (HERE, "test_the_flag_for_whisperx_stands_for_all_that_it_loads"),
    ),
    "NeMo deletes and downloads again at each call by name": (
        (HERE, "test_no_stage_asks_for_a_model_by_the_name_of_its_repository"),
        (SERVED, "test_a_nemo_archive_reaches_the_stage_as_a_verified_file"),
    ),
    "Canary-Qwen is loaded as an archive, which it is not": (
        (HERE, "test_canary_qwen_is_a_folder_with_a_tokenizer_from_elsewhere_and_parakeet_one_archive"),
        (SERVED, "test_canary_qwen_comes_with_the_tokenizer_that_it_asks_for_by_name"),
    ),
    "every job of CI asks the hub, which answers 429": (
        (CACHE, "test_a_second_fetch_asks_nobody"),
        (FETCH, "test_a_busy_hub_is_left_alone_for_as_long_as_it_asks_and_that_is_said"),
        ("real/test_leaks.py", "test_nothing_leaves_while_a_backend_loads_and_works"),
    ),
    "the layout of the cache is taken for a secret of one client": (
        (MOVED, "test_each_generation_of_the_hubs_client_finds_the_model_offline_by_its_name_alone"),
    ),
    "a partial cache is saved under a key that can never be written again": (
        ("pipeline/cli/test_upkeep_commands.py", "test_the_key_follows_from_the_lock_alone"),
        (HERE, "test_the_ci_recipe_saves_nothing_that_was_not_verified_before"),
    ),
    "the cache is filled at one root and looked for at another": (
        (VARIABLES, "test_every_cache_variable_is_absolute_and_below_the_one_cache"),
    ),
    "offline is forced because a folder exists, and a partial cache can never be completed": (
        (HERE, "test_a_partial_cache_is_completed_whatever_offline_variables_the_user_has"),
        (VARIABLES, "test_offline_is_said_only_when_the_models_are_verified"),
    ),
    "variables are set that no library reads, and the files land elsewhere": (
        ("real/test_leaks.py", "test_no_stage_leaves_a_model_behind_anywhere"),
    ),
    "the variable that splits the cache is injected into every stage": (
        (VARIABLES, "test_a_complete_environment_passes_and_each_flaw_is_named"),
    ),
    "`ls` of a folder is called verification": (
        (CACHE, "test_wrong_bytes_of_the_right_size_are_refused_and_thrown_away"),
        ("pipeline/model_cache/test_verify.py", "test_each_kind_of_damage_has_a_sentence_of_its_own"),
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_has_tests_that_exist(failure: str) -> None:
    for file, name in FAILURES[failure]:
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file} has no {name}"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve({f"org/tiny/resolve/{REVISION}/{name}": content for name, content in WHISPER.items()}) as hub:
        yield hub


@pytest.fixture
def cache(hub: Hub, tmp_path: Path) -> ModelCache:
    model = Model(summary="tiny", licence="MIT", commercial_use=True, sources=(HubSource(kind="hub"),))
    return ModelCache(tmp_path / "cache", {"tiny": model}, {"tiny": lock("org/tiny", WHISPER)}, hub.address)


def test_every_model_lies_under_the_name_that_the_hubs_client_gives_its_repository() -> None:
    _, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    repositories = {name: entry for name, entry in locked.items() if entry.repo}
    assert repositories
    for name, entry in repositories.items():
        organisation, _, repository = str(entry.repo).partition("/")
        folder = layout_of(Path("/cache"), name, entry).root
        assert folder == Path(f"/cache/huggingface/hub/models--{organisation}--{repository}")


def test_variables_that_split_the_cache_reach_no_stage() -> None:
    users = dict.fromkeys(("TRANSFORMERS_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "TORCH_HOME"), "/elsewhere")
    paths = ChildPaths(Path("/code"), Path("/cache"), (), Path("/cache/home"))
    given = child_environment(paths, users, offline=True)
    assert "/elsewhere" not in given.values()
    assert missing_injection(given) == []
    assert missing_injection({**given, "TRANSFORMERS_CACHE": given["HF_HOME"]}) == ["TRANSFORMERS_CACHE is set"]


def test_caching_runs_no_stage_and_starts_no_process(cache: ModelCache) -> None:
    with mock.patch("subprocess.Popen", side_effect=AssertionError("a process was started")):
        cache.fetch("tiny", lambda event: None)
    assert cache.problem("tiny") is None


def test_the_flag_for_whisperx_stands_for_all_that_it_loads() -> None:
    models, _ = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    script = (ROOT / "cache-models.sh").read_text(encoding="utf-8")
    words = script.partition("--whisperx)")[2].partition(";;")[0].partition('"$@"')[2].replace("'", "").split()
    assert {"faster-whisper-large-v3", "align-en", "align-ja", "punkt-tab"} <= set(select_models(words, models))


def test_no_stage_asks_for_a_model_by_the_name_of_its_repository() -> None:
    """A stage is given folders; a name would be looked up, and with some libraries downloaded anew each time."""
    _, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    repositories = {entry.repo for entry in locked.values()} - {None}
    assert repositories
    for path in python_files("stages"):
        for node in nodes_of(path):
            if isinstance(node, ast.Constant):
                assert node.value not in repositories, f"{path}:{node.lineno} names a repository"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                named = node.func.attr in {"from_pretrained", "restore_from", "snapshot_download", "hf_hub_download"}
                constant = any(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in node.args)
                assert not (named and constant), f"{path}:{node.lineno} asks for a model by name"


def test_canary_qwen_is_a_folder_with_a_tokenizer_from_elsewhere_and_parakeet_one_archive() -> None:
    models, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    canary, parakeet = locked["canary-qwen"], locked["parakeet-v2"]
    assert set(canary.files | canary.unknown) == {"config.json", "model.safetensors"}
    assert select_models(["canary-qwen"], models) == ["canary-qwen", "canary-qwen-tokenizer"]
    tokenizer = locked["canary-qwen-tokenizer"]
    assert tokenizer.repo == "Qwen/Qwen3-1.7B"
    assert not [name for name in tokenizer.files | tokenizer.unknown if name.endswith((".safetensors", ".bin"))]
    assert [name for name in parakeet.files | parakeet.unknown if name.endswith(".nemo")]


def test_a_partial_cache_is_completed_whatever_offline_variables_the_user_has(
    cache: ModelCache, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.fetch("tiny", lambda event: None)
    (cache.snapshot("tiny") / "config.json").resolve().unlink()
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    before = len(hub.requests)
    assert "config.json is not there" in str(cache.problem("tiny"))
    cache.fetch("tiny", lambda event: None)
    assert cache.problem("tiny") is None
    assert [path for path, _ in hub.requests[before:]] == [f"/org/tiny/resolve/{REVISION}/config.json"]


def test_the_ci_recipe_saves_nothing_that_was_not_verified_before(reel: Reel) -> None:
    recipe = (ROOT / "docs" / "how-to" / "ci" / "reel-models.yml").read_text(encoding="utf-8")
    fill, _, use = recipe.partition("\n  use:")
    assert 0 < fill.index("cache/restore@") < fill.index("models verify") < fill.index("cache/save@")
    assert "continue-on-error" not in recipe
    assert "always()" not in recipe
    assert "cache/save@" not in use
    assert use.index("models verify") < use.index("--offline")
    own = {"REEL_CACHE_DIR": str(reel.folder / "cache"), "REEL_OFFLINE": "true"}
    commands = [line.partition("./reel ")[2].rstrip(")") for line in recipe.splitlines() if "./reel models" in line]
    assert len(commands) == 4
    for words in commands:  # on an empty cache: what proves bytes must say that they are not there
        reel(*words.split(), extra=own, expect=5 if words.startswith("models verify") else 0)
