"""Let pip and uv reach a package index as the user has configured it, and ignore all other settings of the user.

Installers get the index, the proxy and the certificates that the user has configured for pip, in a file or in a
variable; uv gets those of pip if the user has configured nothing for uv. Settings that would install elsewhere
(`target`, `prefix`, `user`), or that would refuse or replace what a lock holds (`constraint`, `no-binary`,
`exclude-newer`), do not reach them: a package is what its lock says, in the environment that reel makes.

`bootstrap_core` calls this before any of our dependencies exist: standard library only, and no import of ours.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Settings of pip for reaching an index; `timeout` has an older name.
_PIP_KEEPS = {
    "index-url", "pypi-url", "extra-index-url", "no-index", "find-links", "trusted-host", "proxy", "cert",
    "client-cert", "timeout", "default-timeout", "retries", "resume-retries", "keyring-provider", "use-feature",
    "use-deprecated",
}  # fmt: skip
# The same of uv, as beginnings of its variables; those of a named index hold its name and password.
_UV_KEEPS = (
    "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX", "UV_INSECURE_HOST",
    "UV_HTTP", "UV_REQUEST_TIMEOUT", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "UV_KEYRING", "UV_CREDENTIALS", "UV_OFFLINE",
    "UV_CONCURRENT", "UV_LINK_MODE", "UV_AZURE", "UV_S3", "UV_GCS",
)  # fmt: skip
_UV_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_NO_INDEX")
_UV_STORES = ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS")
# A build of a package runs that package's own code, which must not see keys of language models, tokens of hubs and
# passwords. It may see those of indexes, and those with which helpers of pip and uv (`keyring`) log in to an index.
_SECRET = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|PAT|SECRET|PASSWORD|PASSWD|PASSPHRASE)S?$", re.IGNORECASE)
_LOGS_IN = re.compile(r"^(?:PIP|UV|AWS|AZURE|ARTIFACTS|CODEARTIFACT|VSS)_(?!.*API_?KEY)", re.IGNORECASE)
# Variables that name an interpreter or environment of the user, or that change how the installer's Python works.
_MISLEADING = ("PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV", "REEL_")
# The files in which systems keep the certificates that they trust.
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip
_SETTING = re.compile(r"^(?P<section>[^.\s]+)\.(?P<name>[\w-]+)=(?P<value>'.*'|\".*\")$")
_SECTIONS = ("global", "download", "install")  # a later section overrides an earlier one
_CERTIFICATE = re.compile(r"certificate|CERTIFICATE_VERIFY_FAILED|UnknownIssuer|No CA certificates", re.IGNORECASE)
_NOT_VERIFIED = re.compile(r"certificate verify failed(?:: [^'\"()]+)?", re.IGNORECASE)
_NO_CONNECTION = re.compile(r"connection broken by '\w+\(.*?(?:object at 0x\w+>: |, |')(?P<why>[^'\"]+?)['\")]*': /")

Variables = Mapping[str, str]


def pip_command(python: str | Path, *arguments: str) -> list[str]:
    """Return the command for this interpreter's pip. It does not import files of the current folder (`logging.py`)."""
    return [str(python), "-P", "-m", "pip", *arguments]


def uv_command(*arguments: str) -> list[str]:
    """Return the command for the uv of this process's environment."""
    return [sys.executable, "-P", "-m", "uv", *arguments]


def index_environment(cache_root: Path, parent: Variables, python: str | Path = sys.executable) -> dict[str, str]:
    """Return the environment of pip and uv, with the settings that this interpreter's pip finds in the user's files.
    Starts pip once."""
    return installer_environment(cache_root, parent, pip_settings(python, parent))


def pip_settings(python: str | Path, parent: Variables) -> dict[str, str]:
    """Return the settings for reaching an index from the user's and the system's pip files; none if pip cannot list
    them."""
    environ = {name: value for name, value in _kept(parent).items() if not name.upper().startswith("PIP_")}
    environ |= {name: value for name, value in parent.items() if name.upper() == "PIP_CONFIG_FILE"}
    environ |= {"PIP_QUIET": "0", "PIP_VERBOSE": "0", "PIP_NO_COLOR": "1", "PYTHONUTF8": "1"}
    command = pip_command(python, "config", "list")
    listed = subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace"
    )
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listed.stdout.splitlines():
        if (setting := _SETTING.match(line)) and setting["section"] in found and setting["name"] in _PIP_KEEPS:
            found[setting["section"]][setting["name"]] = " ".join(str(ast.literal_eval(setting["value"])).split("\n"))
    return {name: value.strip() for section in _SECTIONS for name, value in found[section].items()}


def installer_environment(
    cache_root: Path, parent: Variables, settings: Variables, bundles: Sequence[str] = SYSTEM_BUNDLES
) -> dict[str, str]:
    """Return the environment of pip and uv: the user's own, without secrets, with our caches, and with only those of
    their settings that concern reaching an index. `settings` are those of pip's files, which variables override."""
    kept = _kept(parent)
    variables = {
        name: value for name, value in kept.items() if not name.upper().startswith(("PIP_", "UV_"))
    } | {name: value for name, value in kept.items() if name.upper().startswith(_UV_KEEPS) and value}  # fmt: skip
    pip = dict(settings) | {
        _option(name): value for name, value in kept.items() if _option(name) in _PIP_KEEPS and value
    }
    bundle = _first_file(bundles) if sys.platform != "win32" else None
    if not _existing(variables, "SSL_CERT_FILE"):
        variables.pop("SSL_CERT_FILE", None)  # names no file: uv would trust its own certificates only
    cert = _existing(kept, "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or _existing(
        pip, "cert"
    )
    variables |= _for_uv(variables, pip, cert, bundle)
    # pip before 24.2 uses neither the system's store nor SSL_CERT_FILE.
    pip["cert"] = cert or pip.get("cert") or (bundle if sys.platform != "darwin" else None) or ""
    variables |= {f"PIP_{name.upper().replace('-', '_')}": value for name, value in pip.items() if value}
    return variables | {
        "UV_CACHE_DIR": str(cache_root / "uv"),  # on the environments' own disk, so that files are linked, not copied
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "PIP_CONFIG_FILE": os.devnull,  # read already; an empty variable would not undo a `target` in the file
        "PIP_CACHE_DIR": str(cache_root / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_USER": "0",
        "PYTHONUTF8": "1",
    }


def failure_reason(output: str) -> str:
    """Return why pip failed, in one line of its output. A certificate or a connection of which it only warned is the
    cause of its last error, that there is no such package."""
    if broken := _NOT_VERIFIED.search(output):
        return " ".join(broken[0].split())
    errors = [line.removeprefix("ERROR: ").strip() for line in output.splitlines() if line.startswith("ERROR")]
    last = errors[-1] if errors else (output.strip().splitlines() or ["pip gave no reason"])[-1]
    broken = _NO_CONNECTION.search(output)
    return f"{last}: {broken['why']}" if broken else last


def certificate_hint(reason: str, command: str = "") -> str | None:
    """Return the hint for a refused certificate, with the `command` to try then; None for other reasons."""
    if not _CERTIFICATE.search(reason):
        return None
    hint = (
        "if your network has a certificate authority of its own, name the file of its certificate in the variable "
        "SSL_CERT_FILE"
    )
    return f"{hint}: `SSL_CERT_FILE=/path/to/ca.pem {command}`" if command else hint


def _kept(parent: Variables) -> dict[str, str]:
    """Return the variables without secrets, and without those that would change how an installer works."""
    return {
        name: value
        for name, value in parent.items()
        if not name.upper().startswith(_MISLEADING) and (_LOGS_IN.match(name) or not _SECRET.search(name))
    }


def _option(variable: str) -> str:
    """Return pip's name of the setting that a variable sets; empty if the variable is not pip's."""
    name = variable.upper()
    return name.removeprefix("PIP_").lower().replace("_", "-") if name.startswith("PIP_") else ""


def _for_uv(variables: Variables, pip: Variables, cert: str | None, bundle: str | None) -> dict[str, str]:
    """Return the variables that pass pip's settings to uv, as far as the user has configured nothing for uv."""
    settings: dict[str, str] = {}
    if not any(variables.get(name) for name in _UV_INDEXES):
        if pip.get("no-index", "").lower() in {"1", "true", "yes", "y", "on", "t"}:
            settings |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split())}
        elif address := pip.get("index-url") or pip.get("pypi-url"):
            settings["UV_DEFAULT_INDEX"] = address
    if hosts := pip.get("trusted-host"):
        settings["UV_INSECURE_HOST"] = " ".join(hosts.split())
    if proxy := pip.get("proxy"):
        settings |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    if client := pip.get("client-cert"):
        settings["SSL_CLIENT_CERT"] = os.path.expanduser(client)  # noqa: PTH111 - raises nothing without a home
    proxied = any(variables.get(name) for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY",
                                                   "HTTPS_PROXY", "ALL_PROXY"))  # fmt: skip
    own = {name for name in settings if variables.get(name) or (proxied and name.endswith("_PROXY"))}
    settings = {name: value for name, value in settings.items() if value and name not in own}
    if cert:
        settings["SSL_CERT_FILE"] = cert
    # Without a store, uv refuses to start with this variable, and it brings certificates of its own.
    if not any(variables.get(name) for name in _UV_STORES) and (bundle or sys.platform in {"darwin", "win32"}):
        settings["UV_SYSTEM_CERTS"] = "1"
    return settings


def _existing(values: Variables, *names: str) -> str | None:
    """Return the first of these variables that names an existing file."""
    return _first_file([values[name] for name in names if values.get(name)])


def _first_file(paths: Sequence[str]) -> str | None:
    # `pathlib` would raise without a home folder, and for a path below a folder that may not be read.
    expanded = (os.path.expanduser(path) for path in paths)  # noqa: PTH111
    return next((path for path in expanded if os.path.isfile(path)), None)  # noqa: PTH113


def main(arguments: Sequence[str]) -> None:
    """Replace this process by uv with these arguments and the user's index. `scripts/test` calls it."""
    command = uv_command("--quiet", "--no-config", *arguments)
    os.execve(command[0], command, index_environment(Path(".cache").resolve(), os.environ))


if __name__ == "__main__":
    main(sys.argv[1:])
