"""What is registered, kept compactly: the same answers as plain dictionaries give, whatever changes come."""

from hypothesis import given, settings
from hypothesis import strategies as st

from yiwang.book import Book
from yiwang.registry import Device, Place, Registry, Series, Text

NAMES = st.sampled_from(["a", "b", "c", "水"])
NUMBERS = st.dictionaries(st.sampled_from(["depth", "at"]), st.sampled_from([0.0, 1.5, 7.0]), max_size=2)


@st.composite
def places(draw: st.DrawFn) -> Place:
    """One of four places, in one of two zones."""
    return Place(
        id="p" + draw(NAMES),
        district=0,
        zone=draw(st.sampled_from(["z1", "z2"])),
        kind="road",
        name=Text("点", "Spot"),
        lon=draw(st.sampled_from([120.0, 120.5])),
        lat=draw(st.sampled_from([30.0, 31.0])),
        attributes=draw(NUMBERS),
    )


@st.composite
def devices(draw: st.DrawFn) -> Device:
    """One of four devices with up to three series of its own; its place may be one that nobody registered."""
    id_ = draw(NAMES)
    own = 10 * "abc水".index(id_)
    metrics = draw(st.lists(st.sampled_from(["m1", "m2", "m3"]), unique=True, max_size=3))
    return Device(
        id=id_,
        district=0,
        kind=draw(st.sampled_from(["k1", "k2"])),
        place="p" + draw(NAMES),
        name=Text("仪", "Gauge"),
        lon=draw(st.sampled_from([120.0, 120.5])),
        lat=30.0,
        series=tuple(Series(number=own + int(m[1]), metric=m) for m in metrics),
        attributes=draw(NUMBERS),
    )


CHANGES = st.lists(
    st.tuples(st.lists(places(), max_size=4), st.lists(devices(), max_size=4)), min_size=1, max_size=6
)


def change(version: int, given: tuple[list[Place], list[Device]]) -> Registry:
    """As a message."""
    return Registry(version=version, places=tuple(given[0]), devices=tuple(given[1]))


@settings(max_examples=150, deadline=None)
@given(changes=CHANGES, reload=st.integers(0, 6))
def test_a_book_is_what_dictionaries_would_be(
    changes: list[tuple[list[Place], list[Device]]], reload: int
) -> None:
    """Objects, columns and attributes after any changes, dumped and loaded in between."""
    book, known, spots = Book(), dict[str, Device](), dict[str, Place]()
    for version, one in enumerate(changes):
        if version == reload:
            dumped = book.dump()
            book = Book.load(dumped)
            assert book.dump() == dumped
        before = {n: (d, m) for n, d, m in _series(known)}
        where = {d.id: spots.get(d.place) for d in known.values()}
        touched = book.apply(change(version, one)).tolist()
        spots |= {p.id: p for p in one[0]}
        was, known = dict(known), known | {d.id: d for d in one[1]}
        now = {n: (d, m) for n, d, m in _series(known)}
        others = {
            id_ for id_, d in known.items() if was.get(id_) != d or where.get(id_) != spots.get(d.place)
        }
        assert set(touched) == {n for n, (id_, _) in (*before.items(), *now.items()) if id_ in others}
        assert len(touched) == len(set(touched))
    assert book.version == len(changes) - 1
    assert dict(book.devices) == known
    assert dict(book.places) == spots
    assert list(book.devices) == list(known)
    assert book.series().tolist() == [n for n, _, _ in _series(known)]
    for number, id_, metric in _series(known):
        assert book.owner(number) == (known[id_], metric)
        assert book.pairs[book.pair[number]] == (known[id_].kind, metric)
        place, row = spots.get(known[id_].place), int(book.device[number])
        zone = place.zone if place else known[id_].place
        assert book.zone_name(int(book.zone[book.place[row]])) == zone
        for of, thing, at in (("device", known[id_], row), ("place", place, int(book.place[row]))):
            for name, column in book.attributes[of].items():
                expected = thing.attributes.get(name) if thing else None
                assert column[at] == expected or (expected is None and column[at] != column[at])
    for number in set(range(book.size)) - {n for n, _, _ in _series(known)}:
        assert book.pair[number] == 0
    for lat in (30.0, 31.0):
        near = {p.id for p in book.places_near(lat, 0.1)}
        assert near == {p.id for p in spots.values() if p.lat == lat}


def _series(known: dict[str, Device]) -> list[tuple[int, str, str]]:
    return [(s.number, d.id, s.metric) for d in known.values() for s in d.series]


def test_a_change_that_changes_nothing_touches_nothing() -> None:
    """The same message again, as after a restart of whoever sends it."""
    book = Book()
    device = Device(
        id="d",
        district=0,
        kind="k",
        place="p",
        name=Text("仪"),
        lon=1.0,
        lat=2.0,
        series=(Series(number=3, metric="m"),),
    )
    assert book.apply(Registry(version=1, devices=(device,))).tolist() == [3]
    assert book.apply(Registry(version=2, devices=(device,))).tolist() == []


def test_replaced_objects_leave_no_bytes_behind() -> None:
    """A registry that is sent again and again in new versions does not grow."""
    book = Book()
    sizes = []
    for version in range(200):
        devices = tuple(
            Device(
                id=f"d{i}",
                district=0,
                kind="k",
                place="p",
                name=Text(f"{version:03d}"),
                lon=1.0,
                lat=2.0,
                series=(),
            )
            for i in range(20)
        )
        book.apply(Registry(version=version, devices=devices))
        sizes.append(len(book.dump()))
    assert len(set(sizes[10:100])) == 1
