"""The step of a build that compiles the core (hatchling's custom build hook); without a compiler the package stays pure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parents[2]))  # the package is not installed yet when it is built
from bounceproc._native import COMPILED, VARIABLE

SETUP: Final = """
from mypyc.build import mypycify
from setuptools import setup
setup(name="bounceproc", packages=[], ext_modules=mypycify({arguments!r}, opt_level="3", group_name="bounceproc"))
"""


class NativeHook(BuildHookInterface[Any]):
    """Compiles in a temporary folder. An editable install gets the extension modules beside their sources, a wheel inside."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the results; called before a wheel, an editable one too, is put together."""
        if self.target_name != "wheel" or os.environ.get(VARIABLE):
            return
        self._folder = tempfile.TemporaryDirectory(prefix="bounceproc-")
        made = _compiled(Path(self.root), Path(self._folder.name))
        for built in made:
            name = built.relative_to(self._folder.name)
            if version == "editable":
                _replace(built, Path(self.root) / name)
            else:
                build_data["force_include"][str(built)] = name.as_posix()
        if made:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - as hatchling calls it
        """Clear up; called when the wheel is there."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def _replace(built: Path, place: Path) -> None:
    """Put a module in its place as a new file: to write into the old one would pull it away under whoever runs it."""
    fresh = place.with_name(f"{place.name}.{os.getpid()}.new")
    shutil.copyfile(built, fresh)
    fresh.replace(place)


def _compiled(root: Path, folder: Path) -> list[Path]:
    """The extension modules, built in a copy of the sources; none where that does not work."""
    shutil.copytree(
        root / "bounceproc", folder / "bounceproc", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    )
    modules = [f"bounceproc/{name}.py" for name in COMPILED]
    (folder / "setup.py").write_text(
        SETUP.format(arguments=["--ignore-missing-imports", "--follow-imports=silent", *modules])
    )
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(f"bounceproc: not compiled, the sources will run\n{(done.stdout + done.stderr)[-2000:]}\n")
        return []
    return [path for suffix in ("*.so", "*.pyd") for path in folder.rglob(suffix) if "build" not in path.parts]
