"""How rooms and searches for them are put in the worlds that the embedded base is pretrained on."""

from __future__ import annotations

from rr_data.generators.rentals import Wording, Wordings, typed_price

# neither a price nor what lies a step above it is benched
PRICES = (
    *range(10, 19),
    *(price for price in range(20, 55) if price % 5 in (1, 2, 3)),
    *range(56, 69),
    *range(71, 90, 2),
)
AREAS = (9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 24, 26, 27, 28, 29, 31, 32, 33, 34, 36, 38, 40, 42, 45, 48, 50)

# one place a line: district | how people type it | street | landmark
PLACES = """
quận 1 | q1 | Lê Lợi | chợ Bến Thành
quận 4 | q4 | Hoàng Diệu | cảng Khánh Hội
quận 6 | q6 | Hậu Giang | chợ Bình Tây
quận 8 | q8 | Phạm Thế Hiển | cầu Chữ Y
quận 2 | q2 | Mai Chí Thọ | hầm Thủ Thiêm
quận 9 | q9 | Lê Văn Việt | khu Công nghệ cao
quận 13 | q13 | Trần Phú | hồ Con Rùa
quận 14 | q14 | Võ Thị Sáu | chợ Tân Định
quận 15 | q15 | Phan Đăng Lưu | bệnh viện Ung Bướu
quận 16 | q16 | Trường Sa | chùa Vĩnh Nghiêm
quận Tân Bình | tân bình | Cộng Hòa | sân bay Tân Sơn Nhất
huyện Nhà Bè | nhà bè | Huỳnh Tấn Phát | cầu Phú Xuân
huyện Hóc Môn | hóc môn | Song Hành | ngã ba Giồng
huyện Bình Chánh | bình chánh | Quốc lộ 50 | chợ đầu mối
huyện Củ Chi | củ chi | Tỉnh lộ 8 | địa đạo Bến Dược
huyện Cần Giờ | cần giờ | Rừng Sác | bãi biển 30 tháng 4
quận Cầu Giấy | cầu giấy | Xuân Thủy | ĐH Quốc gia
quận Đống Đa | đống đa | Chùa Láng | ĐH Ngoại thương
quận Hai Bà Trưng | hai bà trưng | Bạch Mai | ĐH Xây dựng
quận Thanh Xuân | thanh xuân | Nguyễn Trãi | ĐH Hà Nội
quận Hà Đông | hà đông | Phùng Hưng | học viện Bưu chính
quận Long Biên | long biên | Ngọc Lâm | vòng xoay Gia Thụy
quận Ba Đình | ba đình | Kim Mã | vườn thú Thủ Lệ
quận Hoàng Mai | hoàng mai | Giải Phóng | bến xe Nước Ngầm
quận Hải Châu | hải châu | Bạch Đằng | cầu Sông Hàn
quận Liên Chiểu | liên chiểu | Tôn Đức | ĐH Bách nghệ
quận Sơn Trà | sơn trà | Võ Nguyên Giáp | bãi tắm Mỹ Khê
quận Ninh Kiều | ninh kiều | Mậu Thân | ĐH Cần Thơ
quận Cái Răng | cái răng | Lê Bình | chợ nổi
quận Lê Chân | lê chân | Tô Hiệu | hồ Sen
thành phố Dĩ An | dĩ an | Trần Hưng Đạo | ga Sóng Thần
thành phố Thuận An | thuận an | Cách mạng tháng Tám | siêu thị Aeon
thành phố Biên Hòa | biên hòa | Đồng Khởi | ĐH Lạc Hồng
thành phố Vũng Tàu | vũng tàu | Thùy Vân | tượng Chúa
thành phố Huế | huế | Lê Thánh Tôn | cầu Tràng Tiền
thành phố Nha Trang | nha trang | Trần Quang Khải | tháp Bà
"""


def _places() -> dict[str, Wording]:
    places = {}
    for line in PLACES.strip().splitlines():
        district, short, street, landmark = line.split(" | ")
        places[district] = Wording(
            listing=(f"{street}, {district}, cạnh {landmark}", f"ngay {landmark}, đường {street}, {district}"),
            query=(short, f"cạnh {landmark}", f"{short} {landmark}", f"{short} {street}", f"ở {street}", district),
        )
    return places


def _price(price: int) -> Wording:
    figure = f"{price / 10:g} triệu".replace(".", ",")
    typed = typed_price(price)
    return Wording((f"{figure} một tháng", f"tiền thuê {figure}"), (typed, typed, f"tầm {typed}", figure))


def _area(area: int) -> Wording:
    return Wording((f"diện tích {area} m2", f"dt {area} m2"), (f"{area}m2", f"{area}m2", f"{area} m2", f"{area}m"))


def _floor(floor: int) -> Wording:
    return Wording((f"tầng {floor}", f"lầu {floor}"), (f"tầng {floor}", f"t{floor}", f"lầu {floor}", f"l{floor}"))


VALUES: dict[str, dict[str, Wording]] = {
    "location": _places(),
    "price": {str(price): _price(price) for price in PRICES},
    "area": {str(area): _area(area) for area in AREAS},
    "amenity": {
        "bathroom": Wording(
            ("toilet bên trong", "phòng tắm khép kín", "nhà vệ sinh riêng biệt", "wc trong nhà", "vệ sinh không chung"),
            ("vệ sinh riêng", "wc khép kín", "có toilet", "tắm riêng", "toilet trong", "vs riêng", "wc ko chung"),
        ),
        "cooling": Wording(
            ("trang bị máy lạnh", "máy lạnh inverter", "lắp sẵn máy lạnh", "máy làm mát", "máy lạnh hai chiều"),
            ("máy lạnh", "có đh", "phòng lạnh", "ml mới", "có đhòa", "gắn ml"),
        ),
        "balcony": Wording(
            ("ban công rộng", "ban công riêng", "cửa ra ban công", "ban công nhìn phố", "bancony thoáng mát"),
            ("ban công", "bcong", "có bancony", "ban công phơi đồ"),
        ),
        "mezzanine": Wording(
            ("gác suốt", "gác nhỏ rộng rãi", "gác lửng bằng gỗ", "gác đúc bê tông", "thiết kế gác cao"),
            ("gác lửng", "gác đúc", "phòng gác", "gác gỗ", "gác rộng"),
        ),
        "parking": Wording(
            ("nhà xe rộng rãi", "giữ xe không mất tiền", "hầm gửi xe", "bãi đậu xe riêng", "có chỗ đậu xe"),
            ("giữ xe", "chỗ xe", "gửi xe free", "đậu xe", "free xe", "bãi xe"),
        ),
        "freedom": Wording(
            ("tự do 24/24", "không chung chủ", "ra vào thoải mái", "lối đi riêng tự do", "giờ giấc thoải mái"),
            ("tự do", "giờ giấc thoải mái", "không ở với chủ", "đi về tự do", "ko giờ giới nghiêm"),
        ),
        "kitchen": Wording(
            ("kệ bếp đá", "bếp nấu ăn", "được nấu nướng", "gian bếp rộng", "kệ nấu ăn riêng"),
            ("có bếp", "nấu nướng dc", "kệ bếp", "bếp riêng", "đc nấu ăn"),
        ),
        "pets": Wording(
            ("được nuôi mèo", "thú cưng thoải mái", "chào đón thú cưng", "chấp nhận chó mèo", "nuôi thú thoải mái"),
            ("nuôi thú cưng", "có mèo", "nhà có chó", "nuôi pet", "thú cưng dc", "cho nuôi mèo"),
        ),
        "wifi": Wording(("wifi tốc độ cao", "mạng miễn phí"), ("có wifi", "free mạng", "net mạnh")),
        "washing": Wording(("máy giặt chung", "có chỗ giặt đồ"), ("máy giặt", "giặt đồ", "có mg")),
        "security": Wording(("bảo vệ ngày đêm", "camera an ninh"), ("an ninh", "có camera", "có bảo vệ")),
        "lift": Wording(("có thang máy", "thang máy tốc độ cao"), ("thang máy", "tm", "thang may")),
        "window": Wording(("cửa sổ lớn", "nhiều ánh sáng trời"), ("cửa sổ", "có cs", "sáng sủa")),
        "heater": Wording(("máy nước nóng", "bình nóng lạnh"), ("nước nóng", "nóng lạnh", "mnn")),
    },
    "furniture": {
        "full": Wording(
            ("trang bị đủ đồ", "full đồ đạc", "đầy đủ tiện nghi", "nội thất trọn bộ", "đầy đủ đồ đạc"),
            ("full đồ", "đủ đồ", "đồ đầy đủ tiện nghi", "đầy đủ nt", "nt full", "nhiều nội thất"),
        ),
        "basic": Wording(
            ("nội thất đơn giản", "vài món cơ bản", "một số đồ đạc", "trang bị cơ bản"),
            ("đồ đơn giản", "vài đồ", "cơ bản", "nt đơn giản", "ít nội thất"),
        ),
        "bed": Wording(
            ("trang bị giường nệm", "giường và tủ áo", "kèm tủ và giường", "nệm giường mới"),
            ("giường tủ", "giường nệm", "có tủ", "sẵn nệm", "giường sẵn"),
        ),
        "none": Wording(
            ("không nội thất", "nhà chưa có gì", "để trống hoàn toàn", "không kèm đồ đạc"),
            ("trống", "không đồ", "chưa có gì", "ko đồ đạc", "trống trơn"),
        ),
        "desk": Wording(("bàn học và ghế", "kèm bàn làm việc"), ("bàn học", "có bàn ghế", "bàn làm việc")),
        "fridge": Wording(("tủ lạnh lớn", "kèm tủ lạnh mới"), ("tủ lạnh", "có tl", "tl riêng")),
    },
    "floor": {
        "ground": Wording(("dưới mặt đất", "nhà dưới cùng"), ("mặt đất", "dưới cùng", "không leo cầu thang")),
        **{str(floor): _floor(floor) for floor in range(5, 16)},
        "top": Wording(("trên mái", "tầng cao nhất", "sát sân mái"), ("trên cao nhất", "tầng mái", "cao nhất")),
        "basement": Wording(("tầng hầm", "dưới hầm"), ("hầm", "phòng hầm")),
    },
}

OPENERS = ("Căn hộ mini", "Nhà trọ", "Studio", "Cho thuê căn", "Ký túc xá")
SEARCHES = ("", "", "", "trọ", "kiếm trọ", "muốn thuê", "cần căn", "ở ghép")

WORDINGS = Wordings(VALUES, 1, OPENERS, SEARCHES)
