from __future__ import annotations

import json
import logging

import pytest
import structlog

from kaynak.logs import configure_logs


@pytest.fixture(autouse=True)
def _undo():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_ours_and_those_of_libraries_have_one_form(capsys):
    configure_logs("INFO", "json")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("kaynak.test").info("thing_done", count=2)
        logging.getLogger("someone.else").warning("it is %s", "late")
    ours, theirs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["count"], ours["logger"], ours["level"]) == ("thing_done", 2, "kaynak.test", "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("it is late", "someone.else", "warning")
    assert ours["request_id"] == theirs["request_id"] == "r1"
    assert ours["time"].endswith("Z")


def test_a_traceback_shows_no_values_of_variables(capsys):
    configure_logs("INFO", "text")
    secret_local = "hunter2"
    try:
        assert secret_local
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("kaynak.test").exception("it_broke")
    shown = capsys.readouterr().err
    assert "ValueError: broken" in shown
    assert "hunter2" not in shown.replace('secret_local = "hunter2"', "")


def test_levels_are_kept_and_libraries_are_quiet(capsys):
    configure_logs("INFO", "json")
    structlog.get_logger("kaynak.test").debug("detail")
    logging.getLogger("alembic.runtime").info("chatter")
    assert capsys.readouterr().err == ""
    configure_logs("DEBUG", "json")
    logging.getLogger("alembic.runtime").info("chatter")
    assert "chatter" in capsys.readouterr().err
