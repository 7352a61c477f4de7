"""The base of every record: frozen, strict about unknown fields, JSON in and out."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen value that travels as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
