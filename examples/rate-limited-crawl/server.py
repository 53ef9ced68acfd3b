"""A small site of seven pages that writes down when each request came, and is too busy for one of them (503).

server.py            serve on a free port of this machine; its address goes to out/server.url
server.py busiest    how many requests came in all, and in the busiest second
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDRESS, REQUESTS = Path("out/server.url"), Path("out/requests")
SITE = {"/": ["/fruit", "/roots", "/missing"]}
for shelf in SITE["/"][:2]:
    SITE[shelf] = ["/", *(f"{shelf}/{number}" for number in (1, 2))]
    SITE |= {page: ["/", shelf] for page in SITE[shelf][1:]}
BUSY = {"/fruit/1"}


class SiteHandler(BaseHTTPRequestHandler):
    """200 for a page of the site, 404 for any other; 503 for the busy one when it is asked for first."""

    def do_GET(self) -> None:
        """Write down the time first: that is what counts."""
        with REQUESTS.open("a") as requests:
            requests.write(f"{time.time():.3f} {self.path}\n")
        if self.path in BUSY:
            BUSY.remove(self.path)
            self.send_error(503)
        elif self.path not in SITE:
            self.send_error(404)
        else:
            links = "".join(f'<li><a href="{link}">{link}</a>' for link in SITE[self.path])
            content = f"<!doctype html><title>{self.path}</title><ul>{links}</ul>\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)


def serve() -> None:
    """Until it is killed."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SiteHandler) as server:
        ADDRESS.parent.mkdir(exist_ok=True)
        REQUESTS.write_text("")
        part = ADDRESS.with_suffix(".part")
        part.write_text(f"http://127.0.0.1:{server.server_port}\n")
        part.replace(ADDRESS)
        server.serve_forever()


def busiest() -> None:
    """Look at the second that begins with each request."""
    times = [float(line.split()[0]) for line in REQUESTS.read_text().splitlines()]
    most = max(sum(start <= at < start + 1 for at in times) for start in times)
    print(f"{len(times)} requests, at most {most} in a second")


if __name__ == "__main__":
    busiest() if sys.argv[1:] == ["busiest"] else serve()
