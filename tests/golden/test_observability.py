"""The alert rules and the dashboard of the tutorial's endpoint, whole."""

from tests.golden.conftest import Golden
from tests.unit.observability.test_rules import endpoint, version
from tidegate.observability.dashboard import plan_dashboard
from tidegate.observability.rules import plan_rules
from tidegate.observability.scrape import plan_scrape

ENDPOINT = endpoint(version("forest", traffic=20), version("ridge", default=True, control=True))


def test_the_rules(golden: Golden) -> None:
    golden("observability/alerts", plan_rules(ENDPOINT))


def test_the_dashboard(golden: Golden) -> None:
    golden("observability/dashboard", plan_dashboard(ENDPOINT))


def test_who_collects(golden: Golden) -> None:
    golden("observability/scrape", plan_scrape(ENDPOINT))
