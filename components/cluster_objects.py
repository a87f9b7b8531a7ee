"""What a cluster needs in Kubernetes before endpoints come."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.cluster_access import ClusterAccess
from components.manifest import register_manifest
from components.rights import until_rights_hold
from tidegate.cluster.plan.objects import (
    CERTIFICATE,
    GATEWAY_NAMESPACE,
    GPU_NAMESPACE,
    certificate_data,
    needs_device_plugin,
    plan_certificate,
    plan_device_plugin,
    plan_namespace,
)
from tidegate.cluster.spec import AttachedClusterSpec, ClusterSpec, OwnCertificate


class ClusterObjects(pulumi.ComponentResource):
    """The front's certificate and the GPUs' device plugin, where the cluster's spec asks for them.

    `provider` and `options` are the way to the cluster's API for everything else that goes there.
    """

    provider: kubernetes.Provider

    def __init__(
        self,
        name: str,
        spec: ClusterSpec | AttachedClusterSpec,
        access: ClusterAccess,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:ClusterObjects", name, None, opts)
        self._name, self._access = name, access
        # Only what has just been given can be missing for a while.
        self._hooks = until_rights_hold(f"{name}.objects") if access.cluster else None
        self._namespaces: dict[str, pulumi.Resource] = {}
        self.provider = kubernetes.Provider(
            f"{name}.kubernetes",
            kubeconfig=access.kubeconfig,
            # Without it, another text of the kubeconfig can replace everything in the cluster.
            cluster_identifier=access.identifier,
            enable_server_side_apply=True,
            # What an autoscaler or a hand has written gives way to what the config says.
            enable_patch_force=True,
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            skip_update_unreachable=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(access.after)),
        )
        self.certificate: pulumi.Resource | None = None
        """The Secret with the front's own certificate."""
        if isinstance(spec.tls, OwnCertificate):
            self.certificate = self._register_certificate(spec.tls)
        if isinstance(spec, ClusterSpec) and needs_device_plugin(spec):
            self._register_device_plugin(spec)
        self.register_outputs({})

    @property
    def attached(self) -> bool:
        """Whether somebody else made the cluster."""
        return self._access.cluster is None

    def namespace(self, name: str, *, pod_security: str) -> pulumi.Resource:
        """A namespace that several parts of a cluster use; it is registered once."""
        if name not in self._namespaces:
            manifest = plan_namespace(name, pod_security=pod_security)
            self._namespaces[name] = register_manifest(f"{self._name}.{name}", manifest, self.options(self))
        return self._namespaces[name]

    def options(self, parent: pulumi.Resource, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of a child of `parent` that lives in the cluster and needs `after`.

        A cluster that was made anew, here or after somebody deleted it, gets its objects in the same run.
        """
        cluster = self._access.cluster
        return pulumi.ResourceOptions(
            parent=parent,
            provider=self.provider,
            depends_on=[*self._access.after, *after],
            deleted_with=cluster,
            replace_with=[cluster] if cluster else None,
            replacement_trigger=self._access.uid,
            delete_before_replace=True,  # both would have the same name
            hooks=self._hooks,
        )

    def _register_certificate(self, certificate: OwnCertificate) -> pulumi.Resource:
        namespace = self.namespace(GATEWAY_NAMESPACE, pod_security="baseline")
        manifest = plan_certificate(data=pulumi.Output.secret(certificate_data(certificate)))
        return register_manifest(f"{self._name}.{CERTIFICATE}", manifest, self.options(self, namespace))

    def _register_device_plugin(self, spec: ClusterSpec) -> None:
        # A device plugin talks to the kubelet by a socket on the node.
        namespace = self.namespace(GPU_NAMESPACE, pod_security="privileged")
        register_manifest(f"{self._name}.device-plugin", plan_device_plugin(spec), self.options(self, namespace))
