"""Which files a module takes code from that its author keeps beside it, without importing any."""

import ast
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

import dmlkit

__all__ = ["own_files"]

#: What lies here is told by versions, or looked at as a whole.
INSTALLED = [
    Path(place).resolve()
    for place in (
        *(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
        *dmlkit.__path__,
    )
]


def own_files(module: ModuleType) -> list[Path]:
    """Return the files in a module's folder, or below it, that it imports, and that these import.

    Imports within functions count. What is installed does not, nor does what is found by name
    at run time.

    Examples
    --------
    >>> from dmlkit.workflows import fraud_detection
    >>> [path.name for path in own_files(fraud_detection)]
    ['__init__.py', 'fraud_artefacts.py', 'fraud_plan.py', 'fraud_settings.py']
    """
    if not getattr(module, "__file__", None):
        return []  # typed into a shell
    start = Path(str(module.__file__)).resolve()
    name = module.__spec__.name if module.__spec__ else module.__name__
    found: set[Path] = set()
    waiting = [(name, start)]
    while waiting:
        for imported in _imports(*waiting.pop()):
            file = _file_of(imported)
            if file is None or file in (start, *found) or not _is_own(file, start.parent):
                continue
            found.add(file)
            waiting.append((imported, file))
    return sorted(found)


def _is_own(file: Path, root: Path) -> bool:
    return file.is_relative_to(root) and not any(
        place.is_relative_to(root) and file.is_relative_to(place) for place in INSTALLED
    )


def _imports(name: str, file: Path) -> Iterator[str]:
    """Yield the names of modules that a module may import, with the packages that they are in."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for full in dict.fromkeys(_imported_names(_tree(file), package)):
        parts = full.split(".")
        yield from (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                try:
                    base = importlib.util.resolve_name("." * node.level + base, package)
                except ImportError:  # beyond the package: it can't be imported either
                    continue
            yield from (f"{base}.{alias.name}" for alias in node.names)  # or a name in it


def _tree(file: Path) -> ast.AST:
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # compiled, or broken: it tells of no imports
        return ast.Module([], [])


def _file_of(name: str) -> Path | None:
    """Return the file of a module; it is looked for as an import would, package by package."""
    search, file = None, None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        part = ".".join(parts[:depth])
        if part in sys.modules:
            spec = getattr(sys.modules[part], "__spec__", None)
        else:
            spec = PathFinder.find_spec(part, search) if depth == 1 or search else None
        if spec is None:
            return None
        search = spec.submodule_search_locations
        file = Path(spec.origin).resolve() if spec.has_location and spec.origin else None
    return file
