"""The servers of the seed's job: a catalog with the recorded collection, an endpoint of tokens that live for some seconds,
and a slow line to Azurite.

    seed_servers.py COLLECTION AZURITE_PORT KEY SECONDS BYTES_PER_SECOND

prints `CATALOG_PORT LINE_PORT`; then `GET /told` tells how many tokens there were, and how many requests were refused.
"""
import base64, datetime, hashlib, hmac, json, socket, sys, threading, time, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

collection = json.load(open(sys.argv[1]))
azurite_port, key, life, rate = int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), float(sys.argv[5])
told = {"tokens": 0, "refused": 0, "searches": 0}
lock = threading.Lock()


def token(account, container):
    """A SAS of the container that reads and lists; the end of its life has whole seconds."""
    ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=life)
    expiry, version = ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "2021-06-08"
    lines = ["rl", "", expiry, f"/blob/{account}/{container}", "", "", "", version, "c", "", "", "", "", "", "", ""]
    digest = hmac.new(base64.b64decode(key), "\n".join(lines).encode(), hashlib.sha256).digest()
    fields = {"se": expiry, "sp": "rl", "sv": version, "sr": "c", "sig": base64.b64encode(digest).decode()}
    return {"msft:expiry": expiry, "token": urllib.parse.urlencode(fields)}


class Catalog(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        host = f"http://{self.headers['host']}/api"
        path = self.path.split("?")[0].rstrip("/")
        if path == "/told":
            return self.answer(told)
        if path == "/api/stac/v1":
            links = [
                {"rel": "search", "href": f"{host}/stac/v1/search", "method": "POST"},
                {"rel": "data", "href": f"{host}/stac/v1/collections"},
            ]
            conforms = ["https://api.stacspec.org/v1.0.0/item-search"]
            root = {"type": "Catalog", "id": "pc", "stac_version": "1.0.0", "conformsTo": conforms, "links": links}
            return self.answer(root)
        if path == f"/api/stac/v1/collections/{collection['id']}":
            return self.answer(collection)
        parts = path.split("/")
        if path.startswith("/api/sas/v1/token/") and len(parts) == 7:
            with lock:
                told["tokens"] += 1
            return self.answer(token(parts[5], parts[6]))
        self.answer({"detail": f"nothing at {self.path}"}, 404)


class Line:
    """Bytes from Azurite come no faster than the rate, on all connections together."""

    def __init__(self):
        self.free_at = time.monotonic()

    def wait(self, count):
        with lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + count / rate
            pause = self.free_at - now
        time.sleep(max(pause, 0))


line = Line()


def copy(source, target, is_slow):
    try:
        while piece := source.recv(8192):
            if is_slow:
                if piece.startswith(b"HTTP/1.1 403"):
                    with lock:
                        told["refused"] += 1
                line.wait(len(piece))
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()


def connect(near):
    far = socket.create_connection(("127.0.0.1", azurite_port))
    threading.Thread(target=copy, args=(near, far, False), daemon=True).start()
    threading.Thread(target=copy, args=(far, near, True), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
catalog = ThreadingHTTPServer(("127.0.0.1", 0), Catalog)
threading.Thread(target=catalog.serve_forever, daemon=True).start()
print(catalog.server_port, listener.getsockname()[1], flush=True)
while True:
    connect(listener.accept()[0])
