"""Services on the network that steps use: the address of each, whether it may be used, and the user's key for it.

The key of a provider is sent only to the provider's own address, and `LLM_API_KEY` to any other address that the user
names. Only the worker that uses the service gets the key, in a variable.
"""

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
class UsedService:
    """Service that a step uses. `key` names the variable of its key; without `needs_key`, the service is also used
    without one."""

    address: str
    key: str
    needs_key: bool

    @property
    def host(self) -> str:
        """Return the host, with its port, for messages."""
        return urlsplit(self.address).netloc

    @property
    def is_here(self) -> bool:
        """Tell whether the service is on this machine, so that no data leaves it."""
        name = urlsplit(self.address).hostname or ""
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name == "localhost"


def service_of(step: Step) -> UsedService | None:
    """Return the service that a step uses; None for a step without one. Raises `UsageError` for an invalid address."""
    service = step.backend.service
    if service is None:
        return None
    stated = str(step.load_options.get("address") or "")
    address = stated.rstrip("/") or service.address
    is_providers = address in {service.address, service.address.removesuffix("/v1")}
    parts = urlsplit(address)
    name = f"{step.stage.name}.address"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(
            "service.address", f"`{name}` is {stated!r}; expected an address like http://127.0.0.1:8080/v1"
        )
    if parts.username or parts.password or parts.query:
        raise UsageError(
            "service.address",
            f"`{name}` holds more than an address, and reel stores this setting with every result",
            hint=f"give the key in the variable {OTHER_KEY} or in config/secrets.json",
        )
    return UsedService(address, service.key if is_providers else OTHER_KEY, is_providers)


def check_service(step: Step, environ: Mapping[str, str], config: Path, *, offline: bool) -> None:
    """Raise `UsageError` or `Missing` if a step's service cannot be used, as far as that is known before the run."""
    service = service_of(step)
    if service is None:
        return
    name = f"{step.stage.name} ({step.backend_name})"
    if offline and not service.is_here:
        local = next(name for name, backend in step.stage.backends.items() if not backend.service)
        raise UsageError(
            "service.offline",
            f"{name} asks {service.host}, and the setting `offline` forbids the network",
            hint=f"use another backend (`--set {step.stage.name}.backend={local}`), or a server on this machine",
        )
    if not step.load_options.get("model"):
        raise UsageError(
            "service.model",
            f"{name} needs the name of a model",
            hint=f"give the name that {service.host} uses: `--set {step.stage.name}.model=NAME`",
        )
    if find_key(service.key, environ, config) is None and service.needs_key:
        raise Missing(
            "service.key",
            f"{name} needs a key for {service.host}, and there is none",
            hint=f"set the variable {service.key}, or `{service.key.lower()}` in config/secrets.json",
        )


def find_key(name: str, environ: Mapping[str, str], config: Path) -> Token | None:
    """Return the key from the variable `name`, else from `config/secrets.json`; None if there is none."""
    if value := environ.get(name, "").strip():
        return checked(value, f"the variable {name}")
    return from_file(config, name.lower())
