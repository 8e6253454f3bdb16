"""Pages of the reference that are written from the code, and examples in the others."""

import importlib.util
import json
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from ingest import mapping
from ingest.rows import Event, Notice, Reader, Row, Said
from yiwang import codec, frames, frames_json
from yiwang.domains import compile_rules, load_rules
from yiwang.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "yiwang_scripts_reference", ROOT / "scripts" / "reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def blocks(page: str, language: str) -> list[str]:
    """Code blocks of a page whose opening line is this."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_written_pages_are_fresh(reference: ModuleType) -> None:
    """Settings, commands and errors in the docs are those of the code."""
    assert not reference.stale(), "run: .venv/bin/python scripts/reference.py"


def test_every_setting_has_a_line(reference: ModuleType) -> None:
    """None is left out, and none lacks its meaning."""
    page = reference.settings_page()
    for name, field in Settings.model_fields.items():
        assert f"| `{name}` | `YIWANG_{name.upper()}` |" in page
        assert field.description


def test_every_error_says_something(reference: ModuleType) -> None:
    """A code without a sentence would help nobody; known ones of each way of making an error are there."""
    found = reference.errors()
    assert [one.code for one in found if not one.message] == []
    codes = {one.code for one in found}
    for code in (
        "kafka.unavailable",
        "reading.field",
        "mqtt.mapping.field",
        "devices.swapped",
        "domain.unknown",
    ):
        assert code in codes


def test_notes_are_of_codes_that_exist(reference: ModuleType) -> None:
    """A code noted by hand stands in the file that is named."""
    for code, (_, _, file) in reference.NOTES.items():
        assert f'"{code}"' in (ROOT / file).read_text(encoding="utf-8"), code


@pytest.mark.parametrize(
    ("kind", "decode"),
    [
        ("feed", codec.decode_feed),
        ("command", codec.decode_command),
        ("output", codec.decode_output),
        ("dead", codec.decode_dead_letter),
    ],
)
def test_example_messages_are_right(kind: str, decode: Callable[[bytes], object]) -> None:
    """Each example is read by the codec, and says everything that the codec would write."""
    examples = blocks("frames.md", f"json {kind}")
    assert examples
    for text in examples:
        message = decode(text.encode())
        assert msgspec.json.decode(text) == msgspec.json.decode(codec.encode(message))  # type: ignore[arg-type]


def test_the_example_frame_is_right() -> None:
    """The bytes in the page are what the page says."""
    (text,) = blocks("frames.md", "hex")
    frame = frames.decode(bytes.fromhex(text))
    assert frame.district == 1
    assert frame.readings.value.tolist() == [12.5, 13.0]
    assert frame.readings.series.tolist() == [3, 4]
    assert frame.readings.t_ns.tolist() == [frame.ingest_ns, frame.ingest_ns + 10**9]
    page = (ROOT / "docs" / "reference" / "frames.md").read_text("utf-8")
    table = page.split("Byte by byte:")[1].split("###")[0]
    cells = [re.findall(r"`([0-9a-f ]+)`", line.split("|")[1]) for line in table.splitlines() if "|" in line]
    assert bytes.fromhex("".join("".join(cell) for cell in cells)) == bytes.fromhex(text)
    for number in (frame.ingest_ns, *frame.readings.t_ns.tolist(), hex(zlib.crc32(bytes.fromhex(text)[8:]))):
        assert str(number) in table


def test_the_json_form_of_the_example_frame_is_right() -> None:
    """It is what the command shows of the bytes, and encodes to them."""
    (text,) = blocks("frames.md", "hex")
    (form,) = blocks("frames.md", "json frame")
    frame = frames.decode(bytes.fromhex(text))
    assert frames_json.as_json(frame) == json.loads(form)
    assert frames.encode(frames_json.of_json(form.encode())) == bytes.fromhex(text)


def test_example_rows_are_right() -> None:
    """Bodies in the page are read without a complaint."""
    for text in blocks("http-ingest.md", "json readings"):
        assert not Reader(Row, "reading").read(text.encode(), "array").rejected
    for text in blocks("http-ingest.md", "json events"):
        assert not Reader(Event, "event").read(text.encode(), "array").rejected
    for text in blocks("http-ingest.md", "json reports"):
        assert Reader(Said, "report").read(text.encode(), "array").rejected == []
    for text in blocks("http-ingest.md", "json warnings"):
        assert Reader(Notice, "warning").read(text.encode(), "array").rejected == []


def test_the_example_mapping_is_right(tmp_path: Path) -> None:
    """The mapping file in the page reads the messages it says."""
    (text,) = blocks("http-ingest.md", "yaml mapping")
    (tmp_path / "mapping.yaml").write_text(text, "utf-8")
    mappings = mapping.load(tmp_path / "mapping.yaml", limit=1000)
    payload = b'{"data": {"depth": 3, "unit": "mm"}, "at": "2026-06-12T20:15:00Z"}'
    assert list(mappings.rows("water/WL-1/depth/x", payload, 0)) == [
        Row(device="WL-1", metric="water_depth", time="2026-06-12T20:15:00Z", value=3, unit="mm")
    ]


def test_the_example_overrides_are_right(tmp_path: Path) -> None:
    """The overrides in the page are taken by the packs."""
    (text,) = blocks("domain-packs.md", "yaml overrides")
    (tmp_path / "ours.yaml").write_text(text, "utf-8")
    domains = compile_rules(load_rules(tmp_path))
    assert domains.kinds["road_flooding"].linger_s == 3600
    assert domains.categories["road_water"].accept_s == 60


def test_every_detector_parameter_is_described() -> None:
    """No parameter of a built-in detector is left out of the page."""
    from detectors.protocol import specs
    from detectors.registry import DETECTORS

    text = (REFERENCE / "domain-packs.md").read_text(encoding="utf-8")
    for detector in DETECTORS:
        part = text.split(f"### `{detector.name}`")[1].split("\n##")[0]  # type: ignore[attr-defined]
        for name in specs(detector):
            assert f"`{name}`" in part or re.fullmatch(r"hysteresis_ii+", name), name


def test_every_field_of_scenario_files_is_described() -> None:
    """``scenario.yaml`` and its truth have no field that the page does not know."""
    from scenarios.spec import ScenarioFile, TruthLine

    text = (REFERENCE / "scenarios.md").read_text(encoding="utf-8")
    for struct in (ScenarioFile, TruthLine):
        for field in msgspec.structs.fields(struct):
            assert f"`{field.name}`" in text, field.name


def test_every_code_of_ingest_rows_is_described(reference: ModuleType) -> None:
    """Codes that ingest answers with stand in its page with their remedy."""
    text = (REFERENCE / "http-ingest.md").read_text(encoding="utf-8")
    for one in reference.errors():
        if one.code.startswith(("body.", "json.", "reading.", "event.", "time.", "http.path", "mqtt.")) and (
            one.file.startswith("ingest/") or one.code.startswith("mqtt.")
        ):
            assert f"`{one.code}`" in text, one.code
