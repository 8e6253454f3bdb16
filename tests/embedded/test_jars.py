"""Kafka's jars are the pinned ones, or nothing starts."""

from pathlib import Path

import pytest

from yiwang.embedded.jars import kafka_jars, read_lock, verify
from yiwang.errors import Unavailable


def test_the_lock_names_each_jar_once_with_its_digest() -> None:
    """46 jars, each with a version and a SHA-256."""
    jars = read_lock()
    assert len({jar.name for jar in jars}) == len(jars) == 46
    assert all(len(jar.sha256) == 64 for jar in jars)


@pytest.mark.kafka
def test_a_damaged_jar_is_refused_by_name(tmp_path: Path) -> None:
    """One changed byte in a kept jar stops the start, names the file and says what to do."""
    for path in kafka_jars():
        (tmp_path / path.name).symlink_to(path)
    assert verify(tmp_path, read_lock()) == []
    victim = tmp_path / "org.slf4j.slf4j-api-1.7.36.jar"
    content = bytearray(victim.read_bytes())
    content[100] ^= 1
    victim.unlink()
    victim.write_bytes(content)
    with pytest.raises(
        Unavailable, match=r"slf4j-api-1\.7\.36\.jar is not the file that was pinned"
    ) as caught:
        kafka_jars(tmp_path)
    assert caught.value.code == "kafka.damaged_jar"


def test_a_jar_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A cache that cannot be written gives a code and the folder."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be kept") as caught:
        kafka_jars(tmp_path / "file" / "jars")
    assert caught.value.code == "kafka.no_jars"
