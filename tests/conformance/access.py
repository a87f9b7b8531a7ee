"""Who is let in, and what of it reaches the script."""

import httpx

from tests.conformance.endpoints import APPLICATION, ROLE, URI
from tests.conformance.target import Target, post

PATH = "/api/v1/service/split/score"


def each_key_opens_its_own_endpoint(target: Target) -> None:
    def status(endpoint: str, authorization: str | None) -> int:
        headers = {} if authorization is None else {"authorization": authorization}
        return post(f"{target.url}/{endpoint}/score", json=1, headers=headers).status_code

    keys = {(endpoint, name): target.key(endpoint, name) for endpoint in ("split", "tight") for name in NAMES}
    assert len(set(keys.values())) == len(keys)
    for (owner, name), key in keys.items():
        for endpoint in ("split", "tight"):
            assert status(endpoint, f"Bearer {key}") == (200 if endpoint == owner else 401), (owner, name, endpoint)
    # the scheme's name is taken as it is written
    primary = keys["split", "primary"]
    wrong = (
        f"bearer {primary}",
        f"Bearer  {primary}",
        f"Basic {primary}",
        f"Bearer {primary[:-1]}",
        "Bearer",
        "",
        None,
    )
    assert [status("split", each) for each in wrong] == [401] * len(wrong)


NAMES = ("primary", "secondary")


def a_refusal_says_how_to_get_in(target: Target) -> None:
    refused = post(target.url + PATH, json=1)
    assert (refused.status_code, refused.json()) == (401, {"message": "Client authentication failed."})
    assert refused.headers["content-type"] == "application/json"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "x-tidegate-version" not in refused.headers


def every_way_in_is_guarded(target: Target) -> None:
    for headers in (
        {},
        {"x-tidegate-version": "four"},
        {"azureml-model-deployment": "four"},
        {"x-tidegate-version": "x"},
    ):
        for path in ("/split/score", PATH):
            assert post(target.url + path, json=1, headers=headers).status_code == 401


def the_key_reaches_no_script_and_nobody_names_himself(target: Target) -> None:
    forged = {"x-tidegate-client": "primary", "x-request-start": "t=1"}
    for name in NAMES:
        key = target.key("split", name)
        answer = post(target.url + PATH, json=1, headers={"authorization": f"Bearer {key}"} | forged).json()
        assert key not in str(answer)
        seen = answer["headers"]
        assert "authorization" not in seen
        assert seen["x-tidegate-client"] == name
        assert seen["x-request-start"].startswith("t=")
        assert seen["x-request-start"] != "t=1"
    seen = post(f"{target.url}/split-open/score", json=1, headers=forged).json()["headers"]
    assert "x-tidegate-client" not in seen
    assert seen["x-request-start"] != "t=1"


def an_open_endpoint_hides_what_callers_send_it(target: Target) -> None:
    answer = post(f"{target.url}/split-open/score", json=1, headers={"authorization": "Bearer something"})
    assert "authorization" not in answer.raise_for_status().json()["headers"]


def a_token_opens_an_endpoint(target: Target) -> None:
    for audience in (None, APPLICATION, URI):
        answer = with_token(target, target.token("token", audience=audience))
        assert answer.status_code == 200, answer.text
        assert "authorization" not in answer.json()["headers"]
        assert "x-tidegate-client" not in answer.json()["headers"]


def a_wrong_token_does_not(target: Target) -> None:
    assert with_token(target, target.token("token", expires_in_s=-600)).status_code == 401
    assert with_token(target, target.token("token", forged=True)).status_code == 401
    assert with_token(target, "no.token.at.all").status_code == 401
    assert with_token(target, target.key("split")).status_code == 401
    assert post(f"{target.url}/token/score", json=1).status_code == 401
    assert with_token(target, target.token("token", audience="api://another")).status_code == 403
    assert with_token(target, target.token("token", role="")).status_code == 403
    assert with_token(target, target.token("token", role=f"{ROLE}.Not")).status_code == 403
    assert post(f"{target.url}/token/score", json=1, headers={"x-tidegate-version": "x"}).status_code == 401


def a_credential_counts_in_its_header_alone(target: Target) -> None:
    for place in ("token/score?access_token=", "split/score?authorization=", "split/score?key="):
        credential = target.token("token") if place.startswith("token") else target.key("split")
        assert post(f"{target.url}/{place}{credential}", json=1).status_code == 401
    token = target.token("token")
    assert post(f"{target.url}/token/score", json=1, headers={"authorization": token}).status_code == 401
    assert post(f"{target.url}/token/score", json=1, headers={"authorization": f"Basic {token}"}).status_code == 401


def with_token(target: Target, token: str) -> httpx.Response:
    """A request to the endpoint `token`."""
    return post(f"{target.url}/token/score", json=1, headers={"authorization": f"Bearer {token}"})


CHECKS = (
    each_key_opens_its_own_endpoint,
    a_refusal_says_how_to_get_in,
    every_way_in_is_guarded,
    the_key_reaches_no_script_and_nobody_names_himself,
    an_open_endpoint_hides_what_callers_send_it,
    a_token_opens_an_endpoint,
    a_wrong_token_does_not,
    a_credential_counts_in_its_header_alone,
)
