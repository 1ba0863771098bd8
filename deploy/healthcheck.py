"""Whether the service in this container is ready: exit code 0 or 1. Slim images have no curl."""

import os
import ssl
import sys
import urllib.request

scheme = "https" if os.environ.get("MIEN_SERVE_TLS_CERT") else "http"
address = f"{scheme}://127.0.0.1:{os.environ.get('MIEN_SERVE_PORT', '7890')}/readyz"
# The certificate is for a name that this container does not have.
context = ssl._create_unverified_context() if scheme == "https" else None  # noqa: S323
try:
    with urllib.request.urlopen(address, timeout=4, context=context) as answer:  # noqa: S310
        sys.exit(0 if answer.status == 200 else 1)
except OSError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
