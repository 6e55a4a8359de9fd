"""How well `Library.check` tells true claims from false ones, by the reader alone (no language model).

The 67 claims of `stated_claims.json` were written by hand before any of them was checked: five transcripts of the half of
TutorialVQA (Colas et al. 2020) that the reader is not fitted on, where a sentence's number stands for its second, and the
demo's talk. Each is true at its time, or true at another time (`shifted`), has a number or code changed (`number`), never
happens (`never`), or lies past the video's end (`beyond`). No threshold was chosen on them.
"""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from report import Figures
from transcripts import build, tutorials

from playhead import Library, Settings
from playhead.agent.checking.claims import CheckedClaim
from playhead.tools.embedding.texts import SentenceEncoder

_VERDICTS = ("verified", "weak", "contradicted", "nothing there", "out of range")
_RIGHT = {
    "true": ("verified",),
    "shifted": ("nothing there", "weak"),
    "number": ("contradicted",),
    "never": ("nothing there", "weak"),
    "beyond": ("out of range",),
}


def measure() -> Figures:
    claims = json.loads(Path(__file__).with_name("stated_claims.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        checked = list(_checked(claims, Path(folder)))
    rows = []
    for kind, right in _RIGHT.items():
        own = [one for claim, one in checked if claim["kind"] == kind]
        counts = Counter(one.verdict for one in own)
        found = sum(bool(one.elsewhere) for one in own)
        rows.append(
            {"claims": kind, "number": len(own)}
            | {verdict: counts[verdict] for verdict in _VERDICTS}
            | {"right": sum(counts[verdict] for verdict in right), "shown_elsewhere": found}
        )
    return {"Claims, by verdict": rows}


def _checked(claims: list[dict[str, Any]], folder: Path) -> list[tuple[dict[str, Any], CheckedClaim]]:
    texts = {name: lines for name, lines in tutorials().items() if any(one["video"] == name for one in claims)}
    settings = Settings(objects_model="off")
    encoder = SentenceEncoder(settings)
    vectors = {name: encoder.encode([line.text for line in lines]) for name, lines in texts.items()}
    build(folder / "tutorials" / ".playhead", texts, vectors, encoder.embedding_id)
    library, talk = Library(folder / "tutorials", settings), _talk(folder, settings)
    found = []
    for claim in claims:
        given = {name: value for name, value in claim.items() if name != "kind"}
        where = talk if claim["video"].endswith(".mp4") else library
        found.append((claim, where.check([given])[0]))
    return found


def _talk(folder: Path, settings: Settings) -> Library:
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
    from make_sample import make_sample

    talk = make_sample(folder / "talks").parent
    library = Library(talk, settings)
    library.index(talk)
    return library
