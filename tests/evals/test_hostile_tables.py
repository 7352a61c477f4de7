"""Tables as Excel, pandas, Kaggle and annotation tools write them: read, or one error that says what to do."""

import importlib.util
import json
import sys
import unicodedata

import pytest
from evals_support import picture

from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_dataset

FOUR = [("a.png", "x"), ("b.png", "x"), ("c.png", "y"), ("d.png", "y")]
SIZES = {"x": 2, "y": 2}


@pytest.fixture
def table(tmp_path):
    """Writes a table beside four pictures; text, or bytes as they are."""
    for i, (name, _) in enumerate(FOUR):
        picture(tmp_path / name, i)

    def write(contents, name="m.csv"):
        data = contents if isinstance(contents, bytes) else contents.encode()
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def rows(separator=",", ends="\n", more="", header="path,label"):
    lines = [header, *(separator.join(row) for row in FOUR)]
    return ends.join(f"{line.replace(',', separator)}{more}" for line in lines) + ends


def told(dataset):
    return " | ".join((*dataset.notes, *dataset.warnings))


@pytest.mark.parametrize(
    "contents",
    [
        rows(more=",,"),
        rows(more=",,") + ",,,\n,,,\n",
        "sep=;\r\n" + rows(";", "\r\n"),
        "\ufeff" + rows(),
        "\ufeffsep=,\n" + rows(),
        rows("\t"),
        rows("|"),
        rows(ends="\r"),
        rows().replace("a.png", "'a.png' ").replace("c.png", '"""c.png"""'),
        rows(ends="\n\n"),
        "\n\n" + rows(),
        rows(header=" Path , LABEL "),
        rows("\t").encode("utf-16"),
        rows().encode("utf-16-be").join([b"\xfe\xff", b""]),
    ],
)
def test_what_spreadsheets_write_is_read(table, contents):
    assert read_dataset(table(contents)).sizes() == SIZES


def test_semicolons_come_with_decimal_commas(table):
    text = "path;label;depth\n" + "".join(f"{name};{label};1{i},5\n" for i, (name, label) in enumerate(FOUR))
    dataset = read_dataset(table(text), group="depth//2")
    assert [case.metadata["depth"] for case in dataset.cases] == ["10,5", "11,5", "12,5", "13,5"]
    assert [case.group for case in dataset.cases] == ["5", "5", "6", "6"]


def test_a_column_without_a_name_is_left_out_and_told(table):
    text = ",path,label\n" + "".join(f"{i},{name},{label}\n" for i, (name, label) in enumerate(FOUR))
    dataset = read_dataset(table(text))
    assert dataset.sizes() == SIZES
    assert "column 1 has no name and was left out" in dataset.notes


def test_a_value_too_many_is_still_a_problem(table):
    dataset = read_dataset(table(rows() + "a.png,x,,1\n"))
    assert [one.where for one in dataset.problems] == ["line 6"]


@pytest.mark.parametrize("labels", [("café", "Fäule"), ("µ2", "n°2"), ("naïve créée", "gesund")])
def test_windows_1252_is_read_with_a_warning(table, labels):
    text = "path,label\n" + "".join(f"{name},{labels[i // 2]}\n" for i, (name, _) in enumerate(FOUR))
    dataset = read_dataset(table(text.encode("cp1252")))
    assert set(dataset.sizes()) == set(labels)
    assert "was read as Windows-1252" in told(dataset)


@pytest.mark.parametrize(
    ("labels", "encoding"),
    [("健康锈病", "gbk"), ("健锈", "gbk"), ("здоров ржавчина", "cp1251"), ("サビ病", "shift-jis"), ("1级", "gbk")],
)
def test_another_code_page_is_refused_and_never_turned_into_other_letters(table, labels, encoding):
    text = "path,label\n" + "".join(f"{name},{labels}{i}\n" for i, (name, _) in enumerate(FOUR))
    with pytest.raises(DataError, match=r"line 2: not UTF-8 .* CSV UTF-8"):
        read_dataset(table(text.encode(encoding)))


@pytest.mark.parametrize(
    "header",
    ["filename,label", "file,Class", "image_path,category", "Image Path,diagnosis", "image_id,dx", "id,label",
     "FilePath,class_name", "img,Category Name"],
)  # fmt: skip
def test_usual_names_of_the_columns_are_found_and_told(table, header):
    dataset = read_dataset(table(rows(header=header)))
    assert dataset.sizes() == SIZES
    assert f"the path is the column {header.split(',')[0]!r}" in told(dataset)


def test_a_row_number_called_id_is_not_the_path(table):
    text = "id,file,label\n" + "".join(f"{i},{name},{label}\n" for i, (name, label) in enumerate(FOUR))
    assert read_dataset(table(text)).sizes() == SIZES


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("file,image,label", "columns file, image could be the path. Name the column of the path with --path-column"),
        ("path,class,category", "columns class, category could be the label. .* --label-column"),
        ("path,Label,LABEL", "columns Label, LABEL could be the label"),
        ("path,label,path", "two columns called 'path'"),
        (
            "z.png,y",
            r"no line with the names of the columns: its first line is 'z.png,y'. Add a line such as path,label",
        ),
    ],
)
def test_a_header_that_is_not_clear_is_refused(table, header, message):
    extra = ",z" * (header.count(",") - 1)
    text = header + "\n" + "".join(f"{name},{label}{extra}\n" for name, label in FOUR)
    with pytest.raises(DataError, match=message):
        read_dataset(table(text))


def test_one_column_for_each_label_is_refused_with_what_to_do(table):
    text = "image_id,healthy,multiple_diseases,rust,scab\n"
    text += "".join(
        f"{name},{int(i == 0)},{int(i == 1)},{int(i == 2)},{int(i == 3)}\n" for i, (name, _) in enumerate(FOUR)
    )
    with pytest.raises(DataError, match=r"healthy, multiple_diseases, rust, scab.*idxmax\(axis=1\)"):
        read_dataset(table(text))


@pytest.mark.parametrize("name", ["m.xlsx", "m.xls", "m.ods"])
def test_a_spreadsheet_is_to_be_saved_as_csv(table, name):
    with pytest.raises(DataError, match="is a spreadsheet: save it as CSV UTF-8"):
        read_dataset(table(b"PK\x03\x04", name))


@pytest.mark.parametrize("magic", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0rest", b"PAR1rest", b"\x1f\x8brest"])
def test_a_file_of_another_kind_that_is_called_csv_is_named(table, magic):
    with pytest.raises(DataError, match=r"m\.csv is .*, not a table of text"):
        read_dataset(table(magic))


def test_a_json_list_of_records_is_a_table(table):
    records = [{"path": name, "label": label, "size": {"w": 3}} for name, label in FOUR]
    dataset = read_dataset(table(json.dumps(records), "m.json"))
    assert dataset.sizes() == SIZES
    assert dataset.cases[0].metadata == {"size": '{"w": 3}'}
    with pytest.raises(DataError, match=r"a .json table is a list of objects, as in \[\{"):
        read_dataset(table('{"path": "a.png"}', "m.json"))


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pip install pyarrow")
def test_a_parquet_table_is_read(table, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"path": [name for name, _ in FOUR], "label": [label for _, label in FOUR], "bytes": [b"\xff"] * 4}
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    assert read_dataset(tmp_path / "m.parquet").sizes() == SIZES
    with pytest.raises(DataError, match="is no Parquet table"):
        read_dataset(table(b"PAR1", "n.parquet"))


# paths of a table


def test_paths_are_read_as_they_are_meant_and_it_is_told_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    decomposed = unicodedata.normalize("NFD", "Fäule")
    for i in range(4):
        picture(tmp_path / decomposed / f"{i}.png", i)
    lines = [f"Fäule\\{i}.png,{'xy'[i // 2]}" for i in range(3)] + [f"file://{tmp_path}/{decomposed}/3.png,y"]
    (tmp_path / "m.csv").write_text("\n".join(["path,label", *lines]), encoding="utf-8")
    dataset = read_dataset(tmp_path / "m.csv")
    assert dataset.sizes() == SIZES
    assert dataset.cases[0].source == "Fäule\\0.png"
    (note,) = (one for one in dataset.notes if "backslashes" in one)
    assert note.startswith("3 paths as 'Fäule\\\\0.png': its backslashes were read as /; its accents")


def test_a_thousand_missing_paths_are_one_message(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists").mkdir()
    picture(tmp_path / "photos" / "0.png", 1)
    text = "path,label\n" + "".join(f"photos/{i}.png,x\n" for i in range(1000))
    (tmp_path / "lists" / "m.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_dataset(tmp_path / "lists" / "m.csv")
    message = str(caught.value)
    assert (
        f"all 1,000 paths are missing; the first is 'photos/0.png', which means {tmp_path}/lists/photos/0.png"
        in message
    )
    assert f"right from the current folder: move the table to {tmp_path}" in message
    assert len(message) < 800


@pytest.mark.parametrize(
    ("ending", "written"), [("", "train_images/{image_id}.png"), (".png", "train_images/{image_id}")]
)
def test_names_without_a_folder_or_an_ending_get_a_hint_that_works(tmp_path, ending, written):
    for i in range(4):
        picture(tmp_path / "train_images" / f"Train_{i}.png", i)
    lines = [f"Train_{i}{ending},{'xy'[i // 2]}" for i in range(4)]
    (tmp_path / "train.csv").write_text("\n".join(["image_id,label", *lines]))
    with pytest.raises(DataError, match="all 4 paths are missing") as caught:
        read_dataset(tmp_path / "train.csv")
    assert f"--path-column '{written}'" in str(caught.value)
    dataset = read_dataset(tmp_path / "train.csv", path_column=written, group=r"re:(Train_\d)")
    assert dataset.sizes() == SIZES
    assert dataset.cases[0].group == "Train_0"
    with pytest.raises(DataError, match=r"names columns that are not there; columns: image_id, label"):
        read_dataset(tmp_path / "train.csv", path_column="{id}.png")


@pytest.mark.skipif(sys.platform == "win32", reason="paths of Windows are read there")
def test_web_addresses_are_not_fetched_and_their_secrets_not_told(tmp_path):
    for i in range(2):
        picture(tmp_path / f"{i}.png", i)
    (tmp_path / "m.csv").write_text(
        "path,label\n0.png,x\n1.png,x\nhttps://me:secret1@host.org/a.png?sig=secret2,x\nC:\\a.png,x\ngs://b/c.png,x\n"
    )
    from doubleread.evals.datasets import read_labelled

    dataset = read_labelled(tmp_path / "m.csv")
    problems = {one.where: one.problem for one in dataset.problems}
    assert "https://host.org/a.png is an address on the network (https)" in problems["line 4"]
    assert "it is a path of Windows" in problems["line 5"]
    assert "gs://b/c.png is an address on the network (gs)" in problems["line 6"]
    assert "secret" not in dataset.model_dump_json()
