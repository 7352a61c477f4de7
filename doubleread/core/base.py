"""The base class of records: frozen, no unknown fields, JSON in and out."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable value that can be converted to and from JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
