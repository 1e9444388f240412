"""Globs, ARNs and variables against a reference matcher, and the time that hostile patterns take."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from locum import arn as arns
from locum.policy.patterns import (
    Template,
    any_of,
    arn_template,
    literal_template,
    match_actions,
    resource_template,
    text_template,
    variables_are_well_formed,
)

Context = dict[str, str | tuple[str, ...]]


def matches(template: Template | None, value: str, context: Context | None = None) -> bool:
    matcher = any_of([] if template is None else [template])
    return matcher is None or matcher(value, context or {})


def resource(pattern: str, value: str, *, generous: bool = False, **context: str) -> bool:
    made: Context = {name.replace("__", ":"): text for name, text in context.items()}
    return matches(resource_template(pattern, variables=True, generous=generous), value, made)


def reference(pattern: str, text: str, *, stops_at_colon: bool = False) -> bool:
    """A matcher by the definition of ``*`` and ``?``."""

    @cache
    def rest(at: int, position: int) -> bool:
        if at == len(pattern):
            return position == len(text)
        stopped = position == len(text) or (stops_at_colon and text[position] == ":")
        if pattern[at] == "*":
            return rest(at + 1, position) or (not stopped and rest(at, position + 1))
        if pattern[at] == "?":
            return not stopped and rest(at + 1, position + 1)
        return position < len(text) and text[position] == pattern[at] and rest(at + 1, position + 1)

    return rest(0, 0)


SHORT = st.text(alphabet="ab:*?.", max_size=12)


@pytest.mark.facts("R29", "POL-CO-032", "POL-CO-033")
@given(SHORT, SHORT)
@example("*a*", "bab")
@example("a**?b", "a\nxb")
def test_globs_match_as_the_definition_says(pattern: str, text: str) -> None:
    assert matches(text_template(pattern, variables=False), text) is reference(pattern, text)


@pytest.mark.facts("R29", "POL-CO-061")
@given(
    st.lists(st.text(alphabet="ab*?", max_size=4), min_size=5, max_size=5), SHORT, st.text(alphabet="ab:", max_size=16)
)
def test_arns_match_component_by_component(head: list[str], tail: str, text: str) -> None:
    pattern = ":".join([*head, tail])
    parts = text.split(":", 5)
    expected = len(parts) == 6 and all(reference(p, t) for p, t in zip([*head, tail], parts, strict=True))
    assert matches(arn_template(pattern, variables=False, generous=False), text) is expected


def reference_resource(pattern: str, text: str, *, generous: bool) -> bool:
    """The rule of POL-RS-003 by exhaustion; ``pattern`` is an ARN of six parts without wildcards in the service."""
    segment_of = [pattern[:index].count(":") for index in range(len(pattern))]

    @cache
    def rest(at: int, position: int) -> bool:
        if at == len(pattern):
            return position == len(text)
        symbol = pattern[at]
        loose = generous and segment_of[at] >= 5
        star_run = pattern[at:].lstrip("*")
        ends_segment = symbol == "*" and star_run[:1] in ("", ":")
        stopped = position == len(text) or (text[position] == ":" and not loose and not ends_segment)
        if symbol == "*":
            return rest(at + 1, position) or (not stopped and rest(at, position + 1))
        if symbol == "?":
            return not stopped and rest(at + 1, position + 1)
        return position < len(text) and text[position] == symbol and rest(at + 1, position + 1)

    return rest(0, 0)


@pytest.mark.facts("R29", "POL-RS-003")
@given(
    st.text(alphabet="ab*?", max_size=4),
    st.text(alphabet="1*?", max_size=3),
    st.text(alphabet="ab:*?/", max_size=8),
    st.text(alphabet="ab1:/", max_size=16),
    st.booleans(),
)
@example("*", "*", ":b*a", "a:1:b:ba", False)
def test_resources_match_by_the_rule_of_segments(
    region: str, account: str, name: str, rest: str, generous: bool
) -> None:
    pattern, text = f"arn:aws:s3:{region}:{account}:{name}", f"arn:aws:s3:{rest}"
    expected = reference_resource(pattern, text, generous=generous)
    assert resource(pattern, text, generous=generous) is expected


@pytest.mark.facts("POL-VR-008", "R29")
@given(SHORT, SHORT, SHORT)
def test_the_value_of_a_variable_is_literal(before: str, value: str, text: str) -> None:
    template = text_template(f"{before}${{k:var}}*", variables=True)
    anchored = literal_template("${k:var}", variables=True)
    assert matches(anchored, text, {"k:var": value}) is (text == value)
    expected = any(reference(before, text[:cut]) and text[cut:].startswith(value) for cut in range(len(text) + 1))
    assert matches(template, text, {"k:var": value}) is expected


HOSTILE = ["*a" * 200 + "b", "*" * 500 + "b", "*?" * 100 + "b", "a*" * 300 + "b", "*ab*ba" * 80 + "c", "?*" * 100 + "b"]


@pytest.mark.facts("R29")
@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("subject", ["a" * 3000, "ab" * 1500, "a:" * 1500])
def test_no_pattern_takes_exponential_time(pattern: str, subject: str) -> None:
    assert not matches(text_template(pattern, variables=False), subject + "d")
    for generous in (False, True):
        assert not resource(f"arn:aws:s3:*:*:{pattern}", f"arn:aws:s3:::{subject}d", generous=generous)
        assert not resource(f"arn:aws:s3:{pattern}:*:x", f"arn:aws:s3:::{subject}d", generous=generous)
        assert not resource(f"arn:aws:s3:::{pattern}${{k:v}}", f"arn:aws:s3:::{subject}d", generous=generous, k__v="c")
    assert not matches(
        arn_template(f"arn:aws:s3:::{pattern}", variables=False, generous=False), f"arn:aws:s3:::{subject}d"
    )


def test_the_longest_pattern_that_a_document_can_hold_is_compiled() -> None:
    template = text_template("*a" * 60_000, variables=False)
    assert matches(template, "a" * 60_000)
    assert not matches(template, "a" * 59_999)


@pytest.mark.facts("R29")
@pytest.mark.parametrize("symbol", [".", "+", "(", ")", "[", "]", "{", "}", "^", "$", "|", "\\", "#", " ", "\n"])
def test_only_star_and_question_mark_are_wildcards(symbol: str) -> None:
    template = text_template(f"a{symbol}*b", variables=True)
    assert matches(template, f"a{symbol}xb")
    assert not matches(template, "axxb")


@pytest.mark.facts("POL-RS-007")
def test_a_variable_before_the_sixth_part_of_a_resource_matches_nothing() -> None:
    pattern, arn = "arn:aws:iam::${k:account}:role/x", "arn:aws:iam::111122223333:role/x"
    assert not resource(pattern, arn, k__account="111122223333")
    assert resource("arn:aws:iam::111122223333:role/${k:name}", arn, k__name="x")


@pytest.mark.facts("POL-RS-002")
@pytest.mark.parametrize("pattern", ["arn:aws:s*:::x", "arn:aws:?3:::x", "arn:aws:*:::x"])
def test_a_wildcard_in_the_service_segment_grants_nothing(pattern: str) -> None:
    assert not resource(pattern, "arn:aws:s3:::x")
    assert resource(pattern, "arn:aws:s3:::x", generous=True)


@pytest.mark.facts("POL-RS-014")
@pytest.mark.parametrize("pattern", ["arn:aws:s3", "arn:aws:s3:", "arn:aws:s3::", "arn:aws:s3::*"])
def test_missing_segments_are_filled_with_stars(pattern: str) -> None:
    assert resource(pattern, "arn:aws:s3:::ledger/a:b")
    assert not resource(pattern, "arn:aws:sqs:::jobs")


@pytest.mark.facts("POL-RS-005")
def test_a_star_in_the_account_segment_matches_an_empty_one_too() -> None:
    assert resource("arn:aws:s3::*:ledger", "arn:aws:s3:::ledger")
    assert not resource("arn:aws:s3:::ledger", "arn:aws:s3::111122223333:ledger")


@pytest.mark.facts("POL-RS-012")
@pytest.mark.parametrize("asked", ["arn:aws:s3:::*", "arn:aws:s3:::led?er", "*"])
def test_wildcards_of_the_request_are_literal(asked: str) -> None:
    assert not resource("arn:aws:s3:::ledger", asked)
    assert not resource("arn:aws:s3:::le*er", "arn:aws:s3:::le*")
    assert resource("arn:aws:s3:::*", "arn:aws:s3:::*")


@pytest.mark.facts("POL-RS-020")
@pytest.mark.parametrize(
    ("arn", "pattern"),
    [
        (arns.account_root("aws", "111122223333"), "arn:aws:iam::*:root"),
        (arns.iam("aws", "111122223333", "user", "/dev/", "alice"), "arn:aws:iam::111122223333:user/dev/*"),
        (arns.iam("aws", "111122223333", "group", "/", "admins"), "arn:aws:iam::111122223333:group/admins"),
        (arns.iam("aws", "111122223333", "role", "/ops/", "deploy"), "arn:aws:iam::111122223333:role/*/deploy"),
        (arns.iam("aws", "111122223333", "policy", "/", "p"), "arn:aws:iam::111122223333:policy/p"),
        (arns.iam("aws", "111122223333", "instance-profile", "/", "web"), "arn:aws:iam::*:instance-profile/w?b"),
        (arns.iam("aws", "111122223333", "mfa", "/", "phone"), "arn:aws:iam::111122223333:mfa/*"),
        (arns.iam("aws", "111122223333", "saml-provider", "/", "corp"), "arn:aws:iam::*:saml-provider/corp"),
        ("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess", "arn:aws:iam::aws:policy/*"),
        ("arn:aws:iam::111122223333:oidc-provider/issuer.example.net/id/1", "arn:aws:iam::*:oidc-provider/issuer.*"),
        (arns.assumed_role("aws", "111122223333", "deploy", "s1"), "arn:aws:sts::111122223333:assumed-role/deploy/*"),
        (arns.federated_user("aws", "111122223333", "bob"), "arn:aws:sts::111122223333:federated-user/bob"),
        ("arn:aws:organizations::999988887777:ou/o-a1/ou-b2-c3", "arn:aws:organizations::*:ou/o-*/ou-*"),
        (
            "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess",
            "arn:aws:organizations::aws:policy/*/p-FullAWSAccess",
        ),
    ],
)
def test_the_arns_of_locum_are_matched_by_patterns_of_their_form(arn: str, pattern: str) -> None:
    assert resource(pattern, arn)
    assert not resource(pattern, arn.upper())


@pytest.mark.facts("POL-AC-001")
def test_actions_are_compared_without_regard_to_case() -> None:
    assert match_actions(["IAM:createUSER"], generous=False)("iam:createuser")


@pytest.mark.facts("POL-AC-005", "POL-AC-007")
@pytest.mark.parametrize("pattern", ["*:GetObject", "s?:GetObject", "s3*", "GetObject", "s3"])
def test_a_wildcard_vendor_or_none_grants_nothing(pattern: str) -> None:
    assert not match_actions([pattern], generous=False)("s3:getobject")


def test_a_wildcard_vendor_denies() -> None:
    assert match_actions(["*:GetObject"], generous=True)("s3:getobject")
    assert match_actions(["s3*"], generous=True)("s3:getobject")


@pytest.mark.facts("POL-AC-004")
@pytest.mark.parametrize("pattern", ["unknown:Anything", "my-service.v2:Do", "s3:Get Object"])
def test_unknown_actions_match_nothing_else(pattern: str) -> None:
    assert not match_actions([pattern], generous=True)("s3:getobject")


@pytest.mark.facts("POL-VR-002", "POL-AC-002")
def test_an_action_has_no_variables() -> None:
    assert not match_actions(["s3:${k:var}"], generous=True)("s3:getobject")
    assert match_actions(["s3:${k:var}"], generous=False)("s3:${k:var}")


@pytest.mark.facts("POL-VR-012")
@pytest.mark.parametrize("text", ["${", "${}", "a${b", "${k:var,'x'}", "${k:var, 'x}", "$ {k:var}"])
def test_what_is_no_variable_stays_as_it_is(text: str) -> None:
    assert matches(literal_template(text, variables=True), text, {"k:var": "v"})


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("${aws:username}", True),
        ("${aws:PrincipalTag/cost center, 'none'}", True),
        ("a${*}b${?}${$}", True),
        ("plain $ text {}", True),
        ("${", False),
        ("${}", False),
        ("${aws:username", False),
        ("${aws:username,'x'}", False),
        ("${${aws:username}}", False),
    ],
)
def test_which_texts_have_well_formed_variables(text: str, fine: bool) -> None:
    assert variables_are_well_formed(text) is fine


@pytest.mark.facts("POL-VR-001")
def test_names_of_variables_are_compared_without_regard_to_case() -> None:
    assert resource("arn:aws:s3:::${AWS:UserName}", "arn:aws:s3:::alice", aws__username="alice")


@pytest.mark.facts("POL-GR-004", "POL-VR-003")
def test_without_variables_their_text_is_literal_but_its_wildcards_are_not() -> None:
    template = resource_template("arn:aws:s3:::${*}", variables=False, generous=False)
    assert matches(template, "arn:aws:s3:::${anything}")
    assert not matches(template, "arn:aws:s3:::*")
