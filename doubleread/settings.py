"""All settings: one typed TOML file, the environment, and flags; later ones win.

``doubleread settings`` prints the file with every default and comment. In the environment a setting is
``DOUBLEREAD_<SECTION>__<NAME>``. Unknown keys and every other fault are reported together.
"""

import json
import os
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin

import platformdirs
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from doubleread import settings_sections as tables
from doubleread.agents.vlm.vlm_options import ReasonerOptions, TalkOptions, VlmOptions
from doubleread.agents.wire.prices import TokenPrice
from doubleread.core.authority import FIT, HERE, RUN, scope
from doubleread.core.errors import HIDDEN, FileError, SettingsError
from doubleread.core.safe_text import read_toml

ENV_PREFIX = "DOUBLEREAD_"


class Settings(BaseSettings):
    """All settings, frozen. Build it with ``load_settings``.

    Examples:
        >>> settings = doubleread.load_settings()
        >>> settings.trust.coverage, settings.retrieval.k
        (0.9, 10)
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    panel: tables.PanelSettings = tables.PanelSettings()
    encoder: tables.EncoderSettings = tables.EncoderSettings()
    encoders: Annotated[dict[str, tables.EncoderOptions], FIT] = Field(
        default_factory=dict,
        title="encoder",
        description="Further encoders, one table each. An agent that uses one is called AGENT@NAME in panel.agents.",
    )
    images: tables.ImageSettings = tables.ImageSettings()
    retrieval: tables.RetrievalSettings = tables.RetrievalSettings()
    trust: Annotated[tables.TrustSettings, FIT] = tables.TrustSettings()
    fusion: Annotated[tables.FusionSettings, FIT] = tables.FusionSettings()
    second_look: Annotated[tables.SecondLookSettings, FIT] = tables.SecondLookSettings()
    cascade: Annotated[tables.CascadeSettings, FIT] = tables.CascadeSettings()
    worth: Annotated[tables.WorthSettings, FIT] = tables.WorthSettings()
    run: Annotated[tables.RunSettings, HERE] = tables.RunSettings()
    ray: Annotated[tables.RaySettings, HERE] = tables.RaySettings()
    prompts: Annotated[tables.PromptSettings, RUN] = tables.PromptSettings()
    sessions: Annotated[tables.SessionSettings, HERE] = tables.SessionSettings()
    budget: Annotated[tables.BudgetSettings, HERE] = tables.BudgetSettings()
    vlm: Annotated[dict[str, VlmOptions], FIT] = Field(
        default_factory=dict,
        description="Vision-language models as agents, one table each. Add their names to panel.agents.",
    )
    reasoner: Annotated[dict[str, ReasonerOptions], FIT] = Field(
        default_factory=dict,
        description="Language models as referees, who see what the agents say but not the image; kept only where they "
        "help; name them in panel.agents.",
    )
    talk: Annotated[dict[str, TalkOptions], HERE] = Field(
        default_factory=dict,
        description="Language models that hold the conversation in sessions; they decide nothing.",
    )
    recorded: Annotated[dict[str, tables.RecordedOptions], RUN] = Field(
        default_factory=dict, description="Recorded answers as agents; name them in panel.agents."
    )
    prices: Annotated[dict[str, TokenPrice], HERE] = Field(
        default_factory=dict, description="US dollars per million tokens, by model; they go before the built-in table."
    )

    @model_validator(mode="before")
    @classmethod
    def _further_encoders(cls, given: Any) -> Any:
        """Takes the tables ``[encoder.NAME]`` out of ``[encoder]``."""
        encoder = given.get("encoder") if isinstance(given, dict) else None
        if not isinstance(encoder, Mapping):
            return given
        further = {name: table for name, table in encoder.items() if isinstance(table, Mapping)}
        kept = {name: value for name, value in encoder.items() if name not in further}
        return {**given, "encoder": kept, "encoders": {**given.get("encoders", {}), **further}}

    @property
    def sights(self) -> frozenset[str]:
        """The encoders besides the panel's that some agent of the panel uses."""
        return frozenset(sight for name in self.panel.agents if (sight := name.partition("@")[2]))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: ``load_settings`` reads the environment."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def cache_folder(self) -> Path:
        """Folder in which embeddings are cached."""
        return Path(self.encoder.cache_dir or platformdirs.user_cache_path("doubleread") / "encodings").expanduser()


def load_settings(file: Path | None = None, flags: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Reads settings from a file, the environment and flags. Later ones win.

    In the environment a setting is called ``DOUBLEREAD_SECTION__NAME``, such as ``DOUBLEREAD_TRUST__FOLDS=10``.

    Args:
        file: A TOML file; none if None.
        flags: Values by section, such as ``{"encoder": {"name": "auto"}}``.

    Raises:
        SettingsError: The file cannot be read, a key or environment name is unknown, or a value is not allowed. All
            faults are listed.

    Examples:
        >>> doubleread.load_settings(None, {"trust": {"folds": 10}}).trust.folds
        10
        >>> doubleread.load_settings(None, {"trust": {"fold": 10}})
        Traceback (most recent call last):
        ...
        doubleread.core.errors.SettingsError: settings cannot be used:
          - trust.fold: unknown key; known: calibrator, folds, ...
    """
    problems: list[str] = []
    layers: tuple[Mapping[str, Any], ...] = (_read_toml(file, problems), EnvSettingsSource(Settings)(), flags or {})
    problems += _unknown_environment()
    try:
        settings = Settings(**reduce(_over, layers))
    except ValidationError as error:
        problems += [_describe(fault) for fault in error.errors()]
    if problems:
        raise SettingsError(problems)
    return settings


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One layer over another, table by table."""
    nested = {name: below.get(name) for name, value in above.items() if isinstance(value, Mapping)}
    tables = {name: _over(under, above[name]) for name, under in nested.items() if isinstance(under, Mapping)}
    return {**below, **above, **tables}


def default_toml() -> str:
    """Returns a settings file with all defaults, each key below a comment that explains it.

    Examples:
        >>> from doubleread.settings import default_toml
        >>> "[panel]" in default_toml().splitlines()
        True
    """
    lines = [
        "# doubleread settings. Every key is optional; the values below are the defaults.",
        "# (fit): a fitted panel keeps the value it was fitted with. (run): it may differ each time a panel is used.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        section, named = section_of(field), _is_named(field)
        about = field.description if named else (section.__doc__ or "").strip()
        lines += [f"# {about}", f"# [{field.title or name}.NAME]" if named else f"[{name}]"]
        for key, info in section.model_fields.items():
            when = scope(info, field)
            lines += [f"# {info.description} ({when.name if when else ''})", _toml_line(key, info, off=named)]
        lines.append("")
    return "\n".join(lines)


def section_of(field: Any) -> type[BaseModel]:
    """The section behind a field of ``Settings``, of a ``[section]`` or of each ``[section.NAME]``."""
    return cast("type[BaseModel]", get_args(field.annotation)[1] if _is_named(field) else field.annotation)


def _is_named(field: Any) -> bool:
    return get_origin(field.annotation) is dict


def _toml_line(key: str, info: Any, *, off: bool) -> str:
    """A key with its default; behind a ``#`` where it is off or has no default."""
    default = info.get_default(call_default_factory=True)
    if info.is_required() or default is None:
        return f"# {key} = "
    return f"{'# ' if off else ''}{key} = {json.dumps(default)}"  # TOML writes these values as JSON does


def _read_toml(file: Path | None, problems: list[str]) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return read_toml(file)
    except FileError as error:
        problems.append(f"{error}; `doubleread settings` prints a file to start from")
    return {}


def _unknown_environment() -> list[str]:
    """Names of unknown sections; unknown keys of known sections are found when the settings are validated."""
    sections = tuple(f"{ENV_PREFIX}{name}__".upper() for name in Settings.model_fields)
    return [
        f"environment: {name} is no setting; known names begin with {', '.join(sections)}"
        for name in sorted(os.environ)
        if name.startswith(ENV_PREFIX) and "__" in name and not name.upper().startswith(sections)
    ]


def _describe(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key; known: {', '.join(_siblings(fault['loc']))}"
    if fault["type"] == HIDDEN:
        return f"{where}: {fault['msg']}"
    return f"{where}: {fault['msg']} (got {fault['input']!r})"


def _siblings(location: tuple[Any, ...]) -> list[str]:
    if len(location) == 1:
        return list(Settings.model_fields)
    return list(section_of(Settings.model_fields[location[0]]).model_fields)


__all__ = ["Settings", "default_toml", "load_settings"]
