"""Which alerts an action is for: matchers as Alertmanager writes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

_FORM: Final = re.compile(
    r'\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<how>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^"]*?)\s*'
)
_ESCAPES: Final = {r"\"": '"', r"\\": "\\", r"\n": "\n"}


@dataclass(frozen=True)
class Matcher:
    """`name` of a label, empty where it is missing; `how` is =, !=, =~ or !~. A pattern has to fit the whole value."""

    name: str
    how: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the matcher that a text such as `model=~"churn.*"` writes; raises ValueError."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError('must be a matcher, like alertname="ModelRetrainingRecommended" or model=~"churn.*"')
        value = found["value"]
        if value.startswith('"'):
            value = re.sub(r'\\["\\n]', lambda each: _ESCAPES[each[0]], value[1:-1])
        try:
            re.compile(value if found["how"].endswith("~") else "")
        except re.error as error:
            raise ValueError(f"must be a matcher with a regular expression ({error})") from error
        return cls(found["name"], found["how"], value)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels is meant."""
        value = labels.get(self.name, "")
        same = self._pattern.fullmatch(value) is not None if self.how.endswith("~") else value == self.value
        return same != self.how.startswith("!")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.value, re.DOTALL)
