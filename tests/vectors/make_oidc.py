"""Writes oidc/hostile.json and good/oidc/made.json: identity tokens that must be refused, and some that must not.

Run from anywhere: ``python tests/vectors/make_oidc.py``.  It shares no code with locum: tokens that must be accepted
are made by PyJWT and by jwcrypto, the hostile ones byte by byte.  The keys in oidc/keys.json are made once, are used by
nobody, and are kept from run to run; signatures that are random change, so a run changes every file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwcrypto import jwk, jws

HERE = Path(__file__).parent
NOW = 1_800_000_100
ISSUER = "https://idp.example.com"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": "client-1",
    "iat": 1_800_000_000,
    "exp": 1_800_003_600,
}
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
NO_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
AUDIENCE = "Incorrect token audience"

KEYS: dict[str, tuple[str, dict[str, Any]]] = {
    "rsa": ("RSA", {"size": 2048}),
    "p256": ("EC", {"crv": "P-256"}),
    "p384": ("EC", {"crv": "P-384"}),
    "p521": ("EC", {"crv": "P-521"}),
    "ed25519": ("OKP", {"crv": "Ed25519"}),
    "ed448": ("OKP", {"crv": "Ed448"}),
    "forger": ("RSA", {"size": 2048}),
}
ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "rsa"),
    **dict(zip(("ES256", "ES384", "ES512", "EdDSA"), ("p256", "p384", "p521", "ed25519"), strict=True)),
}


def keys() -> dict[str, jwk.JWK]:
    path = HERE / "oidc" / "keys.json"
    if not path.exists():
        made = {name: jwk.JWK.generate(kty=kty, kid=name, **size) for name, (kty, size) in KEYS.items()}
        texts = {name: key.export(as_dict=True) for name, key in made.items()}
        path.write_text(json.dumps(texts, indent=1) + "\n")
    return {name: jwk.JWK(**members) for name, members in json.loads(path.read_text()).items()}


K = keys()
PUBLIC = {"keys": [K[name].export_public(as_dict=True) for name in KEYS if name != "forger"]}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def rs256(name: str = "rsa") -> Callable[[bytes], bytes]:
    private = K[name].get_op_key("sign")
    return lambda data: private.sign(data, padding.PKCS1v15(), hashes.SHA256())


def es256(data: bytes) -> bytes:
    return bytes(K["p256"].get_op_key("sign").sign(data, ec.ECDSA(hashes.SHA256())))


def raw_es256(data: bytes) -> bytes:
    r, s = decode_dss_signature(es256(data))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def hs(secret: bytes, algorithm: hashes.HashAlgorithm | None = None) -> Callable[[bytes], bytes]:
    def sign(data: bytes) -> bytes:
        mac = hmac.HMAC(secret, algorithm or hashes.SHA256())
        mac.update(data)
        return mac.finalize()

    return sign


def nothing(_: bytes) -> bytes:
    return b""


def token(header: Any, payload: Any = None, sign: Callable[[bytes], bytes] | None = None) -> str:
    signed = f"{b64(text(header))}.{b64(text(CLAIMS if payload is None else payload))}"
    return f"{signed}.{b64((sign or rs256())(signed.encode()))}"


def claims(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**CLAIMS, **changes}.items() if value != "gone"}


RS: dict[str, Any] = {"alg": "RS256", "kid": "rsa"}
PEM = K["rsa"].export_to_pem()
DER = (
    K["rsa"]
    .get_op_key("verify")
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)
GOOD = token(RS)
FORGER = {name: value for name, value in K["forger"].export_public(as_dict=True).items() if name != "kid"}

Hostile = dict[str, Any]


def hostile() -> list[Hostile]:
    cases: list[Hostile] = []
    value: Any

    def case(
        name: str, made: str, message: str, check: str, *facts: str, error: str = "InvalidIdentityToken", **more: Any
    ) -> None:
        cases.append(
            {
                "name": name,
                "facts": list(facts),
                "token": made,
                "error": error,
                "message": message,
                "check": check,
                **more,
            }
        )

    # R1, R2: algorithms
    for name in ("none", "None", "NONE", "nOnE"):
        case(
            f"algorithm {name}, nearly unsigned",
            token({**RS, "alg": name}, sign=lambda _: b"\0"),
            NO_KEY,
            "algorithm",
            "R1",
        )
        case(f"algorithm {name}, unsigned", token({**RS, "alg": name}, sign=nothing), NO_JWT, "format", "R1")
        case(f"algorithm {name}, signed", token({**RS, "alg": name}), NO_KEY, "algorithm", "R1")
    for shown, value in {"null": None, "empty": "", "a number": 256, "a list": ["RS256"], "an object": {}}.items():
        known = ("algorithm", NO_KEY) if value == "" else ("format", NO_JWT)
        case(f"algorithm is {shown}", token({**RS, "alg": value}), known[1], known[0], "R1")
    case("no algorithm", token({"kid": "rsa"}), NO_JWT, "format", "R1")
    for name in ("rs256", "RS256 ", "RS1", "RS2560", "ES256K", "Ed25519", "RSA-OAEP", "dir", "A256GCM"):
        case(f"unknown algorithm {name!r}", token({**RS, "alg": name}), NO_KEY, "algorithm", "R1", "STS-WI-007")
    for name in ("PS256", "PS384", "PS512", "EdDSA"):
        made = jwt_token(name, CLAIMS)
        case(f"algorithm {name} without a rule", made, NO_KEY, "algorithm", "R2", "STS-WI-007")
    secrets = {
        "PEM": PEM,
        "PEM without its last line feed": PEM.rstrip(),
        "DER": DER,
        "modulus": K["rsa"]["n"].encode(),
    }
    for shown, secret in secrets.items():
        made = token({**RS, "alg": "HS256"}, sign=hs(secret))
        case(f"HS256 with the public key as secret, {shown}", made, NO_KEY, "algorithm", "R2", "R3")
    case("HS384", token({**RS, "alg": "HS384"}, sign=hs(PEM, hashes.SHA384())), NO_KEY, "algorithm", "R2", "R3")
    case("HS512", token({**RS, "alg": "HS512"}, sign=hs(PEM, hashes.SHA512())), NO_KEY, "algorithm", "R2", "R3")
    empty = token({**RS, "alg": "HS256"}, sign=hs(b"\0"))
    case("HS256 with an empty secret", empty, NO_KEY, "algorithm", "R2", "R3")
    case("RS256 with a key of type EC", token({"alg": "RS256", "kid": "p256"}), NO_KEY, "key", "R2", "STS-WI-018")
    case("ES256 with a key of type RSA", token({"alg": "ES256", "kid": "rsa"}, sign=raw_es256), NO_KEY, "key", "R2")
    case("ES256 with a key on P-384", token({"alg": "ES256", "kid": "p384"}, sign=raw_es256), NO_KEY, "key", "R2")
    wrong_hash = token({"alg": "RS512", "kid": "rsa"})
    case("RS512 named, RS256 made", wrong_hash, NO_KEY, "signature", "R2")

    # R3: keys that the token brings or names
    x5c = [base64.b64encode(DER).decode()]
    for name, value in {
        "jwk": FORGER,
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x",
        "x5c": x5c,
    }.items():
        case(
            f"{name} in the header, signed by that key",
            token({**RS, name: value}, sign=rs256("forger")),
            NO_JWT,
            "format",
            "R3",
        )
        case(f"{name} in the header, signed well", token({**RS, name: value}), NO_JWT, "format", "R3")
    # R3: extensions
    for shown, value in {
        "of a known claim": ["exp"],
        "empty": [],
        "null": None,
        "unknown": ["https://x.example/y"],
    }.items():
        case(f"crit {shown}", token({**RS, "crit": value}), NO_JWT, "format", "R3")
    first, body = (
        b64(text({**RS, "b64": False, "crit": ["b64"]})),
        json.dumps({**CLAIMS, "iss": "x"}).replace(".", "\\u002e"),
    )
    case("b64 false and crit", f"{first}.{body}.{b64(rs256()(f'{first}.{body}'.encode()))}", NO_JWT, "format", "R3")
    case("b64 false", token({**RS, "b64": False}), NO_JWT, "format", "R3")
    case("b64 is text", token({**RS, "b64": "true"}), NO_JWT, "format", "R3")
    case("compressed", token({**RS, "zip": "DEF"}), NO_JWT, "format", "R3")

    # R3: members twice
    twice = {
        "algorithm twice": (b'{"alg":"none","alg":"RS256","kid":"rsa"}', text(CLAIMS)),
        "kid twice": (b'{"alg":"RS256","kid":"forger","kid":"rsa"}', text(CLAIMS)),
        "sub twice": (text(RS), text(CLAIMS)[:-1] + b',"sub":"admin"}'),
        "sub twice, once with an escape": (text(RS), text(CLAIMS)[:-1] + b',"\\u0073ub":"admin"}'),
        "aud twice": (text(RS), text(CLAIMS)[:-1] + b',"aud":"client-2"}'),
        "a nested member twice": (text(RS), text(CLAIMS)[:-1] + b',"x":{"y":1,"y":2}}'),
    }
    for name, (header, payload) in twice.items():
        case(name, token(header, payload), NO_JWT, "format", "R3")

    # R3: base64
    head, middle, last = GOOD.split(".")
    assert last[-1] in "AQgw"
    loose = chr(ord(last[-1]) + 1)
    encodings = {
        "unused bits of the signature": f"{head}.{middle}.{last[:-1]}{loose}",
        "padding after the signature": f"{GOOD}==",
        "padding after the header": f"{head}{'=' * (-len(head) % 4) or '===='}.{middle}.{last}",
        "a blank before": f" {GOOD}",
        "a line feed behind": f"{GOOD}\n",
        "a line feed inside": f"{head}.{middle[:8]}\n{middle[8:]}.{last}",
        "the other alphabet": f"{head}.{middle}.{last.replace('-', '+').replace('_', '/')}",
        "a character beyond base64": f"{head}.{middle}!.{last}",
        "a character beyond ASCII": f"{head}.{middle}é.{last}",
        "a length that base64 has not": f"{head}.{middle}.{last[:-1]}",
        "two parts": f"{head}.{middle}",
        "four parts": f"{GOOD}.{last}",
        "five parts": f"{head}.{middle}.{last}.{middle}.{last}",
        "no header": f".{middle}.{last}",
        "no payload": f"{head}..{last}",
        "no signature": f"{head}.{middle}.",
        "dots alone": "..",
        "an opaque token": "opaque.access-token",
        "a word": "token",
        "nothing": "",
        "JSON serialization": json.dumps({"protected": head, "payload": middle, "signature": last}),
        "Bearer before": f"Bearer {GOOD}",
    }
    for name, made in encodings.items():
        case(name, made, NO_JWT, "format", "R3")
    case("oversize", token(RS, claims(x="y" * 16_000)), NO_JWT, "format", "R3")
    case("oversize header", token({**RS, "x": "y" * 4_000}), NO_JWT, "format", "R3")
    documents: dict[str, bytes] = {
        "payload is a list": b"[]",
        "payload is text": b'"x"',
        "payload is null": b"null",
        "payload is not JSON": b"{'iss':1}",
        "payload is not UTF-8": text(CLAIMS)[:-1] + b',"x":"\xff"}',
        "payload begins with a mark": b"\xef\xbb\xbf" + text(CLAIMS),
        "payload goes on": text(CLAIMS) + b"{}",
        "payload has a number that JSON has not": text(CLAIMS)[:-1] + b',"x":NaN}',
        "payload has an endless number": text(CLAIMS)[:-1] + b',"x":' + b"9" * 5_000 + b"}",
        "payload has half a character": text(CLAIMS)[:-1] + b',"x":"\\ud800"}',
        "payload is deep": text(CLAIMS)[:-1] + b',"x":' + b"[" * 600 + b"]" * 600 + b"}",
        "payload is deeper": text(CLAIMS)[:-1] + b',"x":' + b"[" * 7_000 + b"]" * 7_000 + b"}",
        "payload has a control character": text(CLAIMS)[:-1] + b',"x":"\n"}',
    }
    for name, payload in documents.items():
        case(name, token(RS, payload), NO_JWT, "format", "R3")
    case("header is a list", token([]), NO_JWT, "format", "R3")
    for shown, value in {"a number": 1, "a list": ["rsa"], "an object": {"kid": "rsa"}}.items():
        case(f"kid is {shown}", token({**RS, "kid": value}), NO_JWT, "format", "R3")

    # keys
    case("unknown kid", token({**RS, "kid": "rsa-2"}), NO_KEY, "key", "R2", "STS-WI-018")
    case("kid of another issuer", token({**RS, "kid": "forger"}, sign=rs256("forger")), NO_KEY, "key", "R2")
    case("kid in another case", token({**RS, "kid": "RSA"}), NO_KEY, "key", "R2")
    case("kid is a path", token({**RS, "kid": "../../rsa"}), NO_KEY, "key", "R2")
    case("no kid while there are several keys", token({"alg": "RS256"}), NO_KEY, "key", "STS-WI-022")
    case("signed by another key", token(RS, sign=rs256("forger")), NO_KEY, "signature", "R2", "STS-WI-018")
    case("another payload sent", GOOD.replace(middle, b64(text(claims(sub="admin")))), NO_KEY, "signature")
    case("another header sent", GOOD.replace(head, b64(text({**RS, "typ": "JWT"}))), NO_KEY, "signature")
    signature = rs256()(f"{head}.{middle}".encode())
    short = {"cut": signature[:-1], "longer": signature + b"\0", "zeros": bytes(256), "one byte": b"\1"}
    for name, value in {**short, "a bit": bytes([signature[0] ^ 1]) + signature[1:]}.items():
        case(f"signature altered: {name}", f"{head}.{middle}.{b64(value)}", NO_KEY, "signature")
    curve = {"alg": "ES256", "kid": "p256"}
    half = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    points: dict[str, Callable[[bytes], bytes]] = {
        "DER": es256,
        "zeros": lambda _: bytes(64),
        "the order": lambda _: half.to_bytes(32, "big") * 2,
        "one and the order": lambda _: (1).to_bytes(32, "big") + half.to_bytes(32, "big"),
        "empty parts": lambda _: b"\0",
    }
    for name, sign in points.items():
        case(f"ES256 signature: {name}", token(curve, sign=sign), NO_KEY, "signature", "R3")

    # claims
    for name in ("iss", "sub", "aud", "iat", "exp"):
        missing = f"Missing a required claim: {name}"
        check = "issuer" if name == "iss" else name
        case(f"no {name}", token(RS, claims(**{name: "gone"})), missing, check, "STS-WI-009", "R8")
        facts = ("STS-WI-010", "R3") if name == "sub" else ("STS-WI-009",)
        case(f"{name} is null", token(RS, claims(**{name: None})), missing, check, *facts)
    nested = claims(sub="gone", user={"sub": "admin"}, **{"idp.example.com:sub": "admin"})
    case("sub is nested", token(RS, nested), "Missing a required claim: sub", "sub", "R5")
    for shown, value in {"a list": ["alice"], "an object": {"sub": "alice"}, "true": True}.items():
        case(f"sub is {shown}", token(RS, claims(sub=value)), "The claim sub is not in a supported format", "sub", "R3")
    endless = text(claims(sub="gone"))[:-1] + b',"sub":1e999}'
    case("sub is infinite", token(RS, endless), "The claim sub is not in a supported format", "sub", "R3")
    for shown, value in {"a number": 1, "a list": [ISSUER], "too long": "https://" + "x" * 2_100}.items():
        case(f"iss is {shown}", token(RS, claims(iss=value)), NO_KEY, "issuer", "R3")
    others = ("https://idp.example.com/", "https://IDP.example.com", "http://idp.example.com", "idp.example.com")
    for issuer in (*others, "https://evil.example", ISSUER + "/x", "accounts.google.com", ""):
        message = f"No OpenIDConnect provider found in your account for {issuer}"
        case(f"iss is {issuer!r}", token(RS, claims(iss=issuer)), message, "issuer", "STS-WI-006", "STS-WI-017")

    expired = "Token expired: current date/time 1800000100 must be before the expiration date/time {}"
    for exp in (NOW - 300, NOW - 301, 0, 1):
        case(f"expired at {exp}", token(RS, claims(exp=exp)), expired.format(exp), "expiry", "STS-WI-011", "STS-WI-012",
             error="ExpiredTokenException")  # fmt: skip
    case("iat in the future", token(RS, claims(iat=NOW + 301)), NO_KEY, "issued", "STS-WI-011")
    case("nbf in the future", token(RS, claims(nbf=NOW + 301)), NO_KEY, "not before", "STS-WI-011")
    for name in ("exp", "iat", "nbf"):
        for value in (1_800_003_600.5, 1_800_003_600.0, -1, 1 << 63, "soon", "1800003600.0", " 1800003600", "١٨٠", "",
                      True, [1_800_003_600], {}, "9" * 20):  # fmt: skip
            message = f"The claim {name} is not in a supported format"
            case(f"{name} is {json.dumps(value)}", token(RS, claims(**{name: value})), message, name, "STS-WI-008")

    wrong: dict[str, Any] = {
        "another": "client-2",
        "empty": "",
        "no list at all": [],
        "in another case": "CLIENT-1",
        "longer": "client-11",
        "a wildcard": "*",
        "a list in text": "client-1,client-2",
        "a number": 1,
        "a list with a number": [1],
        "a list with another": ["client-2"],
        "a list in a list": [["client-1"]],
        "an object": {"client-1": "client-1"},
        "true": True,
    }
    for shown, value in wrong.items():
        case(f"aud is {shown}", token(RS, claims(aud=value)), AUDIENCE, "audience", "R8", "STS-WI-016")
    several = "Token audience contains more than one audience while authorized party is not present"
    for value in (["client-1", "client-2"], ["client-1", "client-1"]):
        case(f"aud is {value} without azp", token(RS, claims(aud=value)), several, "audience", "STS-WI-014")
    for value in ("client-2", "", 1, ["client-1"], {}):
        made = token(RS, claims(azp=value))
        case(f"azp is {json.dumps(value)}", made, AUDIENCE, "audience", "STS-WI-015", "R8")
    return cases


def jwt_token(algorithm: str, payload: Mapping[str, Any], key: str = "", **header: Any) -> str:
    name = key or ALGORITHMS[algorithm]
    pem = K[name].export_to_pem(private_key=True, password=None)
    return jwt.encode(dict(payload), pem, algorithm=algorithm, headers={"kid": name, **header})


def jwcrypto_token(algorithm: str, payload: Mapping[str, Any], key: str = "", **header: Any) -> str:
    made = jws.JWS(text(dict(payload)))
    name = key or ALGORITHMS[algorithm]
    made.allowed_algs = [algorithm]
    made.add_signature(K[name], protected=json.dumps({"alg": algorithm, "kid": name, **header}))
    return str(made.serialize(compact=True))


def good() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = []

    def case(name: str, made: str, *facts: str, **more: Any) -> None:
        cases.append(
            {
                "name": name,
                "facts": list(facts),
                "token": made,
                "issuer": ISSUER,
                "client_ids": ["client-1"],
                "extra_algorithms": [],
                "now": NOW,
                "subject": "alice",
                "audience": "client-1",
                **more,
            }
        )

    for algorithm in ALGORITHMS:
        extra = [algorithm] if algorithm.startswith("PS") or algorithm == "EdDSA" else []
        for maker, make in {"PyJWT": jwt_token, "jwcrypto": jwcrypto_token}.items():
            case(f"{algorithm} by {maker}", make(algorithm, CLAIMS), "STS-WI-007", extra_algorithms=extra)
    case("EdDSA on Ed448", jwcrypto_token("EdDSA", CLAIMS, "ed448"), extra_algorithms=["EdDSA"])
    single = {"keys": [K["rsa"].export_public(as_dict=True)]}
    no_kid = token({"alg": "RS256", "typ": "JWT"})
    case("no kid, one key", no_kid, "STS-WI-022", jwks=single)
    case("x5t names a certificate", jwt_token("RS256", CLAIMS, x5t="abc", typ="at+jwt"))
    case("until just before five minutes after exp", jwt_token("RS256", claims(exp=NOW - 299)), "STS-WI-011")
    case("iat five minutes ahead", jwt_token("ES256", claims(iat=NOW + 300)), "STS-WI-011")
    case("nbf five minutes ahead", jwt_token("ES256", claims(nbf=NOW + 300)), "STS-WI-011")
    digits = {"iat": "1800000000", "exp": "1800003600", "nbf": "1800000000"}
    case("times in digits", token(RS, claims(**digits)), "STS-WI-008")
    case("nbf is null", token(RS, claims(nbf=None)))
    for value, shown in {"": "", "a": "a", "x" * 600: "x" * 600}.items():
        case(f"sub of {len(value)} characters", token(RS, claims(sub=value)), "STS-WI-010", subject=shown)
    for number, shown in {"42": "42", "-1": "-1", "0": "0", "1.5": "1.5", "9" * 30: "9" * 30}.items():
        made = token(RS, text(claims(sub="gone"))[:-1] + f',"sub":{number}}}'.encode())
        case(f"sub is the number {number}", made, "STS-WI-010", subject=shown)
    case("aud is a list of one", jwt_token("RS256", claims(aud=["client-1"])), "STS-WI-014")
    many = claims(aud=["client-2", "client-1"], azp="client-1")
    case("aud is a list of two with azp", jwt_token("RS256", many), "STS-WI-014", "STS-WI-015")
    case("azp decides", jwt_token("RS256", claims(aud="api", azp="client-1")), "STS-WI-015")
    case("azp is null", jwt_token("RS256", claims(azp=None)))
    google = "https://accounts.google.com"
    for issuer in (google, "accounts.google.com"):
        made = jwt_token("RS256", claims(iss=issuer))
        case(f"Google as {issuer}", made, "STS-WI-005", issuer=google, client_ids=None)
    cognito = "https://cognito-identity.amazonaws.com"
    made = jwt_token("RS512", claims(iss=cognito, aud="us-east-1:pool", amr=["unauthenticated"]))
    case("Cognito", made, "STS-WI-005", issuer=cognito, client_ids=None, audience="us-east-1:pool")
    return cases


def write(path: Path, name: str, provenance: str, cases: list[dict[str, Any]]) -> None:
    names = [each["name"] for each in cases]
    assert len(set(names)) == len(names), sorted(each for each in names if names.count(each) > 1)
    document = {"provenance": provenance, "issuer": ISSUER, "now": NOW, "jwks": PUBLIC, name: cases}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    made_by = "Made for this project by tests/vectors/make_oidc.py"
    write(
        HERE / "oidc" / "hostile.json",
        "hostile",
        f"{made_by}, byte by byte, with the keys in keys.json, none of our code involved. Each is refused with error "
        "and message, and check is the last one on the trail; facts are what it proves.",
        hostile(),
    )
    write(
        HERE / "good" / "oidc" / "made.json",
        "good",
        f"{made_by} with PyJWT 2.15.1 and jwcrypto 1.6.1, none of our code involved. Each is accepted; client_ids null "
        "is a built-in issuer, and a jwks of its own replaces the common one.",
        good(),
    )
