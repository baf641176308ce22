"""A receiver of webhooks: a real server on this machine that keeps every request and answers as it is told."""

import socket
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from patience import eventually


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict
    body: bytes

    def headers_of(self, brand):
        """The three that sign the request under this name, and no other header."""
        return {f"{brand}-{part}": self.headers[f"{brand}-{part}"] for part in ("id", "timestamp", "signature")}


class Receiver:
    """Answers with each of `statuses` in turn, and then always with the last."""

    def __init__(self, statuses=(200,), says="thanks"):
        self._statuses = list(statuses)
        self._says = says.encode()
        self._requests = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer_with(self, *statuses):
        with self._lock:
            self._statuses = list(statuses)

    def requests(self):
        with self._lock:
            return list(self._requests)

    def ids(self):
        return [request.headers["webhook-id"] for request in self.requests()]

    def wait_for(self, count):
        """The first `count` requests, once they are there."""
        return eventually(f"request {count}", lambda: len(self.requests()) >= count and self.requests())[:count]

    def wait_for_message(self, message):
        """The first request that carries this message."""
        return eventually(f"a request with {message.id}", lambda: self._carrying(message))[0]

    def _carrying(self, message):
        return [request for request in self.requests() if request.headers["webhook-id"] == message.id]

    def _take(self, request):
        with self._lock:
            self._requests.append(request)
            return self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]

    def _handler(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer goes out in one piece.
            wbufsize = -1

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._take(Request(self.command, self.path, headers, body))
                says = receiver._says if status != 204 else b""
                self.send_response(status)
                self.send_header("content-length", str(len(says)))
                self.end_headers()
                self.wfile.write(says)

            def log_message(self, *_):
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that goes away is nothing to tell of."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def url_of_nobody():
    """A URL on this machine where nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}/"
