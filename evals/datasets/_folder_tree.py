"""The folders of a data set that have images in them, as a tree."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from doubleread.evals.datasets.label_names import split_of_folder


class FolderTree:
    """A folder that has images in it or below it."""

    def __init__(self, parts: tuple[str, ...] = ()) -> None:
        self.parts = parts
        self.images: list[Path] = []
        """The images in the folder itself."""
        self.inner: dict[str, FolderTree] = {}

    @classmethod
    def of(cls, images: Iterable[Path]) -> Self:
        """The tree of images, given by their paths relative to the data set."""
        root = cls()
        for path in images:
            at: FolderTree = root
            for name in path.parts[:-1]:
                at = at.inner.setdefault(name, FolderTree((*at.parts, name)))
            at.images.append(path)
        return root

    @property
    def name(self) -> str:
        """Its own name; empty for the data set."""
        return self.parts[-1] if self.parts else ""

    @property
    def split(self) -> str | None:
        """The split that its name may mean."""
        return split_of_folder(self.name)

    @property
    def deep(self) -> bool:
        """Whether the folders in it have folders in them."""
        return any(one.inner for one in self.inner.values())

    @property
    def names(self) -> set[str]:
        """The names of the folders in it, to compare."""
        return {name.casefold() for name in self.inner}

    def all(self) -> list[Path]:
        """The images in it and below it."""
        return [*self.images, *(path for one in self.inner.values() for path in one.all())]
