"""Services on the network that steps ask: where each is, whether it may be asked, and the user's key for it.

A provider's key goes only to the provider's own address, and `LLM_API_KEY` to any other address that the user names. A
worker gets the key in a variable of its own; no other process gets it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.base.errors import Missing, UsageError
from pipeline.base.secret_file import Token, checked, from_file
from pipeline.plan.model import Step

OTHER_KEY = "LLM_API_KEY"


@dataclass(frozen=True)
class Asked:
    """A service as a step will ask it. `key` names the variable of its key; without one it is asked only where it
    needs none."""

    address: str
    key: str
    needs_key: bool

    @property
    def host(self) -> str:
        """Return the machine's name for messages."""
        return urlsplit(self.address).netloc

    @property
    def is_here(self) -> bool:
        """Return whether it is on this machine, so that nothing leaves it."""
        name = urlsplit(self.address).hostname or ""
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name == "localhost"


def asked_by(step: Step) -> Asked | None:
    """Return the service that a step asks; None for a step without one. Raises `UsageError` for an invalid address."""
    service = step.backend.service
    if service is None:
        return None
    given = str(step.load_options.get("address") or "")
    address = given.rstrip("/") or service.address
    own = address in {service.address, service.address.removesuffix("/v1")}
    parts = urlsplit(address)
    name = f"{step.stage.name}.address"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError("service.address", f"`{name}` is {given!r}; expected an address like http://127.0.0.1:8080/v1")
    if parts.username or parts.password or parts.query:
        raise UsageError(
            "service.address",
            f"`{name}` holds more than an address, and reel stores this setting with every result",
            hint=f"give the key in the variable {OTHER_KEY} or in config/secrets.json",
        )
    return Asked(address, service.key if own else OTHER_KEY, own)


def check_service(step: Step, environ: Mapping[str, str], config: Path, *, offline: bool) -> None:
    """Raise `UsageError` or `Missing` where a step's service cannot be asked, as far as that is known beforehand."""
    asked = asked_by(step)
    if asked is None:
        return
    name = f"{step.stage.name} ({step.backend_name})"
    if offline and not asked.is_here:
        local = next(name for name, backend in step.stage.backends.items() if not backend.service)
        raise UsageError(
            "service.offline",
            f"{name} asks {asked.host}, and the setting `offline` forbids the network",
            hint=f"use another backend (`--set {step.stage.name}.backend={local}`), or a server on this machine",
        )
    if not step.load_options.get("model"):
        raise UsageError(
            "service.model",
            f"{name} needs the name of a model",
            hint=f"give the name that {asked.host} uses: `--set {step.stage.name}.model=NAME`",
        )
    if find_key(asked.key, environ, config) is None and asked.needs_key:
        raise Missing(
            "service.key",
            f"{name} needs a key for {asked.host}, and there is none",
            hint=f"set the variable {asked.key}, or `{asked.key.lower()}` in config/secrets.json",
        )


def find_key(name: str, environ: Mapping[str, str], config: Path) -> Token | None:
    """Return the key from the variable `name`, else from `config/secrets.json`; None where there is none."""
    if value := environ.get(name, "").strip():
        return checked(value, f"the variable {name}")
    return from_file(config, name.lower())
