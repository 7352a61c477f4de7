"""What bringing a data set into an archive did."""

from doubleread.core.base import Record
from doubleread.core.case import RowProblem


class UnusualPicture(Record):
    """A picture that stands out among the others, and how: ``dark``, ``blurred``, ``shape``, …"""

    source: str
    signs: tuple[str, ...]


class Ingested(Record):
    """Every case of the data set is in exactly one of the counts, or in ``problems``."""

    origin: str
    added: int = 0
    changed: int = 0
    """Label, group, split, path, tags or metadata rewritten, or brought back."""
    unchanged: int = 0
    kept: int = 0
    """Relabelled, removed or erased in the archive since the data set last brought them: people's word stands."""
    duplicates: int = 0
    """Pictures that the data set holds twice, or that the archive has from another origin."""
    near_copies: tuple[tuple[str, str], ...] = ()
    """Sources of new pictures that are nearly the same as others in the archive, and of those; they were added."""
    unusual: tuple[UnusualPicture, ...] = ()
    """New pictures that are dark, blurred, flat, over-bright, tiny or oddly shaped; they were added all the same."""
    encoded: int = 0
    """There already, as they are, without an embedding of the archive's encoder: they have one now."""
    gone: int = 0
    """Cases of this origin that are no longer in the data set; only a sync counts them."""
    removed: int = 0
    """Those of them that were removed."""
    problems: tuple[RowProblem, ...] = ()
    """Rows that were left out."""
    version: str = ""
    """That of the archive afterwards."""
