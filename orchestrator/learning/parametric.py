"""Base of all fitted parts: the parameters are one frozen record that converts to JSON."""

from typing import ClassVar, Generic, Self, TypeVar

from pydantic import ValidationError

from doubleread.core.base import Record
from doubleread.core.errors import DataError, NotFitted
from doubleread.core.types import Json

R = TypeVar("R", bound=Record)


class Parametric(Generic[R]):
    """Holds the fitted ``record_type``, or None before fitting.

    ``params`` and ``fitted`` raise ``NotFitted`` before ``fit``; ``from_params`` raises ``DataError`` for parameters of
    another kind or shape.
    """

    kind: str
    record_type: ClassVar[type[Record]]

    def __init__(self, fitted: R | None = None) -> None:
        self._fitted = fitted

    @property
    def fitted(self) -> R:
        """The fitted parameters."""
        if self._fitted is None:
            raise NotFitted(f"{self.kind!r} has no parameters yet: call fit() or from_params() first")
        return self._fitted

    def params(self) -> Json:
        """The parameters and ``kind`` as a JSON object; floats are restored exactly."""
        return {"kind": self.kind, **self.fitted.model_dump(mode="json")}

    @classmethod
    def from_params(cls, params: Json) -> Self:
        """Restores the part from the result of ``params``."""
        if params.get("kind") != cls.kind:
            raise DataError(f"parameters of kind {params.get('kind')!r} are not those of {cls.kind!r}")
        try:
            record = cls.record_type.model_validate({name: v for name, v in params.items() if name != "kind"})
        except ValidationError as error:
            raise DataError(f"parameters of {cls.kind!r} cannot be used: {error}") from None
        return cls(record)  # type: ignore[arg-type]  # record_type is R; a ClassVar cannot say so
