"""The project's hub on the loopback, with every model of the manifest under its real name, for a clone of the project.

What the shipped lock knows of a file is replaced by the facts of the file that is served; what it does not know stays
unknown. This module is the only place that does so.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.model_cache.lock_models import locked_paths
from pipeline.model_cache.manifest import (
    UNKNOWN,
    DataWheelSource,
    HubSource,
    LockedModel,
    Model,
    UrlSource,
    load_manifest,
)
from tests.fakes.hub import Hub, serve

TOKEN = "hf_of_a_person_who_agreed"
_FILES = (
    "config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "vocab.txt", "vocab.json", "model.safetensors", "pytorch_model.bin",
)  # fmt: skip


@dataclass(frozen=True)
class PublicHub:
    """The hub, the folder with the wheels of a package index, and the variables that lead a command to both."""

    hub: Hub
    wheels: Path

    @property
    def variables(self) -> dict[str, str]:
        # A folder of wheels that the machine names already may have decided which torch the environments have.
        wheels = f"{os.environ.get('PIP_FIND_LINKS', '')} {self.wheels}".strip()
        return {
            "HF_ENDPOINT": self.hub.address, "HF_TOKEN": TOKEN,
            "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "UV_OFFLINE": "1",
        }  # fmt: skip


@contextlib.contextmanager
def serve_for(clone: Path, made: Mapping[str, Mapping[str, bytes]]) -> Iterator[PublicHub]:
    """Serve all models for the life of the block, and let the clone's lock and manifest say what is served. `made` are
    the files of models that are to work; all others are a few bytes."""
    manifest_file, lock_file = clone / "config" / "models.toml", clone / "config" / "models.lock.json"
    models, locked = load_manifest(manifest_file, lock_file)
    contents = {name: dict(made.get(name) or _few_bytes(name, models[name], locked[name])) for name in models}
    served: dict[str, bytes] = {}
    wheels = clone.parent / "wheels"
    wheels.mkdir()
    with serve(served) as hub:
        text = manifest_file.read_text(encoding="utf-8")
        hub.users, hub.redirects = {TOKEN: "alice"}, True
        for name, model in models.items():
            repo, revision = locked[name].repo, locked[name].revision
            if repo is not None:
                known = revision if revision != UNKNOWN else hashlib.sha1(name.encode()).hexdigest()
                hub.main[repo] = known
                served |= {f"{repo}/resolve/{known}/{file}": content for file, content in contents[name].items()}
                hub.gated |= {repo: {"alice"}} if model.gated else {}
            for source in model.sources:
                if isinstance(source, UrlSource):
                    for file, address in source.files.items():
                        served[f"files/{name}/{file}"] = contents[name][file]
                        text = text.replace(address, f"{hub.address}/files/{name}/{file}")
                elif isinstance(source, DataWheelSource) and repo is None:
                    text = _with_wheel(text, source, contents[name], wheels)
        manifest_file.write_text(text, encoding="utf-8")
        _replace_facts(lock_file, contents, set(made))
        yield PublicHub(hub, wheels)


def _few_bytes(name: str, model: Model, locked: LockedModel) -> dict[str, bytes]:
    """Files under the real names, or under usual ones where no name is known."""
    files = [*locked.files, *locked.unknown]
    source = model.sources[0]
    if not files and isinstance(source, HubSource):
        files = sorted(locked_paths(source, list(_FILES)))
    return {file: f"{file} of {name}\n".encode() for file in files}


def _replace_facts(lock_file: Path, contents: Mapping[str, Mapping[str, bytes]], made: set[str]) -> None:
    """Put the facts of what is served in the place of those that the lock knows."""
    lock: dict[str, Any] = json.loads(lock_file.read_bytes())
    for name, entry in lock["models"].items():
        if name in made and all(None not in (fact["size"], fact["sha256"]) for fact in entry["files"].values()):
            entry["files"] = {file: {"size": 0, "sha256": ""} for file in contents[name]}
        for file, fact in entry["files"].items():
            content = contents[name][file]
            if fact["size"] is not None:
                fact["size"] = len(content)
            if fact["sha256"] is not None:
                fact["sha256"] = hashlib.sha256(content).hexdigest()
    lock_file.write_text(json.dumps(lock, indent=1), encoding="utf-8")


def _with_wheel(text: str, source: DataWheelSource, files: Mapping[str, bytes], folder: Path) -> str:
    """Write the one wheel that holds these files, and return the manifest's text with its facts."""
    (wheel,) = source.wheels
    package, version = wheel.requirement.split("==")
    stem = package.replace("-", "_")
    path = folder / f"{stem}-{version}-py3-none-any.whl"
    members = {parts[0]: files[file] for file, parts in source.members.items()}
    info = f"{stem}-{version}.dist-info"
    members |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_record_digest(content)},{len(content)}\n" for name, content in members.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}.items():
            archive.writestr(name, content)
    text = text.replace(wheel.sha256, hashlib.sha256(path.read_bytes()).hexdigest())
    return text.replace(f"size = {wheel.size} ", f"size = {path.stat().st_size} ")


def _record_digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
