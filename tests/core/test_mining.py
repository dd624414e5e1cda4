"""Mined negatives against loops over scores that other libraries compute."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from rr import Dataset, Document, HardNegative, PluginError, Query, RegistryError
from rr.data.collection import Collection, with_dev_share
from rr.errors import DataError
from rr.training.mining import MiningSettings, mine
from rr.training.negatives import hard_negatives, random_negatives
from rr.types import trec_order
from rr_baselines.text import words
from rr_bench.keys import settings_key
from rr_bench.registry import CandidatePlan, SplitPlan
from tests.preparing import fitted, prepare

WORDS = ["phòng", "gác", "chợ", "ban", "công", "rẻ", "rộng", "yên", "tĩnh", "gần", "xa", "mới", "cũ"]


def corpus(documents: int = 40, queries: int = 20, seed: int = 1) -> Dataset:
    """Queries of three words; each is answered by one or two documents, and a third is not judged so."""
    generator = random.Random(seed)
    texts = {f"d{n}": Document(f"d{n}", " ".join(generator.choices(WORDS, k=8))) for n in range(documents)}
    asked = {f"q{n}": Query(f"q{n}", " ".join(generator.sample(WORDS, 3))) for n in range(queries)}
    qrels = {}
    for query_id, query in asked.items():
        best = trec_order(fitted("bm25", list(texts.values())).scores(query))
        qrels[query_id] = dict.fromkeys(best[: 4 : generator.choice((2, 3))], 1)
    plan = CandidatePlan(retriever="bm25", depth=12)
    return prepare("corpus", Collection(texts, asked, qrels), SplitPlan(dev=0.2, test=0.3), plan)


DATA = corpus()
TRAIN = DATA.splits["train"]


def test_tf_idf_is_that_of_scikit_learn() -> None:
    documents = [*DATA.documents.values(), Document("blank", "")]
    vectors = TfidfVectorizer(tokenizer=words, token_pattern=None, lowercase=False)
    matrix = vectors.fit_transform([document.content for document in documents])
    retriever = fitted("tfidf", documents)
    for query in [*DATA.queries.values(), Query("other", "không phòng PHÒNG"), Query("none", "không")]:
        expected = (matrix @ vectors.transform([query.text]).T).toarray()[:, 0]
        found = retriever.scores(query)
        assert [found.get(d.id, 0.0) for d in documents] == pytest.approx(expected.tolist(), abs=1e-12)
        assert all(value > 0 for value in found.values())


def test_tf_idf_can_ignore_tone_marks() -> None:
    documents = [Document("a", "Phòng gần chợ"), Document("b", "rộng")]
    assert fitted("tfidf", documents, fold_accents=True).scores(Query("q", "gan cho")).keys() == {"a"}
    assert fitted("tfidf", documents).scores(Query("q", "gan cho")) == {}


@settings(deadline=None)
@given(
    texts=st.lists(st.sampled_from("abcdefgh"), min_size=15, max_size=15),
    relevant=st.sets(st.integers(0, 14), min_size=1, max_size=4),
    met=st.sets(st.integers(0, 14), max_size=3),
    without=st.sets(st.integers(0, 14), max_size=3),
    count=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_negatives_are_distinct_and_neither_relevant_nor_met_by_text(
    texts: list[str], relevant: set[int], met: set[int], without: set[int], count: int, seed: int
) -> None:
    documents = {f"d{n}": Document(f"d{n}", text) for n, text in enumerate(texts)}
    query = Query("q0", "", tuple(documents[f"d{n}"] for n in sorted(met)))
    judged = {"q0": {f"d{n}": int(n in relevant) for n in range(15)}}
    run = {"q0": {f"d{n}": float(-n) for n in range(15)}}
    plan = CandidatePlan(retriever="run", depth=15)
    dataset = prepare("n", Collection(documents, {"q0": query}, judged, run=run), SplitPlan(), plan)
    excluded = {texts[n] for n in relevant | met}
    hard = [negative.document_id for negative in hard_negatives(dataset, "q0", 15)]
    assert [documents[id_].text for id_ in hard] == [text for text in dict.fromkeys(texts) if text not in excluded]
    excluded |= {texts[n] for n in without}
    drawn = random_negatives(dataset, "q0", count, random.Random(seed), {f"d{n}" for n in without})
    found = [documents[id_].text for id_ in drawn]
    assert len(found) == len(set(found)) == min(count, len(set(texts) - excluded))
    assert not set(found) & excluded


def expected_pools(
    scores: dict[str, dict[str, float]], top_k: int, absolute: float, relative: float
) -> tuple[dict[str, tuple[str, ...]], int]:
    pools, dropped = {}, 0
    for query_id in TRAIN:
        found, relevant = scores[query_id], DATA.relevant(query_id)
        positives = [found[id_] for id_ in relevant if id_ in found]
        others = [id_ for id_ in trec_order(found) if id_ not in relevant]
        kept = [
            id_
            for id_ in others
            if positives and found[id_] <= min(positives) - absolute and found[id_] <= min(positives) * (1 - relative)
        ]
        dropped += len(others) - len(kept)
        pools[query_id] = tuple(kept[:top_k])
    return pools, dropped


@pytest.mark.parametrize("name", ["bm25", "tfidf"])
@pytest.mark.parametrize(("absolute", "relative"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.3), (0.2, 0.3)])
def test_what_scores_near_a_positive_is_dropped_and_counted(name: str, absolute: float, relative: float) -> None:
    retriever = fitted(name, DATA.documents.values())
    scores = {query_id: retriever.scores(DATA.queries[query_id]) for query_id in TRAIN}
    pools, dropped = expected_pools(scores, 6, absolute, relative)
    mined = mine(
        DATA,
        MiningSettings(negatives=name, hard_neg_top_k=6, absolute_margin=absolute, relative_margin=relative),
    )
    assert mined.pools == pools
    left, bare = sum(map(len, pools.values())), sum(not pool for pool in pools.values())
    assert mined.notes == (
        f"hard negatives: {dropped} dropped as possible unjudged positives, {left} left for {len(TRAIN)} queries, "
        f"{bare} of which have none",
    )
    assert dropped > 0


def test_a_positive_below_zero_has_its_margin_below_it() -> None:
    """As sentence-transformers: the positive's score minus its magnitude's share."""
    first = {q: tuple(-1.0 - 0.1 * n for n in range(len(DATA.candidates[q]))) for q in DATA.candidates}
    dataset = replace(DATA, first_stage=first, qrels={q: {DATA.candidates[q][0]: 1} for q in DATA.candidates})
    pools = mine(dataset, MiningSettings(relative_margin=0.25)).pools
    assert pools == {q: DATA.candidates[q][3:] for q in TRAIN}  # -1.3 and below


def test_without_margins_it_is_the_first_stage_and_nothing_is_said() -> None:
    mined = mine(DATA, MiningSettings(hard_neg_top_k=5))
    assert mined.notes == ()
    assert mined.pools == {q: tuple(n.document_id for n in hard_negatives(DATA, q, 5)) for q in TRAIN}
    assert {len(pool) for pool in mined.pools.values()} == {5}


def test_where_no_positive_was_found_nothing_is_known_to_be_a_negative() -> None:
    missing = {**DATA.qrels, TRAIN[0]: {next(id_ for id_ in DATA.documents if id_ not in DATA.candidates[TRAIN[0]]): 1}}
    mined = mine(replace(DATA, qrels=missing), MiningSettings(absolute_margin=0.0))
    assert mined.pools[TRAIN[0]] == ()
    assert int(mined.notes[0].split(" queries, ")[1].split(" of")[0]) >= 1


def test_what_the_data_set_names_is_kept() -> None:
    query_id = TRAIN[0]
    near = next(id_ for id_ in DATA.candidates[query_id] if id_ not in DATA.relevant(query_id))
    named = replace(DATA, hard_negatives={query_id: (HardNegative(near, ("price",), 2.0),)})
    assert mine(named, MiningSettings(absolute_margin=1e9)).pools[query_id] == (near,)


def test_an_installed_scorer_mines_among_the_candidates() -> None:
    """A retriever is called `bm25`, too: if not told, it searches the whole corpus."""
    mined = mine(DATA, MiningSettings(negatives="bm25", negatives_kind="scorer", relative_margin=0.1))
    for query_id in TRAIN:
        ids = sorted({*DATA.candidates[query_id], *DATA.relevant(query_id)})
        found = fitted("bm25", [DATA.documents[id_] for id_ in ids]).scores(DATA.queries[query_id])
        scores = {id_: found.get(id_, 0.0) for id_ in ids}
        limit = min(scores[id_] for id_ in DATA.relevant(query_id)) * 0.9
        near = [id_ for id_ in trec_order(scores) if scores[id_] <= limit and id_ not in DATA.relevant(query_id)]
        assert mined.pools[query_id] == tuple(near)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"negatives": "bi-encoder"}, PluginError, "no scorer is called 'bi-encoder'; did you mean 'bi_encoder'"),
        ({"negatives_settings": {"fold": True}}, RegistryError, "negatives 'first-stage': .*unknown key 'fold'"),
        ({"negatives": "bm25", "negatives_settings": {"fold_accent": 1}}, RegistryError, "did you mean 'fold_accents'"),
        (
            {"negatives": "bi_encoder"},
            RegistryError,
            "negatives 'bi_encoder': negatives_settings: key 'model' is missing",
        ),
        ({"negatives": "letters"}, PluginError, "negatives 'letters' takes only 52 candidates at once; name another"),
    ],
)
def test_what_cannot_mine_is_an_error(options: dict[str, object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        mine(DATA, MiningSettings.model_validate(options))


def test_the_weights_of_a_scorer_that_mines_are_those_of_the_settings(tmp_path: Path) -> None:
    options = MiningSettings(negatives="bi_encoder", negatives_settings={"model": str(tmp_path)})
    before = settings_key(options)
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert settings_key(options) != before


def test_only_train_queries_are_mined() -> None:
    kept = set(TRAIN)
    parts = {
        name: {q: v for q, v in getattr(DATA, name).items() if q in kept} for name in ("candidates", "first_stage")
    }
    bare = replace(DATA, **parts, qrels={q: DATA.qrels[q] for q in TRAIN}, queries={q: DATA.queries[q] for q in TRAIN})
    for name in ("first-stage", "bm25", "rerank-registry/bm25"):
        options = MiningSettings(negatives=name, relative_margin=0.1)
        assert mine(bare, options) == mine(DATA, options)


# another dev split


def grouped(seed: int) -> Dataset:
    generator = random.Random(seed)
    groups = {query_id: f"group {generator.randrange(9)}" for query_id in list(DATA.queries)[::2]}
    return replace(DATA, groups=groups)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_dev_share_is_cut_from_train_and_dev_by_whole_groups(seed: int, share: float) -> None:
    dataset = grouped(seed)
    cut = with_dev_share(dataset, share, seed)
    assert cut.splits["test"] == dataset.splits["test"]
    both = [*cut.splits["train"], *cut.splits["dev"]]
    assert sorted(both) == sorted([*dataset.splits["train"], *dataset.splits["dev"]])
    homes = {(dataset.groups.get(q, q), name) for name in ("train", "dev") for q in cut.splits[name]}
    assert len({group for group, _ in homes}) == len(homes)
    assert len(cut.splits["dev"]) >= share * len(both)
    assert with_dev_share(dataset, share, seed).splits == cut.splits
    assert with_dev_share(dataset, share, seed + 1).splits["dev"] != cut.splits["dev"]


def test_a_dev_share_that_leaves_nothing_is_an_error() -> None:
    one = replace(DATA, groups=dict.fromkeys(DATA.queries, "all"))
    with pytest.raises(DataError, match=r"a dev split of 0.2 of 14 queries leaves no train queries"):
        with_dev_share(one, 0.2, 0)
