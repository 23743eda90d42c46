"""SQL that reads files of the lake, of whatever versions of their columns they are."""

from collections.abc import Collection, Sequence
from itertools import groupby

from analytics.lake import engine, file_store
from analytics.lake.datasets import Dataset
from analytics.models import LakeFile


def of(dataset: Dataset, files: Sequence[LakeFile], *, repeating: Collection[int] = ()) -> str:
    """A SELECT of the rows of all `files`. Those of ids in `repeating` leave out what a table `repeats`
    of path and key names.
    """

    def kind(file: LakeFile) -> tuple[int, bool]:
        return file.columns_version, file.id in repeating

    parts = [
        _select(dataset, version, list(same), leaves_out=leaves_out)
        for (version, leaves_out), same in groupby(sorted(files, key=kind), key=kind)
    ]
    return " UNION ALL ".join(parts) or dataset.nothing()


def with_paths(dataset: Dataset, files: Sequence[LakeFile], names: Collection[str]) -> str:
    """A SELECT of the columns of these `names` of all `files`, at least one, and of the `filename` that
    each row is in.
    """

    def version(file: LakeFile) -> int:
        return file.columns_version

    parts = [
        f"SELECT {dataset.columns(each, names)}, filename"  # noqa: S608
        f" FROM read_parquet({_paths(list(same))}, filename = true)"
        for each, same in groupby(sorted(files, key=version), key=version)
    ]
    return " UNION ALL ".join(parts)


def _select(dataset: Dataset, version: int, files: Sequence[LakeFile], *, leaves_out: bool) -> str:
    paths = _paths(files)
    columns = dataset.columns(version)
    if leaves_out:
        return (
            f"SELECT {columns} FROM read_parquet({paths}, filename = true)"  # noqa: S608
            f" ANTI JOIN repeats USING (filename, {dataset.key})"
        )
    return f"SELECT {columns} FROM read_parquet({paths})"  # noqa: S608


def _paths(files: Sequence[LakeFile]) -> str:
    return engine.path_list([file_store.local_path(file.path) for file in files])
