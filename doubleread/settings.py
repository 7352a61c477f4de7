"""All settings: one typed TOML file, the environment, and flags; later ones win.

``doubleread settings`` prints the file with every default and comment. In the environment a setting is
``DOUBLEREAD_<SECTION>__<NAME>``. Unknown keys and every other fault are reported together.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args, get_origin
from urllib.parse import parse_qsl, urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from doubleread.agents.recorded.columns import Columns
from doubleread.agents.vlm.vlm_options import ReasonerOptions, TalkOptions, VlmOptions
from doubleread.agents.wire.prices import Price
from doubleread.core.authority import HERE, INERT, Asks
from doubleread.core.errors import HIDDEN, FileError, SettingsError
from doubleread.core.safe_text import read_toml

ENV_PREFIX = "DOUBLEREAD_"


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PanelSettings(Section):
    """Who sits on the panel."""

    agents: Annotated[tuple[str, ...], INERT] = Field(
        default=("zero-shot", "discriminant", "logistic", "neighbours", "texture"),
        min_length=1,
        description="Agents by name; one that cannot read (no text encoder, say) abstains and says so.",
    )
    agent_timeout_s: float = Field(default=60.0, gt=0, description="Seconds before an agent's answer is given up.")


class EncoderSettings(Section):
    """What turns images into embeddings."""

    name: Annotated[str, Asks("this encoder is loaded", when=lambda encoder: encoder.reaches_out)] = Field(
        default="auto",
        description="auto, efficientnet-lite0, open-clip:MODEL/TAG or open-clip:hf-hub:ORG/NAME.",
    )
    checkpoint: Annotated[str, Asks("this file is loaded as the encoder's weights")] = Field(
        default="", description="Local weights for open-clip:MODEL, instead of a tag."
    )
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], HERE] = Field(
        default="auto", description="Where the encoder runs."
    )
    download: Annotated[bool, HERE] = Field(default=False, description="Whether missing weights may be downloaded.")
    cache_dir: Annotated[str, HERE] = Field(
        default="", description="Where encodings are kept; empty: the user's cache folder."
    )

    @property
    def reaches_out(self) -> bool:
        """Whether loading it reads a named file, may download weights, or runs another package's code."""
        from doubleread.rag.encoders import within_reach  # noqa: PLC0415 - heavy

        return bool(self.checkpoint) or not within_reach(self.name, download=self.download)


class RetrievalSettings(Section):
    """How similar cases are found."""

    store: Literal["chroma", "exact"] = Field(
        default="chroma",
        description="How plain searches are answered: by an index where that is faster (chroma), or exactly (exact).",
    )
    url: Annotated[str, Asks("cases are searched on this server, and the panel's own are written to it")] = Field(
        default="", description="Address of a Chroma server whose cases are searched instead of the panel's own."
    )
    collection: Annotated[str, Asks("in this collection", when=lambda retrieval: bool(retrieval.url))] = Field(
        default="cases", pattern=r"^[a-z0-9][a-z0-9-]{1,40}[a-z0-9]$", description="Its name there."
    )
    k: int = Field(default=10, ge=1, le=1000, description="How many similar cases make the evidence.")

    @field_validator("url")
    @classmethod
    def _is_bare(cls, url: str) -> str:
        """Refuses passwords: settings are written into panels, runs and messages."""
        if "@" in urlsplit(url).netloc:
            raise PydanticCustomError(HIDDEN, "must hold no user or password")
        return url


class TrustSettings(Section):
    """How trust is learned."""

    calibrator: Annotated[str, INERT] = Field(
        default="auto",
        description="auto (temperature, or vector where that is clearly better on held-out cases), "
        "temperature, vector, beta, histogram, isotonic or none.",
    )
    folds: int = Field(default=5, ge=2, le=20, description="Folds of cross-fitting, whole groups at a time.")
    bins: int = Field(default=15, ge=2, le=100, description="Equal-width bins of the ECE.")
    ocr_threshold: float = Field(
        default=0.8, gt=0, lt=1, description="Overconfidence rate: wrong with a confidence above this, of all cases."
    )
    coverage: float = Field(default=0.9, gt=0.5, lt=1, description="Coverage that prediction sets promise.")
    sets: Annotated[str, INERT] = Field(
        default="lac", description="How prediction sets are made: lac (the smallest), aps or raps."
    )
    max_risk: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Share of the committed that may be wrong, with risk_confidence; unset: cost alone decides.",
    )
    risk_confidence: float = Field(default=0.9, gt=0.5, lt=1, description="Confidence in that promise.")
    alarm_rate: float = Field(
        default=0.02,
        gt=0,
        lt=0.5,
        description="Share of cases like the calibration cases that may be taken for unfamiliar, and referred.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of folds and bootstrap.")
    consistency_cases: int = Field(
        default=20,
        ge=0,
        description="Calibration cases that agents with prompts read again in other words and orders, to see how much "
        "they change; 0: none.",
    )


class FusionSettings(Section):
    """How calibrated opinions become one posterior."""

    rule: Annotated[str, INERT] = Field(
        default="auto",
        description="auto (log-pool, or panel-mean where that is clearly better on held-out cases), "
        "panel-mean, log-pool, confusion-bayes, stacking, ece-weighted, confidence-weighted or majority.",
    )


class SecondLookSettings(Section):
    """When the panel looks again."""

    max_rounds: int = Field(default=2, ge=1, le=2, description="1 never looks again; 2 looks again once.")
    max_share: float = Field(
        default=0.12,
        ge=0,
        le=1,
        description="Look again on no more than this share of cases, the most doubtful ones, and where it is worth it.",
    )


class CascadeSettings(Section):
    """Whether agents that cost money are asked only where they can change the decision."""

    max_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Ask them on no more than this share of cases, the most doubtful ones; 1: everyone at once.",
    )
    free_usd: float = Field(
        default=1e-4, ge=0, description="Agents whose answers cost no more US dollars than this are always asked."
    )


class WorthSettings(Section):
    """What money and time are worth: what asking further saves is weighed against them."""

    error_usd: float = Field(default=1.0, gt=0, description="What one ordinary error costs, in US dollars.")
    hour_usd: float = Field(default=0.0, ge=0, description="What an hour of waiting costs, in US dollars.")


class RunSettings(Section):
    """How much is done at once."""

    in_flight: int = Field(default=32, ge=1, le=1024, description="Cases read at the same time in a batch.")
    engine: Literal["local", "ray"] = Field(
        default="local",
        description="What `evaluate` runs on: this process (local), or the workers of a Ray cluster (ray).",
    )
    record: str = Field(
        default="", description="File (.jsonl or .csv) that every agent's answers are added to; empty: none."
    )


class RaySettings(Section):
    """Where a run with `run.engine = "ray"` goes; it needs the extra of that name."""

    address: str = Field(
        default="",
        description="Address of a cluster, auto for the one that runs here; empty: one is started for the run.",
    )
    workers: int = Field(
        default=2, ge=1, le=1024, description="Processes; each loads the panel and reads run.in_flight cases at a time."
    )
    cpus: float = Field(default=1.0, gt=0, description="CPUs of each worker.")
    gpus: float = Field(default=0.0, ge=0, description="GPUs of each worker, 0.5 for two on one; with 0 it sees none.")


class SessionSettings(Section):
    """Where inspection sessions are kept."""

    folder: str = Field(
        default="", description="Sessions, their readings and pictures; empty: one of the panel's in the user's data."
    )
    reviewer: str = Field(
        default="", description="Who decides in `doubleread chat`, on record; empty: the user of this machine."
    )
    database: str = Field(
        default="",
        description="Postgres that keeps them instead, for several machines: postgresql://USER@HOST/NAME, and the "
        "password in the environment variable PGPASSWORD or in ~/.pgpass.",
    )
    preview: Literal["auto", "kitty", "sixel", "blocks", "none"] = Field(
        default="auto", description="How `chat` shows images: auto (what the terminal can), or one of these, or none."
    )

    @field_validator("database")
    @classmethod
    def _is_address(cls, address: str) -> str:
        """Refuses passwords: settings are written into panels, runs and messages."""
        if not address:
            return address
        try:
            parts = urlsplit(address)
            asked = {name.casefold() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
            known = parts.scheme in ("postgresql", "postgres") and (parts.netloc or "host" in asked)
            secret = parts.password is not None or not asked.isdisjoint({"password", "sslpassword"})
            _ = parts.port
        except ValueError:
            known, secret = False, False
        if not known:
            raise PydanticCustomError(HIDDEN, "must be an address such as postgresql://ann@db.example.org/sessions")
        if secret:
            raise PydanticCustomError(
                HIDDEN, "must hold no password: put it into the environment variable PGPASSWORD, or into ~/.pgpass"
            )
        return address


class PromptSettings(Section):
    """Where prompts come from."""

    folder: Annotated[str, Asks("prompts are read from this folder, and sent to models")] = Field(
        default="", description="Folder of your own prompt files; they go before the built-in ones."
    )


class BudgetSettings(Section):
    """What a run may spend on models, at the most; answers that were given are kept."""

    max_cost_usd: float | None = Field(default=None, gt=0, description="US dollars; unset: no limit.")
    max_calls: int | None = Field(default=None, ge=1, description="Calls; unset: no limit.")


class RecordedOptions(Section):
    """Recorded answers as an agent; its name is that of the table."""

    file: Annotated[str, Asks("answers are read from this file")] = Field(
        min_length=1, description="Answers, .jsonl or .csv: a recording, or any table with `columns`."
    )
    agent: Annotated[str, INERT] = Field(
        default="", description="Whose answers, where the recording holds several agents'."
    )
    columns: Annotated[Columns | None, INERT] = Field(
        default=None, description="Which column is what, for a table from elsewhere."
    )


class _TomlFile(PydanticBaseSettingsSource):
    """The file's contents as a settings source."""

    def __init__(self, settings_cls: type[BaseSettings], data: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._data = data

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self._data.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._data


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

    panel: PanelSettings = PanelSettings()
    encoder: EncoderSettings = EncoderSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    trust: TrustSettings = TrustSettings()
    fusion: FusionSettings = FusionSettings()
    second_look: SecondLookSettings = SecondLookSettings()
    cascade: CascadeSettings = CascadeSettings()
    worth: WorthSettings = WorthSettings()
    run: Annotated[RunSettings, HERE] = RunSettings()
    ray: Annotated[RaySettings, HERE] = RaySettings()
    prompts: PromptSettings = PromptSettings()
    sessions: Annotated[SessionSettings, HERE] = SessionSettings()
    budget: Annotated[BudgetSettings, HERE] = BudgetSettings()
    vlm: dict[str, VlmOptions] = Field(
        default_factory=dict, description="Vision-language models as agents, one table each; name them in panel.agents."
    )
    reasoner: dict[str, ReasonerOptions] = Field(
        default_factory=dict,
        description="Language models as referees, who see what the agents say but not the image; kept only where they "
        "help; name them in panel.agents.",
    )
    talk: Annotated[dict[str, TalkOptions], HERE] = Field(
        default_factory=dict,
        description="Language models that hold the conversation in sessions; they decide nothing.",
    )
    recorded: dict[str, RecordedOptions] = Field(
        default_factory=dict, description="Recorded answers as agents; name them in panel.agents."
    )
    prices: Annotated[dict[str, Price], HERE] = Field(
        default_factory=dict, description="US dollars per million tokens, by model; they go before the built-in table."
    )

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
    data = _read_toml(file, problems)

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return init_settings, env_settings, _TomlFile(settings_cls, data)

    problems += _unknown_environment()
    try:
        layered = Layered.model_validate({name: dict(values) for name, values in (flags or {}).items()})
    except ValidationError as error:
        problems += [_describe(fault) for fault in error.errors()]
    if problems:
        raise SettingsError(problems)
    return Settings.model_construct(**{name: getattr(layered, name) for name in Settings.model_fields})


def default_toml() -> str:
    """Returns a settings file with all defaults, each key below a comment that explains it.

    Examples:
        >>> from doubleread.settings import default_toml
        >>> default_toml().splitlines()[2:4]
        ['# Who sits on the panel.', '[panel]']
    """
    lines = ["# doubleread settings. Every key is optional; the values below are the defaults.", ""]
    for name, field in Settings.model_fields.items():
        named = _named_section(field)
        section = named or cast("type[Section]", field.annotation)
        about = field.description if named else (section.__doc__ or "").strip()
        lines += [f"# {about}", f"# [{name}.NAME]" if named else f"[{name}]"]
        for key, info in section.model_fields.items():
            lines += [f"# {info.description}", _toml_line(key, info, off=named is not None)]
        lines.append("")
    return "\n".join(lines)


def _named_section(field: Any) -> type[BaseModel] | None:
    """The section of a ``[section.NAME]`` table; None for a plain ``[section]``."""
    return get_args(field.annotation)[1] if get_origin(field.annotation) is dict else None


def _toml_line(key: str, info: Any, *, off: bool) -> str:
    """A key with its default; behind a ``#`` where it is off or has no default."""
    default = info.get_default(call_default_factory=True)
    if info.is_required() or default is None:
        return f"# {key} = "
    return f"{'# ' if off else ''}{key} = {_toml_value(default)}"


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml_value(v)}" for k, v in value.items()) + " }" if value else "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)


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
    field = Settings.model_fields[location[0]]
    section = _named_section(field) or cast("type[Section]", field.annotation)
    return list(section.model_fields)


__all__ = ["Settings", "default_toml", "load_settings"]
