"""Compute the environment variables of a child process. No other file names these variables.

The orchestrator computes a child's complete environment with `child_environment`; a child inherits only the variables
in `INHERITED`. Libraries read most variables once, at import, so that setting them later has no effect: the worker
calls `missing_injection` before it imports anything, and ends if they were not injected.

Pure: no function here reads or writes `os.environ`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_WINDOWS = os.name == "nt"
SERVICE_KEY = "REEL_SERVICE_KEY"  # the user's key for the service that a worker uses; only that worker gets it
CACHE_ROOT = "REEL_CACHE_ROOT"  # proves that reel started a child, and names the cache that it must use
SCRATCH_ROOT = "REEL_SCRATCH_ROOT"  # where a child may write: the cache, or another folder if that is read-only

# The folder of each library below the cache. `HF_HUB_CACHE` is set although it follows from `HF_HOME`, because the
# user's own value would split the cache. No library reads `MLX_CACHE_DIR` today (mlx follows `HF_HOME`); it is set so
# that a version which reads it does not leave the cache.
_MODEL_FOLDERS = {
    "HF_HOME": "huggingface",
    "HF_HUB_CACHE": "huggingface/hub",
    "TORCH_HOME": "torch",
    "MLX_CACHE_DIR": "huggingface",
    "NLTK_DATA": "nltk_data",
}

# The folders that libraries write to while they work. They must be writable even if the models are read-only.
_WORK_FOLDERS = {
    "HF_MODULES_CACHE": "hf_modules",
    "NEMO_CACHE_DIR": "nemo",
    "NEMO_HOME": "nemo",
    "NUMBA_CACHE_DIR": "numba",
    "MPLCONFIGDIR": "matplotlib",
    "TIKTOKEN_CACHE_DIR": "tiktoken",
    "TRITON_CACHE_DIR": "triton",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TORCH_EXTENSIONS_DIR": "torch_extensions",
    "XDG_CACHE_HOME": "",  # the root itself, for every library without a variable of its own
}

# No library sends usage data from a stage.
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_SHARED_BLOBS": "1",  # else one repository's bytes lie in a store shared by all of them
    "HF_XET_TELEMETRY_ENABLED": "0",
    "DO_NOT_TRACK": "1",
    "PYANNOTE_METRICS_ENABLED": "false",
    "ORT_DISABLE_TELEMETRY": "1",
    "DISABLE_SAFETENSORS_CONVERSION": "true",  # transformers 4 compares with the literal `true`
    "USE_HUB_KERNELS": "0",
    "TOKENIZERS_PARALLELISM": "false",
}

# Apple's GPUs lack some of torch's operators. Those are computed on the processor, instead of failing.
_APPLE = {"PYTORCH_ENABLE_MPS_FALLBACK": "1"}

# Whisper takes and frees buffers of 70 MB for each layer. glibc returns such memory to the system each time, and gets
# it back page by page: 130,000 page faults a window, a third of the encoder's processor time. With these settings glibc
# keeps the memory, in one heap: `asr` of nine minutes took 39 instead of 52 CPU-seconds. Other C libraries ignore them.
_ALLOCATOR = {
    "GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=8589934592:glibc.malloc.arena_max=1"
}

# Set only if every model of the stage was verified, so that an incomplete cache is never mistaken for a complete one.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

# Variables that would move or split the cache, or give a secret to code that does not need it. `INHERITED` does not
# have them; the worker checks that too, in case one is added there.
FORBIDDEN = (
    "TRANSFORMERS_CACHE",  # transformers 4 still obeys it: models with and without `hub/` come from here
    "PYTORCH_TRANSFORMERS_CACHE",
    "PYTORCH_PRETRAINED_BERT_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "TORCH_HUB",
    "SENTENCE_TRANSFORMERS_HOME",
    "MLXLM_USE_MODELSCOPE",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "HF_TOKEN",
    "HF_TOKEN_PATH",
    "HUGGING_FACE_HUB_TOKEN",
    "GITHUB_TOKEN",
)

# A user's token for the model hub, for fetching models only.
HUB_TOKEN_VARIABLE = "HF_TOKEN"
_TOKEN_VARIABLES = (HUB_TOKEN_VARIABLE, "HUGGING_FACE_HUB_TOKEN")

INHERITED = (
    "LANG", "LC_ALL", "LC_CTYPE",  # how file names and messages are encoded
    "TZ",
    "TMPDIR", "TEMP", "TMP",
    "SSL_CERT_FILE", "SSL_CERT_DIR",  # a company's own certificates
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "LD_LIBRARY_PATH",
    "PYTORCH_CUDA_ALLOC_CONF",  # `expandable_segments:True` where a card's memory is cut into pieces
    "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS",  # Windows does not start without them
    "PROCESSOR_ARCHITECTURE", "PROGRAMDATA",  # and libraries ask for these there
)  # fmt: skip


@dataclass(frozen=True)
class ChildPaths:
    """The folders that a child may use, absolute and with links resolved, so that the working directory does not
    matter."""

    code_root: Path  # the folder of the packages `shared` and `stages`
    cache_root: Path  # the one cache
    programs: tuple[Path, ...]  # folders that come first on the child's PATH
    home: Path  # instead of the user's, so that nothing is read from or left in it
    scratch: Path | None = None  # where libraries may write; None for the cache itself


def cache_variables(cache_root: Path, scratch_root: Path | None = None) -> dict[str, str]:
    """Return each cache variable with its folder: for models below `cache_root`, for other files below
    `scratch_root`."""
    variables = {name: str(cache_root / folder) for name, folder in _MODEL_FOLDERS.items()}
    return variables | {name: str((scratch_root or cache_root) / folder) for name, folder in _WORK_FOLDERS.items()}


def hub_folder(cache_root: Path) -> Path:
    """Return the folder in which the hub's client keeps its repositories."""
    return cache_root / _MODEL_FOLDERS["HF_HUB_CACHE"]


def cache_folders(cache_root: Path, scratch_root: Path | None = None) -> tuple[Path, ...]:
    """Return the folders to create before a child starts: nltk, for example, uses the home folder if its own is
    missing. With a scratch folder, the cache is read-only, so nothing is created there."""
    folders = sorted({Path(value) for value in cache_variables(cache_root, scratch_root).values()})
    root = scratch_root or cache_root
    return tuple(folder for folder in folders if folder.is_relative_to(root))


def child_environment(
    paths: ChildPaths, parent: Mapping[str, str], *, offline: bool, threads: int = 1, service_key: str | None = None
) -> dict[str, str]:
    """Return the complete environment of a child. Only the variables in `INHERITED` are taken from `parent`.

    `offline` says that all models of the stage were verified. `threads` limits the numeric libraries' own pools.
    """
    variables = {name: parent[name] for name in INHERITED if name in parent}
    variables |= cache_variables(paths.cache_root, paths.scratch)
    variables |= _QUIET | _APPLE | _ALLOCATOR
    if offline:
        variables |= _OFFLINE
    variables |= {
        CACHE_ROOT: str(paths.cache_root),
        SCRATCH_ROOT: str(paths.scratch or paths.cache_root),
        "HOME": str(paths.home),
        "USERPROFILE": str(paths.home),  # the name of HOME on Windows
        "PATH": os.pathsep.join([*map(str, paths.programs), *_system_folders(parent)]),
        "PYTHONPATH": str(paths.code_root),  # our packages alone: they come before a distribution named `shared`
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "PYDANTIC_DISABLE_PLUGINS": "1",  # looking for plugins takes longer than a small step
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",  # the same bytes whatever a library does with a set
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait and spin take the cores from the other workers
    }
    if service_key:
        variables[SERVICE_KEY] = service_key
    return variables


def _system_folders(parent: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders of the system's own programs. `os.defpath` names none of them on Windows."""
    if _WINDOWS and (root := parent.get("SYSTEMROOT")):
        return (rf"{root}\system32", root)
    return (os.defpath,)


def missing_injection(environ: Mapping[str, str]) -> list[str]:
    """Return the mistakes in a worker's own environment, one clause each. Empty if it was injected correctly."""
    root = environ.get(CACHE_ROOT)
    if not root:
        return [f"{CACHE_ROOT} is not set"]
    scratch = environ.get(SCRATCH_ROOT, root)
    wrong = [
        f"{name} is {environ.get(name)!r}, expected {value!r}"
        for name, value in cache_variables(Path(root), Path(scratch)).items()
        if environ.get(name) != value
    ]
    return wrong + [f"{name} is set" for name in FORBIDDEN if name in environ]


def hub_endpoint(environ: Mapping[str, str], default: str) -> str:
    """Return the address of the model hub: the user's mirror if one is set."""
    return (environ.get("HF_ENDPOINT") or default).rstrip("/")


def hub_token_variable(environ: Mapping[str, str]) -> str:
    """Return the hub token in the user's variables, which the hub's client reads too; empty without one."""
    return next((value for name in _TOKEN_VARIABLES if (value := environ.get(name, "").strip())), "")


def hub_token_file(environ: Mapping[str, str], home: Path | None) -> Path | None:
    """Return the file in which the user's own hub client keeps its login, whatever cache reel uses. None without a home
    folder."""

    def place(name: str) -> Path:
        return Path(os.path.expanduser(name))  # noqa: PTH111 - `Path.expanduser` raises where there is no home folder

    if path := environ.get("HF_TOKEN_PATH"):
        return place(path)
    if folder := environ.get("HF_HOME"):
        return place(folder) / "token"
    cache = place(name) if (name := environ.get("XDG_CACHE_HOME")) else home and home / ".cache"
    return cache and cache / "huggingface" / "token"
