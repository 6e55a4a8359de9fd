"""Converts language tags of files to ISO 639-1 codes."""

__all__ = ["language_code", "language_name"]


def language_code(tag: str | None) -> str:
    """ISO 639-1 (else 639-3) of a BCP 47 or ISO 639-2 tag, e.g. `eng`, `pt-BR`, `ger`; empty if there is none."""
    from langcodes import Language
    from langcodes.tag_parser import LanguageTagError

    if not tag or tag.lower() in ("und", "mul", "zxx", "mis"):
        return ""
    try:
        return Language.get(tag).language or ""
    except LanguageTagError:
        return ""


def language_name(tag: str | None) -> str:
    """How messages name a language; empty if there is none."""
    return f"language {code}" if (code := language_code(tag)) else ""
