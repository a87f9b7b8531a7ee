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


def with_policies(stack, *arguments):
    stack.write()
    command = ("preview", "--non-interactive", "--stack", stack.name, "--policy-pack", "policy", *arguments)
    return stack.pulumi(*command)


def production(stack):
    stack.config["tidegate:production"] = True
    return stack


def test_an_open_production_cluster_is_stopped_and_one_to_try_things_on_gets_advice(azure):
    advised = with_policies(azure).require().output
    assert "protected-advice" in advised
    assert "[mandatory]" not in advised


def test_a_production_stack_that_keeps_the_policies_passes(azure):
    passed = with_policies(production(azure)).require().output
    assert "[mandatory]" not in passed, passed
    assert "[advisory]" not in passed, passed


def test_a_production_cluster_whose_protection_is_lifted_is_stopped_unless_the_run_says_so(azure):
    azure.config["tidegate:allowReplacement"] = ["main"]
    stopped = with_policies(production(azure)).require_failure().output
    assert "[mandatory]  protected" in stopped
    assert "main.cluster" in stopped
    said = with_policies(azure, "--policy-pack-config", "policy/replacement.json").require().output
    assert "[advisory]  protected" in said
