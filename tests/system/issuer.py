"""An identity provider for the tests: keys and signatures by the openssl command, a key set over HTTP that behaves as told."""

import base64
import contextlib
import http.server
import json
import pathlib
import subprocess
import threading
import time


def encode(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True, timeout=60).stdout


def raw_signature(der):
    """r and s of 32 bytes each, of the DER sequence of two integers."""
    parts, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        parts.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return b"".join(parts)


class Key:
    def __init__(self, folder, kid, kind):
        self.kid, self.kind, self.path = kid, kind, str(pathlib.Path(folder) / f"{kid}.pem")
        how = ("RSA", "rsa_keygen_bits:2048") if kind == "RS256" else ("EC", "ec_paramgen_curve:P-256")
        openssl("genpkey", "-algorithm", how[0], "-pkeyopt", how[1], "-out", self.path)

    def pem(self):
        return openssl("pkey", "-in", self.path, "-pubout").decode()

    def jwk(self):
        if self.kind == "RS256":
            modulus = openssl("rsa", "-in", self.path, "-modulus", "-noout").decode().strip().removeprefix("Modulus=")
            return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": encode(bytes.fromhex(modulus)), "e": "AQAB"}
        point = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-64:]
        return {"kty": "EC", "kid": self.kid, "crv": "P-256", "x": encode(point[:32]), "y": encode(point[32:])}

    def token(self, kid=None, header=None, **claims):
        whole = {"sub": "robot", "scope": "admin", "exp": int(time.time()) + 600, **claims}
        head = f"{encode({'alg': self.kind, 'typ': 'at+jwt', 'kid': kid or self.kid, **(header or {})})}.{encode(whole)}"
        signature = openssl("dgst", "-sha256", "-sign", self.path, data=head.encode())
        return f"{head}.{encode(signature if self.kind == 'RS256' else raw_signature(signature))}"


class Issuer:
    """Serves `body` at /keys; what it is to do next is set from outside."""

    def __init__(self, port=0):
        self.body, self.status, self.delay, self.location, self.hits = b"", 200, 0, None, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.hits.append(self.path)
                time.sleep(outer.delay)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(outer.status if self.path == "/keys" else 200)
                    if outer.location:
                        self.send_header("Location", outer.location)
                    self.send_header("Content-Length", str(len(outer.body)))
                    self.end_headers()
                    self.wfile.write(outer.body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/keys"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def publish(self, *keys):
        self.body = json.dumps({"keys": [key.jwk() for key in keys]}).encode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
