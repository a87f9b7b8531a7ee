from tidegate.findings import ConfigError, Finding


def test_a_finding_reads_as_place_problem_and_remedy() -> None:
    finding = Finding("dependencies[0]", "the problem", "The remedy", "x/conda.yml", 3)
    assert str(finding) == "x/conda.yml:3: dependencies[0]: the problem. The remedy"


def test_what_is_not_known_of_the_place_is_left_out() -> None:
    assert str(Finding("a.b", "the problem")) == "a.b: the problem"
    assert str(Finding("", "the problem", file="x.json")) == "x.json: the problem"


def test_the_error_counts_and_sorts_errors_and_keeps_the_rest() -> None:
    error = ConfigError([Finding("b", "two"), Finding("c", "said", severity="note"), Finding("a", "one")])
    assert str(error) == "2 errors in the configuration\n  a: one\n  b: two"
    assert [finding.path for finding in error.findings] == ["a", "b", "c"]
