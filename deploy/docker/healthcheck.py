"""Whether the exporter in this container answers `/-/healthy`: exit status 0 if so. An image has no curl.

`DRIFTGAUGE_HEALTH_URL` is where, when it listens on another port or speaks TLS. Certificates are not verified: the
connection does not leave the container. Where clients have to show one, being asked for it is answer enough.
"""

import os
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

URL = os.environ.get("DRIFTGAUGE_HEALTH_URL", "http://127.0.0.1:10210/-/healthy")
SECONDS = 4


def connection() -> HTTPConnection:
    """Return a connection to the exporter, which is not made yet."""
    parts = urlsplit(URL)
    if parts.scheme != "https":
        return HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=SECONDS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(parts.hostname or "127.0.0.1", parts.port, timeout=SECONDS, context=context)


def main() -> None:
    """Ask once; say on stderr what is wrong."""
    asking = connection()
    try:
        asking.request("GET", urlsplit(URL).path)
        status = asking.getresponse().status
    except (OSError, HTTPException) as error:
        if "CERTIFICATE_REQUIRED" in str(error):
            return
        sys.exit(f"{URL}: {error}")
    if status != 200:
        sys.exit(f"{URL}: status {status}")


if __name__ == "__main__":
    main()
