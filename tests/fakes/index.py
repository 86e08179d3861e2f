"""A package index on this machine with one small package, over HTTPS under an authority that no system knows."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME, VERSION = "reel-test-parcel", "1.0"
_MODULE = "reel_test_parcel"


@dataclass(frozen=True)
class PackageIndex:
    """`address` is that of the index, `authority` the certificate to trust, `requests` what was asked for."""

    address: str
    authority: Path
    requests: list[str]


def make_wheel(folder: Path) -> Path:
    """Return the package as a wheel."""
    wheel, info = folder / f"{_MODULE}-{VERSION}-py3-none-any.whl", f"{_MODULE}-{VERSION}.dist-info"
    files = {
        f"{_MODULE}.py": "HERE = True\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return wheel


def requirement(wheel: Path) -> str:
    """Return the line of a lock for it."""
    return f"{NAME}=={VERSION} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@contextlib.contextmanager
def serve_index(folder: Path, wheel: Path) -> Iterator[PackageIndex]:
    """Serve the wheel for the life of the block; `folder` takes keys and certificates."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            page = f'<!DOCTYPE html><html><body><a href="/{wheel.name}">{wheel.name}</a></body></html>'.encode()
            body = {f"/simple/{NAME}/": page, f"/{wheel.name}": wheel.read_bytes()}.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/zip" if self.path.endswith(".whl") else "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    authority, server_pem = _certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_pem)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield PackageIndex(f"https://localhost:{server.server_port}/simple", authority, requests)
        finally:
            server.shutdown()


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Return the authority's certificate, and the server's with its key."""
    authority, pem = folder / "authority.pem", folder / "server.pem"
    (folder / "server.ext").write_text(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n",
        encoding="utf-8",
    )
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        ["req", "-x509", *ec, "-keyout", "authority.key", "-out", authority.name, "-days", "2", "-subj",
         "/CN=A company's own authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        ["req", *ec, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"],
        ["x509", "-req", "-in", "server.csr", "-CA", authority.name, "-CAkey", "authority.key", "-CAcreateserial",
         "-days", "2", "-extfile", "server.ext", "-out", "server.crt"],
    ):  # fmt: skip
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    pem.write_bytes((folder / "server.key").read_bytes() + (folder / "server.crt").read_bytes())
    return authority, pem
