"""The check of the dependencies finds what it is there to find, and nothing in ours."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

HASH = "--hash=sha256:" + "0" * 64


@pytest.fixture(scope="module")
def audit() -> Iterator[ModuleType]:
    path = Path(__file__).parents[3] / "requirements" / "audit.py"
    spec = importlib.util.spec_from_file_location("kaynak_requirements_audit", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_ours_have_no_fault(audit):
    assert list(audit.faults()) == []


@pytest.mark.parametrize(
    "line",
    [
        f"a==1.0 {HASH}",
        f"a==1.0 ; python_version < '3.13' \\\n    {HASH} \\\n    {HASH}",
        f"# a remark\na==1.0 {HASH}\na==2.0 ; sys_platform == 'win32' {HASH}",
    ],
)
def test_what_is_pinned_by_hash_is_sound(audit, line):
    assert list(audit.list_faults(line)) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("a==1.0", "no SHA-256"),
        ("a==1.0 --hash=md5:0", "no SHA-256"),
        (f"a==1.0 {HASH[:-1]}", "no SHA-256"),
        (f"a>=1.0 {HASH}", "not pinned"),
        (f"a==1.* {HASH}", "not pinned"),
        (f"a==1.0,>0 {HASH}", "not pinned"),
        (f"a {HASH}", "not pinned"),
        (f"a @ https://example.org/a.whl {HASH}", "address"),
        ("--index-url https://example.org/simple", "not a pinned requirement"),
        ("-e .", "not a pinned requirement"),
        ("./local", "not a pinned requirement"),
        (f"a==1.0 {HASH} --global-option=x", "--global-option"),
        (f"a==1.0 {HASH}\nA==1.1 {HASH}", "twice"),
    ],
)
def test_what_could_install_something_else_is_found(audit, line, fault):
    assert any(fault in one for one in audit.list_faults(line))


def test_what_is_asked_for_must_be_there(audit):
    text = f"a-b==1.5 {HASH}"
    assert list(audit.missing(["A_b>=1,<2"], text)) == []
    assert len(list(audit.missing(["a-b>=2", "c"], text))) == 2


@pytest.mark.parametrize(
    "licence",
    ["MIT", "MIT License", "Apache-2.0 OR BSD-3-Clause", "GPL-3.0-only OR MIT", "MPL-2.0 AND (Apache-2.0 OR MIT)",
     "DFSG approved; MIT License", "Mozilla Public License 2.0 (MPL 2.0)"],
)  # fmt: skip
def test_licences_that_are_allowed(audit, licence):
    assert audit.licence_fault("a", licence) is None


@pytest.mark.parametrize(
    "licence",
    ["", "GPL-3.0-only", "AGPL-3.0-or-later", "MIT AND GPL-3.0-only", "LGPL-3.0-only", "DFSG approved", "Proprietary",
     "MIT License; GNU General Public License v3 (GPLv3)", "Custom OR GPL-3.0-only", "SSPL-1.0"],
)  # fmt: skip
def test_licences_that_are_not(audit, licence):
    assert audit.licence_fault("a", licence) is not None


def test_an_exception_is_of_one_package_and_one_licence(audit):
    assert audit.licence_fault("psycopg", "LGPL-3.0-only") is None
    assert audit.licence_fault("psycopg", "GPL-3.0-only") is not None
    assert audit.licence_fault("psycopg2", "LGPL-3.0-only") is not None
