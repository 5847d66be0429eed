"""What is known of a model at one instant, as series that queries find: its samples, and what is recorded of them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from driftgauge.families import FAMILIES
from driftgauge.samples import Sample, Samples
from driftgauge.verdict.promql import Query, Selector, compiled
from driftgauge.verdict.vectors import Series, Vector

_Index = Mapping[tuple[str, ...], Sequence[Series]]


# The words of alerts ask the same of a version at each refresh.
_query = lru_cache(maxsize=1024)(compiled)


class KnownSeries:
    """The series of some samples, each with the label `job`, and of recording rules, evaluated when one asks for them.

    now: in seconds since 1970. given: recorded series that are known otherwise, by name. What was found once is kept,
    for alerts on each feature ask the same and nearly the same.
    """

    def __init__(
        self, samples: Samples, recordings: Mapping[str, Query], given: Mapping[str, Vector], *, job: str, now: float
    ) -> None:
        self.now = now
        self._samples, self._recordings, self._job = samples, recordings, job
        self._series: dict[str, Vector] = dict(given)
        self._indices: dict[tuple[str, tuple[str, ...]], _Index] = {}
        self._answers: dict[str, Vector] = {}

    def select(self, selector: Selector) -> Vector:
        """Return the series that a selector finds."""
        labels = tuple([label for label, _ in selector.equal])
        found = self._index(selector.name, labels).get(tuple([value for _, value in selector.equal]), ())
        for label, fits in selector.others:
            found = [each for each in found if fits(each.labels.get(label, ""))]
        return found

    def answer(self, text: str) -> Vector:
        """Return what a query, such as one in the words of an alert, gives. Raises ValueError as `compiled` does."""
        if text not in self._answers:
            self._answers[text] = _query(text)(self)
        return self._answers[text]

    def _index(self, name: str, labels: tuple[str, ...]) -> _Index:
        if (name, labels) not in self._indices:
            groups: dict[tuple[str, ...], list[Series]] = {}
            for each in self._named(name):
                groups.setdefault(tuple([each.labels.get(label, "") for label in labels]), []).append(each)
            self._indices[name, labels] = groups
        return self._indices[name, labels]

    def _named(self, name: str) -> Vector:
        if name not in self._series:
            recorded = self._recordings.get(name)
            self._series[name] = self._sampled(name) if recorded is None else recorded(self)
        return self._series[name]

    def _sampled(self, name: str) -> Vector:
        """Return the series of a family; a histogram has none that a rule asks for."""
        names = ("job", *FAMILIES[name].labels) if name in FAMILIES else ()
        found = []
        for each in self._samples.get(name, ()):
            if isinstance(each, Sample):
                labels = {label: text for label, text in zip(names, (self._job, *each.labels), strict=True) if text}
                if each.segment:
                    labels["segment"] = each.segment
                found.append(Series(labels, each.value))
        return found
