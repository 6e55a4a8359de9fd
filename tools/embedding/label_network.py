"""EfficientNet-Lite2: probabilities of ImageNet's 1000 labels for pictures.

On a CPU the network runs in ONNX Runtime (float32: 29–41 pictures a second on two cores, against 3–7 in torch, with
differences of at most 3e-6). torch exports it once; the exported file and its labels are kept in the user's cache, with
a checksum. On CUDA torch runs it. int8 is not used: a fifth of the ten likeliest labels change.
"""

import hashlib
import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ..checksums import file_sha256, is_verified
from ..device import cores, to_device, torch_inference
from ..errors import MissingExtraError, WeightsError
from ..records import Pixels
from ..settings import cache_folder

if TYPE_CHECKING:
    import torch

__all__ = ["LabelNetwork", "label_network"]

SIDE = 260  # EfficientNet-Lite2's input, in pixels
_FORMAT = 1  # Change this when the export changes.

Shares = npt.NDArray[np.float32]


class LabelNetwork(Protocol):
    """A classifier of pictures."""

    labels: Sequence[str]

    def classify(self, pictures: Sequence[Pixels]) -> Shares:
        """Probabilities of the labels, shape `(len(pictures), len(labels))`; each row sums to 1."""


def label_network(weights: Path, device: str) -> LabelNetwork:
    """The classifier on a device.

    Args:
        weights: EfficientNet-Lite2's state dict, a `.pth` file.
        device: `cpu` or `cuda`.

    Raises:
        WeightsError: The weights are another network's, or the cache cannot be written.
        MissingExtraError: A library is not installed.
    """
    return TorchLabels(weights, device) if device == "cuda" else OnnxLabels(weights)


class OnnxLabels:
    """The network in ONNX Runtime."""

    def __init__(self, weights: Path) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError("picture embedding by ConSE", "onnxruntime", "local") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        # Threads that wait actively take twice the CPU seconds and are not faster beside other work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        file = _exported(weights)
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.labels: Sequence[str] = json.loads(self._session.get_modelmeta().custom_metadata_map["labels"])

    def classify(self, pictures: Sequence[Pixels]) -> Shares:
        """As `LabelNetwork.classify`."""
        shares: Shares = self._session.run(None, {"pictures": _prepared(pictures)})[0]
        return shares


class TorchLabels:
    """The network in torch: the reference, and the one for CUDA."""

    def __init__(self, weights: Path, device: str) -> None:
        self._network, labels = _loaded(weights)
        self._network.to(device)
        self.labels: Sequence[str] = labels
        self._device = device

    def classify(self, pictures: Sequence[Pixels]) -> Shares:
        """As `LabelNetwork.classify`."""
        import torch

        batch = to_device(torch.from_numpy(_prepared(pictures)), self._device)
        with torch_inference(self._device):
            shares: Shares = self._network(batch).float().softmax(-1).cpu().numpy()
        return shares


def _prepared(pictures: Sequence[Pixels]) -> Shares:
    """Whole pictures squashed to a square, `(n, 3, 260, 260)`, scaled as the network was trained: (x - 127) / 128."""
    from PIL import Image

    squares = [Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for pixels in pictures]
    stacked: Shares = (np.stack([np.asarray(one, np.float32).transpose(2, 0, 1) for one in squares]) - 127.0) / 128.0
    return stacked


def _loaded(weights: Path) -> "tuple[torch.nn.Module, list[str]]":
    try:
        import torch
        from efficientnet_lite_pytorch import EfficientNet
        from torchvision.models import EfficientNet_B0_Weights
    except ModuleNotFoundError as error:
        raise MissingExtraError("picture embedding by ConSE", error.name or "torch", "local") from error
    network = EfficientNet.from_name("efficientnet-lite2")
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (RuntimeError, OSError) as error:
        raise WeightsError(f"{weights} does not hold EfficientNet-Lite2: check image_model") from error
    return network.eval(), list(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])


def _exported(weights: Path) -> Path:
    """The exported network in the cache, made if it is missing or its checksum differs."""
    target = cache_folder() / "converted" / f"efficientnet-lite2-{file_sha256(weights)[:16]}-{_FORMAT}.onnx"
    checksum = target.with_suffix(".sha256")
    if _is_whole(target, checksum):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as staging:
            made = Path(staging) / target.name
            _export(weights, made)
            digest = hashlib.sha256(made.read_bytes()).hexdigest()
            made.rename(target)  # Another process may write the same file: each name is replaced at once.
            (Path(staging) / checksum.name).write_text(digest)
            (Path(staging) / checksum.name).rename(checksum)
    except OSError as error:
        raise WeightsError(
            f"cannot write the exported picture model to {target} ({error.strerror}): free some space, or set XDG_CACHE_HOME"
        ) from error
    return target


def _is_whole(target: Path, checksum: Path) -> bool:
    try:
        return is_verified(target, checksum.read_text().strip())
    except OSError:
        return False


def _export(weights: Path, target: Path) -> None:
    """Write the network, its softmax and its labels as one ONNX file."""
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingExtraError("picture embedding by ConSE", "onnx", "local") from error
    import torch

    network, labels = _loaded(weights)

    class WithSoftmax(torch.nn.Module):  # type: ignore[misc]  # torch has no types here
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pictures: Any) -> Any:
            return self.network(pictures).softmax(-1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Tracing warns of Python numbers that are constant in this network.
        torch.onnx.export(
            WithSoftmax().eval(),
            (torch.zeros(2, 3, SIDE, SIDE),),
            str(target),
            input_names=["pictures"],
            output_names=["shares"],
            dynamic_axes={"pictures": {0: "n"}, "shares": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
    model = onnx.load(str(target))
    onnx.helper.set_model_props(model, {"labels": json.dumps(labels)})
    onnx.save(model, str(target))
