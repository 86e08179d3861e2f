"""pip and uv reach the user's index by the user's own way, and install nowhere but into our environments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import Missing
from pipeline.environments.environments import Environments
from pipeline.environments.families import Family
from pipeline.environments.package_index import (
    certificate_hint,
    failure_reason,
    index_environment,
    installer_environment,
    pip_command,
    pip_settings,
    uv_command,
)
from pipeline.model_cache.fetch.errors import no_answer_error
from tests.conftest import ROOT
from tests.fakes.index import PackageIndex, make_wheel, requirement, serve_index

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificates of the test's index")
SYSTEM_PYTHON = Path(sys.base_prefix) / "bin" / "python3"


@pytest.fixture
def person(tmp_path: Path) -> Path:
    """Return a home folder with a place for pip's settings."""
    (tmp_path / "person" / ".config" / "pip").mkdir(parents=True)
    return tmp_path / "person"


@pytest.fixture
def user(person: Path) -> dict[str, str]:
    """Return the variables of a user who has told pip nothing in them."""
    return {"HOME": str(person), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    (tmp_path / "wheels").mkdir()
    return make_wheel(tmp_path / "wheels")


@pytest.fixture
def locked(tmp_path: Path, wheel: Path) -> Path:
    lock = tmp_path / "parcel.lock"
    lock.write_text(requirement(wheel), encoding="utf-8")
    return lock


def tell_pip(person: Path, text: str) -> None:
    (person / ".config" / "pip" / "pip.conf").write_text(text, encoding="utf-8")


# What would install elsewhere, refuse, replace, or say something else than is read.
ELSEWHERE = {
    "user": "true",
    "target": "{elsewhere}",
    "prefix": "{elsewhere}",
    "root": "{elsewhere}",
    "require-virtualenv": "true",
    "break-system-packages": "true",
    "dry-run": "true",
    "report": "{elsewhere}/report.json",
    "constraint": "{elsewhere}/constraints.txt",
    "no-binary": ":all:",
    "quiet": "3",
    "verbose": "3",
    "log": "{elsewhere}/pip.log",
    "progress-bar": "on",
    "python": "/nonexistent/python",
}


@pytest.mark.parametrize("where", ["file", "variable"])
def test_no_setting_of_the_users_pip_leads_an_installation_elsewhere(
    where: str, user: dict[str, str], person: Path, wheel: Path, locked: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    told = {name: ELSEWHERE[name].format(elsewhere=elsewhere) for name in ELSEWHERE}
    index = f"no-index = true\nfind-links = {wheel.parent}\n"
    if where == "file":
        told.pop("python")  # pip cannot even tell its settings then
        told.pop("log")  # it is written already while pip tells them
        lines = "".join(f"{name} = {value}\n" for name, value in told.items())
        tell_pip(person, f"[global]\n{index}{lines}[install]\n{lines}")
    else:
        tell_pip(person, f"[global]\n{index}")
        user |= {f"PIP_{name.upper().replace('-', '_')}": value for name, value in told.items()}
    made = tmp_path / "made"
    venv.create(made, with_pip=False)
    environ = index_environment(tmp_path / "cache", user)
    install = pip_command(
        sys.executable, "--python", str(made / "bin" / "python"), "install", "--quiet", "--require-hashes",
        "--no-deps", "--only-binary=:all:", "--requirement", str(locked),
    )  # fmt: skip
    done = subprocess.run(install, env=environ, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert list(made.rglob("reel_test_parcel.py"))
    assert not elsewhere.exists()
    assert not (person / ".local").exists()


def test_the_users_way_to_an_index_is_kept_from_every_file_and_a_variable_goes_first(
    user: dict[str, str], person: Path, tmp_path: Path
) -> None:
    tell_pip(
        person,
        "[global]\nindex-url = https://global/simple\ntimeout = 7\nproxy = http://proxy:1\nquiet = 2\n"
        "extra-index-url =\n  https://one/simple\n  https://two/simple\n"
        "[install]\nindex-url = https://name:it's%40@install/simple\n[list]\nretries = 9\n",
    )
    settings = pip_settings(sys.executable, user)
    assert settings["index-url"] == "https://name:it's%40@install/simple"
    assert settings["extra-index-url"].split()[-2:] == ["https://one/simple", "https://two/simple"]
    assert (settings["timeout"], settings["proxy"]) == ("7", "http://proxy:1")
    assert "retries" not in settings
    variables = installer_environment(tmp_path, {**user, "PIP_INDEX_URL": "https://mine/simple"}, settings)
    assert variables["PIP_INDEX_URL"] == variables["UV_DEFAULT_INDEX"] == "https://mine/simple"
    assert variables["PIP_CONFIG_FILE"] == os.devnull


def test_uv_takes_from_pip_only_what_the_user_has_not_told_it(tmp_path: Path) -> None:
    settings = {"index-url": "https://pip/simple", "proxy": "http://pip:1", "trusted-host": "pip"}
    variables = installer_environment(tmp_path, {}, settings)
    assert variables["UV_DEFAULT_INDEX"] == "https://pip/simple"
    assert variables["HTTPS_PROXY"] == "http://pip:1"
    assert variables["UV_INSECURE_HOST"] == "pip"
    own = {"UV_INDEX_URL": "https://uv/simple", "https_proxy": "http://uv:1", "UV_INSECURE_HOST": "uv"}
    variables = installer_environment(tmp_path, own, settings)
    assert own.items() <= variables.items()
    assert not {"UV_DEFAULT_INDEX", "HTTPS_PROXY"} & set(variables)


def test_only_a_folder_of_wheels_is_only_a_folder_of_wheels_for_uv_too(tmp_path: Path) -> None:
    variables = installer_environment(tmp_path, {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/a /b"}, {})
    assert (variables["UV_NO_INDEX"], variables["UV_FIND_LINKS"]) == ("1", "/a,/b")


@pytest.mark.parametrize(
    "name", ["UV_CONSTRAINT", "UV_EXCLUDE_NEWER", "UV_TORCH_BACKEND", "UV_NO_VERIFY_HASHES", "UV_CONFIG_FILE",
             "UV_PYTHON", "UV_NO_BINARY", "UV_WORKING_DIR", "PYTHONINSPECT", "PYTHONPATH", "PYTHONHOME",
             "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"],
)  # fmt: skip
def test_a_setting_that_changes_what_is_installed_does_not_reach_an_installer(name: str, tmp_path: Path) -> None:
    assert name not in installer_environment(tmp_path, {name: "x"}, {})


SECRETS = [
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LLM_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "AZURE_OPENAI_API_KEY",
    "GITHUB_TOKEN", "GH_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "REEL_SERVICE_KEY", "DB_PASSWORD", "github_token",
]  # fmt: skip


@pytest.mark.parametrize("program", [pip_command, uv_command])
def test_an_installer_sees_no_key_and_no_token(program: object, user: dict[str, str], tmp_path: Path) -> None:
    """A real child tells what is in its own environment: a Python in the place of pip and uv."""
    parent = {**user, **dict.fromkeys(SECRETS, "secret-value")}
    kept = {
        "UV_INDEX_MINE_PASSWORD": "a", "PIP_INDEX_URL": "https://name:word@host/simple", "AWS_SESSION_TOKEN": "b",
        "SSH_AUTH_SOCK": "c", "GOOGLE_APPLICATION_CREDENTIALS": "d",
    }  # fmt: skip
    environ = index_environment(tmp_path, {**parent, **kept})
    asked = subprocess.run(
        [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"],
        env=environ, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    seen = json.loads(asked.stdout)
    assert "secret-value" not in seen.values()
    assert kept.items() <= seen.items()


@given(
    st.dictionaries(
        st.sampled_from([*SECRETS, "PIP_TARGET", "PIP_USER", "UV_TARGET", "PATH", "HOME"]), st.text(min_size=1)
    )
)
def test_whatever_is_set_no_secret_and_no_target_passes(parent: dict[str, str]) -> None:
    variables = installer_environment(Path("/cache"), parent, {})
    assert not {*SECRETS, "PIP_TARGET", "UV_TARGET"} & set(variables)
    assert variables["PIP_USER"] == "0"
    assert all(variables[name] == parent[name] for name in ("PATH", "HOME") if name in parent)


@pytest.fixture
def index(tmp_path: Path, wheel: Path) -> Iterator[PackageIndex]:
    (tmp_path / "certificates").mkdir()
    with serve_index(tmp_path / "certificates", wheel) as index:
        yield index


def _build(user: dict[str, str], locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environments:
    for name in [*os.environ]:
        if name.upper().startswith(("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    families = {"parcel": Family(reason="a test", probe="reel_test_parcel")}
    return Environments(tmp_path / "venvs", locked.parent, tmp_path / "cache", families)


@needs_openssl
@pytest.mark.parametrize("told", ["pip.conf", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.slow
def test_uv_and_pip_accept_a_companys_certificate_whichever_of_them_was_told_of_it(
    told: str, index: PackageIndex, user: dict[str, str], person: Path, locked: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    in_file = f"cert = {index.authority}\n" if told == "pip.conf" else ""
    tell_pip(person, f"[global]\nindex-url = {index.address}\nretries = 0\n{in_file}")
    if not in_file:
        user[told] = str(index.authority)
    environments = _build(user, locked, tmp_path, monkeypatch)
    environments.ensure("parcel", lambda event: None)
    assert environments.check("parcel").state == "ready"
    (tmp_path / "got").mkdir()
    environments.download("parcel", tmp_path / "got")
    assert [path.suffix for path in (tmp_path / "got").iterdir()] == [".whl"]


@needs_openssl
@pytest.mark.slow
def test_a_certificate_that_is_not_accepted_ends_with_the_variable_that_helps(
    index: PackageIndex, user: dict[str, str], person: Path, locked: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    tell_pip(person, f"[global]\nindex-url = {index.address}\nretries = 0\n")
    environments = _build(user, locked, tmp_path, monkeypatch)
    with pytest.raises(Missing, match="certificate") as by_uv:
        environments.ensure("parcel", lambda event: None)
    with pytest.raises(Missing, match="certificate") as by_pip:
        environments.download("parcel", tmp_path)
    for caught in (by_uv, by_pip):
        assert "SSL_CERT_FILE=/path/to/ca.pem ./reel" in (caught.value.hint or "")
    monkeypatch.setenv("SSL_CERT_FILE", str(index.authority))
    environments.ensure("parcel", lambda event: None)


def test_certificates_of_the_system_are_for_both_and_ones_own_go_before_them(tmp_path: Path) -> None:
    system, own = tmp_path / "system.pem", tmp_path / "own.pem"
    for file in (system, own):
        file.write_text("a certificate", encoding="utf-8")
    bundles = ["/nonexistent/store.pem", str(system)]
    variables = installer_environment(tmp_path, {}, {}, bundles)
    assert variables["UV_SYSTEM_CERTS"] == "1"
    if sys.platform == "linux":
        assert variables["PIP_CERT"] == str(system)
        assert "UV_SYSTEM_CERTS" not in installer_environment(tmp_path, {}, {}, []), "uv refuses a store that is empty"
    assert "UV_SYSTEM_CERTS" not in installer_environment(tmp_path, {"UV_NATIVE_TLS": "0"}, {}, bundles)
    for variables in (
        installer_environment(tmp_path, {"SSL_CERT_FILE": str(own)}, {}, bundles),
        installer_environment(tmp_path, {}, {"cert": str(own)}, bundles),
    ):
        assert (variables["PIP_CERT"], variables["SSL_CERT_FILE"]) == (str(own), str(own))
    gone = installer_environment(tmp_path, {"SSL_CERT_FILE": "/nonexistent.pem"}, {}, bundles)
    assert "SSL_CERT_FILE" not in gone, "uv would trust nothing but its own certificates"


def test_a_failure_of_pip_is_told_by_its_cause() -> None:
    nothing = "ERROR: Could not find a version\nERROR: No matching distribution found for six==1\n"
    refused = (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3"
        ".connection.HTTPConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection "
        "refused')': /simple/six/\n"
    )
    unknown = "WARNING: ... (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)'))) - skipping\n"  # noqa: E501
    assert failure_reason(nothing) == "No matching distribution found for six==1"
    assert failure_reason(refused + nothing).endswith("[Errno 111] Connection refused")
    assert failure_reason(unknown + nothing) == "certificate verify failed: unable to get local issuer certificate"
    assert failure_reason("") == "pip gave no reason"
    assert certificate_hint("No space left on device") is None
    assert "SSL_CERT_FILE" in (no_answer_error("https://hub/x", OSError("certificate verify failed")).hint or "")


@pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="needs the Python that this environment was made with")
@pytest.mark.slow
class TestTheCoreEnvironment:
    """`pipeline.environments.bootstrap_core` as the wrapper calls it, with a lock of one small package."""

    @pytest.fixture
    def root(self, tmp_path: Path, locked: Path) -> Path:
        (tmp_path / "root" / "config" / "environments").mkdir(parents=True)
        shutil.copy(locked, tmp_path / "root" / "config" / "environments" / "core.lock")
        return tmp_path / "root"

    def set_up(self, root: Path, environ: dict[str, str], cwd: Path, *before: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, SYSTEM_PYTHON, "-s", "-P", "-X", "utf8", "-m", "pipeline.environments.bootstrap_core", root],
            env={**environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}, cwd=cwd, capture_output=True,
            encoding="utf-8", check=False,
        )  # fmt: skip

    def test_is_made_under_any_settings_of_pip_and_in_any_folder(
        self, root: Path, user: dict[str, str], person: Path, wheel: Path, tmp_path: Path
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        tell_pip(
            person,
            f"[global]\nno-index = true\nfind-links = {wheel.parent}\n[install]\nuser = true\ntarget = {elsewhere}\n",
        )
        work = tmp_path / "work"
        work.mkdir()
        for name in ("logging.py", "pip.py", "venv.py", "random.py"):
            (work / name).write_text("raise SystemExit('a file of the user was imported')\n", encoding="utf-8")
        done = self.set_up(root, {**user, "PIP_PREFIX": str(elsewhere), "PIP_REQUIRE_VIRTUALENV": "1"}, work)
        assert done.returncode == 0, done.stderr
        assert list((root / ".venvs" / "core").rglob("reel_test_parcel.py"))
        assert not elsewhere.exists()

    @needs_openssl
    def test_says_what_helps_where_a_certificate_is_not_accepted(
        self, root: Path, user: dict[str, str], person: Path, index: PackageIndex, tmp_path: Path
    ) -> None:
        tell_pip(person, f"[global]\nindex-url = {index.address}\nretries = 0\n")
        done = self.set_up(root, user, tmp_path)
        assert done.returncode == 5
        assert "certificate verify failed" in done.stderr
        assert "[core.build]" in done.stderr
        assert "SSL_CERT_FILE=/path/to/ca.pem ./reel" in done.stderr
        assert self.set_up(root, {**user, "SSL_CERT_FILE": str(index.authority)}, tmp_path).returncode == 0
