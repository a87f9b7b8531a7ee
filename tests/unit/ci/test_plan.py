import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ci.plans import CLUSTER, POOL, deleted, plan, preview, root, scaled, state, step, urn
from tools.ci.plan import SECRET, UNKNOWN, Change, Message, Plan, Step, differences, from_preview, from_record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=6), child, max_size=3),
    max_leaves=8,
)


def test_what_does_nothing_is_no_step():
    steps = [step(op, POOL, op, old=state({}), new=state({})) for op in ("same", "read", "refresh")]
    assert plan(*steps).steps == ()


def test_a_group_of_resources_is_no_step():
    group = {"op": "create", "urn": urn("tidegate:azure:Cluster", "main"), "newState": {"custom": False}}
    assert plan(group).steps == ()


def test_an_update_shows_each_property_with_both_values():
    (found,) = plan(scaled(3, before=2)).steps
    assert (found.op, found.type, found.name) == ("update", POOL, "main.cpu")
    assert found.changes == (Change("count", "2", "3"),)


def test_a_property_that_the_provider_computed_is_taken_from_the_outputs():
    changed = step(
        "update",
        POOL,
        "a",
        old=state({}, outputs={"powerState": "Stopped"}),
        new=state({"powerState": "Running"}),
        detailedDiff={"powerState": {"kind": "update", "inputDiff": False}},
    )
    assert plan(changed).steps[0].changes == (Change("powerState", '"Stopped"', '"Running"'),)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tags.team", '"a"'),
        ('tags["a.b"]', '"dotted"'),
        ('tags["with \\"quotes\\""]', '"quoted"'),
        ("ranges[1]", '"second"'),
        ("profiles[0].name", '"inner"'),
        ("ranges[7]", None),
        ("tags.missing.deeper", None),
    ],
)
def test_a_path_of_the_engine_leads_to_the_value(path, value):
    inputs = {
        "tags": {"team": "a", "a.b": "dotted", 'with "quotes"': "quoted"},
        "ranges": ["first", "second"],
        "profiles": [{"name": "inner"}],
    }
    changed = step("update", POOL, "a", old=state({}), new=state(inputs), detailedDiff={path: {"kind": "add"}})
    assert plan(changed).steps[0].changes == (Change(path, None, value),)


def test_a_provider_without_detail_still_shows_what_differs():
    old, new = state({"a": 1, "b": 1, "c": 1}), state({"a": 1, "b": 2})
    assert [change.path for change in plan(step("update", POOL, "a", old=old, new=new)).steps[0].changes] == ["b", "c"]
    told = step("replace", POOL, "a", old=old, new=new, diffReasons=["b"], replaceReasons=["b"])
    assert plan(told).steps[0].changes == (Change("b", "1", "2", replaces=True),)


def test_the_reason_of_a_replacement_is_marked():
    changed = step(
        "replace",
        CLUSTER,
        "main",
        old=state({"location": "a", "tags": {}}),
        new=state({"location": "b", "tags": {"x": "y"}}),
        detailedDiff={"location": {"kind": "update-replace"}, "tags.x": {"kind": "add"}},
    )
    assert [(change.path, change.replaces) for change in plan(changed).steps[0].changes] == [
        ("location", True),
        ("tags.x", False),
    ]


def test_a_new_resource_shows_its_inputs_leaf_by_leaf():
    made = step("create", POOL, "a", new=state({"sku": {"name": "x", "a.b": 1}, "zones": ["1"], "tags": {}}))
    assert plan(made).steps[0].changes == (
        Change("sku.name", None, '"x"'),
        Change('sku["a.b"]', None, "1"),
        Change("tags", None, "{}"),
        Change("zones", None, '["1"]'),
    )


@pytest.mark.parametrize(
    ("step_", "expected"),
    [
        (deleted(), True),
        (step("replace", CLUSTER, "main", old=state({}), new=state({})), True),
        (step("create-replacement", CLUSTER, "main", old=state({}), new=state({})), True),
        (step("delete-replaced", CLUSTER, "main", old=state({})), True),
        (step("delete", POOL, "a", old=state({}, retainOnDelete=True)), False),
        (step("replace", POOL, "a", old=state({}, retainOnDelete=True), new=state({})), False),
        (step("create", POOL, "a", new=state({})), False),
        (step("import", POOL, "a", new=state({})), False),
        (scaled(), False),
    ],
)
def test_what_goes_away_is_destructive(step_, expected):
    assert bool(plan(step_).destructive) is expected


# -- secrets


@pytest.mark.parametrize(
    ("before", "after"),
    [(SECRET, SECRET), (SECRET, "now-plain"), ("was-plain", SECRET)],
    ids=["both", "before", "after"],
)
def test_a_value_that_is_secret_on_one_side_is_shown_on_none(before, after):
    changed = step("update", POOL, "a", old=state({"key": before}), new=state({"key": after}), detailedDiff={"key": {}})
    assert plan(changed).steps[0].changes == (Change("key", f'"{SECRET}"', f'"{SECRET}"'),)


def test_a_secret_inside_of_a_value_hides_its_counterpart():
    changed = step(
        "update",
        POOL,
        "a",
        old=state({"data": {"key": SECRET, "list": [{"p": SECRET}, "x"]}}),
        new=state({"data": {"key": "now-plain", "list": [{"p": "plain-too"}, "y"], "new": 1}}),
        detailedDiff={"data": {"kind": "update"}},
    )
    (change,) = plan(changed).steps[0].changes
    assert json.loads(change.after or "") == {"key": SECRET, "list": [{"p": SECRET}, "y"], "new": 1}
    assert "plain" not in f"{change.before} {change.after}"


def test_a_path_into_a_secret_is_the_secret():
    changed = step(
        "update", POOL, "a", old=state({"data": SECRET}), new=state({"data": SECRET}), detailedDiff={"data.tls.key": {}}
    )
    assert plan(changed).steps[0].changes == (Change("data.tls.key", f'"{SECRET}"', f'"{SECRET}"'),)


def outputs(values, op="update"):
    metadata = {"op": op, "type": "pulumi:pulumi:Stack", "new": {"outputs": values}}
    return {"resOutputsEvent": {"metadata": metadata}}


def test_an_output_that_looks_like_a_credential_is_named_without_its_value():
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc"
    found = from_preview(preview(), [outputs({"debug": {"key": pem}, "kubeconfigs": SECRET, "name": "a"})])
    assert [text.split(" looks")[0] for text in found.credentials] == ["the output debug.key"]
    assert "MIIabc" not in json.dumps(found.record(stack="dev", commit="c"))


def test_what_a_refresh_reads_is_no_output_of_the_program():
    assert from_preview(preview(), [outputs({"old": "kind: Config"}, op="refresh")]).credentials == ()


# -- what a refresh found


def test_what_a_refresh_finds_is_not_what_the_program_does():
    found = step("update", POOL, "main.burst", old=state({"count": 1}), new=state({"count": 3}))
    gone = step("delete", POOL, "main.gone", old=state({}))
    steps = [root("refresh"), found, gone, root(), scaled()]
    assert [each.name for each in from_preview({"steps": steps}).steps] == ["main.cpu"]


def test_a_preview_that_did_not_reach_the_program_has_no_steps():
    assert from_preview({"steps": [step("refresh", POOL, "a", old=state({}))]}, failed=True) == Plan((), failed=True)


# -- what was said


def test_diagnostics_keep_their_severity_and_resource():
    said = (
        {"severity": "error", "message": "error: 1 error in the configuration\n"},
        {"severity": "warning", "message": "warning: careful", "urn": urn(POOL, "main.cpu")},
        {"severity": "info", "message": "\n"},
        {"severity": "info#err", "message": "x"},
    )
    assert from_preview(preview(diagnostics=said)).messages == (
        Message("error", "1 error in the configuration"),
        Message("warning", "main.cpu: careful"),
        Message("note", "x"),
    )


def violation(name, level, message):
    return {"policyEvent": {"policyName": name, "enforcementLevel": level, "message": message}}


def test_policies_are_told_once_and_those_that_wait_for_values_together():
    events = [
        violation("closed", "mandatory", "The API server\nis open.\n"),
        violation("closed", "mandatory", "The API server\nis open.\n"),
        violation("protected-advice", "advisory", "is not protected"),
        violation("b", "advisory", "can't run policy 'b' from policy pack 'tidegate' during preview: ..."),
        violation("a", "advisory", "can't run policy 'a' from policy pack 'tidegate' during preview: ..."),
    ]
    assert from_preview(preview(), events).messages == (
        Message("error", "policy closed: The API server is open."),
        Message("warning", "policy protected-advice: is not protected"),
        Message("note", "judged only once all values are known: policy a, b"),
    )


# -- the digest


def test_the_digest_is_of_what_is_done_not_of_when_and_what_was_said():
    one = from_preview({**preview(scaled(), deleted("b")), "duration": 1})
    noisy = preview(deleted("b"), scaled(), diagnostics=({"severity": "info", "message": "x"},))
    noisy["steps"][2]["newState"] |= {"modified": "2026-11-21", "sourcePosition": "project:///x.py#1"}
    assert from_preview({**noisy, "duration": 2}).digest == one.digest


@pytest.mark.parametrize(
    "other",
    [
        (scaled(4),),
        (scaled(3, before=1),),
        (),
        (scaled(), deleted("b")),
        (step("create", POOL, "main.cpu", new=state({"count": 3})),),
    ],
    ids=["another value", "another state", "nothing", "one more", "another operation"],
)
def test_another_plan_has_another_digest_and_says_in_what(other):
    assert plan(*other).digest != plan(scaled()).digest
    assert differences(plan(scaled()), plan(*other))


def test_differences_name_resource_property_and_values():
    assert differences(plan(scaled(3, before=2), deleted("a")), plan(scaled(3, before=5), deleted("b"))) == [
        f"{POOL} a: delete when reviewed, no change now",
        f"{POOL} b: no change when reviewed, delete now",
        f"{POOL} main.cpu: count was 2 -> 3 when reviewed, is 5 -> 3 now",
    ]
    assert differences(plan(scaled()), plan(deleted("main.cpu"))) == [
        f"{POOL} main.cpu: update when reviewed, delete now"
    ]
    more = scaled() | {"detailedDiff": {"count": {}, "vmSize": {}}}
    assert differences(plan(scaled()), plan(more)) == [
        f'{POOL} main.cpu: vmSize was unchanged when reviewed, is "a" -> "a" now'
    ]


def test_equal_plans_have_no_differences():
    assert differences(plan(scaled(), deleted("b")), plan(deleted("b"), scaled())) == []


# -- the record

steps = st.builds(
    Step,
    st.builds(urn, st.sampled_from([POOL, CLUSTER]), st.text("abc", min_size=1)),
    st.sampled_from(["create", "update", "replace", "delete"]),
    st.lists(
        st.builds(Change, st.text(), st.none() | JSON.map(json.dumps), st.none() | JSON.map(json.dumps), st.booleans()),
        max_size=3,
    ).map(tuple),
    st.booleans(),
)
plans = st.builds(
    Plan,
    st.lists(steps, max_size=3).map(tuple),
    st.lists(st.builds(Message, st.sampled_from(["error", "warning", "note"]), st.text()), max_size=2).map(tuple),
    st.lists(st.text(), max_size=2).map(tuple),
    st.booleans(),
)


@given(plans)
def test_a_plan_comes_back_from_its_record(plan):
    record = json.loads(json.dumps(plan.record(stack="dev", commit="c")))
    assert from_record(record) == plan


@given(plans, plans)
def test_plans_differ_in_words_if_and_only_if_they_do_in_their_digest(one, other):
    assert bool(differences(one, other)) == (one.digest != other.digest)


def test_a_record_that_was_changed_is_refused():
    record = plan(scaled()).record(stack="dev", commit="c")
    record["steps"][0]["changes"][0]["after"] = "99"
    with pytest.raises(ValueError, match="digest"):
        from_record(record)
    with pytest.raises(ValueError, match="format"):
        from_record({**record, "format": 99})


def test_a_value_known_only_later_stays_a_placeholder_in_the_record():
    made = step("create", POOL, "a", new=state({"id": UNKNOWN}))
    assert plan(made).steps[0].changes == (Change("id", None, f'"{UNKNOWN}"'),)
