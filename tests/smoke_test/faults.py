"""A faulty service: a proxy that changes the real service's answers, and the check of `make smoke-test` that must fail for each fault."""

import http.client
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Answer:
    def __init__(self, method, path, sent, status, headers, body, number):
        self.method, self.path, self.sent, self.number = method, path, sent, number
        self.status, self.headers, self.body = status, headers, body

    @property
    def predicts(self):
        return self.method == "POST" and self.status == 200

    @property
    def hits(self):
        return self.predicts and "; hit" in self.headers["cache-status"]


class Changing:
    """The service at `url`, with `change` applied to each answer."""

    def __init__(self, url, change):
        upstream, count = urlsplit(url).netloc, itertools.count()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # Headers and body in one packet.

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                connection = http.client.HTTPConnection(upstream, timeout=30)
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                headers = {name.lower(): value for name, value in response.getheaders()}
                text = response.read().decode()
                connection.close()
                answer = Answer(self.command, self.path, self.headers, response.status, headers, text, next(count))
                change(answer)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name not in ("content-length", "date"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body.encode())))
                self.end_headers()
                self.wfile.write(answer.body.encode())

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self.url

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


# --- The faults -----------------------------------------------------------------------------------


def never_cached(answer):
    if answer.hits:
        answer.headers |= {"cache-status": "predict-once; fwd=miss", "server-timing": "model;dur=1.0"}


def cached_from_the_start(answer):
    if answer.predicts and "fwd=miss" in answer.headers["cache-status"]:
        answer.headers["cache-status"] = "predict-once; fwd=bypass"


def hit_of_another(answer):
    if answer.hits:
        answer.body = answer.body.replace(":", ": ", 1)


def uncached_is_another(answer):
    if answer.predicts and answer.sent.get("cache-control") == "no-store":
        answer.body = '{"decision":"?"}'


def no_store_is_cached(answer):
    if answer.predicts and answer.sent.get("cache-control") == "no-store":
        answer.headers |= {"cache-status": "predict-once; hit; detail=memory", "server-timing": "cache;dur=0.1"}


def unavailable_at_times(answer):
    if answer.predicts and answer.number > 25 and answer.number % 7 == 0:
        answer.headers["cache-status"] = "predict-once; fwd=miss; detail=unavailable"


def fails_at_times(answer):
    if answer.predicts and answer.number > 25 and answer.number % 7 == 0:
        answer.status, answer.body = 500, "{}"


def forgets(answer):
    if answer.hits and answer.number > 25 and answer.number % 2 == 0:
        answer.headers |= {"cache-status": "predict-once; fwd=miss", "server-timing": "model;dur=1.0"}


def without(header):
    def change(answer):
        if answer.predicts:
            answer.headers.pop(header, None)

    return change


def own_request_id(answer):
    answer.headers["x-request-id"] = "another"


def accepts_anything(answer):
    if answer.status == 422:
        answer.status = 200


def plain_error(answer):
    if answer.status == 422:
        answer.headers["content-type"] = "application/json"


def error_without_fields(answer):
    if answer.status == 422:
        answer.body = json.dumps({name: value for name, value in json.loads(answer.body).items() if name != "errors"})


def gateway_404(answer):
    if answer.status == 404:
        answer.body, answer.headers["content-type"] = '{"message":"Not Found"}', "application/json"


def no_page(answer):
    if answer.path == "/docs":
        answer.status = 404


def no_description(answer):
    if answer.path == "/openapi.json":
        answer.body = "<html></html>"


def no_examples(answer):
    if answer.path == "/openapi.json":
        answer.body = answer.body.replace('"examples"', '"instances"')


def no_predictions(answer):
    if answer.path == "/openapi.json":
        answer.body = '{"openapi":"3.1.0","paths":{}}'


def forbidden(answer):
    answer.status, answer.body = 403, '{"message":"Forbidden"}'


# Each fault with a part of the check that must fail.
FAULTS = {
    never_cached: "then a hit",
    cached_from_the_start: "first a miss",
    hit_of_another: "the hit returns the miss's answer",
    uncached_is_another: "the model's answer is the same",
    no_store_is_cached: "no-store runs the model",
    unavailable_at_times: "the cache is unavailable to",
    fails_at_times: "all are answered with 200",
    forgets: "of the cacheable requests are hits",
    without("x-model"): "x-model names the model",
    without("x-request-id"): "x-request-id",
    without("server-timing"): "server-timing has the model's time",
    without("cache-status"): "then a hit",
    own_request_id: "the client's x-request-id is kept",
    accepts_anything: "is a 422 that names its fields",
    plain_error: "is a 422 that names its fields",
    error_without_fields: "is a 422 that names its fields",
    gateway_404: "an unknown path: 404",
    no_page: "/docs: 200",
    no_description: "/openapi.json: 200",
    no_examples: "each prediction has an example",
    no_predictions: "predictions at",
    forbidden: "/openapi.json: 200",
}
