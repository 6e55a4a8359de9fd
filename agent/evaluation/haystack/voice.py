"""Speech synthesis for composed hours: eSpeak NG in its own process, because its output depends on earlier calls.

The library comes with the package `espeakng-loader` (extra `demo`, GPL-3.0). Only that process loads it.
"""

import ctypes
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ....tools.errors import MissingExtraError, PlayheadError

__all__ = ["RATE", "Samples", "speak"]

RATE = 22_050  # samples a second: eSpeak's own
WORDS_PER_MINUTE = 145
_AUDIBLE = 300  # of 32767, about -41 dB: what is quieter at a sentence's ends is cut off

Samples = npt.NDArray[np.int16]


def speak(sentences: Sequence[str]) -> list[Samples]:
    """Return each sentence as mono samples, `RATE` a second, without silence at both ends. Deterministic for a list.

    Raises:
        MissingExtraError: eSpeak is not installed.
        PlayheadError: The synthesis failed.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise MissingExtraError("composing videos with speech", "espeakng_loader", "demo")
    asked = json.dumps(list(sentences)).encode()
    command = [sys.executable, "-P", "-m", __name__]
    done = subprocess.run(command, input=asked, capture_output=True, check=False)  # noqa: S603 (this very module)
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise PlayheadError(
            f"speech synthesis with eSpeak failed ({why[-1]}): reinstall with pip install 'playhead[demo]'"
        )
    head, _, sound = done.stdout.partition(b"\n")
    track = np.frombuffer(sound, np.int16)
    return np.split(track, np.cumsum(json.loads(head))[:-1])


class _Voice:
    """An American English voice through eSpeak's C interface (`speak_lib.h`)."""

    _Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)

    def __init__(self) -> None:
        import espeakng_loader  # type: ignore[import-not-found, import-untyped, unused-ignore]

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        numbers, pointers = [ctypes.c_uint] * 4, [ctypes.c_void_p] * 2
        self._library.espeak_Synth.argtypes = (ctypes.c_char_p, ctypes.c_size_t, *numbers, *pointers)
        self._chunks: list[Samples] = []
        self._keep = self._Callback(self._collect)  # eSpeak holds a bare pointer: Python must not free it
        data = Path(espeakng_loader.get_data_path())
        synchronous, do_not_exit = 2, 0x8000
        rate = self._library.espeak_Initialize(synchronous, 0, str(data.parent).encode(), do_not_exit)
        if rate != RATE or self._library.espeak_SetVoiceByName(b"en-us") != 0:
            raise SystemExit(f"eSpeak NG does not start with the voice 'en-us' and the data in {data}: {rate}")
        rate_parameter = 1
        self._library.espeak_SetParameter(rate_parameter, WORDS_PER_MINUTE, 0)
        self._library.espeak_SetSynthCallback(self._keep)

    def say(self, text: str) -> Samples:
        self._chunks.clear()
        utf8 = text.encode()
        self._library.espeak_Synth(utf8, len(utf8) + 1, 0, 1, 0, 1, None, None)
        samples = np.concatenate(self._chunks)
        audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > _AUDIBLE)
        spoken: Samples = samples[audible[0] : audible[-1] + 1]
        return spoken

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_int16]", count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0  # 1 would stop the synthesis


def _main() -> None:
    """Sentences as a JSON list from stdin; to stdout a line with the lengths, then the samples of all."""
    voice = _Voice()
    spoken = [voice.say(text) for text in json.load(sys.stdin)]
    sys.stdout.buffer.write(json.dumps([len(one) for one in spoken]).encode() + b"\n")
    sys.stdout.buffer.write(b"".join(one.tobytes() for one in spoken))


if __name__ == "__main__":
    _main()
