"""Who has to be let in to API servers with authorized ranges beside those that the config lists."""

from tidegate.azure.errors import AzureError, UnreachableError
from tidegate.cluster.plan.network import plan_nat_addresses
from tidegate.cluster.ranges import MOST, normalise
from tidegate.cluster.rule import Rule
from tidegate.cluster.service_tags import PLACE, ServiceTagError, load, workspace_ranges
from tidegate.cluster.spec import AzureSpec, ClusterSpec, WorkspaceSpec
from tidegate.findings import Finding

DEPLOYER = Rule(
    "deployer-address",
    "the address from which pulumi runs is only known while it runs",
    "aks-docs: api-server-authorized-ip-ranges.md",
)
WORKSPACE = Rule(
    "workspace-ranges",
    "the addresses of Azure ML change by the week, and are read while pulumi runs",
    "Azure REST: Microsoft.Network, Service Tags - List",
)
TOO_MANY = Rule(
    "admitted-ranges-count",
    f"an API server has at most {MOST} authorized ranges, those of the workspace, of the deployer and of a NAT gateway "
    "among them",
    "aks-docs: api-server-authorized-ip-ranges.md",
)
RULES: tuple[Rule, ...] = (DEPLOYER, WORKSPACE, TOO_MANY)


def workspace_addresses(workspace: WorkspaceSpec, subscription: str | None) -> tuple[tuple[str, ...], list[Finding]]:
    """The ranges from which a workspace calls: by its service-tag file, or else by asking Azure."""
    try:
        if workspace.service_tags is not None:
            document = load(workspace.service_tags)
        else:
            document = _ask(workspace.location, subscription)
    except (AzureError, ServiceTagError) as error:
        remedy = "Log in, or name Microsoft's service-tag file under tidegate:workspace.serviceTags"
        return (), [WORKSPACE.error(PLACE, f"the workspace's addresses cannot be had: {error}", remedy)]
    return workspace_ranges(document, workspace.location)


def further_ranges(
    azure: AzureSpec, *, workspace: tuple[str, ...] = ()
) -> tuple[dict[str, tuple[str, ...]], list[Finding]]:
    """What is let in beside the ranges of the config, by cluster; `workspace` has the workspace's addresses.

    A cluster that lets in everybody gets none: a first range would shut out all the others.
    """
    findings: list[Finding] = []
    deployer, told = "", ""
    if any(isinstance(spec, ClusterSpec) and spec.api_server.include_deployer for spec in azure.clusters):
        from tidegate.azure.deployer import deployer_address  # noqa: PLC0415 (0.2 s, and few ask for it)

        try:
            deployer = deployer_address()
        except UnreachableError as error:
            told = str(error)
    ranges: dict[str, tuple[str, ...]] = {}
    for spec in azure.clusters:
        if not isinstance(spec, ClusterSpec) or not limits_callers(spec):
            continue
        loc = ("tidegate:clusters", spec.name, "apiServer")
        if spec.api_server.include_deployer and told:
            remedy = "Set TIDEGATE_DEPLOYER_ADDRESS, or list the address under authorizedIPRanges"
            findings.append(DEPLOYER.error((*loc, "includeDeployer"), told, remedy))
        own = [deployer] if spec.api_server.include_deployer and deployer else []
        ranges[spec.name] = normalise([*own, *workspace])
        ways_out = len(plan_nat_addresses(spec))
        count = len(normalise([*spec.api_server.authorized_ip_ranges, *ranges[spec.name]])) + ways_out
        if count > MOST:
            further = len(ranges[spec.name]) + ways_out
            problem = f"{count} ranges after merging, {further} of them the workspace's, the deployer's and the nodes'"
            remedy = f"Leave out {count - MOST} of the list, or merge them into larger ranges"
            findings.append(TOO_MANY.error((*loc, "authorizedIPRanges"), problem, remedy))
    return ranges, findings


def limits_callers(spec: ClusterSpec) -> bool:
    """Whether only certain addresses may reach the cluster's public API server."""
    access = spec.api_server
    return access.private is None and bool(access.authorized_ip_ranges or access.include_deployer)


def _ask(location: str, subscription: str | None) -> dict[str, object]:
    from tidegate.azure.arm import Arm  # noqa: PLC0415 (only where no file is named)
    from tidegate.azure.login import Login  # noqa: PLC0415
    from tidegate.azure.service_tags import fetch_service_tags  # noqa: PLC0415

    login = Login()
    with Arm(login.token) as arm:
        return fetch_service_tags(arm, login.subscription(subscription), location)
