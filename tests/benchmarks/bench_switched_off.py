"""What extractors cost that are switched off: speakers, overlaps, people, sounds, actions.

The same film is indexed by turns with the default settings of these extractors, and with a registry that does not contain them.
Only the pictures are embedded besides. CPU seconds of the process, the least of four runs each, because other programs disturb.
"""

import tempfile
import time

from report import Figures, real_data

from playhead import Library, Settings
from playhead.tools.extractors import registry

_SETTINGS = ("speakers_model", "overlaps_model", "people_model", "sounds_model", "actions_model")
_RUNS = 4


def measure() -> Figures:
    film, everything = real_data("videos/manifesto.mp4"), registry._OWN
    without = tuple(spec for spec in everything if spec.setting not in _SETTINGS)
    settings = Settings(
        ocr="off", speech_model="off", objects_model="off", offline=True,
        skip=["caption"],
    )  # fmt: skip
    seconds: dict[str, list[float]] = {"switched off": [], "not in the registry": []}
    try:
        for _ in range(_RUNS):
            for name, specs in (("switched off", everything), ("not in the registry", without)):
                registry._OWN = specs
                registry.modalities.cache_clear()
                with tempfile.TemporaryDirectory() as folder, Library(folder, settings) as library:
                    began = time.process_time()
                    library.index(film)
                    seconds[name].append(time.process_time() - began)
    finally:
        registry._OWN = everything
        registry.modalities.cache_clear()
    least = {name: min(of_name) for name, of_name in seconds.items()}
    ratio = least["switched off"] / least["not in the registry"]
    return {
        "CPU seconds to index a film of 88 s": [
            *({"extractors": name, "cpu_seconds": round(value, 3), "ratio": None} for name, value in least.items()),
            {"extractors": "ratio", "cpu_seconds": None, "ratio": round(ratio, 3)},
        ]
    }
