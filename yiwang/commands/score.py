"""``yiwang score``: scenarios through the district machine, held against their truth."""

import json as jsonlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yiwang.commands._outputs import check_file, check_folder
from yiwang.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console

    from scenarios.batch import Job, Scored
    from scenarios.floors import Difference

BEGIN, END = "<!-- score:begin -->", "<!-- score:end -->"
_path = click.Path(path_type=Path)


@click.command("score")
@click.argument("sources", nargs=-1, metavar="[SCENARIO]...")
@click.option("--all", "all_", is_flag=True, help="Every scenario of the library.")
@click.option(
    "--against", type=_path, help="An earlier --json: print what changed; exit 1 if anything is worse."
)
@click.option("--floor", "floor", type=_path, help="Exit 1 if any figure is below this file of floors.")
@click.option("--write-floor", type=_path, help="Record the figures as floors in this file.")
@click.option("--set", "set_", type=_path, help="Under this parameter set.")
@click.option(
    "--against-set", type=_path, help="With --set: list what differs from this other set (or 'none')."
)
@click.option("--findings", type=_path, help="Write every finding to FILE, as JSON lines.")
@click.option("--incidents", type=_path, help="Write every incident to FILE, as JSON lines, candidates too.")
@click.option("--html", type=_path, help="Write the report: FILE.html for one scenario, or a folder.")
@click.option(
    "--markdown", type=_path, help="Write the tables between the marks in FILE, or - to print them."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=lambda: os.cpu_count() or 1,
    show_default="one a core",
    help="Processes.",
)
@click.option(
    "--baselines/--no-baselines", default=True, show_default=True, help="Trivial detectors beside ours."
)
@click.option("--full", is_flag=True, help="FloodNet: also the silence between the floods.")
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON line instead of tables.")
def command(
    sources: tuple[str, ...],
    all_: bool,
    against: Path | None,
    floor: Path | None,
    write_floor: Path | None,
    set_: Path | None,
    against_set: Path | None,
    findings: Path | None,
    incidents: Path | None,
    html: Path | None,
    markdown: Path | None,
    jobs: int,
    baselines: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Play scenarios through the district machine itself, in this process, and hold what is raised against the truth.

    SCENARIO is a built-in one, a folder with scenario.yaml, or a folder of recorded data. Printed are recall,
    precision, false incidents, delays, splits, merges, level errors, calibration, and how many annunciations a
    seat gets; beside ours stand trivial detectors on the same readings.

    Exit status: 0; 1 when a figure is worse than --against or --floor allow; 2 for an error.
    """
    from rich.console import Console

    from scenarios import files, floors, scoretables, seeds, sets
    from scenarios.batch import Job
    from scenarios.scorecard import summary

    library = list(files.library())
    names = list(dict.fromkeys([*(library if all_ else ()), *sources]))
    if not names:
        raise click.UsageError(f"name a scenario, or --all; there are: {', '.join(library)}")
    if against_set and not set_:
        raise click.UsageError("--against-set needs --set")
    before = _json(against, "an earlier --json of this command", needs="details") if against else None
    held = _json(floor, "floors as --write-floor records them", needs="domains") if floor else None
    chosen = sets.load(set_) if set_ else None
    for name in names:  # before anything is played
        seeds.check(name)
    _check_names(names)
    lines = bool(findings or incidents)
    _check_html(html, names)
    for path in (findings, incidents, write_floor):
        check_file(path, code="score.file")
    work = [
        Job(source=n, set=chosen, lines=lines, html=html is not None, baselines=baselines, full=full)
        for n in names
    ]
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 200)
    scored = _run(work, jobs, console)
    _write_lines(findings, [line for one in scored for line in one.findings])
    _write_lines(incidents, [line for one in scored for line in one.incidents])
    _write_html(html, scored)
    result = summary([one.card for one in scored])
    if write_floor:
        text = jsonlib.dumps(floors.floor(result), indent=1, sort_keys=True)
        write_floor.write_text(text + "\n", encoding="utf-8")
    tables = scoretables.sheets(result)
    if markdown:
        _write_markdown(markdown, "\n".join(scoretables.markdown(t) for t in tables))
    elif not as_json:
        out = Console() if sys.stdout.isatty() else Console(width=200)
        for table in tables:
            if table.rows:
                out.print(scoretables.rich_table(table))
    worse: list[Difference] = []
    if before is not None:
        worse += _told(floors.differences(before, result), f"against {against}", console)
    if held is not None:
        worse += _told(floors.below(held, result, whole=all_), f"below {floor}", console)
    if against_set:
        result["set"] = _against_set(work, scored, against_set, jobs, console)
    if as_json:
        click.echo(jsonlib.dumps(result, ensure_ascii=False))
    sys.exit(1 if any(d.worse for d in worse) else 0)


def _run(work: "Sequence[Job]", jobs: int, console: "Console") -> "list[Scored]":
    from scenarios.batch import run_all

    done = []
    for one in run_all(work, jobs):
        done.append(one)
        card = one.card
        counts = "  ".join(f"{k} {v}" for k, v in card.score.summary().items())
        console.print(
            f"[dim]{card.name}: {counts}  ({card.readings} readings, {card.seconds:.1f} s)[/dim]",
            highlight=False,
            soft_wrap=True,
        )
        for code, n in card.troubles.items():
            if code != "feed.late":  # part of some scenarios
                console.print(f"{card.name}: trouble {code}, {n} times", highlight=False)
    return done


def _against_set(
    work: "Sequence[Job]", scored: "Sequence[Scored]", other: Path, jobs: int, console: "Console"
) -> list[dict[str, Any]]:  # Any: plain JSON
    """The incidents that differ between the set and another, scenario by scenario."""
    import dataclasses

    from scenarios import comparing, scoretables, sets

    there = None if str(other) == "none" else sets.load(other)
    mine = work[0].set
    assert mine is not None  # asked for together
    again = _run([dataclasses.replace(job, set=there, html=False) for job in work], jobs, console)
    found = []
    for one, two in zip(scored, again, strict=True):
        found += [
            {"scenario": one.card.name, **line}
            for line in comparing.as_json(comparing.compare(two.raised, one.raised))
        ]
    names = there.name if there else "the packs", mine.name
    console.print(scoretables.rich_table(comparing.sheet(found, names)))
    return found


def _told(found: "list[Difference]", title: str, console: "Console") -> "list[Difference]":
    from scenarios import scoretables

    if found:
        console.print(scoretables.rich_table(scoretables.changes(found, title=title)))
    else:
        console.print(f"{title}: nothing")
    return found


def _json(path: Path, what: str, *, needs: str) -> dict[str, Any]:  # Any: plain JSON
    """A JSON file, of which only the last line counts where it has more.

    Raises:
        BadInput: ``score.file``.
    """
    try:
        text = path.read_text("utf-8").strip()
        try:
            found = jsonlib.loads(text)
        except ValueError:
            found = jsonlib.loads(text.rsplit("\n", 1)[-1])
    except (OSError, ValueError) as error:
        raise BadInput("score.file", f"{path}: {error}; give {what}", file=str(path)) from None
    if not isinstance(found, dict) or needs not in found:
        raise BadInput("score.file", f"{path} holds no {needs!r}; give {what}", file=str(path))
    return found


def _check_names(sources: Sequence[str]) -> None:
    """Figures and pages are kept by name, so no two scenarios may have the same.

    Raises:
        BadInput: ``score.names``.
    """
    from scenarios import seeds

    taken: dict[str, str] = {}
    for source in sources:
        name = seeds.called(source)
        if name and taken.setdefault(name, source) != source:
            raise BadInput(
                "score.names",
                f"{taken[name]} and {source} are both called {name!r}; name one otherwise, in the line scenario: of "
                "its scenario.yaml",
                sources=[taken[name], source],
            )


def _check_html(html: Path | None, names: Sequence[str]) -> None:
    if html and html.suffix == ".html" and len(names) > 1:
        raise BadInput(
            "score.html",
            f"{html} is one page and there are {len(names)} scenarios; give a folder",
            file=str(html),
        )
    if html and html.suffix == ".html":
        check_file(html, code="score.html")
    elif html:
        check_folder(html, code="score.html")


def _write_html(html: Path | None, scored: "Sequence[Scored]") -> None:
    if html is None:
        return
    if html.suffix == ".html":
        html.write_text(scored[0].html, encoding="utf-8")
        return
    from scenarios.page import index

    for one in scored:
        (html / f"{one.card.name}.html").write_text(one.html, encoding="utf-8")
    (html / "index.html").write_text(index([one.card for one in scored]), encoding="utf-8")


def _write_lines(path: Path | None, lines: Sequence[bytes]) -> None:
    if path is not None:
        path.write_bytes(b"".join(line + b"\n" for line in lines))


def _write_markdown(path: Path, text: str) -> None:
    """Print it, or put it between the marks of a file.

    Raises:
        BadInput: ``score.marks``.
    """
    if str(path) == "-":
        click.echo(text)
        return
    page = path.read_text("utf-8") if path.is_file() else ""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadInput(
            "score.marks",
            f"{path} lacks the lines {BEGIN} and {END}, between which the tables go",
            file=str(path),
        )
    path.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")
