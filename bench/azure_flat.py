"""From what a program registers to a program without components that registers the same."""

from typing import Any

from components.azure import argument
from providers.values import Secret
from tests.standins.mocks import Recorded


def flat_program(recorded: list[Recorded]) -> str:
    """The source of that program: every input as it was, the same options, and an order by dependencies.

    It asks the two functions that no such program can do without, for the login and for each cluster's kubeconfig.
    """
    custom = [each for each in recorded if not each["type"].startswith(("tidegate:", "pulumi:pulumi:"))]
    order = _ordered(custom)
    variables = {_name(each): f"r{number}" for number, each in enumerate(order)}
    lines = ["import pulumi", "import pulumi_azure_native", "import pulumi_kubernetes"]
    lines.append("pulumi_azure_native.authorization.get_client_config_output()")
    for each in order:
        lines.append(f"{variables[_name(each)]} = {_call(each, variables)}")
        if each["type"].endswith(":ManagedCluster"):
            lines.append(_credentials(each, variables[_name(each)]))
    return "\n".join(lines) + "\n"


def _ordered(custom: list[Recorded]) -> list[Recorded]:
    """Each after those that it depends on."""
    left = {_name(each): each for each in custom}
    order: list[Recorded] = []
    while left:
        ready = [name for name, each in left.items() if not set(_before(each)) & left.keys()]
        order += [left.pop(name) for name in ready]
    return order


def _name(each: Recorded) -> str:
    return f"{each['type']}::{each['name']}"


def _before(each: Recorded) -> list[str]:
    """What a resource names in its options, by type and name."""
    options = each["options"]
    one = [options[key] for key in ("provider", "deletedWith") if key in options]
    return [urn.rpartition("$")[2] for urn in [*one, *options.get("dependsOn", ()), *options.get("replaceWith", ())]]


def _call(each: Recorded, variables: dict[str, str]) -> str:
    package, module, kind = each["type"].split(":")
    inputs = {key: _literal(value) for key, value in each["inputs"].items()}
    options = f"opts={_options(each, variables)}"
    if package == "tidegate-serving":
        members = ", ".join(f"{key!r}: {value}" for key, value in inputs.items())
        return f"pulumi.CustomResource({each['type']!r}, {each['name']!r}, {{{members}}}, {options})"
    if each["type"] == "pulumi:providers:kubernetes":
        # The SDK has made text of what is no text.
        place, plain = "pulumi_kubernetes.Provider", {"kubeconfig": inputs["kubeconfig"]}
    elif package == "kubernetes":
        place = f"pulumi_kubernetes.{module.replace('/', '.')}.{kind}"
        plain = {key: value for key, value in inputs.items() if key not in ("apiVersion", "kind")}
    else:
        place, plain = f"pulumi_azure_native.{module}.{kind}", inputs
    arguments = ", ".join(f"{argument(key)}={value}" for key, value in plain.items())
    return f"{place}({each['name']!r}, {options}, {arguments})"


def _options(each: Recorded, variables: dict[str, str]) -> str:
    options = each["options"]
    found = [f"{argument(key)}={options[key]!r}" for key in ("protect", "ignoreChanges") if key in options]
    waits = [variables[urn.rpartition("$")[2]] for urn in options.get("dependsOn", ()) if _made(urn, variables)]
    found.append(f"depends_on=[{', '.join(waits)}]")
    for key in ("provider", "deletedWith"):
        if _made(options.get(key, ""), variables):
            found.append(f"{argument(key)}={variables[options[key].rpartition('$')[2]]}")
    return f"pulumi.ResourceOptions({', '.join(found)})"


def _made(urn: str, variables: dict[str, str]) -> bool:
    return urn.rpartition("$")[2] in variables


def _literal(value: Any) -> str:
    return f"pulumi.Output.secret({value.value!r})" if isinstance(value, Secret) else repr(value)


def _credentials(each: Recorded, variable: str) -> str:
    group, name = each["inputs"]["resourceGroupName"], each["inputs"]["resourceName"]
    return (
        "pulumi.Output.secret(pulumi_azure_native.containerservice.list_managed_cluster_user_credentials_output("
        f"format='exec', resource_group_name={group!r}, resource_name={name!r}, "
        f"opts=pulumi.InvokeOutputOptions(depends_on=[{variable}])))"
    )
