"""The tables of the settings file: each setting with its default, its help, its scope and what it may reach.

``fit``: a fitted panel keeps the value it was fitted with. ``run``: it may differ each time a panel is loaded. What a
setting may make a machine do is said by the other markers of ``core.authority``. A table whose settings are all alike
is marked as a whole, in ``Settings``.
"""

from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from doubleread.agents.recorded.columns import AnswerColumns
from doubleread.core.authority import FIT, HERE, INERT, RUN, Asks, Scope
from doubleread.core.errors import HIDDEN


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PanelSettings(Section):
    """The agents of the panel."""

    agents: Annotated[tuple[str, ...], INERT, FIT] = Field(
        default=("zero-shot", "discriminant", "logistic", "neighbours", "texture"),
        min_length=1,
        description="Names of the agents. One that can never answer (zero-shot without CLIP) is left out.",
    )
    agent_timeout_s: Annotated[float, RUN] = Field(
        default=60.0, gt=0, description="Seconds to wait for an agent's answer."
    )


class EncoderOptions(Section):
    """An encoder, which computes image features."""

    name: Annotated[str, Asks("this encoder is loaded", when=lambda encoder: encoder.reaches_out), FIT] = Field(
        default="auto",
        description="auto, efficientnet-lite0, open-clip:MODEL/TAG, open-clip:hf-hub:ORG/NAME, timm:MODEL, …",
    )
    checkpoint: Annotated[str, Asks("this file is loaded as the encoder's weights"), RUN] = Field(
        default="", description="Local weights for open-clip:MODEL, instead of a tag."
    )
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], HERE] = Field(
        default="auto", description="Device of the encoder: auto, cpu, cuda, …"
    )
    download: Annotated[bool, HERE] = Field(default=False, description="Whether missing weights may be downloaded.")

    @property
    def reaches_out(self) -> bool:
        """Whether loading it reads a named file, may download weights, or runs another package's code."""
        from doubleread.rag.encoders import within_reach  # noqa: PLC0415 - heavy

        return bool(self.checkpoint) or not within_reach(self.name, download=self.download)


class EncoderSettings(EncoderOptions):
    """The panel's encoder: similar cases and all agents that name no other use it."""

    cache_dir: Annotated[str, HERE] = Field(
        default="", description="Folder of the encodings; empty: the user's cache folder."
    )


class ImageSettings(Section):
    """How image files are read."""

    max_megapixels: Annotated[float, HERE] = Field(
        default=120.0,
        gt=0,
        le=2000,
        description="Largest image that is read, in millions of pixels. It takes up to 8 bytes of memory a pixel.",
    )
    depth: Annotated[Literal["refuse", "range", "percentile"], FIT] = Field(
        default="refuse",
        description="Images with more than 8 bits a channel: refuse; or map them to 8 bits by one range that fitting "
        "learns, from the smallest to the largest value (range) or from the 1st to the 99th percentile (percentile).",
    )
    frame: Annotated[int, FIT] = Field(
        default=0,
        ge=0,
        description="Which frame or page is read of files with several, from 1; 0: such files are refused.",
    )


_ELSEWHERE = "cases are searched in this store, of another package, and the panel's own are written to it"


class RetrievalSettings(Section):
    """How similar cases are found."""

    store: Annotated[str, Asks(_ELSEWHERE, when=lambda retrieval: not retrieval.built_in), RUN] = Field(
        default="chroma",
        description="How plain searches are answered: by an index where that is faster (chroma), exactly (exact), or "
        "by a store of another package.",
    )
    url: Annotated[str, Asks("cases are searched on this server, and the panel's own are written to it"), RUN] = Field(
        default="", description="Address of a Chroma server whose cases are searched instead of the panel's own."
    )
    collection: Annotated[
        str, Asks("in this collection", when=lambda retrieval: bool(retrieval.url)), Scope("run", along="url")
    ] = Field(
        default="cases",
        pattern=r"^[a-z0-9][a-z0-9-]{1,40}[a-z0-9]$",
        description="Name of the collection on that server.",
    )
    k: Annotated[int, FIT] = Field(default=10, ge=1, le=1000, description="Number of similar cases.")

    @property
    def built_in(self) -> bool:
        """Whether the store is one of this package's."""
        from doubleread.rag.stores.store_registry import STORES  # noqa: PLC0415 - heavy

        return self.store in STORES.built_in

    @property
    def answered_by(self) -> str:
        """The store that is opened, by its name in ``STORES``: an address stands for a Chroma server, unless another
        package's store is named."""
        return "chroma-server" if self.url and self.built_in else self.store

    @field_validator("url")
    @classmethod
    def _is_bare(cls, url: str) -> str:
        """Refuses passwords: settings are written into panels, runs and messages."""
        if "@" in urlsplit(url).netloc:
            raise PydanticCustomError(HIDDEN, "must hold no user or password")
        return url


class TrustSettings(Section):
    """How doubleread learns how far each agent can be trusted."""

    calibrator: Annotated[str, INERT] = Field(
        default="auto",
        description="auto (temperature, or vector if that is clearly better on held-out cases), "
        "temperature, vector, beta, histogram, isotonic or none.",
    )
    folds: int = Field(default=5, ge=2, le=20, description="Number of cross-validation folds; groups stay whole.")
    bins: int = Field(default=15, ge=2, le=100, description="Equal-width bins of the ECE.")
    ocr_threshold: float = Field(
        default=0.8, gt=0, lt=1, description="Overconfidence rate: wrong with a confidence above this, of all cases."
    )
    coverage: float = Field(
        default=0.9, gt=0.5, lt=1, description="Share of images whose prediction set must contain the true label."
    )
    sets: Annotated[str, INERT] = Field(
        default="lac", description="Method for prediction sets: lac (the smallest), aps or raps."
    )
    max_risk: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Largest share of wrong answers among those it commits to, with "
        "risk_confidence; unset: costs decide.",
    )
    risk_confidence: float = Field(default=0.9, gt=0.5, lt=1, description="Confidence that max_risk holds.")
    alarm_rate: float = Field(
        default=0.02,
        gt=0,
        lt=0.5,
        description="Largest share of familiar images that may be referred as unfamiliar.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of folds and bootstrap.")
    consistency_cases: int = Field(
        default=20,
        ge=0,
        description="Calibration cases that agents with prompts read again in other words and orders, to see how much "
        "they change; 0: none.",
    )


class FusionSettings(Section):
    """How calibrated answers are combined."""

    rule: Annotated[str, INERT] = Field(
        default="auto",
        description="auto (log-pool, or panel-mean if that is clearly better on held-out cases), "
        "panel-mean, log-pool, confusion-bayes, stacking, ece-weighted, confidence-weighted or majority.",
    )


class SecondLookSettings(Section):
    """When the panel takes a second look."""

    max_rounds: int = Field(default=2, ge=1, le=2, description="1: never a second look; 2: at most one.")
    max_share: float = Field(
        default=0.12,
        ge=0,
        le=1,
        description="Largest share of images with a second look: the most doubtful ones, if it is worth the cost.",
    )


class CascadeSettings(Section):
    """Whether paid models are asked only if they can change the decision."""

    max_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Largest share of images on which they are asked, the most doubtful ones; 1: always.",
    )
    free_usd: float = Field(
        default=1e-4, ge=0, description="Agents whose answers cost at most this many US dollars are always asked."
    )


class WorthSettings(Section):
    """What money and time are worth, to decide whether asking further pays."""

    error_usd: float = Field(default=1.0, gt=0, description="Cost of one ordinary error, in US dollars.")
    hour_usd: float = Field(default=0.0, ge=0, description="Cost of an hour of waiting, in US dollars.")


class RunSettings(Section):
    """How panels are run."""

    in_flight: int = Field(
        default=32, ge=1, le=1024, description="Images that are diagnosed at the same time in a batch."
    )
    engine: Literal["local", "ray"] = Field(
        default="local",
        description="Where `evaluate` runs: in this process (local), or on the workers of a Ray cluster (ray).",
    )
    record: str = Field(
        default="", description="File (.jsonl or .csv) to which every agent's answers are appended; empty: none."
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
        default="", description="Name recorded with decisions in `doubleread chat`; empty: the user of this machine."
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
        default="", description="Folder of your own prompt files, which replace built-in ones of the same id."
    )


class BudgetSettings(Section):
    """Most that a run may spend on models; answers are kept."""

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
    columns: Annotated[AnswerColumns | None, INERT] = Field(
        default=None, description="Which column is what, for a table from elsewhere."
    )
