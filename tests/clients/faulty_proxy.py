"""A proxy before the service that fails as told, request by request."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What API Gateway answers by itself; it describes its errors in a form of its own.
GATEWAY = {
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Internal server error",
    503: "Service Unavailable",
    504: "Endpoint request timed out",
}


class FaultyProxy:
    """Each request takes the next step of `script`; the last one stays. Steps are:

    pass            on to the service, and back
    503 (or so)     API Gateway's answer of that status, without the service
    drop            the connection ends without an answer
    cut             the connection ends in the middle of an answer
    hang            no answer for as long as the proxy lives
    spoil           on to the service with two fields as people get them wrong
    only-if-cached  on to the service with that cache-control
    """

    def __init__(self, service, script):
        self.service = urlsplit(service)
        self.script = list(script)
        self.requests = []  # the headers of each
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
