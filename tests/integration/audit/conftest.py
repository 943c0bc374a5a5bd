from __future__ import annotations

import pytest

from kaynak.auditing import Anchors, AuditLog, SegmentFiles


@pytest.fixture
def anchors(tmp_path):
    return Anchors(tmp_path / "audit" / "anchors.jsonl")


@pytest.fixture
def log(catalog, tmp_path, anchors):
    catalog.witness = anchors.note
    return AuditLog(catalog, SegmentFiles(tmp_path / "audit"), anchors)
