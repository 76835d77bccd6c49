"""Units fit the installation that writes them, are what systemd takes, and never overwrite what somebody edited."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bounceproc.errors import ConfigError, UsageError
from bounceproc.service.install import FILES, SYSTEMD, UNITS, Action, install, plan, render
from tests.servers import require


def test_the_program_of_a_unit_is_this_very_installation() -> None:
    text = render("bounceproc-poll.service")

    assert f"\nExecStart={sys.executable} -m bounceproc poll --watch\n" in text
    assert "@" not in text.replace("@system-service", "").replace("@privileged @resources", "")


@pytest.mark.parametrize(("python", "home"), [("/opt/b/bin/python", "yes"), ("/home/b/bin/python", "read-only")])
def test_a_program_below_a_home_stays_readable(python: str, home: str) -> None:
    assert f"\nProtectHome={home}\n" in render("bounceproc-poll.service", Path(python))


def test_a_path_that_a_unit_would_take_apart_is_refused() -> None:
    with pytest.raises(ConfigError):
        render("bounceproc-poll.service", Path("/opt/my programs/python"))
    with pytest.raises(UsageError, match=r"There are: bounceproc-poll\.service"):
        render("../../etc/passwd")


@pytest.mark.parametrize("name", ["bounceproc-poll.service", "bounceproc-poll-once.service", "bounceproc-lmtp.service"])
def test_a_service_is_locked_in(name: str) -> None:
    lines = render(name).splitlines()

    for line in (
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "StateDirectory=bounceproc",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "SystemCallFilter=@system-service",
        "CapabilityBoundingSet=",
        "MemoryMax=512M",
    ):
        assert line in lines


@pytest.mark.parametrize("name", ["bounceproc-poll.service", "bounceproc-lmtp.service"])
def test_what_no_restart_heals_is_not_restarted(name: str) -> None:
    lines = render(name).splitlines()

    assert {"Type=notify", "Restart=on-failure", "RestartPreventExitStatus=2 77 78", "WatchdogSec=60"} <= set(lines)


def test_the_container_runs_as_nobody_special() -> None:
    text = render("Containerfile")

    assert "\nUSER 10001:10001\n" in text
    assert "--read-only" in text
    assert "--cap-drop=all" in text


def test_an_edited_file_is_only_overwritten_by_force(tmp_path: Path) -> None:
    assert {step.action for step in plan(tmp_path)} == {Action.WRITE}
    install(plan(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(UNITS)
    assert {step.action for step in plan(tmp_path)} == {Action.KEEP}
    edited = tmp_path / "bounceproc-poll.service"
    edited.write_text("[Service]\n")
    (tmp_path / "bounceproc-poll-once.timer").unlink()

    with pytest.raises(ConfigError) as caught:
        install(plan(tmp_path))
    assert caught.value.problems == (str(edited),)
    assert edited.read_text() == "[Service]\n"
    assert not (tmp_path / "bounceproc-poll-once.timer").exists()

    install(plan(tmp_path), force=True)
    assert edited.read_text() == render(edited.name)


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        install(plan(tmp_path / "none"))
    assert Path("/etc/systemd/system") == SYSTEMD


@pytest.mark.server
def test_systemd_takes_the_units_and_finds_them_locked_in(tmp_path: Path) -> None:
    analyze = require("systemd-analyze", "systemd")
    install(plan(tmp_path))
    paths = [str(tmp_path / name) for name in UNITS]
    verified = subprocess.run([analyze, "verify", *paths], capture_output=True, text=True, check=False)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if "bounceproc" in line]) == (0, [])
    for path in (path for path in paths if path.endswith(".service")):
        secure = [analyze, "security", "--offline=yes", "--threshold=20", path]
        done = subprocess.run(secure, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_each_file_can_be_shown() -> None:
    assert all(render(name).endswith("\n") for name in FILES)
