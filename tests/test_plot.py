"""Pictures show what the run folders hold, and the interval is the bootstrap's."""

import csv
import itertools
import json
import shutil

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import bootstrap, trim_mean

from minipg.commands import curves, estimators, panels, plot, train
from minipg.commands.options import ALGORITHMS

STEPS = np.arange(100.0, 1100.0, 100.0)


def write_run(folder, returns, steps=STEPS, **options):
    """A run folder as far as a picture reads it."""
    folder.mkdir(parents=True)
    known = {"algorithm": "ppo", "env": "CartPole-v1", "seed": 0, "threshold": 475, "out": "x",
             "versions": {}} | options  # fmt: skip
    (folder / "config.json").write_text(json.dumps(known))
    with (folder / "progress.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["env_steps", "mean_return", "seconds"])
        table.writerows(zip(steps, returns, np.asarray(steps) / 50, strict=True))
    return folder


def picture(folder, x="steps"):
    """Of the run folders in it."""
    groups, _ = curves.read_groups(curves.folders_in([folder]))
    return panels.picture(groups, x)


def test_lines_of_one_panel_are_named_by_what_makes_them_another_problem(tmp_path):
    """Also of algorithms that have one line; not by what is an algorithm's own affair."""
    for name, options in {
        "a": {"algorithm": "ppo", "env_kwargs": {"n": 1}, "max_episode_steps": None, "gamma": 1},
        "b": {"algorithm": "trpo", "env_kwargs": {}, "max_episode_steps": None, "gamma": 0.5},
        "c": {"algorithm": "ppo", "env_kwargs": {"n": 1}, "max_episode_steps": None, "gamma": 2},
        "d": {"algorithm": "npg", "env": "Other-v0", "env_kwargs": {}, "max_episode_steps": 7},
        "e": {"algorithm": "cem", "env": "Other-v0", "env_kwargs": {}, "max_episode_steps": 9},
    }.items():
        write_run(tmp_path / name, np.arange(10.0), **options)
    groups, _ = curves.read_groups(curves.folders_in([tmp_path]))
    assert sorted(curves.label(group, groups) for group in groups) == [
        "cem, max_episode_steps 9", "npg, max_episode_steps 7", "ppo, env_kwargs {'n': 1}, gamma 1",
        "ppo, env_kwargs {'n': 1}, gamma 2", "trpo, env_kwargs {}"]  # fmt: skip


def test_the_interval_against_every_resample():
    """Of five seeds there are 3,125; quantiles of 2,000 are off by 1.75 % with probability 1e-6."""
    values = np.array([3.0, 0.0, 1000.0, 2.0, 7.0])
    middle, low, high = curves.interquartile(values[:, None])
    assert middle == (2 + 3 + 7) / 3
    every = np.array(list(itertools.product(values, repeat=5)))
    means = np.sort(np.sort(every)[:, 1:4].mean(1))
    for found, level in ((low, 0.025), (high, 0.975)):
        least, most = np.quantile(means, [level - 0.0175, level + 0.0175])
        assert least <= found <= most
    assert curves.interquartile(np.arange(8.0)[:, None] ** 2)[0] == (4 + 9 + 16 + 25) / 4
    for few in ([[1.0], [4.0]], [[1.0], [4.0], [5.0]]):  # the middle half of these is all of them
        assert curves.interquartile(np.array(few))[0] == np.mean(few)
    assert [list(part) for part in curves.interquartile(np.full((4, 2), 500.0))] == [
        [500.0] * 2
    ] * 3


@pytest.mark.parametrize(("seeds", "stated"), [(3, 0.74), (5, 0.89), (10, 0.94)])
def test_the_coverage_is_what_the_readme_says(seeds, stated):
    """Over 400 normal samples; by chance farther off with probability 1e-4 (four deviations)."""
    values = np.random.default_rng(seeds).normal(size=(seeds, 400))
    _, low, high = curves.interquartile(values)
    covered = ((low <= 0) & (high >= 0)).mean()
    assert abs(covered - stated) <= 4 * np.sqrt(stated * (1 - stated) / 400)


def test_curves_are_interpolated_as_far_as_every_seed_has_come(tmp_path):
    write_run(tmp_path / "a", STEPS, seed=0)
    write_run(tmp_path / "b", [np.nan, *(3 * STEPS[:5])], steps=[120, *(STEPS[:5] + 50)], seed=1)
    write_run(tmp_path / ".c.1.tmp", STEPS, seed=2)  # what a kill left
    same = tmp_path / "a" / ".." / "a"
    (group,), _ = curves.read_groups(curves.folders_in([tmp_path, tmp_path / "a", same]))
    grid, values = curves.curves(group, "env_steps")
    np.testing.assert_allclose(grid, np.linspace(150, 550, curves.POINTS))
    np.testing.assert_allclose(values, [grid, 3 * (grid - 50)])
    grid, values = curves.curves(group, "seconds")
    np.testing.assert_allclose(grid, np.linspace(3, 11, curves.POINTS))
    np.testing.assert_allclose(values, [50 * grid, 3 * (50 * grid - 50)])


def test_other_options_are_another_curve_and_say_which(tmp_path):
    for i, (lam, seed) in enumerate([(0.9, 0), (0.9, 1), (0.5, 0)]):
        write_run(tmp_path / str(i), STEPS, lam=lam, seed=seed, gamma=1)
    write_run(tmp_path / "3", STEPS, algorithm="cem", threshold=None, env="Pendulum-v1")
    left, right = picture(tmp_path).axes
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert names == ["ppo, lam 0.9, 2 seeds", "ppo, lam 0.5, seed 0", "threshold 475"]
    assert left.get_title() == "CartPole-v1: interquartile mean, 95 % interval"
    assert right.get_title() == "Pendulum-v1"
    np.testing.assert_array_equal(left.lines[1].get_data(), [STEPS, STEPS])
    write_run(tmp_path / "4", STEPS, lam=0.5, gamma=1)
    with pytest.raises(ValueError, match="4: expected another seed or option than .*2 has"):
        picture(tmp_path)


def test_seeds_that_are_never_at_the_same_steps_are_drawn_without_the_youngest(tmp_path, capsys):
    for seed, begin in enumerate((1000, 0, 900, 1100)):
        write_run(tmp_path / str(seed), STEPS, steps=STEPS + begin, seed=seed)
    (group,), _ = curves.read_groups(curves.folders_in([tmp_path]))
    met, young = curves.together(group, "env_steps")
    assert (young, list(met.seeds)) == ([1], [0, 2, 3])
    assert curves.together(met, "env_steps") == (met, [])
    assert plot.main([str(tmp_path)]) == 0
    wanted = "left out, too young to share steps with the others: ppo, CartPole-v1, seed 1"
    assert wanted in capsys.readouterr().err


def test_what_is_no_run_among_others_is_left_out_and_named(tmp_path, capsys):
    for name in "abcd":
        write_run(tmp_path / name, STEPS, seed=ord(name))
    (tmp_path / "b" / "progress.csv").unlink()
    (tmp_path / "c" / "config.json").write_text("[1]")
    (tmp_path / "d" / "progress.csv").write_text("a,b\n1,x\n")
    assert plot.main([str(tmp_path)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line.rsplit("/", 1)[1] for line in said] == ["b", "c", "d"]
    assert all(line.startswith("minipg plot: left out, expected a run folder, got ")
               for line in said)  # fmt: skip
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "curve.png").unlink()
    assert plot.main([str(tmp_path)]) == 2
    assert not (tmp_path / "curve.png").exists()


@pytest.mark.parametrize(("out", "message"), [
    ("curve.docx", "--out: expected a file .png, .svg, .pdf, got"),
    ("none/curve.png", "there is no such folder"),
])  # fmt: skip
def test_where_no_picture_can_be_written_one_line_says_so(tmp_path, capsys, out, message):
    write_run(tmp_path / "a", STEPS)
    assert plot.main([str(tmp_path), "--out", str(tmp_path / out)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert ".tmp" not in error


def test_a_run_without_a_finished_episode_is_left_out_and_named(tmp_path, capsys):
    """Of its group the others are drawn; where none is left, one line says what to do."""
    write_run(tmp_path / "a", STEPS)
    write_run(tmp_path / "b", [np.nan] * 10, seed=1)
    write_run(tmp_path / "c", [np.nan] * 10, env="Ant-v5")
    groups, without = curves.read_groups(curves.folders_in([tmp_path]))
    assert [list(group.seeds) for group in groups] == [[0]]
    assert list(without) == [tmp_path / "b", tmp_path / "c"]
    assert plot.main([str(tmp_path)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"minipg plot: left out, no episode has ended: {folder}" for folder in without
    ]
    assert plot.main([str(tmp_path / "b")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"minipg plot: {tmp_path / 'b'}: expected a run in which an episode")
    assert error.count("\n") == 1


@pytest.mark.parametrize(("environments", "across"), [(1, 1), (3, 3), (4, 2), (5, 3), (7, 3)])
def test_environments_wrap_into_rows_and_no_label_is_cut_or_covered(tmp_path, environments, across):
    """All that is drawn lies on the page, and no panel reaches into another."""
    for i in range(environments):
        more = {"delta": 0.01} if i % 2 else {}
        run = write_run(tmp_path / str(i), 1e6 * STEPS, env=f"A-rather-long-name-{i}-v1", **more)
        table = (run / "progress.csv").read_text().splitlines()
        rows = [table[0] + ",kl", *(f"{row},0.012345" for row in table[1:])]
        (run / "progress.csv").write_text("\n".join(rows) + "\n")
    figure = picture(tmp_path)
    first = figure.axes[0].get_subplotspec().get_gridspec()
    assert first.ncols == across
    figure.draw_without_rendering()
    page = figure.bbox
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for i, box in enumerate(boxes):
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in boxes[:i])
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [f"A-rather-long-name-{i}-v1" for i in range(environments)]


def test_styles_differ_in_colour_line_and_marker():
    for part in zip(*panels.STYLES, strict=True):
        assert len(set(part)) == len(panels.STYLES) >= len(ALGORITHMS)


def test_trust_region_runs_show_kl_and_line_search(tmp_path, capsys):
    """What the panels show is what progress.csv holds; all three formats are written."""
    for algorithm, seed in (("trpo", "0"), ("trpo", "1"), ("npg", "0")):
        assert train.main([algorithm, "CartPole-v1", "--seed", seed, "--steps", "5000", "--n-steps",
                           "16", "--hidden", "4", "--delta", "0.01", "--out",
                           str(tmp_path / (algorithm + seed))]) == 0  # fmt: skip
    returns, kl, search = picture(tmp_path, "seconds").axes
    assert returns.get_xlabel() == "seconds of training"
    rows = [list(csv.DictReader((tmp_path / run / "progress.csv").read_text().splitlines()))
            for run in ("trpo0", "trpo1")]  # fmt: skip
    rows = [row for run in rows for row in run]
    ratio = np.array([float(row["kl"]) / 0.01 for row in rows])
    drawn = {line.get_label(): line.get_ydata() for line in kl.lines}
    np.testing.assert_array_equal(drawn["trpo"], ratio)
    assert ratio.max() <= 1 < drawn["npg"].max()
    seconds = np.array([float(row["seconds"]) for row in rows])
    edges = np.linspace(0, seconds.max(), len(search.containers[0]) + 1)
    place = np.minimum(np.searchsorted(edges, seconds, "right"), len(edges) - 1) - 1
    below = 0
    for bars, (key, (text, *_)) in zip(search.containers, panels.OUTCOMES.items(), strict=True):
        counts = np.array([int(row[key]) for row in rows])
        wanted = [counts[place == i].mean() if i in place else 0 for i in range(len(bars))]
        assert bars.get_label() == text
        np.testing.assert_allclose([bar.get_height() for bar in bars], wanted)
        np.testing.assert_allclose([bar.get_y() for bar in bars], below)  # one on the other
        below = below + np.array(wanted)
    tried = np.array([int(row["tried"]) for row in rows])
    assert below[0] == pytest.approx(tried[place == 0].mean())
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
        assert plot.main([str(tmp_path), "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes().startswith(start)
    assert plot.main([str(tmp_path), str(tmp_path / "trpo0")]) == 0
    assert capsys.readouterr().out.endswith(f"picture: {tmp_path / 'curve.png'}\n")


def test_several_seeds_are_drawn_as_their_middle_within_its_interval(tmp_path):
    """The line is the interquartile mean, not the first seed; the band's edges are the interval."""
    rng = np.random.default_rng(0)
    for seed in range(6):
        write_run(tmp_path / str(seed), 100 * rng.random(10), seed=seed)
    (axes,) = picture(tmp_path).axes
    (group,), _ = curves.read_groups(curves.folders_in([tmp_path]))
    grid, values = curves.curves(group, "env_steps")
    middle, low, high = curves.interquartile(values)
    line = next(line for line in axes.lines if line.get_label().startswith("ppo"))
    np.testing.assert_array_equal(line.get_xdata(), grid)
    np.testing.assert_array_equal(line.get_ydata(), middle)
    assert np.abs(middle - values[0]).max() > 1
    (band,) = axes.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.round(9)}
    for edge in (low, high):
        assert set(zip(grid.round(9), edge.round(9), strict=True)) <= corners


def test_the_interval_leaves_a_fortieth_on_either_side():
    """Of a mean of 40 seeds, all trimmed alike: SciPy's quantiles of the same resamples, to the
    bit; those of 93 or 97 % are others."""
    values = np.random.default_rng(0).normal(size=(40, 1))
    _, low, high = curves.interquartile(values)
    for level, same in ((0.95, True), (0.93, False), (0.97, False)):
        found = bootstrap(
            (values,), lambda x, axis: trim_mean(x, 0.25, axis=axis), method="percentile",
            n_resamples=curves.RESAMPLES, confidence_level=level, vectorized=True,
            random_state=np.random.default_rng(0),
        )  # fmt: skip
        assert (found.confidence_interval.low == low) == same
        assert (found.confidence_interval.high == high) == same


def test_each_algorithm_s_kl_is_in_units_of_its_own_delta(tmp_path):
    for name, delta in (("trpo", 0.01), ("npg", 0.1)):
        folder = write_run(tmp_path / name, STEPS, algorithm=name, delta=delta)
        rows = (folder / "progress.csv").read_text().splitlines()
        table = [rows[0] + ",kl", *(row + ",0.05" for row in rows[1:])]
        (folder / "progress.csv").write_text("\n".join(table) + "\n")
    _, kl = picture(tmp_path).axes
    drawn = {line.get_label(): line.get_ydata() for line in kl.lines}
    np.testing.assert_allclose(drawn["trpo"], 5)
    np.testing.assert_allclose(drawn["npg"], 0.5)


@pytest.mark.parametrize(
    "words", [[], ["--attribute", f"reinforce {'--no-gamma-t ' * 9}"]], ids=["ψ", "bias"]
)
def test_the_pictures_of_estimators_keep_their_labels_on_the_page(tmp_path, monkeypatch, words):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    np.savez(tmp_path / "table.npz", start=[1.0, 0.0], gamma=0.9, terminal=[False, True],
             transition=np.tile([0.0, 1.0], (2, 2, 1)),
             reward=[[0.0, 1.0], [2.0, 5.0]])  # fmt: skip
    out = tmp_path / "picture.png"
    assert estimators.main([str(tmp_path / "table.npz"), "--plot", str(out), *words]) == 0
    (figure,) = drawn
    figure.draw_without_rendering()
    texts = [figure._suptitle] if words else []
    for box in [x.get_tightbbox() for x in figure.axes] + [x.get_window_extent() for x in texts]:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
