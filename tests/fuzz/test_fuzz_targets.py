"""The fuzz targets themselves: they run without atheris, from their seeds and from what hypothesis makes of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.core.oidc import Claims
from locum.core.proof import FederatedIdentity
from locum.core.saml import Verified as SamlVerified
from locum.policy import Principal, load
from locum.wire.sigv4_verify import Verified

ALLOWING: Final = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
BELIEVED: Final = Claims(issuer="i", subject="s", audience="a", audiences=("a",), issued=1, expires=2, members={})
VOUCHED: Final = SamlVerified(
    FederatedIdentity(principal=Principal.saml("arn"), issuer="i", subject="s", audience="a"), "_a", 1
)
FOLDER: Final = Path(__file__).parents[2] / "fuzz"
TARGETS: Final = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def target(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def altered(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Seeds with pieces cut out, put in and repeated."""

    @st.composite
    def strategy(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(seeds))
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, len(data)))
            end = draw(st.integers(start, min(start + 20, len(data))))
            piece = draw(st.one_of(st.binary(max_size=8), st.just(data[start:end] * 2), st.sampled_from(seeds)))
            data = data[:start] + piece + data[end:]
        return data

    return strategy()


def test_every_decoder_of_hostile_bytes_has_a_target() -> None:
    assert TARGETS == [
        "json_web_token",
        "policy_document",
        "query_string",
        "saml_metadata",
        "saml_response",
        "session_token",
        "signature_header",
    ]


def run_all(module: Any, *inputs: bytes) -> None:
    for data in inputs:
        module.run(data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_its_seeds_and_what_is_near_them(name: str) -> None:
    module: Any = target(name)

    @given(st.one_of(st.binary(max_size=200), altered(module.SEEDS)))
    def check(data: bytes) -> None:
        module.run(data)

    run_all(module, *module.SEEDS)
    check()


@pytest.mark.parametrize(
    ("name", "member", "value"),
    [
        ("json_web_token", "verify", lambda *_, **__: BELIEVED),
        ("query_string", "decode_command", [].index),
        ("saml_metadata", "Metadata", str),
        ("saml_response", "verify", lambda *_, **__: VOUCHED),
        ("session_token", "Session", str),
        ("signature_header", "verify", lambda *_: Verified(None)),  # type: ignore[arg-type]
        ("policy_document", "load", lambda text, kind, name: load(ALLOWING, kind, name)),
    ],
)
def test_a_target_sees_what_is_wrong(name: str, member: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = target(name)
    monkeypatch.setattr(module, member, value)
    with pytest.raises((AssertionError, TypeError)):
        run_all(module, *module.SEEDS, b"{")
