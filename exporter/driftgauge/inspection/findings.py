"""What an inspection found, as plain values: the text and the JSON are made of the same ones."""

from dataclasses import dataclass, field

from driftgauge.inspection.facts import RejectedRow


@dataclass(frozen=True, slots=True)
class ColumnFinding:
    """What a column is taken for and why. missing: share of the rows without a value, 0 to 1."""

    column: str
    taken_for: str
    why: str
    unit: str
    kind: str
    missing: float
    example: str


@dataclass(frozen=True, slots=True)
class RejectedFinding:
    """How many rows would be rejected for a reason, and some of them."""

    reason: str
    rows: int
    examples: tuple[RejectedRow, ...]


@dataclass(frozen=True, slots=True)
class FilesFinding:
    """The files of one role; `left` others were not read. oldest, newest: times of rows, ISO 8601, "" without any.

    problems: file -> why it was not read.
    """

    role: str
    files: tuple[str, ...]
    left: int
    rows: int
    usable: int
    oldest: str
    newest: str
    columns: tuple[ColumnFinding, ...]
    unused: tuple[ColumnFinding, ...]
    rejected: tuple[RejectedFinding, ...]
    doubts: tuple[str, ...]
    problems: dict[str, str]


@dataclass(frozen=True, slots=True)
class LabelsFinding:
    """How labels meet their predictions. shared: labels whose key others have too. delays in s, None without any."""

    labels: int
    matched: int
    joined: int
    shared: int
    delay_median: float | None
    delay_least: float | None
    delay_most: float | None
    unmatched_label: str
    unmatched_prediction: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ReferenceFinding:
    """Features of live rows against those of the reference. lines: one sentence for each that does not fit."""

    uri: str
    rows: int
    features: int
    in_both: int
    only_live: tuple[str, ...]
    only_reference: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublishedGroup:
    """The families of a group that would be published, and of which versions and windows."""

    group: str
    families: tuple[str, ...]
    series: int
    versions: tuple[str, ...]
    windows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Absence:
    """Families that would not be published, and why."""

    families: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Publication:
    """What a refresh at the time `at` (ISO 8601) would publish. said: warnings that go with it."""

    at: str
    series: int
    groups: tuple[PublishedGroup, ...]
    absent: tuple[Absence, ...]
    said: tuple[str, ...]
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Findings:
    """All about one model. task_why: what made it that task. remedies: what to do, the most pressing first."""

    model: str
    task: str
    task_why: str
    files: tuple[FilesFinding, ...]
    labels: LabelsFinding | None
    reference: ReferenceFinding | None
    reference_problem: str
    publication: Publication
    remedies: tuple[str, ...]
    config: str
