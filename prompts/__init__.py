"""Prompts as Markdown files with `$names`, rendered strictly. No prompt text lives in Python."""

from importlib import resources
from string import Template

__all__ = ["render"]


def render(name: str, **values: str) -> str:
    """Fill the template `prompts/<name>.md`.

    Args:
        name: The template's file name without its ending.
        **values: One value for each `$name` in the template, no more and no less.

    Raises:
        KeyError: A `$name` has no value.
        ValueError: A value has no `$name`.
    """
    template = Template(resources.files(__package__).joinpath(f"{name}.md").read_text(encoding="utf-8"))
    unused = sorted(set(values) - set(template.get_identifiers()))
    if unused:
        raise ValueError(f"prompt {name!r} has no place for {', '.join(unused)}")
    return template.substitute(values).strip()
