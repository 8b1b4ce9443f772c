"""`run --tasks DIRECTORY`: a team's own tasks, found, installed and watched in their directory."""

import importlib
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from service.database import BASE_DIR
from service.processes import write

DEPTH = 4
"""How many directories deep a `tasks` module may be."""

SKIPPED = {"__pycache__", "build", "dist", "node_modules", "site-packages", "test", "tests"}


@dataclass(frozen=True, slots=True)
class Package:
    """A package with a `tasks` module, and the directory to import it from."""

    name: str
    root: Path

    @property
    def directory(self) -> Path:
        return self.root.joinpath(*self.name.split("."))


class OwnTasks:
    """
    The packages in a directory that have a module `tasks`.

    Attributes:
        exposed: the names of their tasks that clients can enqueue, once the settings are loaded.

    Raises:
        ImproperlyConfigured: there is no such directory, or no package that can be imported from it.

    """

    def __init__(self, given: str) -> None:
        self._given = given
        self.exposed: list[str] = []
        self._directory = Path(given).expanduser().resolve()
        if self._directory.is_file():
            raise self._refusal(f"it is a file; name its directory, {Path(given).parent}")
        if not self._directory.is_dir():
            raise self._refusal("there is no such directory")
        self.packages = sorted(map(_package_of, self._homes()), key=lambda one: one.name)
        if not self.packages:
            raise self._refusal("no module tasks.py is in it; docs/your-own-tasks.md shows one")

    def install(self) -> None:
        """
        Install what the directory's `pyproject.toml`, `setup.py` or `requirements.txt` requires.

        Raises:
            ImproperlyConfigured: that is not possible, for example beside the service's own packages.

        """
        if not (wanted := self._requirements()):
            return
        uv = shutil.which("uv") or shutil.which(BASE_DIR / ".uv" / "bin" / "uv")
        if uv is None:
            raise self._refusal("uv is needed to install what it requires; `make setup` brings it")
        write("run", f"Installing what {self._given} requires…")
        with tempfile.TemporaryDirectory() as directory:
            locked = Path(directory) / "constraints.txt"
            export = ["export", "--frozen", "--all-groups", "--no-hashes", "--no-emit-project"]
            self._run([uv, *export, "--quiet", "--project", BASE_DIR, "--output-file", locked])
            # What the service needs keeps its version.
            install = ["pip", "install", "--quiet", "--python", sys.executable]
            self._run([uv, *install, "--constraint", locked, *wanted])
        importlib.invalidate_caches()
        site.addsitedir(sysconfig.get_path("purelib"))

    def add_to_environment(self) -> None:
        """
        Let this process and those that it starts import the packages and expose their tasks.

        Raises:
            ImproperlyConfigured: another package has the same name.

        """
        for package in self.packages:
            self._check_name(package)
        roots = list(dict.fromkeys(str(package.root) for package in self.packages))
        sys.path[1:1] = roots
        os.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [*roots, os.environ.get("PYTHONPATH")])
        )
        names = [package.name for package in self.packages]
        apps = [*os.environ.get("TASK_APPS", "").split(","), *names]
        os.environ["TASK_APPS"] = ",".join(dict.fromkeys(filter(None, apps)))
        patterns = [f"{name}.tasks.*" for name in names]
        os.environ.setdefault("TASKS_API_TASKS", ",".join(["service.tasks.*", *patterns]))

    def check_exposed(self) -> None:
        """
        Find those tasks of the packages that clients can enqueue; the settings must be loaded.

        Raises:
            ImproperlyConfigured: there are none.

        """
        from tasks_api.calls.registry import registry  # noqa: PLC0415 -- needs the settings

        prefixes = tuple(f"{package.name}.tasks." for package in self.packages)
        modules = ", ".join(prefix.rstrip(".") for prefix in prefixes)
        if not any(name.startswith(prefixes) for name in registry.discovered):
            raise self._refusal(f"no function in {modules} is decorated with Django's @task")
        self.exposed = [name for name in registry.task_types if name.startswith(prefixes)]
        if not self.exposed:
            raise self._refusal(f"TASKS_API_TASKS matches no task of {modules}")

    def _homes(self) -> Iterator[Path]:
        """Yield the directories that contain a `tasks` module."""
        for path, directories, files in os.walk(self._directory):
            here = Path(path)
            if "pyvenv.cfg" in files or here == BASE_DIR:
                directories.clear()
                continue
            if "tasks.py" in files or (here / "tasks" / "__init__.py").is_file():
                yield here
            if len(here.relative_to(self._directory).parts) == DEPTH:
                directories.clear()
            directories[:] = [
                name for name in directories if name[0] != "." and name not in {*SKIPPED, "tasks"}
            ]

    def _check_name(self, package: Package) -> None:
        top, *_ = names = package.name.split(".")
        for name in names:
            if not name.isidentifier():
                raise self._refusal(
                    f"Python cannot import a package called {name}; "
                    f"call its directory {name.replace('-', '_')}"
                )
        spec = None if top in sys.stdlib_module_names else find_spec(top)
        places = (
            list(spec.submodule_search_locations or [str(spec.origin)]) if spec is not None else []
        )
        if top in sys.stdlib_module_names or (places and str(package.root / top) not in places):
            where = places[0] if places else "Python itself"
            raise self._refusal(f"{top} is a package in {where}; give yours another name")

    def _requirements(self) -> list[str | Path]:
        """Return the arguments for `uv pip install`."""
        project = self._directory / "pyproject.toml"
        if project.is_file():
            try:
                declared = tomllib.loads(project.read_text())
            except ValueError as error:
                raise self._refusal(f"its pyproject.toml cannot be read: {error}") from error
            if "build-system" not in declared:
                return ["--requirement", project]
            return ["--editable", self._directory]
        if (self._directory / "setup.py").is_file():
            return ["--editable", self._directory]
        listed = self._directory / "requirements.txt"
        return ["--requirement", listed] if listed.is_file() else []

    def _run(self, command: list[str | Path]) -> None:
        try:
            # The directory's own configuration of uv, such as an index, applies.
            completed = subprocess.run(  # noqa: S603 -- the command is the service's own
                command, cwd=self._directory, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise self._refusal(f"uv cannot be started: {error.strerror}") from error
        if completed.returncode:
            raise self._refusal(f"what it requires cannot be installed:\n{completed.stderr}")

    def _refusal(self, reason: str) -> ImproperlyConfigured:
        return ImproperlyConfigured(f"TASKS={self._given}: {reason.rstrip()}.")


def _package_of(home: Path) -> Package:
    names, root = [home.name], home.parent
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    return Package(".".join(names), root)
