"""Claims about the description of the container, without building it."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.conftest import ROOT

CONTAINER = ROOT / "container"
TEXT = (CONTAINER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((CONTAINER / "compose.yaml").read_text(encoding="utf-8"))
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
    service = COMPOSE["services"]["reel"]
    assert service["read_only"] is True
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "user", "environment"} & set(service)
    assert service["ports"] == ["127.0.0.1:9000:9000"]
    assert service["command"][:2] == ["--token-file", "/run/secrets/token"]
    writable = {place.split(":")[-1] for place in service["volumes"] if not place.endswith(":ro")} | {*service["tmpfs"]}
    assert writable == {"/cache", "/data", "/tmp"}
    assert "/container/token" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_everything_that_compose_names_is_there() -> None:
    assert set(COMPOSE) == {"services", "volumes", "secrets"}
    assert set(COMPOSE["services"]) == {"reel"}
    service = COMPOSE["services"]["reel"]
    build = CONTAINER / service["build"]["context"]
    assert (build / service["build"]["dockerfile"]).resolve() == (CONTAINER / "Dockerfile").resolve()
    sources = [place.rpartition(":")[0] for place in (volume.removesuffix(":ro") for volume in service["volumes"])]
    named, [media] = [source for source in sources if source.isalpha()], [one for one in sources if not one.isalpha()]
    assert set(named) == set(COMPOSE["volumes"])
    default = re.fullmatch(r"\$\{MEDIA:-(.+)\}", media)
    assert default
    assert (CONTAINER / default[1]).is_dir()
    assert service["secrets"] == [*COMPOSE["secrets"]]
    assert COMPOSE["secrets"]["token"] == {"file": "./token"}
    port, exposed = service["ports"][0].rpartition(":")[2], re.search(r"^EXPOSE (\d+)$", TEXT, re.MULTILINE)
    assert exposed
    assert port == exposed[1]
    assert re.fullmatch(r"\d+s", service["stop_grace_period"])
