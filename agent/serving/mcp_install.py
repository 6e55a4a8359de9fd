"""Writes the configuration by which an assistant starts the MCP server of a library."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...tools.errors import SettingsError

__all__ = ["ASSISTANTS", "configuration", "install"]


@dataclass(frozen=True)
class _Assistant:
    """Where an assistant keeps its servers: a JSON file below the home folder, and the key in it."""

    linux: str
    macos: str
    key: str = "mcpServers"

    @property
    def file(self) -> Path:
        return Path.home() / (self.macos if sys.platform == "darwin" else self.linux)


ASSISTANTS: dict[str, _Assistant] = {
    "claude": _Assistant(
        ".config/Claude/claude_desktop_config.json", "Library/Application Support/Claude/claude_desktop_config.json"
    ),
    "claude-code": _Assistant(".claude.json", ".claude.json"),
    "cursor": _Assistant(".cursor/mcp.json", ".cursor/mcp.json"),
    "vscode": _Assistant(".config/Code/User/mcp.json", "Library/Application Support/Code/User/mcp.json", "servers"),
    "windsurf": _Assistant(".codeium/windsurf/mcp_config.json", ".codeium/windsurf/mcp_config.json"),
}


def configuration(library: Path) -> dict[str, Any]:
    """How an assistant starts the server of a library over stdio."""
    program = shutil.which("playhead") or str(Path(sys.executable).with_name("playhead"))
    return {"command": program, "args": ["mcp", "--library", str(library)]}


def install(name: str, library: Path) -> tuple[Path, Path | None]:
    """Add the server to an assistant's configuration, as `playhead`. Other entries are kept.

    Args:
        name: One of `ASSISTANTS`.
        library: The library's folder.

    Returns:
        The file, and the copy of what it was before; None where there was no file.

    Raises:
        SettingsError: The assistant is unknown, or its file holds no JSON object.
    """
    if name not in ASSISTANTS:
        raise SettingsError(
            f"{name!r} is not a known assistant: use one of {', '.join(ASSISTANTS)}, or print the configuration"
        )
    assistant = ASSISTANTS[name]
    file = assistant.file
    known: Any = {}
    backup: Path | None = None
    if file.exists():
        try:
            known = json.loads(file.read_text(encoding="utf-8") or "{}")
        except (OSError, ValueError) as error:
            raise SettingsError(f"{file} cannot be read as JSON ({error}): correct it first") from error
        if not isinstance(known, dict) or not isinstance(known.get(assistant.key, {}), dict):
            raise SettingsError(f"{file} holds no object {assistant.key!r}: correct it first")
        backup = file.with_name(file.name + ".playhead-backup")
        shutil.copy2(file, backup)
    known.setdefault(assistant.key, {})["playhead"] = configuration(library)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(file.name + ".playhead-new")
    fresh.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    os.replace(fresh, file)
    return file, backup
