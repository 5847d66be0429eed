"""An object store on this machine that counts what it is asked, and runs with many files in it."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET: Final = "artifacts"


@dataclass
class ObjectStore:
    """An object store with one bucket, its client, and how often it was asked for what."""

    client: Any = None
    asked: Counter[str] = field(default_factory=Counter)

    def put(self, key: str, text: str) -> None:
        """Write an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=text.encode())

    def fill(self, prefix: str, files: int) -> None:
        """Write so many files with one prediction each."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: self.put(f"{prefix}/p{number:06}.jsonl", prediction(number)), range(files)))

    def count(self, environ: dict[str, Any]) -> None:
        """Take note of a request."""
        is_listing = "list-type" in parse_qs(environ["QUERY_STRING"])
        self.asked["LIST" if is_listing else environ["REQUEST_METHOD"]] += 1


def prediction(number: int) -> str:
    """Return a line with a prediction."""
    return json.dumps({"request_id": f"r{number}", "timestamp": "2026-01-09T11:59:00Z", "prediction": 1.0}) + "\n"


@pytest.fixture(scope="module")
def object_store() -> Iterator[ObjectStore]:
    """Yield a running object store; the environment says where it is and who asks."""
    store = ObjectStore()
    application = DomainDispatcherApplication(create_backend_app)

    def counted(environ: dict[str, Any], start: Any) -> Any:
        store.count(environ)
        return application(environ, start)

    server = make_server("127.0.0.1", 0, counted, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", url)
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "reader")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store.client = boto3.client("s3")
        store.client.create_bucket(Bucket=BUCKET)
        yield store
    server.shutdown()
    server.server_close()
