"""The one dynamic import: a domain's module by the domain's name, for `check` and the command line."""

import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

import winnow.domains

DOMAINS = Path(__file__).parent
"""The folder with a folder of each domain."""


def domain_names() -> list[str]:
    """The names of all domains, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(winnow.domains.__path__) if module.ispkg)


def load(domain: str, module: str) -> ModuleType:
    """The module `winnow.domains.<domain>.<module>`."""
    return importlib.import_module(f"winnow.domains.{domain}.{module}")


def has_module(domain: str, module: str) -> bool:
    """Whether the domain has a module of this name."""
    try:
        return importlib.util.find_spec(f"winnow.domains.{domain}.{module}") is not None
    except ModuleNotFoundError:  # the room that would hold it
        return False
