"""How the clients show who they are, and stay signed in."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress

import httpx

_REFRESH = "/v1/auth/refresh"
_EARLY_SECONDS = 30.0
"""A token that is about to run out is not sent with an upload that takes longer."""


class Credentials(httpx.Auth):
    """Sends an access token or an API key, and exchanges a refresh token for the next ones when it is time.

    A refresh token works once. The exchange is therefore done by one of all threads or tasks that share a client;
    the others wait, and go on with what came of it.

    Attributes:
        token: The access token, or the API key.
        refresh_token: What comes after it; None: there is nothing to refresh.
    """

    def __init__(self, base_url: str, token: str | None, refresh_token: str | None) -> None:
        self._base_url = base_url
        self.token = token
        self.refresh_token = refresh_token
        self._thread_lock = threading.Lock()
        self._task_lock: asyncio.Lock | None = None

    def take(self, tokens: dict[str, object]) -> None:
        """Keeps the tokens that the server gave."""
        self.token = str(tokens["access_token"])
        self.refresh_token = str(tokens["refresh_token"])

    def forget(self) -> None:
        """Goes on without."""
        self.token = self.refresh_token = None

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sends the request, and once more if the token had run out."""
        if self._is_due():
            with self._thread_lock:
                if self._is_due():
                    answer = yield self._exchange()
                    answer.read()
                    self._taken(answer)
        sent = self._signed(request)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and self.refresh_token is not None:
            with self._thread_lock:
                if self.token == sent:
                    answer = yield self._exchange()
                    answer.read()
                    self._taken(answer)
            if self.token != sent:
                self._signed(request)
                yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sends the request, and once more if the token had run out."""
        if self._task_lock is None:
            self._task_lock = asyncio.Lock()
        if self._is_due():
            async with self._task_lock:
                if self._is_due():
                    answer = yield self._exchange()
                    await answer.aread()
                    self._taken(answer)
        sent = self._signed(request)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and self.refresh_token is not None:
            async with self._task_lock:
                if self.token == sent:
                    answer = yield self._exchange()
                    await answer.aread()
                    self._taken(answer)
            if self.token != sent:
                self._signed(request)
                yield request

    def _signed(self, request: httpx.Request) -> str | None:
        if self.token is None:
            request.headers.pop("Authorization", None)
        else:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return self.token

    def _exchange(self) -> httpx.Request:
        body = {"refresh_token": self.refresh_token}
        return httpx.Request("POST", self._base_url + _REFRESH, json=body)

    def _taken(self, response: httpx.Response) -> None:
        if response.is_success:
            with suppress(KeyError, TypeError, ValueError):  # it is not Kaynak's answer: nothing came of it
                self.take(response.json())
        elif response.status_code == httpx.codes.UNAUTHORIZED:
            self.refresh_token = None  # it does not work twice, and shown again it would end the session

    def _is_due(self) -> bool:
        if self.refresh_token is None:
            return False
        return self.token is None or _expiry(self.token) - time.time() < _EARLY_SECONDS


def _expiry(token: str) -> float:
    """Returns when an access token runs out, as it says of itself; it is the server that believes it or not."""
    try:
        content = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return float("inf")
