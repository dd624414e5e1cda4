"""Registers the readers, and the command about their hard negatives' weights."""

from __future__ import annotations

from rr import Component, hookimpl

# name → module, class, summary
READERS = {
    "beir": ("readers.beir", "Beir", "A BEIR folder: corpus, queries, qrels by split"),
    "cranfield": ("readers.cranfield", "Cranfield", "The Cranfield collection, in its own three files"),
    "hf": ("readers.hf", "HuggingFace", "Hugging Face datasets from disk: documents, queries, judgements"),
    "ir_datasets": ("readers.irds", "IrDatasets", "A data set of ir_datasets, from its own cache"),
    "jsonl": ("readers.jsonl", "Jsonl", "Documents, queries and judgements as JSON lines"),
    "movielens": ("readers.movielens", "MovieLens", "MovieLens ratings as histories: which film comes next?"),
    "msmarco": ("readers.msmarco", "MsMarco", "MS MARCO's passages or documents, top1000 too, as downloaded"),
    "pairs": ("readers.pairs", "Pairs", "Queries with positives and negatives of their own: FlagEmbedding, triplets"),
    "proptit": ("readers.proptit", "ProPtit", "A CSV of documents and an XLSX of labelled questions"),
    "recbole": ("readers.recbole", "RecBole", "RecBole's atomic files as histories: which item comes next?"),
    "rental": ("readers.rental", "Rental", "Searches, positives and typed, weighted hard negatives"),
    "smart": ("readers.smart", "Smart", "CISI, MED, CACM and others in SMART's form"),
    "table": ("readers.table", "Table", "Tables of one's own: CSV, TSV, XLSX, Parquet or JSON"),
    "trec": ("readers.trec", "Trec", "Documents, topics, qrels and a run as TREC has them"),
    "xquad": ("readers.xquad", "XQuad", "SQuAD 1.1 or 2.0, nested or flat: which paragraph answers the question?"),
    "zalo": ("readers.zalo", "Zalo", "Zalo's legal questions: which article of which law answers?"),
    "films": ("generators.films", "Films", "Generated: invented films and who watches them"),
    "helpdesk": ("generators.helpdesk", "Helpdesk", "Generated: questions to a help desk"),
    "rentals": ("generators.rentals", "Rentals", "Generated: searches for rooms, typed without tone marks"),
}
REQUIRES = {"proptit": ("openpyxl",), "hf": ("pyarrow",), "ir_datasets": ("ir_datasets",)}


@hookimpl
def rr_register_readers() -> list[Component]:
    return [
        Component(
            name, f"rr_data.{module}:{target}", summary, REQUIRES.get(name, ()), settings=f"rr_data.{module}:Options"
        )
        for name, (module, target, summary) in READERS.items()
    ]


@hookimpl
def rr_register_commands() -> list[Component]:
    return [Component("data weights", "rr_data.weights_command:weights", "Show how hard negatives are weighed")]
