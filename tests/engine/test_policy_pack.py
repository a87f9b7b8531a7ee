"""The policy pack, run by the engine."""

import pytest

pytestmark = pytest.mark.engine


def test_an_open_endpoint_gets_advice(stack):
    stack.endpoints = {"echo": {"auth": "none", "versions": {"one": stack.version("one")}}}
    stack.write()
    advised = stack.pulumi("preview", "--non-interactive", "--stack", "local", "--policy-pack", "policy").require()
    assert "local-endpoint-auth-advice" in advised.output
    assert "'echo' is open to everyone" in advised.output
    assert "[advisory]" in advised.output


def test_nothing_is_said_of_a_stack_that_keeps_the_policies(stack):
    stack.endpoints = {"echo": {"versions": {"one": stack.version("one")}}}
    stack.write()
    kept = stack.pulumi("preview", "--non-interactive", "--stack", "local", "--policy-pack", "policy").require()
    assert "violation" not in kept.output.lower(), kept.output
