"""Every setting that can hold text says what it may make a machine do."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from doubleread.agents.wire.server_options import Server
from doubleread.core.authority import FIT, HERE, INERT, Asks, asking, here, marker, scope
from doubleread.settings import Settings
from doubleread.settings_sections import EncoderSettings, RetrievalSettings


def holds_text(annotation: Any) -> bool:
    """Whether a value of this type can hold text, and so an address, a path or a name."""
    if get_origin(annotation) is Literal:
        return False
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(holds_text(field.annotation) for field in annotation.model_fields.values())
    return annotation in (str, bytes, Path, object, Any) or any(map(holds_text, get_args(annotation)))


def unmarked(sections: type[BaseModel]) -> list[str]:
    """Settings that can hold text and have no marker, their section neither."""
    found = []
    for name, field in sections.model_fields.items():
        if marker(field) is not None:
            continue
        section = get_args(field.annotation)[1] if get_origin(field.annotation) is dict else field.annotation
        found += [
            f"{name}.{key}"
            for key, one in section.model_fields.items()
            if marker(one) is None and holds_text(one.annotation)
        ]
    return found


def test_every_setting_that_can_hold_text_is_marked():
    assert unmarked(Settings) == []


def test_one_that_is_forgotten_is_found():
    class New(BaseModel):
        marked: Annotated[str, INERT] = ""
        server: str | None = None
        several: dict[str, object] = {}
        kind: Literal["a", "b"] = "a"
        many: int = 1

    class Sections(BaseModel):
        new: New = New()
        named: dict[str, New] = {}
        own: Annotated[New, HERE] = New()

    assert unmarked(Sections) == ["new.server", "new.several", "named.server", "named.several"]


def test_what_asks_and_what_is_always_this_machine_s():
    assert set(asking(Server)) == {"model", "base_url", "key_variable", "price", "extra"}
    assert {name for name in asking(Server) if scope(Server.model_fields[name]) == FIT} == {"model", "extra"}
    assert set(asking(RetrievalSettings)) == {"store", "url", "collection"}
    assert set(asking(EncoderSettings)) == {"name", "checkpoint"}
    assert here(EncoderSettings) == ["device", "download", "cache_dir"]
    assert here(Settings) == ["run", "ray", "sessions", "budget", "talk", "prices"]


def test_the_value_is_the_one_in_effect():
    server = Server(model="m")
    assert asking(Server)["key_variable"].value(server, "key_variable") == "OPENAI_API_KEY"
    local = Server(model="m", base_url="http://localhost:8000/v1")
    assert asking(Server)["key_variable"].value(local, "key_variable") is None
    assert Asks("x").value(local, "extra") is None
    assert asking(RetrievalSettings)["collection"].value(RetrievalSettings(), "collection") is None
