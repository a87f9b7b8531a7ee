"""The checks as policies of Pulumi's: what each looks at, and how strict it is where.

What stops production is advice elsewhere. The engine gives a pack neither the stack's config nor its name, so what is
production says so itself: by the tag that the program puts on Azure's resources, by the same label in Kubernetes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policy import checks

ResourceCheck = Callable[[ResourceValidationArgs], Iterable[str]]
Resources = Mapping[str, list[PolicyResource]]
"""A stack's resources by type."""
StackCheck = Callable[[Resources], Iterable[str]]

_LEVELS = ((EnforcementLevel.MANDATORY, True, ""), (EnforcementLevel.ADVISORY, False, "-advice"))


def _resource(name: str, description: str, kinds: Iterable[str], check: ResourceCheck) -> list[Policy]:
    """A check of single resources, once for production and once as advice."""

    def validate(production: bool) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
        def run(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if args.resource_type in kinds and checks.is_production(args.props) is production:
                for complaint in check(args):
                    report(f"{args.name}: {complaint}", args.urn)

        return run

    return [
        ResourceValidationPolicy(name + suffix, description, validate(production), enforcement_level=level)
        for level, production, suffix in _LEVELS
    ]


def _stack(name: str, description: str, check: StackCheck) -> list[Policy]:
    """A check of all resources of a stack together, once for production and once as advice."""

    def validate(production: bool) -> Callable[[StackValidationArgs, ReportViolation], None]:
        def run(args: StackValidationArgs, report: ReportViolation) -> None:
            if any(checks.is_production(resource.props) for resource in args.resources) is not production:
                return
            found: dict[str, list[PolicyResource]] = {}
            for resource in args.resources:
                found.setdefault(resource.resource_type, []).append(resource)
            for complaint in check(found):
                report(complaint, None)

        return run

    return [
        StackValidationPolicy(name + suffix, description, validate(production), enforcement_level=level)
        for level, production, suffix in _LEVELS
    ]


def _protection(args: ResourceValidationArgs) -> Iterator[str]:
    return checks.unprotected(args.opts.protect)


def _api_server(args: ResourceValidationArgs) -> Iterator[str]:
    # A cluster to try things on may be open.
    return checks.open_api_server(args.props) if checks.is_production(args.props) else iter(())


def _images(args: ResourceValidationArgs) -> Iterator[str]:
    return checks.images_without_digest(args.resource_type, args.props)


def _routes(found: Resources) -> Iterator[str]:
    routes, policies = (
        [resource.props for resource in found.get(kind, ())] for kind in (checks.HTTP_ROUTE, checks.SECURITY_POLICY)
    )
    return checks.unguarded_routes(routes, policies)


def _outputs(found: Resources) -> Iterator[str]:
    for stack in found.get("pulumi:pulumi:Stack", ()):
        yield from checks.plain_credentials(stack.props)


_OPEN = "No endpoint is open to everyone unless its config says so by name."

POLICIES: list[Policy] = [
    *_resource("protected", "Clusters and registries are protected.", checks.PROTECTED, _protection),
    *_resource("api-server-closed", "The API server is private or has ranges.", [checks.CLUSTER], _api_server),
    *_resource(
        "no-wildcard-range", "No range lets everyone in.", [checks.CLUSTER], lambda a: checks.wildcard_ranges(a.props)
    ),
    *_resource(
        "no-local-accounts", "Local accounts are off.", [checks.CLUSTER], lambda a: checks.local_accounts(a.props)
    ),
    *_resource("images-by-digest", "Images are named by their digests.", checks.POD_TEMPLATES, _images),
    *_resource("local-endpoint-auth", _OPEN, [checks.LOCAL_ROUTE], lambda a: checks.open_endpoint(a.props)),
    *_stack("endpoint-auth", _OPEN, _routes),
    *_stack("no-plain-secret-output", "No credential stands in a plain output.", _outputs),
]
