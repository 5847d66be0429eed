"""How a plan is carried out: one attempt, and what it says of the next."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

import requests
from urllib3.exceptions import NewConnectionError

from driftgauge.errors import ConfigError
from driftgauge.hiding import hidden, hidden_known
from driftgauge.hook.plans import Plan
from driftgauge.hook.secret import read_secret

# again: it is known that it had no effect. unclear: it is not known.
Result = Literal["done", "failed", "again", "unclear", "dry_run"]

_MAX_ANSWER: Final = 4000
_CONNECT_SECONDS: Final = 10.0
_BUSY: Final = frozenset({425, 429, 502, 503, 504})
_CONFLICT: Final = 409
_USER_AGENT: Final = "driftgauge-hook"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt, and what the other side said, cut to what is worth keeping."""

    result: Result
    answer: str


def carry_out(plan: Plan) -> Outcome:
    """Do what the plan says, once."""
    match plan.kind:
        case "http" | "job":
            return _call(plan)
        case "command":
            return _run(plan.what["arguments"], plan.what["variables"], plan.timeout)
    return Outcome("dry_run", f"dry run: would be {plan.what['would_be']} {_shown(plan.what)}")


def _shown(what: Mapping[str, Any]) -> str:
    return hidden(str(what.get("url") or what.get("arguments")))


def _call(plan: Plan) -> Outcome:
    what = plan.what
    try:
        headers = {"User-Agent": _USER_AGENT} | {name: _text(value) for name, value in what["headers"].items()}
    except ConfigError as error:
        # The secret may be mounted later.
        return Outcome("again", str(error))
    try:
        with requests.request(
            what["method"],
            what["url"],
            json=what["body"],
            headers=headers,
            timeout=(_CONNECT_SECONDS, plan.timeout),
            # A redirect would carry the secret to another place.
            allow_redirects=False,
            verify=what.get("ca_file", True),
            stream=True,
        ) as response:
            return _judged(response, plan.kind)
    except (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError) as error:
        return Outcome("again", _said(error))
    except requests.ConnectionError as error:
        return Outcome("again" if _was_refused(error) else "unclear", _said(error))
    except requests.Timeout as error:
        return Outcome("unclear", _said(error))
    except (requests.RequestException, ValueError, OSError) as error:
        return Outcome("failed", _said(error))


def _judged(response: requests.Response, kind: str) -> Outcome:
    body = response.raw.read(_MAX_ANSWER, decode_content=True).decode("utf-8", "replace")
    answer = hidden_known(f"{response.status_code} {response.reason}\n{body}".strip())
    if response.ok and not response.is_redirect:
        return Outcome("done", answer)
    if kind == "job" and response.status_code == _CONFLICT:
        return Outcome("done", answer)
    return Outcome("again" if response.status_code in _BUSY else "failed", answer)


def _was_refused(error: requests.ConnectionError) -> bool:
    """Tell whether no connection was made at all, so that nothing was heard."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else value["prefix"] + read_secret(Path(value["file"]))


def _said(error: Exception) -> str:
    return hidden(f"{type(error).__name__}: {error}")[:_MAX_ANSWER]


def _run(arguments: list[str], variables: Mapping[str, str], timeout: float) -> Outcome:
    """Run a program without a shell; when it takes too long, it and all that it started are killed."""
    with tempfile.TemporaryFile() as output:
        try:
            # A session of its own, so that the whole group can be killed.
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | variables,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Outcome("failed", f"{arguments[0]}: cannot be started: {error}")
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return Outcome("failed", f"killed after {timeout:g} s\n{_end_of(output)}")
        return Outcome("failed" if status else "done", f"exit status {status}\n{_end_of(output)}".strip())


def _end_of(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _MAX_ANSWER))
    return hidden_known(output.read().decode("utf-8", "replace"))
