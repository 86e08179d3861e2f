"""The refusal of a request, as every interface of the server raises it."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.base.errors import ReelError


class Refused(Exception):
    """Refusal of a request: the HTTP status, a stable code, and what a person reads. `param` names a form field;
    `more` are further fields of the reply, for programs."""

    def __init__(
        self, status: int, code: str, message: str, hint: str | None = None, *, param: str | None = None,
        retry_after_s: int | None = None, more: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.code, self.message, self.hint = status, code, message, hint
        self.param, self.retry_after_s, self.more = param, retry_after_s, dict(more or {})

    @classmethod
    def by(cls, error: ReelError, status: int = 422, param: str | None = None) -> Refused:
        """Return the refusal for an error of reel's own."""
        return cls(status, error.code, error.message, error.hint, param=param)
