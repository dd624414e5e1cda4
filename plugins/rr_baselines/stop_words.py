"""Words that carry no topic, by language: the lists that come with bm25s, and one for Vietnamese."""

from __future__ import annotations

from collections.abc import Sequence

VIETNAMESE = (
    *("ai", "anh", "bị", "bởi", "bằng", "các", "cái", "cho", "chỉ", "có", "của", "cùng", "cũng", "do", "đã", "đang"),
    *("đây", "đấy", "để", "đến", "đó", "được", "gì", "hay", "hoặc", "khi", "không", "là", "lại", "lúc", "mà", "mỗi"),
    *("một", "nào", "này", "nên", "nếu", "như", "nhưng", "những", "ở", "phải", "qua", "ra", "rằng", "rất", "sao"),
    *("sẽ", "tại", "theo", "thì", "trên", "trong", "từ", "từng", "và", "vào", "vẫn", "về", "vì", "với", "vừa"),
)
"""Function words of one syllable, so that they are found however text is cut: particles, pronouns that ask or point,
prepositions and conjunctions. Chosen by hand; `stop_words: [...]` takes a list of one's own."""
_CALLED = {"english": "EN", "english_plus": "EN_PLUS"}


def stop_words(given: str | Sequence[str] | None) -> Sequence[str]:
    """A language's, or those given."""
    if not isinstance(given, str):
        return given or ()
    if given == "vietnamese":
        return VIETNAMESE
    from bm25s import stopwords

    return tuple(vars(stopwords)[f"STOPWORDS_{_CALLED.get(given, given.upper())}"])
