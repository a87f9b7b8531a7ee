"""Envoy's admin interface, over its unix socket."""

import http.client
import json
import re
from pathlib import Path

from providers.local.unix_http import UnixConnection

_TIMEOUT_S = 5


class AdminUnreachableError(Exception):
    """Envoy does not run, or does not answer."""


class Admin:
    """Asks one Envoy about itself."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def live(self) -> bool:
        """Whether Envoy has read its configuration and serves."""
        try:
            return self._get("/ready").strip() == "LIVE"
        except AdminUnreachableError:
            return False

    def versions(self) -> dict[str, str]:
        """The `version_info` in effect of listeners (`lds`), clusters (`cds`), routes (`rds`) and tokens (`ecds`)."""
        names = {
            "listener_manager.lds.version_text": "lds",
            "cluster_manager.cds.version_text": "cds",
            "http.scoring.rds.endpoints.version_text": "rds",
            "extension_config_discovery.http_filter.envoy.filters.http.jwt_authn.version_text": "ecds",
        }
        return {names[stat]: str(value) for stat, value in self._stats("type=TextReadouts").items() if stat in names}

    def rejections(self) -> int:
        """How many configurations Envoy has refused since its start, for whatever reason."""
        stats = self._stats("filter=update_(rejected|failure)$")
        return sum(int(str(value)) for value in stats.values())

    def requests(self, cluster: str) -> dict[str, int]:
        """A cluster's requests: `active` now; `total`, and those answered `5xx`, since the cluster was added."""
        prefix = f"cluster.{cluster}.upstream_rq_"
        stats = self._stats(f"filter=^{re.escape(prefix)}(active|total|5xx)$")
        return {name.removeprefix(prefix): int(str(value)) for name, value in stats.items()}

    def in_flight(self, cluster: str) -> int:
        """The requests that a cluster is working on."""
        return self.requests(cluster).get("active", 0)

    def _stats(self, query: str) -> dict[str, object]:
        answer = json.loads(self._get(f"/stats?format=json&{query}"))
        return {stat["name"]: stat["value"] for stat in answer["stats"] if "name" in stat}

    def _get(self, target: str) -> str:
        connection = UnixConnection(self._path, _TIMEOUT_S)
        try:
            connection.request("GET", target)
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise AdminUnreachableError(str(error)) from error
        finally:
            connection.close()
