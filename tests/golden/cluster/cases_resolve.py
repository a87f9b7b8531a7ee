"""What the rules over an environment as a whole say."""

from tests.unit.cluster.test_resolve import findings

CASES = [
    ("location", "No region", lambda: findings({"tidegate:location": None})),
    ("location", "A misspelt region", lambda: findings({"tidegate:location": "westeurop"})),
    (
        "location",
        "A cluster's region that is none",
        lambda: findings({"tidegate:clusters": {"scoring": {"location": "atlantis"}}}),
    ),
    ("resource-group", "No resource group", lambda: findings({"tidegate:resourceGroup": None})),
    (
        "replacement-allowed-by-name",
        "A cluster that is not there",
        lambda: findings({"tidegate:allowReplacement": ["x"]}),
    ),
    ("tls-key-without-cluster", "A key for nobody", lambda: findings({"tidegate:tlsKeys": {"x": "secret"}})),
]
