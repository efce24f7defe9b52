"""Tokens of an identity provider: key sets that rotate, misbehave and go away; and `loadstar token`."""

import contextlib
import ssl
import threading
import time

import jwt
import pytest
import requests

import api
from api import problem
from issuer import Issuer, Key, openssl
from service import wait_until


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {kid: Key(folder, kid, kind) for kid, kind in (("r1", "RS256"), ("e1", "ES256"), ("e2", "ES256"), ("stranger", "RS256"))}


@pytest.fixture
def issuer(keys):
    made = Issuer()
    made.publish(keys["r1"], keys["e1"])
    yield made
    made.close()


def ask(service, token):
    return requests.get(service.url + "/v1/runs", headers=api.bearer(token), timeout=20)


@pytest.mark.smoke
def test_an_issuers_tokens(make_replica, issuer, keys):
    replica = make_replica(LOADSTAR_JWKS_URL=issuer.url, LOADSTAR_JWT_ISSUER="https://issuer", LOADSTAR_JWT_AUDIENCE="loadstar").start()
    right = {"iss": "https://issuer", "aud": ["api", "loadstar"]}
    for kid in ("r1", "e1"):
        for _ in range(2):
            assert ask(replica, keys[kid].token(**right)).status_code == 200
    assert ask(replica, api.token(right)).status_code == 200, "secrets go on beside keys"
    for wrong in ({}, {**right, "iss": "https://other"}, {**right, "aud": "other"}, {**right, "exp": int(time.time()) - 60},
                  {**right, "nbf": int(time.time()) + 60}, {**right, "sub": None}):
        problem(ask(replica, keys["e1"].token(**wrong)), 401, "unauthorized")
    problem(ask(replica, keys["stranger"].token(kid="r1", **right)), 401, "unauthorized")
    problem(ask(replica, keys["stranger"].token(kid="r1", header={"jwk": keys["stranger"].jwk()}, **right)), 401, "unauthorized")
    hits = len(issuer.hits)
    problem(ask(replica, keys["stranger"].token(kid="r1", header={"jku": issuer.url}, **right)), 401, "unauthorized")
    problem(ask(replica, jwt.encode({**right, "sub": "x", "exp": 9999999999}, keys["r1"].pem().encode().hex(), "HS256")), 401, "unauthorized")
    assert len(issuer.hits) == hits == 1, "only unknown names of keys are a reason to ask the issuer"
    problem(requests.get(replica.url + "/v1/audit", headers=api.bearer(keys["r1"].token(scope="runs:read", **right)), timeout=20), 403, "forbidden")


def test_a_rotation_and_a_flood_of_unknown_keys(make_replica, issuer, keys):
    replica = make_replica(LOADSTAR_JWKS_URL=issuer.url).start()
    old, new = keys["e1"].token(), keys["e2"].token()
    assert ask(replica, old).status_code == 200
    issuer.publish(keys["e2"])
    assert ask(replica, new).status_code == 200, "the first token of a new key gets in"
    problem(ask(replica, old), 401, "unauthorized")
    hits = len(issuer.hits)
    flood = [keys["stranger"].token(kid=f"unknown-{n}") for n in range(20)]
    threads = [threading.Thread(target=lambda: [ask(replica, token) for token in flood]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        began = time.monotonic()
        assert ask(replica, new).status_code == 200
        assert time.monotonic() - began < 2
    for thread in threads:
        thread.join()
    assert len(issuer.hits) - hits <= 2, "strangers cannot make the service ask the issuer at will"


@pytest.mark.parametrize("misbehaviours", [("error", "redirect"), ("huge", "nonsense"), ("gone",), ("slow",)], ids="-".join)
def test_keys_outlive_their_issuer(make_replica, issuer, keys, misbehaviours):
    replica = make_replica(LOADSTAR_JWKS_URL=issuer.url).start()
    known = keys["r1"].token()
    assert ask(replica, known).status_code == 200
    for n, what in enumerate(misbehaviours):
        issuer.publish(keys["stranger"])
        if what == "error":
            issuer.status = 500
        elif what == "redirect":
            issuer.status, issuer.location = 302, issuer.url + "-of-others"
        elif what == "huge":
            issuer.status, issuer.body = 200, issuer.body[:-2] + b" " * 300_000 + issuer.body[-2:]
        elif what == "nonsense":
            issuer.status, issuer.body = 200, b'{"keys":[{"kty":"EC"'
        elif what == "slow":
            issuer.delay = 20
        else:
            issuer.close()
        began, hits = time.monotonic(), len(issuer.hits)
        answer = ask(replica, keys["stranger"].token())
        if what == "slow":
            problem(answer, 503, "auth_keys_unavailable")
            assert "Retry-After" in answer.headers and 2 < time.monotonic() - began < 6
        else:
            problem(answer, 401, "unauthorized")
            assert what == "gone" or len(issuer.hits) == hits + 1, "it was asked, and led nowhere else"
        assert ask(replica, known).status_code == 200
        assert ask(replica, keys["r1"].token(jti=str(n))).status_code == 200, "not only what is remembered"
    failed = api.metrics(replica)["loadstar_auth_key_reads_total"].get((("result", "failed"),), 0)
    assert what == "slow" or failed == len(misbehaviours)
    began = time.monotonic()
    assert replica.stop() == 0
    assert time.monotonic() - began < 10


def test_an_issuer_that_comes_late(make_replica, keys):
    first = Issuer()
    first.close()
    replica = make_replica(LOADSTAR_JWKS_URL=first.url).start()
    answer = ask(replica, keys["e1"].token())
    problem(answer, 503, "auth_keys_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert ask(replica, api.token()).status_code == 200, "secrets need no issuer"
    issuer = Issuer(first.port)
    try:
        issuer.publish(keys["e1"])
        wait_until("its keys are there", 20, lambda: ask(replica, keys["e1"].token()).status_code == 200, 0.2)
    finally:
        issuer.close()


def test_a_certificate_nobody_vouches_for(make_replica, issuer, keys, tmp_path):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    issuer.server.socket = context.wrap_socket(issuer.server.socket, server_side=True)
    replica = make_replica(LOADSTAR_JWKS_URL=issuer.url.replace("http:", "https:")).start()
    problem(ask(replica, keys["r1"].token()), 503, "auth_keys_unavailable")
    assert issuer.hits == [] and "certificate" in replica.log_tail(50)


def test_a_file_of_public_keys(make_replica, keys, tmp_path):
    path = tmp_path / "keys.pem"
    path.write_text(keys["r1"].pem() + keys["e1"].pem())
    # no secret: what is signed with one stays out
    replica = make_replica(LOADSTAR_JWT_SECRET="", LOADSTAR_JWT_PUBLIC_KEY=str(path)).start()
    assert ask(replica, keys["r1"].token()).status_code == 200 and ask(replica, keys["e1"].token(kid="any")).status_code == 200
    problem(ask(replica, api.token()), 401, "unauthorized")
    for secret in (keys["r1"].pem(), keys["r1"].pem().strip(), keys["r1"].pem().splitlines()[1]):
        with contextlib.suppress(jwt.exceptions.InvalidKeyError):
            problem(ask(replica, api.token(secret=secret)), 401, "unauthorized")
    signed = replica.cli("token", check=False)
    assert signed.returncode == 1 and "LOADSTAR_JWT_SECRET" in signed.stderr and signed.stdout == ""
    assert replica.cli("runs", check=False).returncode == 1


def test_keys_that_end_the_start(make_replica, keys, tmp_path):
    def refused(variable, value):
        path = tmp_path / "file"
        path.write_text(value)
        broken = make_replica(**{variable: value if variable == "LOADSTAR_JWT_SECRET" else str(path)}).start(expect_url=False)
        assert broken.process.wait(20) == 1
        assert variable in broken.log_tail() and "PRIVATE KEY-----\\n" not in broken.log_tail()
    weak = openssl("pkey", "-pubout", data=openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")).decode()
    refused("LOADSTAR_JWT_PUBLIC_KEY", weak)
    refused("LOADSTAR_JWT_PUBLIC_KEY", open(keys["r1"].path).read())
    refused("LOADSTAR_JWKS_URL", '{"keys":[]}')
    refused("LOADSTAR_JWT_SECRET", keys["r1"].pem())


def test_the_first_secret_signs(make_replica):
    newer, older = "the-newer-secret-0123456789abcdefghij", api.SECRET
    replica = make_replica(LOADSTAR_JWT_SECRET=f"{newer}\n{older}\n").start()
    token = replica.cli("token", "--sub", "dana", "--ttl", "5m").stdout.strip()
    claims = jwt.decode(token, newer, ["HS256"])
    assert claims["sub"] == "dana" and 290 < claims["exp"] - time.time() <= 300
    with pytest.raises(jwt.exceptions.InvalidSignatureError):
        jwt.decode(token, older, ["HS256"])
    assert ask(replica, token).status_code == 200 and ask(replica, api.token()).status_code == 200
    assert ask(replica, token).status_code == 200, "remembered"
