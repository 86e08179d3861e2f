"""The arguments of `serve` and `hook`."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.sizes import size_in
from pipeline.cli.flag_values import seconds, whole
from pipeline.cli.options.declare import HOW, MAKE, TAKE, Arguments, flag, repeated, toggle
from pipeline.cli.options.shared import FirstUseFlags, GuideFlag, PlaceFlags, SettingFlags


def _size(word: str) -> int:
    """Read a size like `20GiB`."""
    size = size_in(word)
    if size is None:
        raise ValueError("a size like 20GB")
    return size


def _pair(word: str) -> tuple[str, str]:
    """Read `/their/films=/our/films`."""
    theirs, equals, ours = word.partition("=")
    if not (theirs and equals and ours):
        raise ValueError("two folders, as `/their/films=/our/films`")
    return theirs, ours


def _media_server(word: str) -> tuple[str, str]:
    """Read `plex=http://127.0.0.1:32400`."""
    kind, _, url = word.partition("=")
    if kind not in {"plex", "jellyfin"} or not url.startswith(("http://", "https://")):
        raise ValueError("plex or jellyfin with its address, as `plex=http://127.0.0.1:32400`")
    return kind, url


@dataclass(frozen=True, kw_only=True, eq=False)
class ServeFlags(SettingFlags, FirstUseFlags, GuideFlag, PlaceFlags):
    recipe: str | None = flag(
        "--recipe", group=MAKE, metavar="NAME", setting="recipe", kind="recipe",
        help="what to make of a media file, where a request does not say it (subtitle)",
    )  # fmt: skip
    to: str | None = flag(
        "--to", group=MAKE, metavar="LANGUAGES", setting="to", kind="language",
        help="target languages, where a request names none: `pt,en`",
    )  # fmt: skip
    skip_existing: bool | None = toggle(
        "--skip-existing", group=TAKE, setting="skip_existing",
        help="skip media files that already have text subtitles in the requested languages",
    )  # fmt: skip
    media: tuple[str, ...] = repeated(
        "--media", group=TAKE, metavar="DIR", kind="folder",
        help="a folder whose files requests may name; without it, files can only be uploaded; may be repeated",
    )  # fmt: skip
    maps: tuple[tuple[str, str], ...] = repeated(
        "--map", group=TAKE, metavar="FROM=TO", read=_pair,
        help="a folder as another program sees it, and as this machine sees it; may be repeated",
    )  # fmt: skip
    media_servers: tuple[tuple[str, str], ...] = repeated(
        "--media-server", group=TAKE, metavar="NAME=URL", read=_media_server,
        help="the plex or jellyfin to ask for the path of an item that its webhook names; may be repeated",
    )  # fmt: skip
    max_upload: int = flag(
        "--max-upload", group=TAKE, metavar="SIZE", read=_size, default=20_000_000_000,
        help="the largest upload to take (20GB)",
    )  # fmt: skip
    keep_free: int = flag(
        "--keep-free", group=TAKE, metavar="SIZE", read=_size, default=2_000_000_000,
        help="take no upload that would leave less free space than this (2GB)",
    )  # fmt: skip
    listen: str = flag(
        "--listen", group=HOW, metavar="ADDRESS", default="127.0.0.1",
        help="the address to listen at (127.0.0.1); any other than this machine's own loopback needs a token",
    )  # fmt: skip
    port: int = flag(
        "--port", group=HOW, metavar="N", read=whole, default=9000, help="the port to listen at (9000); 0: any free one"
    )
    token_file: str | None = flag(
        "--token-file", group=HOW, metavar="FILE", kind="file",
        help="a file with the token that requests must bring; else the variable REEL_TOKEN",
    )  # fmt: skip
    hosts: tuple[str, ...] = repeated(
        "--host-name", group=HOW, metavar="NAME",
        help="another name that requests may call this server by, as in its address; may be repeated",
    )  # fmt: skip
    base_path: str = flag(
        "--base-path", group=HOW, metavar="PATH", default="",
        help="where a proxy shows this server, if not at the root: `/reel`",
    )  # fmt: skip
    trusted_proxies: tuple[str, ...] = repeated(
        "--trusted-proxy", group=HOW, metavar="ADDRESS",
        help="a proxy whose word on the client's address is taken; may be repeated",
    )  # fmt: skip
    linger: float = flag(
        "--linger", group=HOW, metavar="SECONDS", read=seconds, default=2.0,
        help="keep models loaded, and the results locked, for this long after the last job (2)",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class HookFlags(Arguments):
    url: str = flag(
        "--url", group=HOW, metavar="URL", default="http://127.0.0.1:9000",
        help="the address of `reel serve` (http://127.0.0.1:9000)",
    )  # fmt: skip
    token_file: str | None = flag(
        "--token-file", group=HOW, metavar="FILE", kind="file",
        help="a file with the server's token; else the variable REEL_TOKEN",
    )  # fmt: skip
