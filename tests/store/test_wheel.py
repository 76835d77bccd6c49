"""What is installed from the wheel can make and check its own database."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bounceproc.store.schema import HEAD

ROOT = Path(__file__).parents[2]
CODE = """
import sys
from pathlib import Path
site, folder = sys.argv[1:]
sys.path.insert(0, site)
from bounceproc.store.schema import Schema, migrations_folder
from bounceproc.store.store import Store
assert migrations_folder() == Path(site, "bounceproc", "_migrations").resolve(), migrations_folder()
subject = Schema(f"sqlite:///{folder}/new.db")
print(subject.current(), *subject.upgrade(), subject.check())
Store.open(subject.url, pepper_file=Path(folder, "pepper")).close()
"""


def modules_of_the_checkout() -> set[tuple[str, int, int]]:
    """The compiled modules beside the sources, each with its inode and the time of its last change."""
    return {
        (path.name, path.stat().st_ino, path.stat().st_mtime_ns)
        for pattern in ("*.so", "bounceproc/**/*.so")
        for path in ROOT.glob(pattern)
    }


def test_an_installed_wheel_upgrades_an_empty_database_without_drift(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling is not installed (extra test)")
    running = modules_of_the_checkout()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert modules_of_the_checkout() == running, "this very process may have them loaded"
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site % packages"
    with zipfile.ZipFile(wheel) as content:
        assert not [name for name in content.namelist() if name.startswith(("migrations/", "tests/"))]
        content.extractall(site)
    # Isolated: no PYTHONPATH, no current folder; the first place to look is the unpacked wheel.
    command = [sys.executable, "-I", "-W", "error", "-c", CODE, str(site), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout == f"None None {HEAD} []\n"
