"""What every case store must do, run on each row of the table."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from chroma_server import running
from rag_support import bare_case, units

from doubleread.core.errors import StoreError
from doubleread.core.ports import CaseStore
from doubleread.core.stored import StoredCase, Wanted
from doubleread.rag.stores import STORES, StorePlace
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.exact import ExactStore

DIM = 8
DAY = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("chroma")) as url:
        yield url


@pytest.fixture(params=[*STORES.names(), "in memory"])
def store(request, tmp_path):
    """An empty store of each kind; that in memory is the one panels are fitted with."""
    if request.param == "in memory":
        yield ExactStore("enc-1", dim=DIM)
        return
    url = request.getfixturevalue("server") if request.param in STORES.having("server") else ""
    with Archive(tmp_path / "store", "enc-1", dim=DIM, index=False, index_from=0) as own:
        found = STORES.get(request.param)(StorePlace(own, url, f"cases-{abs(hash(request.node.name)):x}"))
        yield found
        found.close()


def filled(store, n=20):
    cases = [bare_case(i, "ab"[i % 2], group=f"g{i // 4}") for i in range(n)]
    rows = units(n, DIM)
    store.add(cases, rows)
    return cases, rows


def test_is_a_case_store(store):
    assert isinstance(store, CaseStore)
    assert store.fingerprint == "enc-1"


def test_an_empty_store_finds_nothing(store):
    assert store.count() == 0
    assert store.search(units(2, DIM), 3) == [[], []]
    assert len(store.export()[0]) == 0


def test_nearest_first_by_cosine(store):
    cases, rows = filled(store)
    queries = units(5, DIM, seed=9)
    for query, found in zip(queries, store.search(queries, 4), strict=True):
        order = np.argsort(-(rows @ query))[:4]
        assert [one.case_id for one in found] == [cases[i].id for i in order]
        assert [one.similarity for one in found] == pytest.approx(list((rows @ query)[order]), abs=1e-5)
        assert [(one.label, one.group, one.source) for one in found] == [
            (cases[i].label, cases[i].group, cases[i].source) for i in order
        ]


def test_similarity_is_at_most_one(store):
    _, rows = filled(store)
    assert all(0.9999 < found[0].similarity <= 1 for found in store.search(rows, 1))


def test_the_length_of_a_query_does_not_matter(store):
    filled(store)
    query = units(1, DIM, seed=9)
    assert [one.case_id for one in store.search(3 * query, 5)[0]] == [one.case_id for one in store.search(query, 5)[0]]


def test_fewer_where_there_are_no_more(store):
    filled(store)
    assert len(store.search(units(1, DIM), 50)[0]) == 20


def test_exclusion_of_ids_and_groups(store):
    cases, rows = filled(store)
    ids, groups = frozenset({cases[0].id, cases[9].id}), frozenset({"g1", "g2"})
    for found in store.search(rows, 20, exclude_ids=ids, exclude_groups=groups):
        assert {one.case_id for one in found} == {case.id for case in cases if case.group not in groups} - ids


def test_exclusion_still_finds_k(store):
    cases = [bare_case(i, group="same" if i < 90 else None) for i in range(100)]
    rows = units(100, DIM)
    rows[:90] = rows[0] + 0.01 * rows[:90]
    store.add(cases, rows)
    found = store.search(rows[:1], 5, exclude_groups=frozenset({"same"}))[0]
    assert len(found) == 5
    assert all(one.group is None for one in found)


def test_equals_stand_in_a_fixed_order(store):
    cases = [bare_case(i) for i in range(6)]
    store.add(cases, np.tile(units(1, DIM), (6, 1)))
    assert [one.case_id for one in store.search(units(1, DIM), 6)[0]] == sorted(case.id for case in cases)


def test_add_is_an_upsert(store):
    cases, _ = filled(store)
    moved = units(1, DIM, seed=77)
    store.add([cases[3].model_copy(update={"label": "c", "group": None})], moved)
    assert store.count() == 20
    (found,) = store.search(moved, 1)[0]
    assert (found.case_id, found.label, found.group) == (cases[3].id, "c", None)
    assert found.similarity == pytest.approx(1)


def test_adding_the_same_again_changes_nothing(store):
    cases, rows = filled(store)
    before = store.export()
    store.add(cases, rows)
    after = store.export()
    assert list(after[0]) == list(before[0])
    assert np.array_equal(after[1], before[1])


def test_of_a_case_given_twice_the_last_counts(store):
    store.add([bare_case(1, "a"), bare_case(1, "b")], units(2, DIM))
    assert [case.label for case in store.export()[0]] == ["b"]


def test_export_gives_back_everything_in_order(store):
    cases, rows = filled(store)
    found, embeddings = store.export()
    by_id = dict(zip((case.id for case in cases), rows, strict=True))
    assert list(found) == sorted(cases, key=lambda case: case.id)
    assert np.allclose(embeddings, [by_id[case.id] for case in found], atol=1e-6)
    assert embeddings.dtype == np.float32


def test_holds(store):
    cases, _ = filled(store)
    assert store.holds(cases[0].id)
    assert not store.holds("0" * 64)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.full((1, DIM), np.nan, np.float32), "NaN"),
        (np.zeros((1, DIM), np.float32), "zero"),
        (np.ones((1, DIM + 1), np.float32), "length 8"),
        (np.ones((2, DIM), np.float32), "1 cases came with 2"),
    ],
)
def test_bad_embeddings_are_refused(store, rows, message):
    with pytest.raises(StoreError, match=message):
        store.add([bare_case(1)], rows)
    assert store.count() == 0


def test_a_case_without_a_label_is_refused_by_name(store):
    with pytest.raises(StoreError, match=r"7\.png.*no label"):
        store.add([bare_case(7, None)], units(1, DIM))


@pytest.mark.parametrize("query", [np.full((1, DIM), np.nan), np.zeros((1, DIM)), np.ones((1, 3)), np.ones(DIM)])
def test_bad_queries_are_refused(store, query):
    filled(store)
    with pytest.raises(StoreError):
        store.search(query.astype(np.float32), 3)


def test_at_least_one_neighbour_must_be_asked_for(store):
    with pytest.raises(StoreError, match="k = 0"):
        store.search(units(1, DIM), 0)


def test_adding_nothing_is_allowed(store):
    store.add([], np.zeros((0, DIM), np.float32))
    assert store.count() == 0


def test_closing_twice_is_allowed(store):
    store.close()
    store.close()


def stored(i, label="a", tags=(), days=0, **fields):
    return StoredCase(case=bare_case(i, label, **fields), tags=tags, added=DAY + timedelta(days=days), origin="a test")


def test_what_is_stored_comes_back_with_its_provenance(store):
    one = stored(1, tags=("wet", "macro"), group="g", split="test", metadata={"plant": "7"})
    store.put([one, stored(2)], units(2, DIM))
    assert store.get([bare_case(2).id, "0" * 64, one.case.id]) == [stored(2), one]


def test_removed_cases_are_found_no_more(store):
    cases, rows = filled(store)
    store.remove([cases[0].id, "0" * 64])
    assert store.count() == 19
    assert not store.holds(cases[0].id)
    assert store.get([cases[0].id]) == []
    assert cases[0].id not in {one.case_id for one in store.search(rows[:1], 20)[0]}
    assert cases[0].id not in store.columns().ids.tolist()
    store.add(cases[:1], rows[:1])
    assert store.search(rows[:1], 1)[0][0].case_id == cases[0].id


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(labels=frozenset({"b"})), {1, 3, 5, 7, 9}),
        (Wanted(labels=frozenset({"a", "b"}), tags=frozenset({"wet"})), {0, 3, 6, 9}),
        (Wanted(tags=frozenset({"wet", "macro"})), {0, 6}),
        (Wanted(groups=frozenset({"g0", "g2"})), {0, 1, 2, 3, 8, 9}),
        (Wanted(splits=frozenset({"test"})), {0, 5}),
        (Wanted(since=DAY + timedelta(days=3), until=DAY + timedelta(days=6)), {3, 4, 5}),
        (Wanted(labels=frozenset({"nothing like it"})), set()),
    ],
)
def test_only_what_is_wanted_is_found(store, wanted, expected):
    rows = units(10, DIM)
    cases = [
        stored(
            i,
            "ab"[i % 2],
            tags=(*(("wet",) if i % 3 == 0 else ()), *(("macro",) if i % 2 == 0 else ())),
            days=i,
            group=f"g{i // 4}",
            split="test" if i % 5 == 0 else "support",
        )
        for i in range(10)
    ]
    store.put(cases, rows)
    (found,) = store.search(rows[:1], 10, wanted=wanted)
    assert {one.case_id for one in found} == {cases[i].case.id for i in expected}
    each = store.search_each(rows[0], ["a", "b"], 2, wanted=wanted)
    for label in "ab":
        own = [i for i in expected if cases[i].label == label]
        nearest = sorted(own, key=lambda i: -float(rows[i] @ rows[0]))[:2]
        assert [one.case_id for one in each if one.label == label] == [cases[i].case.id for i in nearest]


def test_the_nearest_of_each_label_leave_out_what_is_excluded(store):
    cases, rows = filled(store)
    found = store.search_each(
        rows[0], ["b", "a"], 3, exclude_ids=frozenset({cases[0].id}), exclude_groups=frozenset({"g1"})
    )
    for label, part in (("b", found[:3]), ("a", found[3:])):
        own = [i for i in range(20) if cases[i].label == label and i != 0 and cases[i].group != "g1"]
        assert [one.case_id for one in part] == [
            cases[i].id for i in sorted(own, key=lambda i: -float(rows[i] @ rows[0]))[:3]
        ]


def test_columns_follow_the_contents_and_are_the_same_while_these_are(store):
    cases, rows = filled(store)
    columns = store.columns()
    assert store.columns() is columns
    at = {one: i for i, one in enumerate(columns.ids.tolist())}
    for case, row in zip(cases, rows, strict=True):
        i = at[case.id]
        assert (columns.labels[i], columns.groups[i]) == (case.label, case.group)
        assert columns.embeddings[i] == pytest.approx(row, abs=1e-6)
    store.add([cases[0].model_copy(update={"label": "c"})], rows[:1])
    assert "c" in store.columns().labels.tolist()


def test_a_version_is_that_of_the_contents(store):
    empty = store.version()
    cases, rows = filled(store)
    full = store.version()
    store.add(cases, rows)
    assert store.version() == full != empty
    store.remove([cases[0].id])
    assert store.version() != full
