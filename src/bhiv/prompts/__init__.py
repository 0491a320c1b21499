"""Prompts: what a language model is told, one readable file each, whose first line is its version.

Raise the version with every change of the words: answers are kept under it.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

_VERSION = "version: "


@dataclass(frozen=True)
class Prompt:
    """Instructions with `$names` in them, and their version."""

    name: str
    version: int
    text: str

    @property
    def identity(self) -> str:
        """The prompt as part of a cache key."""
        return f"{self.name} {self.version}"

    def filled(self, **values: object) -> str:
        """Return the instructions with every name replaced; one that has no value is a KeyError."""
        return Template(self.text).substitute({name: str(value) for name, value in values.items()})


@cache
def load_prompt(name: str) -> Prompt:
    """Return the prompt of that name."""
    first, _, text = files(__name__).joinpath(f"{name}.md").read_text("utf-8").partition("\n")
    assert first.startswith(_VERSION), f"the prompt {name} does not begin with its version"
    return Prompt(name, int(first.removeprefix(_VERSION)), text.strip())
