from __future__ import annotations

from pydantic import Field

from kaynak.api.schemas.base import View


class HealthView(View):
    """The process answers."""

    status: str = Field(description="`ok`.")
    version: str = Field(description="Of Kaynak.")


class CheckView(View):
    """One thing that must work before searches can."""

    name: str = Field(description="`catalog`, `migrations`, `embedder` or `indexes`.")
    ok: bool = Field(description="Whether it does.")
    detail: str = Field(description="In words.")
    ms: float = Field(description="How long the look took.")


class LagView(View):
    """How far the indexes of a collection are behind."""

    collection: str = Field(description="Name.")
    revision: int = Field(description="Latest committed change.")
    applied: int = Field(description="What its indexes have applied.")


class ReadyView(View):
    """Everything a search needs is there."""

    status: str = Field(description="`ready`.")
    checks: list[CheckView] = Field(description="What was looked at.")
    lag: list[LagView] = Field(description="Collections whose indexes are behind.")
