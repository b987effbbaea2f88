"""Rulebooks and models on their way in: read and found without faults before anything is kept."""

import msgspec
from pydantic import TypeAdapter, ValidationError

from schemas.fraud.events import VersionKind
from services.fraud.domain.model import Artifact, ModelFault, version_of
from services.fraud.domain.rulebook.rulebook import Rulebook
from services.fraud.domain.versions import AddVersion
from services.fraud.requests import Name
from services.fraud.trial import try_model

MODEL_BYTES_MAX = 32 * 1024 * 1024
RULEBOOK_BYTES_MAX = 512 * 1024
"""Of a request: in JSON a text takes more room than in its file."""

_NAME: TypeAdapter[str] = TypeAdapter(Name)


def add_rulebook(rulebook: Rulebook, *, name: str, by: str) -> AddVersion:
    return AddVersion(
        kind=VersionKind.RULEBOOK,
        version=rulebook.version,
        name=name,
        content=rulebook.text.encode(),
        fields=rulebook.fields,
        by=by,
    )


def add_model(packed: bytes, *, by: str) -> AddVersion:
    """A model that was tried, by the name on its card. Raises ModelFault."""
    if len(packed) > MODEL_BYTES_MAX:
        raise ModelFault(f"a model has at most {MODEL_BYTES_MAX:,} bytes, and this one {len(packed):,}")
    try:
        artifact = msgspec.json.decode(packed, type=Artifact)
        name = _NAME.validate_python(artifact.card.name)
    except (msgspec.MsgspecError, ValidationError) as error:
        raise ModelFault(f"not a model as `train` writes it: {str(error).splitlines()[0]}") from error
    if (fault := try_model(packed)) is not None:
        raise ModelFault(fault)
    return AddVersion(
        kind=VersionKind.MODEL, version=version_of(packed), name=name, content=packed, fields=artifact.fields, by=by
    )
