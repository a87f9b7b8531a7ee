"""The gateway of a cluster: Envoy Gateway, its proxies and their load balancer, and the listeners."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from components.cluster_objects import ClusterObjects
from components.manifest import CustomObject, register_manifest
from tidegate.cluster.plan.objects import GATEWAY_NAMESPACE
from tidegate.gateway.bundles import read_bundle
from tidegate.gateway.names import Manifest
from tidegate.gateway.parts import explain
from tidegate.gateway.plan import GatewayPlan


class Gateway(pulumi.ComponentResource):
    """A gateway as it was planned, in the cluster of `objects`."""

    ready: list[pulumi.Resource]
    """What a request through the gateway needs to be there."""
    address: pulumi.Output[str]
    """Where it is reached: `https://<host>`, or without TLS `http://<the load balancer's address>`."""

    def __init__(
        self, name: str, objects: ClusterObjects, plan: GatewayPlan, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:azure:Gateway", name, None, opts)
        self._name, self._objects = name, objects
        self._hooks = self._explain()
        namespace = objects.namespace(GATEWAY_NAMESPACE, pod_security="baseline")
        installed = self._install(plan)
        front = [namespace, *installed, *([objects.certificate] if objects.certificate else [])]
        gateway_class = self._register(plan.gateway_class, front)
        settings = self._register_all((plan.proxies, *plan.policies), [*front, gateway_class])
        gateway = self._register(plan.gateway, [*front, *settings])
        self.ready = [gateway]
        if plan.issuer and plan.certificate:
            issuer = self._register(plan.issuer, self.ready)
            self.ready = [self._register(plan.certificate, [issuer, *self.ready])]
        self.address = _address(plan, gateway)
        self.register_outputs({"address": self.address})

    def _install(self, plan: GatewayPlan) -> list[pulumi.Resource]:
        """Register the bundles, each stage after the one before; returns the last one."""
        last = [self._objects.namespace(name, pod_security="restricted") for name in plan.namespaces]
        for name in plan.bundles:
            for stage in read_bundle(name, mirror=plan.mirror).stages:
                last = self._register_all(stage, last)
        return last

    def _register_all(self, manifests: Sequence[Manifest], after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        return [self._register(each, after) for each in manifests]

    def _register(self, manifest: Manifest, after: Sequence[pulumi.Resource]) -> pulumi.CustomResource:
        metadata: Mapping[str, Any] = manifest["metadata"]
        place = ".".join(filter(None, (self._name, metadata.get("namespace"), metadata["name"])))
        options = self._objects.options(self, *after)
        if self._hooks is not None:
            options.hooks = self._hooks
        return register_manifest(place, manifest, options)

    def _explain(self) -> pulumi.ResourceHookBinding | None:
        """Have what an attached cluster lacks, or has already, said with the way out.

        Its objects have no hooks for rights, which nobody gave.
        """
        if not self._objects.attached or isinstance(get_monitor(), MockMonitor):
            return None

        def say(failed: pulumi.ErrorHookArgs) -> bool:
            text = explain(failed.name, failed.errors)
            if text is not None:
                pulumi.log.error(f"cluster {self._name}: {text}", self)
            return False

        return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{self._name}.gateway.parts", say)])


def _address(plan: GatewayPlan, gateway: pulumi.CustomResource) -> pulumi.Output[str]:
    if plan.host:
        return pulumi.Output.from_input(f"{'https' if plan.tls else 'http'}://{plan.host}")
    if not isinstance(gateway, CustomObject):
        raise TypeError("a Gateway is a custom object")
    return gateway.status.apply(lambda status: f"http://{status['addresses'][0]['value']}")
