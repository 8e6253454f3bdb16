"""A small city of files for the tests of the domain packs."""

from pathlib import Path

NOISE = """
domain: noise
name: {zh: 噪声, en: Noise}
metrics:
  sound_level:
    name: {zh: 声级, en: Sound level}
    unit: dB(A)
    range: [0, 160]
    period_s: 60
    units: {B(A): 10}
    source: P
device_kinds:
  sound_meter: {name: {zh: 声级计, en: Sound meter}, metrics: [sound_level], icon: sound}
kinds:
  loud_site:
    name: {zh: 施工噪声, en: Loud building site}
    by: place
    linger_s: 600
    case_at: III
    category: noise
    skill: grid
    next_step: {zh: 到现场核实, en: Go and look}
categories:
  noise: {name: {zh: 噪声扰民, en: Noise}, accept_s: 600, arrive_s: 3600, handle_s: 7200, check_s: 3600, source: P}
detectors:
  noise.ladder:
    use: ladder
    version: 1
    metric: sound_level
    kind: loud_site
    device_kinds: [sound_meter]
    source: "GB 3096-2008, day, classes 0 to 4a [xinhao]"
    params:
      rung_iii: {place: sound_class, default: 60, table: {0: 50, 1: 55, 2: 60, 3: 65, 4: 70}}
      rung_iv: {device: attention_db, default: null}
      hysteresis: {value: 3, source: P}
      hold_s: 120
"""


def city(folder: Path, **files: str) -> Path:
    """A folder with ``name.yaml`` files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder
