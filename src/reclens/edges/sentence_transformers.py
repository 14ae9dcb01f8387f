"""Texts as vectors of a model of Hugging Face: ``sentence-transformers:NAME``, ``NAME@REVISION`` or a local folder.

Needs the extra ``embed``. A model of the hub is loaded from its cache if present, and downloaded otherwise; a local
folder needs no network. Code of a model is never run (``trust_remote_code`` stays off).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from reclens.engine import need
from reclens.errors import StoreError, UnknownNameError, UsageError, first_line
from reclens.explore.vectors import unit_vectors
from reclens.protocols import EncoderCard

__all__ = ["SentenceTransformers", "connect", "hash_of_weights"]

_WEIGHTS: Final = ("*.safetensors", "pytorch_model*.bin")
_CHARACTERS: Final = 64
"""Characters of a text that are handed over for each token that the model reads: what is beyond them it never sees,
and the tokenizer would take minutes for a text of 10 MB."""
_SECONDS: Final = 10.0
_LOCAL: Final = (
    "Copy the folder of the model from a machine that reaches it, and name it: "
    "sentence-transformers:/path/to/folder (it holds modules.json and model.safetensors)."
)


class SentenceTransformers:
    """A model of sentence-transformers.

    Args:
        model: A name of the hub, with ``@`` and a revision if wanted, or a folder.
        batch_size: Texts that are encoded together.
        device: Device: ``cpu``, ``cuda`` or ``mps``; None for the fastest available.

    Raises:
        MissingExtraError: If the library is not installed.
        UsageError: If the folder does not exist or holds no model.
        UnknownNameError: If the hub has no model of that name.
        StoreError: If the hub cannot be reached and its cache does not have the model.
    """

    def __init__(self, model: str, *, batch_size: int = 32, device: str | None = None) -> None:
        library = need("sentence_transformers", extra="embed")
        self._batch_size, self._address = batch_size, f"sentence-transformers:{model}"
        name, _, revision = model.partition("@")
        folder = Path(model).expanduser()
        if model and folder.is_dir():
            self._model: Any = _opened(library, str(folder), model, device)
            self._name, self._revision = folder.resolve().name, hash_of_weights(folder)
        elif not name or model.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in model:
            raise UsageError(f"there is no folder {folder}. Name the folder of a model, or a name of the hub.")
        else:
            self._name = name if "/" in name else f"sentence-transformers/{name}"
            self._model, self._revision = _of_hub(library, self._name, revision or None, device)

    @property
    def card(self) -> EncoderCard:
        """Information about the model; the revision is that of the hub, or the SHA-256 of local weights."""
        size = int(self._model.get_embedding_dimension())
        pooling = next((str(part.pooling_mode) for part in self._model if hasattr(part, "pooling_mode")), "none")
        tokens = {"tokens": int(self._model.max_seq_length)}
        return EncoderCard(
            model=self._name,
            revision=self._revision,
            dimension=size,
            pooling=pooling,
            settings=tokens,
            address=self._address,
        )

    def encode(self, texts: Sequence[str], /) -> np.ndarray:
        """Texts as vectors of length 1, float32; texts are truncated to the maximum length of the model."""
        longest = _CHARACTERS * int(self._model.max_seq_length)
        found = self._model.encode(
            [text[:longest] for text in texts],
            batch_size=self._batch_size,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        # Half-precision weights give vectors that are normalised in half precision.
        return unit_vectors(np.asarray(found, np.float32))


def hash_of_weights(folder: Path) -> str:
    """The SHA-256 of the files of weights of a folder, in the order of their names.

    Raises:
        UsageError: If there are none.
    """
    files = sorted({file for pattern in _WEIGHTS for file in folder.rglob(pattern)})
    if not files:
        raise UsageError(f"{folder} holds no weights. Expected a file {' or '.join(_WEIGHTS)}.")
    digests = []
    for file in files:
        with file.open("rb") as opened:
            digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _opened(library: Any, place: str, asked: str, device: str | None, **more: Any) -> Any:
    try:
        return library.SentenceTransformer(place, device=device, trust_remote_code=False, **more)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UsageError(f"'{asked}' holds no model that can be read: {first_line(error)}") from error


def _of_hub(library: Any, name: str, revision: str | None, device: str | None) -> tuple[Any, str]:
    """A model of the hub and its revision: from the cache, or downloaded."""
    hub: Any = need("huggingface_hub", extra="embed")
    kept = hub.try_to_load_from_cache(name, "modules.json", revision=revision)
    if isinstance(kept, str):
        # The folder of a snapshot is named by its revision.
        found = Path(kept).parent
        return _opened(library, str(found), name, device), found.name
    # Check once first: the library would retry each file for minutes.
    try:
        pinned = str(hub.HfApi().model_info(name, revision=revision, timeout=_SECONDS).sha)
        return _opened(library, name, name, device, revision=pinned), pinned
    except (hub.errors.RepositoryNotFoundError, hub.errors.RevisionNotFoundError) as error:
        raise UnknownNameError("model of the hub", name, [], advice=None) from error
    except UsageError:
        raise
    # The exceptions differ between versions of the hub's library.
    except Exception as error:
        place = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
        raise StoreError(
            f"the hub cannot be reached at {place}, and its cache does not have '{name}' "
            f"({type(error).__name__}: {first_line(error)}). {_LOCAL}",
            code="down",
        ) from None


def connect(rest: str) -> SentenceTransformers:
    """The encoder of a name of the hub, or of a folder."""
    return SentenceTransformers(rest)
