"""Errors as OpenAI's clients expect them: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api.problems import counted, headers_of
from kaynak.api.reading import JsonRoute, validation_problems
from kaynak.api.wire import dumps
from kaynak.domain import (
    BudgetExceeded,
    CollectionNotFound,
    InvalidRequest,
    KaynakError,
    NotFound,
    RateLimited,
    Unauthenticated,
)

log = structlog.get_logger(__name__)

_STATUS: Final = {422: 400, 402: 429}
"""Statuses that OpenAI's API does not have, as those it has."""


class ModelNotFound(NotFound):
    """No model of that name is served here."""

    type, title = "model-not-found", "No such model"


class InvalidParameter(InvalidRequest):
    """A parameter has a value that cannot be.

    Args:
        param: Its name, as in ``messages[2].content``.
        message: Why.
        hint: What to do instead.
    """

    def __init__(self, param: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.param = param


class ParameterRefused(InvalidParameter):
    """A parameter asks for what is not done here, and ignoring it would break what the caller relies on."""


class OpenAIRoute(JsonRoute):
    """A route whose errors are OpenAI's."""

    body_limit = 8 * 1024 * 1024

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the handler, with its errors translated."""
        handler = super().get_route_handler()

        async def translated(request: Request) -> Response:
            try:
                return await handler(request)
            except KaynakError as raised:
                error = await counted(request, raised)
                if error.status >= 500:
                    log.warning("request_failed", error=error.type, detail=error.message)
                return respond(error)
            except RequestValidationError as invalid:
                return respond(_refused(invalid))
            except Exception:
                log.exception("unexpected_error", path=request.scope["path"])
                return respond(unexpected())

        return translated


def respond(error: KaynakError) -> Response:
    """Returns an error as a response."""
    status = _STATUS.get(error.status, error.status)
    headers = headers_of(error)
    if isinstance(error, BudgetExceeded):
        headers["x-should-retry"] = "false"  # their clients would try a 429 again
    return Response(dumps(error_of(error)), status_code=status, media_type="application/json", headers=headers)


def error_of(error: KaynakError) -> dict[str, Any]:
    """Returns the body of an error."""
    message = f"{error.message} {error.hint}" if error.hint else error.message
    return {"error": {"message": message, "type": _type(error), "param": _param(error), "code": _code(error)}}


def unexpected() -> KaynakError:
    """Returns what is said of an error that nobody foresaw; the log has the rest."""
    return KaynakError("Something unexpected happened; the server's log has it.", hint="Try again.")


def _param(error: KaynakError) -> str | None:
    if isinstance(error, InvalidParameter):
        return error.param
    return "model" if isinstance(error, ModelNotFound | CollectionNotFound) else None


def _type(error: KaynakError) -> str:
    if isinstance(error, BudgetExceeded):
        return "insufficient_quota"
    if isinstance(error, RateLimited):
        return "rate_limit_error"
    return "server_error" if error.status >= 500 else "invalid_request_error"


def _code(error: KaynakError) -> str:
    if isinstance(error, ModelNotFound | CollectionNotFound):
        return "model_not_found"
    if isinstance(error, BudgetExceeded):
        return "insufficient_quota"
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    if isinstance(error, Unauthenticated):
        return "invalid_api_key"
    return "unsupported_parameter" if isinstance(error, ParameterRefused) else error.type.replace("-", "_")


def _refused(error: RequestValidationError) -> KaynakError:
    faults = validation_problems(error)
    if not faults:
        return InvalidRequest("The request is not valid.")
    field = faults[0]["field"].removeprefix("body.")
    return InvalidParameter(field, f"{field}: {faults[0]['message']}.", hint="See docs/openai.md.")
