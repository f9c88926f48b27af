"""The search for presets: what it draws, who goes on, what it writes, and that it goes on."""

import json

import numpy as np
import pytest
import search

from minipg.commands import workers
from minipg.commands.options import words_of

SPACE = {"decay": [True, False], "num_envs,n_steps": [[1, 8], [2, 4]], "lam": [0.9, 0.95]}
WORDS = ["ppo", "CartPole-v1", "--space", json.dumps(SPACE), "--steps", "64", "--configs", "5",
         "--jobs", "1"]  # fmt: skip

TAKEN = ['{"seed": [3]}', '{"evaluation-episodes": [0]}', '{"evaluation_episodes": [0]}',
         '{"lam": [0.9], "gamma,lam": [[0.5, 0.9]]}', '{"lam,lam": [[0.5, 0.9]]}',
         '{"n_steps": [2], "n-steps": [4]}']  # fmt: skip


def test_configurations_are_the_preset_and_different_choices_of_the_space():
    found = search.configurations(SPACE, 9)
    assert found[0] == {}
    for choice in found[1:]:
        assert choice["decay"] in SPACE["decay"]
        assert choice["lam"] in SPACE["lam"]
        assert [choice["num_envs"], choice["n_steps"]] in SPACE["num_envs,n_steps"]
        assert len(choice) == 4
    assert len({json.dumps(choice) for choice in found}) == len(found) == 9  # all there are
    assert search.configurations(SPACE, 99) == found


def test_numbers_and_steps_of_a_search():
    assert search.numbers(12) == [12, 4, 2]
    assert search.numbers(9) == [9, 3, 1]


def test_the_best_third_goes_on_and_a_repeated_command_runs_nothing_again(
    tmp_path, capsys, monkeypatch
):
    words = [*WORDS, "--out", str(tmp_path)]
    assert search.main(words) == 0
    shown = capsys.readouterr()
    lines = list(map(json.loads, (tmp_path / "ppo-CartPole-v1.jsonl").read_text().splitlines()))
    assert [line["seed"] for line in lines] == [1000] * 5 + [1001] * 2 + [1002]
    played = {line["seed"]: line["env_steps"] for line in lines if line["options"]}
    assert played.items() <= {1000: 16, 1001: 32, 1002: 64}.items()
    for seed in (1000, 1001):
        played = [line for line in lines if line["seed"] == seed]
        scores = sorted((line["mean_return"] for line in played), reverse=True)
        onward = [line["options"] for line in lines if line["seed"] == seed + 1]
        chosen = [line["mean_return"] for line in played if line["options"] in onward]
        assert sorted(chosen, reverse=True) == scores[: len(onward)]
    best = lines[-1]["options"]
    score = f"{lines[-1]['mean_return']:.1f}"
    assert shown.out.split() == [score, *(words_of(best) or ["the", "preset"])]
    assert "8 runs" in shown.err
    before = (tmp_path / "ppo-CartPole-v1.jsonl").read_text()
    monkeypatch.setattr(workers.train, "train", lambda *a, **k: pytest.fail("ran again"))
    assert search.main(words) == 0
    assert (tmp_path / "ppo-CartPole-v1.jsonl").read_text() == before


def test_another_search_in_the_same_folder_plays_its_own_and_keeps_the_log(tmp_path):
    log, words = tmp_path / "ppo-CartPole-v1.jsonl", [*WORDS, "--out", str(tmp_path)]
    assert search.main([*words, "--space", '{"lam": [0.5, 0.6]}']) == 0
    before = log.read_text().splitlines()
    assert search.main([*words, "--space", '{"gamma": [0.5, 0.6]}', "--steps", "68"]) == 0
    after = log.read_text().splitlines()
    assert after[: len(before)] == before
    played = [json.loads(line)["options"] for line in after[len(before) :]]
    assert all(played.count({"gamma": gamma}) for gamma in (0.5, 0.6))
    assert not any("failed" in json.loads(line) for line in after)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--steps", "4000000"], "--configs, --steps: expected at most 8,000,000 steps in all"),
        (["--space", '{"lam": 3}'], "--space: expected a list of values for lam, got 3"),
        (["--space", '{"lam": [3]}'], "--lam"),
        (
            ["--space", '{"lam,gamma": [[0.5, 0.9], [0.5]]}'],
            "--space: expected a list of lists of 2 values for lam,gamma",
        ),
        (["--space", '{"speed": [3]}'], "--speed"),
        (["--space", '{"lam": [0.9, 3]}'], "--lam"),
        *(
            (
                ["--space", space],
                "--space: expected each option once, none that a search sets itself",
            )
            for space in TAKEN
        ),
        (["--configs", "0"], "--configs: expected"),
        (["--jobs", "0"], "--jobs: expected"),
        (["--steps", "3"], "--steps: expected"),
    ],
)
def test_what_cannot_be_searched_is_one_line(tmp_path, capsys, more, said):
    try:
        status = search.main([*WORDS, *more, "--out", str(tmp_path / "new")])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "new").exists()


def test_a_run_that_fails_is_written_down_and_goes_no_further(tmp_path, capsys):
    space = json.dumps({"learning_rate": [1e300, 1e299, 1e298]})
    words = [*WORDS, "--space", space, "--configs", "4", "--out", str(tmp_path)]
    assert search.main(words) == 0
    lines = list(map(json.loads, (tmp_path / "ppo-CartPole-v1.jsonl").read_text().splitlines()))
    assert lines[1]["failed"].count("the training diverged") == 1
    assert [line["options"] for line in lines[4:]] == [{}, {}]
    assert np.isfinite(lines[-1]["mean_return"])


def test_a_search_of_which_nothing_is_left_says_why(tmp_path, capsys):
    words = ["ppo", "NoSuch-v1", *WORDS[2:], "--out", str(tmp_path)]
    assert search.main(words) == 2
    assert "every run failed: " in capsys.readouterr().err.splitlines()[-1]


def test_the_best_is_the_best_exactly_where_there_is_a_table(tmp_path):
    words = ["ppo", "FrozenLake-v1", *WORDS[2:], "--steps", "4096", "--out", str(tmp_path)]
    assert search.main(words) == 0
    lines = map(json.loads, (tmp_path / "ppo-FrozenLake-v1.jsonl").read_text().splitlines())
    results = [json.loads(path.read_text()) for path in tmp_path.glob("*/result.json")]
    exact = sorted(result["exact_return"] for result in results)
    assert sorted(line["mean_return"] for line in lines) == exact
    assert exact != sorted(result["mean_return"] for result in results)
