"""Claims about the description of the container, without building it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CONTAINER = ROOT / "container"
TEXT = (CONTAINER / "Dockerfile").read_text(encoding="utf-8")
COPIED = {
    word
    for line in TEXT.replace("\\\n", " ").splitlines()
    if line.startswith("COPY ") and "--from" not in line
    for word in line.split()[1:-1]
}


def tracked() -> set[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this copy has no history")
def test_the_image_gets_all_of_the_product_and_no_secret() -> None:
    product = {
        name for name in tracked() if name.split("/")[0] in {"pipeline", "shared", "stages", "config"}
    } - {"config/secrets.example.json"}  # fmt: skip
    missing = {name for name in product if not any(name == part or name.startswith(f"{part}/") for part in COPIED)}
    assert not missing
    assert "config" not in COPIED, "it may hold secrets.json"
    for part in COPIED:
        assert (ROOT / part).exists(), part


def test_it_runs_as_a_number_without_rights_and_says_nothing_of_offline() -> None:
    assert re.search(r"^USER 10001:0$", TEXT, re.MULTILINE)
    assert "OFFLINE" not in TEXT.upper().replace("NOTHING SAYS `OFFLINE`", "")
    assert re.findall(r"REEL_CACHE_DIR=(\S+)", TEXT.split("FROM ${BASE}\n")[-1]) == ["/cache"]
    assert "HEALTHCHECK" in TEXT
    assert TEXT.count("HF_") == 0, "reel computes each library's own variable from the one folder"


def test_compose_keeps_the_container_from_everything_that_it_does_not_need() -> None:
    text = (CONTAINER / "compose.yaml").read_text(encoding="utf-8")
    for line in (
        "read_only: true", 'cap_drop: ["ALL"]', '"no-new-privileges:true"', 'ports: ["127.0.0.1:9000:9000"]',
        "/media:ro", 'tmpfs: ["/tmp"]', '"--token-file", "/run/secrets/token"',
    ):  # fmt: skip
        assert line in text, line
    assert "/container/token" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_compose_is_a_yaml_file_with_one_service(tmp_path: Path) -> None:
    read = "import sys, yaml; print(*yaml.safe_load(open(sys.argv[1]))['services'])"
    done = subprocess.run([sys.executable, "-c", read, CONTAINER / "compose.yaml"], capture_output=True, text=True)
    if "No module named 'yaml'" in done.stderr:
        pytest.skip("PyYAML is not installed")
    assert done.stdout.strip() == "reel", done.stderr
