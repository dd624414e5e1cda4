"""Room listings in Ho Chi Minh City, and what people type to find one.

Listings come in families of three: one room, and two that differ from it in one attribute each (so from each other in
two). Listings are written in full, queries as people type them: mostly without tone marks, with `q10`, `3tr5`,
`wc rieng`. A query names so many attributes that exactly one listing of the whole corpus has them all; the rest of
its family are its hard negatives, typed by the attributes in which they differ, whether the query names them or not.
The field `marks` (true, false) tells queries with tone marks from others. A family is a group, since all its listings
are nearly the same text.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from rr import Document, HardNegative, Query, Settings
from rr.data import Collection

WEIGHTS = {"location": 2.5, "price": 2.0, "area": 1.5, "amenity": 1.0, "furniture": 0.8, "floor": 0.5}
INCREMENT, CAP = 0.3, 4.0  # of the weights below the heaviest; of the sum

SIBLINGS = 2  # of a family's first listing
CEILING = 0.25  # share of the prices that are given as an upper limit


class Wording(NamedTuple):
    """One value of an attribute: how listings write it, and how queries do."""

    listing: tuple[str, ...]
    query: tuple[str, ...]


class Wordings(NamedTuple):
    """What a world is told in: the letters' embedded base is pretrained on worlds in other wordings than these."""

    values: dict[str, dict[str, Wording]]
    """Attribute → value → how it is put. A price is in 100,000 dong."""
    step: int
    """From a price to the limit that it lies under."""
    openers: tuple[str, ...]
    searches: tuple[str, ...]


class Listing(NamedTuple):
    """A room: each field names a value of that attribute in the `Wordings`."""

    location: str
    price: str
    area: str
    amenity: str
    furniture: str
    floor: str


PRICES = range(20, 55, 5)  # in 100,000 dong

# one place a line: district | how people type it | street | landmark
PLACES = """
quận 3 | q3 | Nguyễn Đình Chiểu | ĐH Kinh tế
quận 5 | q5 | An Dương Vương | ĐH Sư phạm
quận 7 | q7 | Nguyễn Hữu Thọ | ĐH Tôn Đức Thắng
quận 10 | q10 | Lý Thường Kiệt | ĐH Bách khoa
quận 11 | q11 | Hòa Bình | công viên Đầm Sen
quận 12 | q12 | Tô Ký | phần mềm Quang Trung
quận Bình Thạnh | bình thạnh | Điện Biên Phủ | ĐH Hutech
quận Gò Vấp | gò vấp | Nguyễn Văn Bảo | ĐH Công nghiệp
quận Tân Phú | tân phú | Lê Trọng Tấn | ĐH Công Thương
quận Phú Nhuận | phú nhuận | Hoàng Minh Giám | công viên Gia Định
quận Bình Tân | bình tân | Kinh Dương Vương | bến xe Miền Tây
thành phố Thủ Đức | thủ đức | Hoàng Diệu 2 | ĐH Ngân hàng
"""


def _places() -> dict[str, Wording]:
    places = {}
    for line in PLACES.strip().splitlines():
        district, short, street, landmark = line.split(" | ")
        places[district] = Wording(
            listing=(f"{street}, {district}, gần {landmark}", f"gần {landmark}, {street}, {district}"),
            query=(short, f"gần {landmark}", f"{landmark} {short}", f"{street} {short}", f"đường {street}", district),
        )
    return places


def typed_price(price: int) -> str:
    return f"{price // 10}tr{price % 10 or ''}"


def _price(price: int) -> Wording:
    figure = f"{price / 10:g} triệu".replace(".", ",")
    typed = typed_price(price)
    return Wording((figure, f"giá {figure}"), (typed, typed, f"giá {typed}", figure))


def _area(area: int) -> Wording:
    return Wording((f"{area} m2", f"rộng {area} m2"), (f"{area}m2", f"{area}m2", f"{area} m2", f"{area}m"))


def _floor(floor: int) -> Wording:
    return Wording((f"lầu {floor}",), (f"lầu {floor}", f"l{floor}"))


VALUES: dict[str, dict[str, Wording]] = {
    "location": _places(),
    "price": {str(price): _price(price) for price in PRICES},
    "area": {str(area): _area(area) for area in (12, 16, 20, 25, 30, 35)},
    "amenity": {
        "bathroom": Wording(("vệ sinh khép kín", "vệ sinh trong phòng"), ("wc riêng", "toilet riêng")),
        "cooling": Wording(("có máy lạnh", "đã gắn máy lạnh"), ("điều hòa", "có ml")),
        "balcony": Wording(("ban công thoáng", "có ban công"), ("bancong", "có ban công")),
        "mezzanine": Wording(("gác lửng đúc", "gác gỗ cao"), ("có gác", "gác xép")),
        "parking": Wording(("bãi xe miễn phí", "chỗ để xe rộng"), ("giữ xe free", "để xe")),
        "freedom": Wording(("giờ giấc tự do", "ra vào tự do"), ("ko chung chủ", "giờ tự do")),
        "kitchen": Wording(("có kệ bếp", "khu bếp riêng"), ("nấu ăn dc", "cho nấu ăn")),
        "pets": Wording(("cho nuôi thú cưng", "nhận thú cưng"), ("nuôi mèo dc", "nuôi chó")),
    },
    "furniture": {
        "full": Wording(("nội thất đầy đủ", "đủ nội thất"), ("full nội thất", "full nt")),
        "basic": Wording(("nội thất cơ bản", "đồ đạc cơ bản"), ("nt cơ bản", "đồ cơ bản")),
        "bed": Wording(("sẵn giường tủ", "giường tủ mới"), ("có giường", "có nệm giường")),
        "none": Wording(("phòng trống", "chưa có đồ"), ("ko nội thất", "nhà trống")),
    },
    "floor": {
        "ground": Wording(("tầng trệt",), ("trệt", "dưới trệt")),
        **{str(floor): _floor(floor) for floor in range(1, 5)},
        "top": Wording(("tầng thượng",), ("sân thượng", "trên thượng")),
    },
}

OPENERS = ("Phòng", "Phòng trọ", "Phòng mới")
SEARCHES = ("", "", "", "phòng", "tìm phòng", "cần thuê")


WORDINGS = Wordings(VALUES, PRICES.step, OPENERS, SEARCHES)


class Options(Settings):
    families: int = Field(96, ge=1)
    """Of rooms that are alike but for what a search asks for."""
    queries: int = Field(5, ge=1)
    """Of a family."""
    plain: float = Field(0.75, ge=0, le=1)
    """Share of the queries that are typed without tone marks."""
    seed: int = 23
    """Of all that is drawn: another seed is another world."""


class Rentals:
    Settings = Options

    def __init__(self, settings: Options, wordings: Wordings = WORDINGS) -> None:
        self._options, self._wordings = settings, wordings

    def files(self) -> list[Path]:
        """None: the text is this module's."""
        return []

    def read(self) -> Collection:
        generator, wordings = random.Random(self._options.seed), self._wordings
        families = _families(self._options.families, wordings, generator)
        corpus = [listing for family in families for listing in family]
        order = generator.sample(range(1, len(corpus) + 1), len(corpus))  # or the ids would tell the families
        ids = {listing: f"r{number:03}" for listing, number in zip(corpus, order, strict=True)}
        documents: dict[str, Document] = {}
        queries: dict[str, Query] = {}
        qrels: dict[str, dict[str, int]] = {}
        groups: dict[str, str] = {}
        hard_negatives: dict[str, list[HardNegative]] = {}
        marks: dict[str, str] = {}
        for number, family in enumerate(families, 1):
            for listing, text in zip(family, _texts(family, wordings, generator), strict=True):
                documents[ids[listing]] = Document(ids[listing], text, metadata=listing._asdict())
            asked = [family[turn % len(family)] for turn in range(number, number + self._options.queries)]
            for turn, positive in enumerate(asked, 1):
                wishes = _search(positive, corpus, wordings, generator)
                generator.shuffle(wishes)
                text = " ".join([generator.choice(wordings.searches), *wishes]).strip().lower()
                plain = generator.random() < self._options.plain
                query = Query(f"q{number:03}-{turn}", without_marks(text) if plain else text)
                queries[query.id] = query
                marks[query.id] = str(not plain).lower()
                qrels[query.id] = {ids[positive]: 1}
                groups[query.id] = f"family {number}"
                hard_negatives[query.id] = [
                    HardNegative(ids[other], types := differences(positive, other), combined_weight(types))
                    for other in family
                    if other != positive
                ]
        return Collection(
            documents=dict(sorted(documents.items())),
            queries=queries,
            qrels=qrels,
            groups=groups,
            hard_negatives=hard_negatives,
            facets={"marks": marks},
        )


def differences(one: Listing, other: Listing) -> tuple[str, ...]:
    """The attributes in which two listings differ, the heaviest first."""
    return tuple(name for name in WEIGHTS if getattr(one, name) != getattr(other, name))


def combined_weight(types: Iterable[str]) -> float:
    heaviest, *rest = sorted((WEIGHTS[type_] for type_ in types), reverse=True)
    return min(CAP, heaviest + INCREMENT * sum(rest))


def _families(count: int, wordings: Wordings, generator: random.Random) -> list[list[Listing]]:
    """Families of listings, no two alike in the whole corpus."""
    families: list[list[Listing]] = []
    taken: set[Listing] = set()
    while len(families) < count:
        base = Listing(*(generator.choice(list(wordings.values[name])) for name in WEIGHTS))
        changed = generator.sample(list(WEIGHTS), SIBLINGS)
        family = [base]
        for name in changed:
            others = [value for value in wordings.values[name] if value != getattr(base, name)]
            family.append(base._replace(**{name: generator.choice(others)}))
        if taken.isdisjoint(family):
            taken.update(family)
            families.append(family)
    return families


def _texts(family: list[Listing], wordings: Wordings, generator: random.Random) -> list[str]:
    """The family's listings, all in the same words but for the values in which they differ."""
    opener = generator.choice(wordings.openers)
    order = generator.sample(list(WEIGHTS), len(WEIGHTS))
    phrasing = {name: generator.randrange(2) for name in WEIGHTS}
    texts = []
    for listing in family:
        parts = []
        for name in order:
            phrases = wordings.values[name][getattr(listing, name)].listing
            parts.append(phrases[phrasing[name] % len(phrases)])
        texts.append(f"{opener} {', '.join(parts)}.")
    return texts


def _search(positive: Listing, corpus: list[Listing], wordings: Wordings, generator: random.Random) -> list[str]:
    """Wishes, the location first among them, that of all listings only the positive fulfils."""
    while True:
        names = ["location", *generator.sample(list(WEIGHTS)[1:], len(WEIGHTS) - 1)]
        rivals = [listing for listing in corpus if listing != positive]
        wishes: list[str] = []
        for name in names:
            accepted, wish = _wish(name, getattr(positive, name), wordings, generator)
            left = [rival for rival in rivals if getattr(rival, name) in accepted]
            if len(wishes) < 3 or len(left) < len(rivals):
                wishes.append(wish)
                rivals = left
        if not rivals:  # else a price was only limited, and a cheaper room has all the rest
            return wishes


def _wish(name: str, value: str, wordings: Wordings, generator: random.Random) -> tuple[set[str], str]:
    """The values of the attribute that a searcher would take, and how it is typed."""
    if name == "price" and generator.random() < CEILING:
        limit = int(value) + wordings.step
        return {price for price in wordings.values[name] if int(price) < limit}, f"dưới {typed_price(limit)}"
    return {value}, generator.choice(wordings.values[name][value].query)


def without_marks(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    # đ has no decomposition: it is a letter of its own
    return "".join(c for c in decomposed if not unicodedata.combining(c)).replace("đ", "d")
