"""What a worker is given to do: an action whose placeholders are filled in. JSON, for it goes through a pipe.

Secrets in files are not in it, only where they are. Workers import no more than they need: they are many.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Plan:
    """kind: http, command, job or dry_run. what: the arguments of that. Times in seconds.

    attempts, backoff: how often, and after which time, what had no effect is tried again. mlflow: where it is recorded.
    """

    kind: str
    what: Mapping[str, Any]
    timeout: float
    attempts: int = 1
    backoff: float = 1.0
    repeat_unanswered: bool = False
    mlflow: Mapping[str, str] | None = None

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the plan that `to_json` wrote."""
        return cls(**json.loads(text))
