"""What a cluster needs in Kubernetes before endpoints come."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.cluster import Cluster
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
from tidegate.cluster.spec import OwnCertificate


class ClusterObjects(pulumi.ComponentResource):
    """The front's certificate and the GPUs' device plugin, where the cluster's spec asks for them.

    `provider` is the way to the cluster's API for everything else that goes there.
    """

    provider: kubernetes.Provider

    def __init__(self, name: str, cluster: Cluster, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tidegate:azure:ClusterObjects", name, None, opts)
        self._name, self._cluster = name, cluster
        self._hooks = until_rights_hold(f"{name}.objects")
        spec = cluster.spec
        self.provider = kubernetes.Provider(
            f"{name}.kubernetes",
            kubeconfig=cluster.kubeconfig,
            # Without it, another text of the kubeconfig can replace everything in the cluster.
            cluster_identifier=f"{spec.resource_group}/{spec.name}",
            enable_server_side_apply=True,
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            skip_update_unreachable=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[cluster.administrator]),
        )
        if isinstance(spec.tls, OwnCertificate):
            self._register_certificate(spec.tls)
        if needs_device_plugin(spec):
            self._register_device_plugin()
        self.register_outputs({})

    def _register_certificate(self, certificate: OwnCertificate) -> None:
        core = kubernetes.core.v1
        namespace = self._namespace(GATEWAY_NAMESPACE, pod_security="baseline")
        manifest = plan_certificate(data=pulumi.Output.secret(certificate_data(certificate)))
        core.Secret(f"{self._name}.{CERTIFICATE}", opts=self._options(namespace), **manifest)

    def _register_device_plugin(self) -> None:
        # A device plugin talks to the kubelet by a socket on the node.
        namespace = self._namespace(GPU_NAMESPACE, pod_security="privileged")
        manifest = plan_device_plugin(self._cluster.spec)
        # Its pods come with the first GPU node, which an autoscaled pool may not have yet: there is nothing to await.
        manifest["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
        kubernetes.apps.v1.DaemonSet(f"{self._name}.device-plugin", opts=self._options(namespace), **manifest)

    def _namespace(self, namespace: str, *, pod_security: str) -> pulumi.Resource:
        manifest = plan_namespace(namespace, pod_security=pod_security)
        return kubernetes.core.v1.Namespace(f"{self._name}.{namespace}", opts=self._options(), **manifest)

    def _options(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of what lives in the cluster: it goes with it."""
        cluster = self._cluster.cluster
        return pulumi.ResourceOptions(
            parent=self,
            provider=self.provider,
            depends_on=[self._cluster.administrator, *after],
            deleted_with=cluster,
            replace_with=[cluster],
            hooks=self._hooks,
        )
