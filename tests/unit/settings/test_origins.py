from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from kaynak.domain import Misconfigured
from kaynak.settings import effective_settings, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    import os

    for name in list(os.environ):
        if name.startswith("KAYNAK_"):
            monkeypatch.delenv(name)


def test_the_later_source_wins_and_is_named(tmp_path, monkeypatch):
    (tmp_path / "kaynak.toml").write_text("port = 1\nhost = '127.0.0.2'\n[limits]\nupload_mb = 5\n")
    (tmp_path / ".env").write_text("KAYNAK_PORT=2\nKAYNAK_WORKER_JOBS=3\n")
    monkeypatch.setenv("KAYNAK_WORKER_JOBS", "4")
    settings = load_settings(data_dir=tmp_path / "data")
    found = {entry.name: (entry.value, entry.origin) for entry in effective_settings(settings, data_dir="x")}
    assert found["port"] == (2, ".env")
    assert found["host"] == ("127.0.0.2", "kaynak.toml")
    assert found["limits.upload_mb"] == (5, "kaynak.toml")
    assert found["worker_jobs"] == (4, "environment")
    assert found["data_dir"] == (str(tmp_path / "data"), "argument")
    assert found["log.level"] == ("INFO", "default")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KAYNAK_PORT", "x"),
        ("KAYNAK_LOG__LEVEL", "LOUD"),
        ("KAYNAK_LIMITS__UPLOAD_MB", "0"),
        ("KAYNAK_ALLOWED_HOSTS", "not json"),
    ],
)
def test_a_value_that_is_not_valid_is_named(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(Misconfigured) as caught:
        load_settings()
    assert caught.value.hint


def test_files_that_are_not_valid_are_named(tmp_path):
    (tmp_path / "kaynak.toml").write_bytes(b"port = \xff")
    with pytest.raises(Misconfigured, match="TOML"):
        load_settings()


def test_misspelt_variables_are_noticed():
    environment = {"KAYNAK_PROT": "1", "KAYNAK_PORT": "1", "KAYNAK_LOG__LEVEL": "INFO", "HOME": "/", "KAYNAK_LOG": "{}"}
    assert unknown_variables(environment) == ["KAYNAK_PROT"]


@pytest.mark.parametrize(
    "url", ["postgresql://u:sec%40ret@h/d", "postgresql://u:s@cr:et@h/d", "postgresql://h/d?user=u&password=secret"]
)
def test_passwords_in_addresses_are_masked(monkeypatch, url):
    monkeypatch.setenv("KAYNAK_DATABASE_URL", url)
    shown = {entry.name: entry.value for entry in effective_settings(load_settings())}["database_url"]
    assert "********" in shown
    assert not re.search(r"s(@cr|ec)", shown)


def test_the_table_in_the_documentation_is_up_to_date():
    docs = Path(__file__).parents[3] / "docs"
    spec = importlib.util.spec_from_file_location("settings_table", docs / "settings_table.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.table() in (docs / "configuration.md").read_text(), "run: python docs/settings_table.py"
