"""A stand-in for API Gateway: an HTTP server that converts each request to an event, like an HTTP API, and the function's answer to an
HTTP response.
"""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def gateway(invoke, sample, answer_of):
    """Serves the function behind `invoke`; `sample` is the template for events. Yields the address."""
    one_at_a_time = threading.Lock()  # Like an execution environment.

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def answer(self):
            event = json.loads(json.dumps(sample))
            path, _, query = self.path.partition("?")
            event |= {"rawPath": path, "rawQueryString": query, "routeKey": "$default"}
            event["headers"] = {name.lower(): value for name, value in self.headers.items()}
            event["requestContext"]["http"] |= {"method": self.command, "path": path}
            event["requestContext"]["routeKey"] = "$default"
            event.pop("body", None)
            if length := int(self.headers.get("content-length", 0)):
                event["body"] = self.rfile.read(length).decode()
            with one_at_a_time:
                answer = answer_of(invoke(event))
            body = answer.body.encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name not in ("content-length", "date"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
