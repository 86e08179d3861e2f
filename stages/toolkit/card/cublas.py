"""Load NVIDIA's cuBLAS from its wheel, so that CTranslate2, which looks it up by its name, finds it."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path

# In this order: the second needs the first.
_LIBRARIES = ("cublas64_12.dll",) if sys.platform == "win32" else ("libcublasLt.so.12", "libcublas.so.12")


def load_cublas() -> bool:
    """Load the library into this process. Return False where the environment has no such wheel."""
    spec = find_spec("nvidia")
    for place in spec.submodule_search_locations or () if spec else ():
        folder = Path(place) / "cublas" / ("bin" if sys.platform == "win32" else "lib")
        if all((folder / name).exists() for name in _LIBRARIES):
            if sys.platform == "win32":
                os.add_dll_directory(str(folder))
            for name in _LIBRARIES:
                ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
            return True
    return False
