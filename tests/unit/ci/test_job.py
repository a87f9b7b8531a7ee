from tools.ci.job import MOST_BYTES, flag, pull_request, show


def test_a_text_goes_into_the_log_and_after_what_the_summary_has(tmp_path, capsys):
    file = tmp_path / "summary"
    file.write_text("before\n")
    show("text\n", {"GITHUB_STEP_SUMMARY": str(file)})
    assert file.read_text() == "before\ntext\n"
    assert capsys.readouterr().out == "text\n"


def test_a_summary_that_github_would_not_take_ends_at_a_line(tmp_path):
    file = tmp_path / "summary"
    show("a row with an ä\n" * 100_000, {"GITHUB_STEP_SUMMARY": str(file)})
    written = file.read_text()
    assert len(written.encode()) <= MOST_BYTES + 100
    assert written.endswith("a row with an ä\n\nThe rest is in the log.\n")


def test_outside_of_a_workflow_it_is_the_log_alone(capsys):
    show("text\n", {})
    assert capsys.readouterr().out == "text\n"


def test_the_pull_request_is_that_of_the_event(tmp_path):
    file = tmp_path / "event.json"
    for content, number in (('{"pull_request": {"number": 7}}', 7), ('{"inputs": {}}', None)):
        file.write_text(content)
        assert pull_request({"GITHUB_EVENT_PATH": str(file)}) == number
    assert pull_request({}) is None


def test_a_switch_is_on_only_by_its_word():
    assert [flag("X", {"X": value}) for value in ("true", "false", "", "1")] == [True, False, False, False]
    assert not flag("X", {})
