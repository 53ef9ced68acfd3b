"""A server with a bad day: it serves files/, but answers the first two requests for each file with 503.

It listens on a free port of this machine and writes its address to out/server.url.
"""

from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

FILES, ADDRESS = Path("files"), Path("out/server.url")
FAILURES = 2


class FlakyHandler(BaseHTTPRequestHandler):
    """404 for what is not there, at once; 503 twice, then 200 for what is."""

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        """Answer with the file of that name."""
        file = FILES / Path(self.path).name
        if not file.is_file():
            self.send_error(404)
            return
        self.asked[file.name] += 1
        if self.asked[file.name] <= FAILURES:
            self.send_error(503)
            return
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), FlakyHandler) as server:
        ADDRESS.parent.mkdir(exist_ok=True)
        part = ADDRESS.with_suffix(".part")
        part.write_text(f"http://127.0.0.1:{server.server_port}\n")
        part.replace(ADDRESS)
        server.serve_forever()
