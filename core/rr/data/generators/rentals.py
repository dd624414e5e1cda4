"""Vietnamese room listings: short typed queries, and listings that differ in single attributes.

Listings come in families: one room and variants of it that differ in one or two of location, price, area, amenity,
furniture and floor. A query asks for one member of a family, and says enough to tell it from every other listing; the
rest of the family are its hard negatives, typed by what differs and weighted as in the rental recipe. Listings are
written with tone marks and whole words; queries as people type them: `pt q10 3tr5 wc rieng`.
"""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass, fields, replace

from pydantic import Field

from rr.data.collection import Collection
from rr.protocols import Settings
from rr.types import Document, HardNegative, Query

WEIGHTS = {"location": 2.5, "price": 2.0, "area": 1.5, "amenity": 1.0, "furniture": 0.8, "floor": 0.5}
INCREMENT, CAP = 0.3, 4.0

# listing → how people type it
LOCATIONS = {
    "đường Lê Văn Sỹ, quận 3": ("lvs q3", "le van sy quan 3"),
    "đường Nguyễn Trãi, quận 5": ("nguyen trai q5", "ng trãi q5"),
    "đường Sư Vạn Hạnh, quận 10": ("su van hanh q10", "svh q10"),
    "đường Tô Hiến Thành, quận 10": ("to hien thanh q10", "tht q.10"),
    "đường Xô Viết Nghệ Tĩnh, quận Bình Thạnh": ("xvnt b.thanh", "xo viet nghe tinh binh thanh"),
    "đường Điện Biên Phủ, quận Bình Thạnh": ("dbp binh thanh", "điện biên phủ bthanh"),
    "đường Quang Trung, quận Gò Vấp": ("quang trung go vap", "q trung gv"),
    "đường Phan Văn Trị, quận Gò Vấp": ("pvt go vap", "phan van tri gv"),
    "đường Võ Văn Ngân, thành phố Thủ Đức": ("vo van ngan thu duc", "vvn tđ"),
    "đường Kha Vạn Cân, thành phố Thủ Đức": ("kvc thu duc", "kha van can td"),
    "đường Lũy Bán Bích, quận Tân Phú": ("luy ban bich tan phu", "lbb t.phu"),
    "đường Hoàng Văn Thụ, quận Tân Bình": ("hoang van thu tan binh", "hvt tb"),
    "đường Huỳnh Tấn Phát, quận 7": ("huynh tan phat q7", "htp quan 7"),
    "đường Nguyễn Hữu Thọ, huyện Nhà Bè": ("nguyen huu tho nha be", "nht nhà bè"),
}
AREAS = (14, 16, 18, 20, 22, 25, 28, 30, 35, 40)
PRICES = tuple(range(18, 66, 2))  # in 100,000 đồng a month
AMENITIES = {
    "có ban công": ("ban cong", "co bcong"),
    "có gác lửng": ("co gac", "gác"),
    "có máy lạnh": ("may lanh", "ml"),
    "nhà vệ sinh riêng": ("wc rieng", "wc riêng", "toilet rieng"),
    "có chỗ để xe": ("de xe", "cho de xe"),
    "giờ giấc tự do": ("gio tu do", "tu do gio giac"),
    "được nuôi thú cưng": ("nuoi meo dc", "cho nuoi pet"),
    "có bếp riêng": ("bep rieng", "nau an dc"),
}
FURNITURE = {
    "nội thất đầy đủ": ("full nt", "full noi that"),
    "nội thất cơ bản": ("nt co ban", "it do"),
    "phòng trống": ("ko noi that", "phong trong"),
}
FLOORS = {
    "tầng trệt": ("tret", "tang tret"),
    "lầu 1": ("lau 1", "l1"),
    "lầu 2": ("lau 2", "l2"),
    "lầu 4": ("lau 4", "l4"),
}


@dataclass(frozen=True, slots=True)
class Room:
    location: str
    price: int
    area: int
    amenity: str
    furniture: str
    floor: str

    def differs(self, other: Room) -> tuple[str, ...]:
        """The attributes in which two rooms are not the same."""
        return tuple(f.name for f in fields(Room) if getattr(self, f.name) != getattr(other, f.name))


class Options(Settings):
    seed: int = 1
    families: int = Field(70, ge=10)
    variants: int = Field(4, ge=1)  # a family, besides its first room
    queries: int = Field(6, ge=1)  # a family


def generate(options: Options) -> Collection:
    generator = random.Random(options.seed)
    families = _families(options, generator)
    rooms = [room for family in families for room in family]
    generator.shuffle(rooms)  # so that neither ids nor their order tell a family
    ids = {room: f"d{number:03}" for number, room in enumerate(rooms)}
    documents = {id_: Document(id_, _listing(room, generator)) for room, id_ in ids.items()}

    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    groups: dict[str, str] = {}
    hard_negatives: dict[str, list[HardNegative]] = {}
    asked: set[str] = set()
    for number, family in enumerate(families):
        for _ in range(options.queries):
            wanted = generator.choice(family)
            text = _query(wanted, rooms, generator)
            if text in asked:
                continue
            asked.add(text)
            query = Query(f"q{len(queries):03}", text)
            queries[query.id] = query
            qrels[query.id] = {ids[wanted]: 1}
            groups[query.id] = f"family {number}"
            hard_negatives[query.id] = [
                HardNegative(ids[room], wanted.differs(room), combined_weight(wanted.differs(room)))
                for room in family
                if room != wanted
            ]
    return Collection(documents, queries, qrels, groups=groups, hard_negatives=hard_negatives)


def combined_weight(types: tuple[str, ...]) -> float:
    """min(cap, heaviest + 0.3 × the sum of the lighter ones)."""
    weights = sorted((WEIGHTS[type_] for type_ in types), reverse=True)
    return round(min(CAP, weights[0] + INCREMENT * sum(weights[1:])), 4)


def _families(options: Options, generator: random.Random) -> list[list[Room]]:
    taken: set[Room] = set()
    families = []
    while len(families) < options.families:
        first = Room(*(generator.choice(_choices(field.name)) for field in fields(Room)))
        family = {first: None}
        while len(family) <= options.variants:
            changed = generator.sample([field.name for field in fields(Room)], generator.choice((1, 1, 2)))
            family[replace(first, **{name: _other(getattr(first, name), name, generator) for name in changed})] = None
        if not taken & family.keys():
            taken |= family.keys()
            families.append(list(family))
    return families


def _choices(attribute: str) -> tuple[object, ...]:
    tables: dict[str, tuple[object, ...]] = {
        "location": tuple(LOCATIONS),
        "price": PRICES,
        "area": AREAS,
        "amenity": tuple(AMENITIES),
        "furniture": tuple(FURNITURE),
        "floor": tuple(FLOORS),
    }
    return tables[attribute]


def _other(value: object, attribute: str, generator: random.Random) -> object:
    return generator.choice([choice for choice in _choices(attribute) if choice != value])


def _listing(room: Room, generator: random.Random) -> str:
    million, rest = divmod(room.price, 10)
    price = f"{million},{rest} triệu/tháng" if rest else f"{million} triệu/tháng"
    parts = [f"giá {price}", f"{room.area}m2", room.amenity, room.furniture, room.floor]
    generator.shuffle(parts)
    kind = generator.choice(("Phòng trọ", "Cho thuê phòng", "Phòng cho thuê"))
    return f"{kind} {room.location}, {', '.join(parts)}."


def _query(wanted: Room, rooms: list[Room], generator: random.Random) -> str:
    """The location and as many further attributes, in a random order, as tell the room from every other one."""
    names = [field.name for field in fields(Room) if field.name != "location"]
    generator.shuffle(names)
    said = ["location"]
    while _matching(wanted, said, rooms) > 1 or len(said) < 3:
        said.append(names.pop())
    parts = [_typed(wanted, name, generator) for name in said]
    generator.shuffle(parts)
    opener = generator.choice(("pt", "phong tro", "can thue phong", "tìm phòng", "phòng"))
    return unicodedata.normalize("NFC", f"{opener} {' '.join(parts)}")


def _matching(wanted: Room, said: list[str], rooms: list[Room]) -> int:
    return sum(all(getattr(room, name) == getattr(wanted, name) for name in said) for room in rooms)


def _typed(room: Room, attribute: str, generator: random.Random) -> str:
    if attribute == "price":
        million, rest = divmod(room.price, 10)
        return generator.choice((f"{million}tr{rest or ''}", f"gia {room.price}00k", f"{room.price / 10:g} cu"))
    if attribute == "area":
        return generator.choice((f"{room.area} met vuong", f"{room.area}m", f"dt {room.area}"))
    table = {"location": LOCATIONS, "amenity": AMENITIES, "furniture": FURNITURE, "floor": FLOORS}[attribute]
    return generator.choice(table[getattr(room, attribute)])
