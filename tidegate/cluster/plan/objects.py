"""What a cluster needs in Kubernetes before endpoints come: the front's certificate, the GPUs' device plugin."""

import base64
from typing import Any

from tidegate.cluster.spec import ClusterSpec, OwnCertificate

Manifest = dict[str, Any]

GATEWAY_NAMESPACE = "tidegate-gateway"
CERTIFICATE = "scoring-certificate"
"""The Secret in the gateway's namespace that has the front's certificate."""

GPU_NAMESPACE = "tidegate-gpu"
DEVICE_PLUGIN_IMAGE = (
    "nvcr.io/nvidia/k8s-device-plugin:v0.18.2@sha256:b5788e29e7ae5272de8de863ebe386d6611e608421a6ecc5b4e7d5952aba637f"
)
"""Moved by hand, after its release notes."""

GPU_TAINTS = ("sku", "nvidia.com/gpu")

PRODUCTION_LABEL = "tidegate.dev/production"
"""By it the policy pack knows what has to be strict."""

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""The annotation of objects whose state nobody waits for."""

_LABELS = {"app.kubernetes.io/managed-by": "tidegate"}


def plan_namespace(name: str, *, pod_security: str) -> Manifest:
    """A `Namespace` with the pod security standard that it enforces."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {**_LABELS, "pod-security.kubernetes.io/enforce": pod_security},
        },
    }


def certificate_data(certificate: OwnCertificate) -> dict[str, str]:
    """The chain and the key as a `Secret` has them. What this gives is to be marked as a secret at once."""
    texts = {"tls.crt": certificate.chain, "tls.key": certificate.key.get_secret_value()}
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}


def plan_certificate(*, data: object) -> Manifest:
    """A `Secret` of type `kubernetes.io/tls` in the gateway's namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": CERTIFICATE, "namespace": GATEWAY_NAMESPACE, "labels": dict(_LABELS)},
        "type": "kubernetes.io/tls",
        "data": data,
    }


def needs_objects(spec: ClusterSpec) -> bool:
    """Whether anything of this is needed."""
    return isinstance(spec.tls, OwnCertificate) or needs_device_plugin(spec)


def needs_device_plugin(spec: ClusterSpec) -> bool:
    """Whether a pool has GPUs: AKS installs their driver and no more."""
    return any(pool.gpus for pool in spec.pools)


def plan_device_plugin(spec: ClusterSpec) -> Manifest:
    """A `DaemonSet` on the nodes with NVIDIA GPUs, by which pods can ask for `nvidia.com/gpu`."""
    name = "nvidia-device-plugin"
    labels = {"app.kubernetes.io/name": name}
    production = {PRODUCTION_LABEL: "true"} if spec.production else {}
    sliced = any(pool.mig_profile for pool in spec.pools)
    # All GPUs of a node are cut alike on AKS, so that a slice is asked for as a whole GPU would be.
    arguments = ["--fail-on-init-error=false", f"--mig-strategy={'single' if sliced else 'none'}"]
    least = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    devices = "/var/lib/kubelet/device-plugins"
    container: Manifest = {
        "name": name,
        "image": DEVICE_PLUGIN_IMAGE,
        "args": arguments,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        # Slices are only listed with that capability (the plugin's own Helm chart does the same).
        "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}} if sliced else least,
        "volumeMounts": [{"name": "device-plugins", "mountPath": devices}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": name,
            "namespace": GPU_NAMESPACE,
            "labels": {**_LABELS, **labels, **production},
            # Its pods come with the first GPU node, which an autoscaled pool may not have yet.
            "annotations": dict(SKIP_AWAIT),
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": {**_LABELS, **labels}},
                "spec": {
                    # AKS puts the label on nodes of sizes with NVIDIA GPUs (aks-docs: use-nvidia-gpu.md).
                    "nodeSelector": {"kubernetes.azure.com/accelerator": "nvidia"},
                    "tolerations": [{"key": key, "operator": "Exists"} for key in _tolerated(spec)],
                    "priorityClassName": "system-node-critical",
                    "automountServiceAccountToken": False,
                    "containers": [container],
                    "volumes": [{"name": "device-plugins", "hostPath": {"path": devices}}],
                },
            },
        },
    }


def _tolerated(spec: ClusterSpec) -> list[str]:
    """The keys of all taints of the GPU pools, and those that GPU nodes usually have."""
    taints = {
        taint.partition("=")[0].partition(":")[0] for pool in spec.pools if pool.gpus for taint in pool.node_taints
    }
    return sorted(taints | set(GPU_TAINTS))
