"""A proxy in front of the service that fails request by request as scripted."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# API Gateway's own errors, which have their own format.
GATEWAY = {
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Internal server error",
    503: "Service Unavailable",
    504: "Endpoint request timed out",
}


class FaultyProxy:
    """Each request takes the next step of `script`; the last step repeats. Steps are:

    pass            forwards to the service
    503             answers with this status like API Gateway, without the service
    drop            closes the connection without an answer
    cut             closes the connection in the middle of an answer
    hang            never answers
    spoil           forwards with typical mistakes in two fields
    only-if-cached  forwards with this cache-control
    """

    def __init__(self, service, script):
        self.service = urlsplit(service)
        self.script = list(script)
        self.requests = []  # headers of each request
        self.lock = threading.Lock()
        self.closing = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                proxy.handle(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def handle(self, client):
        body = client.rfile.read(int(client.headers["content-length"]))
        headers = {name.lower(): value for name, value in client.headers.items()}
        with self.lock:
            self.requests.append(headers)
            step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if step == "hang":
            self.closing.wait()
            client.close_connection = True
        elif step == "drop":
            client.close_connection = True
        elif step == "cut":
            client.send_response_only(200)
            client.send_header("content-length", "22")
            client.end_headers()
            client.wfile.write(b'{"decision":')
            client.close_connection = True
        elif step.isdigit():
            answer = json.dumps({"message": GATEWAY[int(step)]}).encode()
            self.reply(client, int(step), {"content-type": "application/json"}, answer)
        else:
            if step == "spoil":
                body = json.dumps(json.loads(body) | {"age_in_years": "30", "personal_status_and_sex": "male:single"}).encode()
                headers["content-length"] = str(len(body))
            elif step == "only-if-cached":
                headers["cache-control"] = "only-if-cached"
            self.reply(client, *self.forward(client.path, headers, body))

    def forward(self, path, headers, body):
        connection = http.client.HTTPConnection(self.service.hostname, self.service.port, timeout=30)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def reply(self, client, status, headers, body):
        client.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                client.send_header(name, value)
        client.send_header("content-length", str(len(body)))
        client.end_headers()
        client.wfile.write(body)
