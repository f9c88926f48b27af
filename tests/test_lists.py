"""Lists are taken where arrays are, NumPy's scalars where numbers are; True is no number.

Every public function of the wings is called so: what `dir` shows of them, and the methods of their
classes that take an array.
"""

import dataclasses
import importlib
import inspect
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from minipg.algorithms.loop import AdamSettings
from minipg.commands.options import ALGORITHMS
from minipg.estimators.action_critics import make_critic
from minipg.estimators.critics import value_critic
from minipg.estimators.groups import rloo
from minipg.experience.batch import Batch
from minipg.experience.enumeration import enumerate_trajectories
from minipg.experience.environments import adapt
from minipg.experience.rollout import Stream, play_episodes, start_stream
from minipg.policies import MLP, Gaussian, MultiSoftmax, Softmax
from minipg.policies.build import gaussian_policy, multi_softmax_policy, softmax_policy
from minipg.problems import lqr
from minipg.problems.lqr import LQR
from minipg.problems.lqr_env import LQRVectorEnv
from minipg.problems.mdp import TabularMDP
from minipg.problems.mdp_env import TabularVectorEnv
from minipg.steps.optim import adam_init
from minipg.truth.verdict import Verdict

WINGS = ("policies", "problems", "experience", "estimators", "steps", "algorithms", "truth")
INSIDE = {  # of the network, features first: no place to enter
    "policies.MLP.backward", "policies.MLP.columns", "policies.MLP.write_vjp", "policies.Tape",
}  # fmt: skip
UNUSED = {  # numbers that only other critics use
    "estimators.QCritic.psi": {"gamma", "lam"},
    "estimators.CompatibleCritic.psi": {"gamma", "lam"},
}


def takes_array(function):
    """Whether one of its parameters is annotated as an array."""
    parameters = inspect.signature(function).parameters.values()
    return any("numpy.ndarray" in str(p.annotation) for p in parameters)


def public():
    """{name: function}: of each wing its functions, the classes made of arrays, their methods."""
    found = {}
    for wing in WINGS:
        module = importlib.import_module(f"minipg.{wing}")
        for name in dir(module):
            value, at = getattr(module, name), f"{wing}.{name}"
            if isinstance(value, ModuleType):  # an algorithm: its loop bears its name
                found[at] = getattr(value, name)
            elif inspect.isfunction(value):
                found[at] = value
            elif inspect.isclass(value) and not getattr(value, "_is_protocol", False):
                if dataclasses.is_dataclass(value) and takes_array(value):
                    found[at] = value
                methods = inspect.getmembers(value, lambda x: inspect.isfunction(x) or
                                             inspect.ismethod(x))  # fmt: skip
                found |= {f"{at}.{key}": method for key, method in methods
                          if not key.startswith("_") and takes_array(method)}  # fmt: skip
    return {name: function for name, function in found.items() if name not in INSIDE}


PUBLIC = public()


def world():
    """What the calls are made of, new each time: generators and environments move on."""
    w = SimpleNamespace(rng=np.random.default_rng(0))
    r = w.rng
    w.table = {"transition": r.dirichlet(np.ones(3), (3, 2)), "reward": r.standard_normal((3, 2)),
               "start": np.array([0.5, 0.5, 0.0]), "gamma": 0.5}  # fmt: skip
    w.mdp = TabularMDP.from_arrays(**w.table)
    w.short = w.mdp.unroll(2)
    w.policy = softmax_policy(3, 2, (4,))
    w.theta = 0.5 * r.standard_normal(w.policy.num_params)
    w.v = r.standard_normal(w.theta.shape)
    w.pi, w.pi_new = r.dirichlet(np.ones(2), (2, 3))
    w.batch, _ = enumerate_trajectories(w.short, w.policy.probs(w.theta, w.short.features))
    w.psi, w.ends = r.standard_normal(w.batch.rewards.shape), w.batch.ends
    w.obs = r.standard_normal((5, 3))
    w.actions, w.log_prob = w.policy.sample(w.theta, w.obs, r)
    w.shared = softmax_policy(3, 2, (4,), value_head=True)
    w.shared_theta = 0.5 * r.standard_normal(w.shared.num_params)
    w.critic = value_critic(w.policy)
    w.phi = w.critic.init(r, np.float64)
    w.gaussian, w.many = gaussian_policy(3, 2), multi_softmax_policy(3, (2, 3))
    one = np.eye(1)
    w.matrices = {"F": 0.9 * one, "G": one, "Q": one, "R": one, "W": 0.01 * one,
                  "mean": np.ones(1), "C": 0.1 * one}  # fmt: skip
    w.lqr = LQR(**w.matrices, gamma=0.9, horizon=3)
    w.envs = adapt(TabularVectorEnv(w.short, 3))
    w.returns, w.lengths = r.standard_normal((2, 3)), r.integers(1, 5, (2, 3))
    w.weight = r.dirichlet(np.ones(5))
    w.square = np.abs(w.v)
    return w


def head_cases(kind, head, actions):
    """Of every method of a head that takes arrays, K parameters in each of three samples."""
    eta, other = np.random.default_rng(1).standard_normal((2, 3, head.size))
    eta_only = ("entropy", "entropy_gradient", "fisher", "fisher_root", "mode", "split")
    with_actions = {"eta": eta, "actions": actions}
    cases = {name: {"eta": eta} for name in eta_only}
    cases |= {name: with_actions for name in ("log_prob", "score")}
    cases |= {
        "check_actions": {"actions": actions, "leading": (3,)},
        "kl": {"p": eta, "q": other}, "log_ratio": {"p": eta, "q": other},
        "fisher_product": {"eta": eta, "then": lambda product: product(other.tolist())},
        "sample": {"eta": eta, "rng": np.random.default_rng(2)},
        "probs": {"eta": eta}, "log_probs": {"eta": eta},
        "join": {"padded": np.ones((3, 2, 3))},
    }  # fmt: skip
    return {f"policies.{kind}.{name}": {"self": head, **case} for name, case in cases.items()}


def critic_cases(w):
    """Of every method of each critic that takes arrays."""
    cases = {}
    for kind, policy, theta in (("v", w.policy, w.theta), ("q", w.policy, w.theta),
                                ("compatible", w.policy, w.theta),
                                ("v", w.shared, w.shared_theta)):  # fmt: skip
        critic = make_critic(kind, policy)
        phi = critic.init(np.random.default_rng(3), np.float64)
        name, own = f"estimators.{type(critic).__name__}", {"self": critic, "phi": phi}
        both = own | {"theta": theta}
        target = np.ones(w.batch.rewards.shape)
        cases[f"{name}.values"] = both | {"obs": w.obs}
        cases[f"{name}.gradient"] = both | {"batch": w.batch, "target": target, "adv": w.psi}
        cases[f"{name}.psi"] = both | {"batch": w.batch, "gamma": 0.9, "lam": 0.5}
        cases[f"{name}.error_gradient"] = own | {"obs": w.obs, "target": w.weight}
        cases[f"{name}.action_values"] = own | {"obs": w.obs}
        cases[f"{name}.split"] = own
    return cases


def policy_cases(w):
    """Of every method of a policy and its network that takes arrays."""
    own, at = {"self": w.policy}, {"theta": w.theta, "obs": w.obs}
    tape, deta = w.policy.forward(w.theta, w.obs)[1], np.ones((5, 2))
    act = {"actions": w.actions}
    network, theta = {"self": w.policy.network}, {"theta": w.theta}
    cases = {f"policies.Policy.{name}": own | at for name in ("entropy", "eta", "forward", "probs")}
    return cases | {
        "policies.Policy.actor": own | theta | {"then": lambda act: act(w.obs.tolist(), w.rng)},
        "policies.Policy.at": own | theta | {"then": lambda eta: eta(w.obs.tolist())},
        "policies.Policy.jvp": own | theta | {"tape": tape, "v": w.v},
        "policies.Policy.vjp": own | theta | {"tape": tape, "deta": deta},
        "policies.Policy.kl": own | {"theta_p": w.theta, "theta_q": w.v, "obs": w.obs},
        "policies.Policy.log_prob": own | at | act,
        "policies.Policy.named": own | theta,
        "policies.Policy.sample": own | at | {"rng": w.rng},
        "policies.Policy.score": own | at | act,
        "policies.Policy.split": own | theta,
        "policies.Policy.values": {"self": w.shared, "theta": w.shared_theta, "obs": w.obs},
        "policies.Policy.weighted_score": own | at | act | {"psi": w.weight},
        "policies.MLP.at": network | theta | {"then": lambda output: output(w.obs.tolist())},
        "policies.MLP.forward": network | theta | {"x": w.obs},
        "policies.MLP.jvp": network | theta | {"tape": tape, "v": w.v},
        "policies.MLP.vjp": network | theta | {"tape": tape, "dy": deta},
        "policies.MLP.layers": network | theta,
        "policies.MLP.named": network | theta,
    }


def build_cases(w):
    """Of the functions that make policies, and of their files."""
    size = {"obs_size": 3, "hidden": (4, 5)}
    return {
        "policies.softmax_policy": size | {"n": 2},
        "policies.multi_softmax_policy": size | {"nvec": (2, 3)},
        "policies.gaussian_policy": size | {"d": 2},
        "policies.policy_with": size | {"head": w.policy.head},
        "policies.absorb_normalization": {"policy": w.policy, "theta": w.theta, "mean": w.obs[0],
                                          "std": np.abs(w.obs[1])},
        "policies.save_policy": {"path": w.path, "policy": w.policy, "theta": w.theta,
                                 "then": lambda _: np.load(w.path)["theta"]},
        "policies.load_policy": {"path": w.saved},
    }  # fmt: skip


def problem_cases(w):
    m = w.mdp
    entries = {"row": m.row, "next_state": m.next_state, "prob": m.prob, "reward": m.reward,
               "terminated": m.terminated, "start": m.start, "gamma": 0.5,
               "num_actions": 2}  # fmt: skip
    table, linear = TabularVectorEnv(m, 3, 5), LQRVectorEnv(w.lqr, 3, 5)
    table.reset(seed=0)
    linear.reset(seed=0)
    return {
        "problems.LQR": {**w.matrices, "gamma": 0.9, "horizon": 2},
        "problems.TabularMDP": entries | {"given_features": np.ones((3, 2))},
        "problems.TabularMDP.from_entries": entries | {"features": np.ones((3, 2))},
        "problems.TabularMDP.from_arrays": {**w.table, "terminal": np.array([False, False, True])},
        "problems.TabularMDP.chain": {"self": m, "pi": w.pi, "then": lambda p: p.toarray()},
        "problems.TabularMDP.check_ends": {"self": w.short, "pi": np.tile(w.pi, (3, 1))},
        "problems.TabularMDP.never_ends": {"self": w.short, "pi": np.tile(w.pi, (3, 1))},
        "problems.TabularMDP.with_start": {"self": m, "start": np.array([0.0, 0.0, 1.0])},
        "problems.TabularVectorEnv.step": {"self": table, "actions": np.array([0, 1, 1])},
        "problems.LQRVectorEnv.step": {"self": linear, "actions": np.ones((3, 1))},
    }


def experience_cases(w):
    stream = start_stream(w.envs, w.theta, w.rng)
    fields = {f.name: getattr(w.batch, f.name) for f in dataclasses.fields(Batch)}
    play = {"envs": w.envs, "policy": w.policy, "theta": w.theta, "rng": w.rng}
    linear = gaussian_policy(1, 1)
    return {
        "experience.Batch": fields,
        "experience.columns": {"batch": w.batch, "chosen": np.array([1, 0, 1])},
        "experience.moments": {"samples": w.obs, "weight": w.weight},
        "experience.enumerate_trajectories": {"mdp": w.short, "pi": np.tile(w.pi, (3, 1)),
                                              "most": 1000},
        "experience.quadrature": {"lqr": w.lqr, "policy": linear, "theta": np.zeros(3), "nodes": 3},
        "experience.adapt": {"envs": TabularVectorEnv(w.mdp, 3), "then": lambda e: e.num_envs},
        "experience.make_envs": {"env_id": "CartPole-v1", "num_envs": 2, "max_episode_steps": 7,
                                 "then": lambda e: (e.num_envs, e.spec.max_episode_steps)},
        "experience.policy_for": {"envs": w.envs, "hidden": (4, 5)},
        "experience.recent_returns": {"envs": w.envs},
        "experience.collect": play | {"steps": 3, "stream": stream},
        "experience.play_episodes": play,
        "experience.start_stream": {k: x for k, x in play.items() if k != "policy"},
    }  # fmt: skip


def estimator_cases(w):
    gamma, own = {"gamma": 0.9}, {"policy": w.policy, "theta": w.theta}
    batch, psi, ends = {"batch": w.batch}, {"psi": w.psi}, {"ends": w.ends}
    delta, rewards = {"delta": w.psi, **ends}, {"rewards": w.batch.rewards, **ends}
    groups, samples = {"returns": w.returns, "lengths": w.lengths}, {"obs": w.obs}
    possible = np.array([0, 0, 1, 1, 1])
    values = np.ones((len(w.psi) + 1, w.psi.shape[1]))
    cases = {
        "batch_moments": {"method": lambda r, lengths: rloo(r), "returns": w.weight,
                          "lengths": possible + 1, "scores": w.obs, "prompt": possible,
                          "prob": w.weight, "size": 2, "most": 100},
        "batch_surrogate": own | batch | psi,
        "batch_surrogate_gradient": own | batch | psi,
        "clipped_surrogate": own | samples | {"actions": w.actions, "log_prob": w.log_prob,
                                              "psi": w.weight, "clip": 0.2},
        "compatible_advantage": own | samples | {"w": w.v, "actions": w.actions},
        "constant_baseline": batch | psi, "time_baseline": batch | psi,
        "log_decision_weights": own | batch, "self_normalized_weight": own | batch,
        "by_group": {"method": rloo, "group": np.array([0, 0, 1, 1]),
                     "returns": np.array([1.0, 2.0, 0.5, 3.0])},
        "decision_weights": own | batch, "importance_weight": own | batch, "ratio": own | batch,
        "discounted_sum": {"x": w.psi, **ends, "rate": 0.5}, "discounts": ends | gamma,
        "dr_grpo": {"returns": w.returns}, "rloo": {"returns": w.returns}, "grpo": groups,
        "reinforce_plus_plus": groups, "remax": {"returns": w.returns, "greedy": np.ones(2)},
        "fit_values": {"critic": w.critic, "phi": w.phi, "state": adam_init(w.phi), **samples,
                       "target": w.weight, "epochs": 2, "minibatch": 2, "learning_rate": 0.1,
                       "rng": w.rng},
        "gae": delta | gamma | {"lam": 0.5}, "gae_ensemble": delta | gamma | {"lam": 0.5},
        "n_step_advantage": delta | gamma | {"n": 2},
        "gradient": own | batch | psi, "gradients": own | batch | psi,
        "least_squares": {"features": w.obs, "target": w.log_prob, "weight": w.weight},
        "lstd": {"features": w.obs, "next_features": 0.3 * w.obs[::-1], "rewards": w.log_prob,
                 "weight": w.weight, **gamma},
        "make_critic": {"kind": "q", "policy": w.policy}, "value_critic": {"policy": w.policy},
        "normalize": psi | {"valid": w.batch.valid},
        "optimal_baseline": {"estimates": w.obs, "scores": w.obs[::-1], "weight": w.weight,
                             "per_parameter": True},
        "responses": batch, "reward_to_go": rewards | gamma, "total_return": rewards | gamma,
        "self_normalized": {"weight": w.weight}, "steps_since_start": ends,
        "td_error": {"rewards": w.batch.rewards, "values": values,
                     "terminated": w.batch.terminated, "valid": w.batch.valid, **gamma},
        "td_errors": {"critic": w.critic, "phi": w.phi, "theta": w.theta, **batch, **gamma},
    }  # fmt: skip
    return {f"estimators.{name}": case for name, case in cases.items()}


def step_cases(w):
    own = {"policy": w.policy, "theta": w.theta, "obs": w.obs}
    step, rate = {"theta": w.theta, "gradient": w.v}, {"learning_rate": 0.1}
    cases = {
        "adam": step | rate | {"state": adam_init(w.theta), "beta1": 0.5, "beta2": 0.5,
                               "eps": 0.5},
        "rmsprop": step | rate | {"square": w.square, "decay": 0.5, "eps": 0.5},
        "sgd": step | rate | {"state": None},
        "adam_init": {"theta": w.theta}, "rmsprop_init": {"theta": w.theta},
        "sgd_init": {"theta": w.theta},
        "backtrack": {"theta": w.theta, "step": w.v, "measure": lambda x: (x @ w.v, x @ x),
                      "delta": 3.0, "most": 3},
        "clip_norm": {"gradient": w.v, "most": 0.5},
        "conjugate_gradients": {"product": lambda v: 2 * v + v[::-1], "b": w.v, "iterations": 3,
                                "tolerance": 0.1},
        "factors": own,
        "fisher_matrix": own | {"weight": w.weight},
        "fisher_product": own | {"weight": w.weight, "then": lambda h: h(w.v.tolist())},
        "natural_gradient": own | {"gradient": w.v, "damping": 0.5, "solver": "cg",
                                   "cg_iterations": 3},
        "trust_region_step": {"direction": w.v, "curvature": 2.0, "delta": 0.5},
    }  # fmt: skip
    return {f"steps.{name}": case for name, case in cases.items()}


def algorithm_cases(w):
    def first(history):
        state, record = next(history)
        return state.theta, record

    cases = {}
    for name in ALGORITHMS:
        module = importlib.import_module(f"minipg.algorithms.{name}")
        cases[name] = {"envs": w.envs, "policy": w.policy, "start": w.theta, "steps": 9,
                       "settings": module.Settings(), "rng": w.rng, "then": first}  # fmt: skip
    cases["learn"] = cases["npg"] | {
        "settings": AdamSettings(),
        "update": lambda policy, theta, samples, settings, state, rng: (theta, state, {}),
    }
    cases["environment_state"] = {"envs": w.envs, "then": len}
    state = importlib.import_module("minipg.algorithms.state").environment_state(w.envs)
    cases["restore_environments"] = {"envs": w.envs, "state": state}
    cases["save_tree"] = {"path": w.path, "tree": {"x": w.v}, "then": lambda _: None}
    cases["load_tree"] = {"path": w.tree}
    return {f"algorithms.{name}": case for name, case in cases.items()}


def truth_cases(w):
    def estimator(batch):
        return np.stack([batch.rewards.sum(0), batch.actions.sum(0)], 1)

    mdp, pi, own = {"mdp": w.mdp}, {"pi": w.pi}, {"policy": w.policy, "theta": w.theta}
    table, two = np.ones((3, 2)), np.ones(2)
    x = {"x": w.obs[0], "v": w.obs[1]}
    asked = {"estimator": estimator, "batch": w.batch}
    cases = {
        "action_values": mdp | {"values": w.obs[0]},
        "bootstrap_bias": mdp | own | {"error": w.obs[0], "lam": 0.5},
        "expected_score": mdp | own | {"psi": table},
        "logit_score": mdp | pi | {"psi": table},
        "policy_gradient": mdp | own, "optimal_action_values": mdp,
        "mean_kl": mdp | {"p": w.pi, "q": w.pi_new, "pi": w.pi},
        "kl": {"p": w.pi, "q": w.pi_new}, "visits": mdp | pi | {"gamma": 0.5},
        "central_difference": {"f": lambda x: x**3, **x, "h": 1e-3},
        "complex_step": {"f": lambda x: x**3, **x, "h": 1e-20},
        "gradient_error": {"f": lambda x: (x**2).sum(), "gradient": 2 * w.obs[0], "x": w.obs[0],
                           "rng": w.rng, "directions": 2},
        "check_mean": {"samples": w.obs, "expected": w.obs[0], "width": 9 * np.ones(3),
                       "alpha": 0.1},
        "check_exact": asked | {"truth": two, "games": 1, "tolerance": 1e-9},
        "check_unbiased": {"sample": lambda n, rng: rng.random((n, 2)), "truth": 0.5 * two,
                           "bias": 0.5, "rng": w.rng, "alpha": 0.01, "beta": 0.1, "pilot": 200,
                           "most": 10_000},
        "assert_unbiased": {"verdict": Verdict(True, 0.0, 0.0, 0.0, 1, 0.0, 0.0, two)},
        "estimates": asked, "exact_moments": asked | {"games": 1, "most": 1000},
        "sampler": {"estimator": estimator, "games": 2,
                    "play": lambda n, rng: play_episodes(TabularVectorEnv(w.short, n), w.policy,
                                                         w.theta, rng),
                    "then": lambda sample: sample(2, w.rng)},
    }  # fmt: skip
    for name in ("advantages", "improve", "logit_gradient", "objective", "penalty", "state_values",
                 "visitation"):  # fmt: skip
        cases[name] = mdp | pi
    for name in ("lower_bound", "performance_difference", "surrogate"):
        cases[name] = mdp | pi | {"pi_new": w.pi_new}
    return {f"truth.{name}": case for name, case in cases.items()}


def cases(folder):
    """{name: arguments}; "then" makes of a result what can be compared."""
    from minipg.algorithms.state import save_tree
    from minipg.policies.policy_file import save_policy

    w = world()
    w.path, w.saved, w.tree = (folder / f"{name}.npz" for name in ("new", "saved", "tree"))
    save_policy(w.saved, w.policy, w.theta)
    save_tree(w.tree, {"x": w.v})
    whole = np.array([0, 1, 1])
    found = {}
    for part in (policy_cases, build_cases, critic_cases, problem_cases, experience_cases,
                 estimator_cases, step_cases, algorithm_cases, truth_cases):  # fmt: skip
        found |= part(w)
    pairs = np.stack([whole, whole], 1)
    for kind, head, actions in (("Softmax", w.policy.head, whole),
                                ("Gaussian", w.gaussian.head, np.ones((3, 2))),
                                ("MultiSoftmax", w.many.head, pairs)):  # fmt: skip
        found |= head_cases(kind, head, actions)
    return {name: found[name] for name in PUBLIC if name in found}


def call(name, arguments):
    arguments = dict(arguments)
    then = arguments.pop("then", lambda result: result)
    return then(PUBLIC[name](**arguments))


def changed(arguments, change):
    """Each argument, and what a batch or a stream is made of, changed."""

    def of(value):
        if isinstance(value, Batch):
            return Batch(**{f.name: of(getattr(value, f.name)) for f in dataclasses.fields(value)})
        if isinstance(value, Stream):
            return Stream(*map(of, value))
        return change(value)

    return {name: of(value) for name, value in arguments.items()}


def as_lists(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


def as_scalars(value):
    if type(value) is tuple:
        return [as_scalars(x) for x in value]
    kinds = {bool: np.bool_, int: np.int64, float: np.float64}
    return kinds[type(value)](value) if type(value) in kinds else value


def single(value):
    floating = isinstance(value, np.ndarray) and value.dtype == np.float64
    return value.astype(np.float32) if floating else value


def whole_numbers(dtype):
    """Numbers as whole ones of this dtype."""

    def of(value):
        floating = isinstance(value, np.ndarray) and value.dtype == np.float64
        return np.rint(3 * value).astype(dtype) if floating else value

    return of


def assert_same(one, other):
    """To the bit, of one type and dtype all the way down."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for x, y in zip(one, other, strict=True):
            assert_same(x, y)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    else:
        np.testing.assert_equal(one, other)


def assert_close(one, other):
    """Numbers the same to rounding, whatever their dtype, all the way down."""
    if isinstance(one, list | tuple):
        for x, y in zip(one, other, strict=True):
            assert_close(x, y)
    elif isinstance(one, dict):
        assert_close(list(one.values()), list(other.values()))
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_close(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, np.ndarray | float | int):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_every_public_function_has_a_case(tmp_path):
    missing = sorted(set(PUBLIC) - set(cases(tmp_path)))
    assert not missing, (
        f"no arguments for {missing}: give them some in the *_cases of tests/test_lists.py (arrays "
        "for arrays, Python's numbers for numbers, 'then' for what cannot be compared), and "
        "np.asarray, check_range or check_count where they enter"
    )


@pytest.mark.parametrize("name", PUBLIC)
def test_lists_give_what_arrays_give(tmp_path, name):
    expected = call(name, cases(tmp_path)[name])
    assert_same(call(name, changed(cases(tmp_path)[name], as_lists)), expected)


@pytest.mark.parametrize("name", PUBLIC)
def test_whole_numbers_are_numbers(tmp_path, name):
    """Nothing is cut to whole numbers because integers came: as the same floats, or refused."""
    outcomes = []
    for dtype in (float, int):
        try:
            outcomes.append(call(name, changed(cases(tmp_path)[name], whole_numbers(dtype))))
        except ValueError as error:
            outcomes.append(error)
    floats, whole = outcomes
    if isinstance(whole, ValueError):
        assert isinstance(floats, ValueError) or "floating-point numbers" in str(whole)
    else:
        assert_close(whole, floats)


@pytest.mark.parametrize("name", PUBLIC)
def test_numpy_s_scalars_give_what_numbers_give(tmp_path, name):
    """Of float32 arrays too, which a float64 scalar would make float64."""
    for kind in (lambda value: value, single):
        plain, scalars = (changed(cases(tmp_path)[name], kind) for _ in range(2))
        assert_same(call(name, changed(scalars, as_scalars)), call(name, plain))


@pytest.mark.parametrize("name", PUBLIC)
def test_true_is_no_number_and_a_half_no_count(tmp_path, name):
    numbers = {k: x for k, x in cases(tmp_path)[name].items() if type(x) in (int, float)}
    for argument in set(numbers) - UNUSED.get(name, set()):
        value = numbers[argument]
        for wrong in (True, np.True_, "1", None) + ((2.5,) if type(value) is int else ()):
            if wrong is None and argument in ("max_episode_steps", "horizon"):
                continue  # there it says: without one
            arguments = cases(tmp_path)[name] | {argument: wrong}
            with pytest.raises(ValueError, match=r"expected .*, got|expected .*, it is"):
                call(name, arguments)


MADE_OF_COUNTS = {
    "sizes": lambda n: MLP((3, n)), "hidden": lambda n: softmax_policy(3, 2, (n,)),
    "n": Softmax, "d": Gaussian, "nvec": lambda n: MultiSoftmax((2, n)),
    "num_envs": lambda n: TabularVectorEnv(world().mdp, n).num_envs,
    "max_episode_steps": lambda n: TabularVectorEnv(world().mdp, 1, n).max_episode_steps,
    "horizon": lambda n: world().mdp.unroll(n),
    "t": lambda n: lqr.state_values(world().lqr, lqr.solve(world().lqr, [0, 0, 0]), [1.0], n),
    "t ": lambda n: lqr.action_values(world().lqr, lqr.solve(world().lqr, [0, 0, 0]), [1.0], [1.0],
                                      n),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE_OF_COUNTS)
def test_what_is_made_of_a_count(name):
    """The same of NumPy's, and no more NumPy's: those overflow, and are no JSON."""
    make = MADE_OF_COUNTS[name]
    for kind in (np.int64, np.uint8):
        made, plain = make(kind(2)), make(2)
        assert_same(made, plain)
        assert repr(made) == repr(plain)
    for wrong in (True, np.True_, 2.0, "2", -7):
        with pytest.raises(ValueError, match=f"{name.strip()}: expected a whole number"):
            make(wrong)


@pytest.mark.parametrize("module", ALGORITHMS)
def test_an_algorithm_s_options_are_python_s_own(module):
    kind = importlib.import_module(f"minipg.algorithms.{module}").Settings
    for field in dataclasses.fields(kind):
        plain, default = kind(), field.default
        made = kind(**{field.name: as_scalars(default)})
        assert made == plain
        assert type(getattr(made, field.name)) is type(default)
        wrong = [None, [default]] + ([1] if type(default) in (bool, str) else [True, np.True_, "1"])
        wrong += [2.5] if type(default) is int else []
        for value in wrong:
            with pytest.raises(ValueError, match=f"{field.name}: expected .*, got"):
                kind(**{field.name: value})


def test_the_first_parameters_are_of_numbers():
    w = world()
    for options in ({"output_gain": 2.0}, {"std": 0.5}):
        name, value = *options.keys(), *options.values()
        plain, own = (w.gaussian.init(np.random.default_rng(0), dtype=np.float32, **{name: x})
                      for x in (value, np.float64(value)))  # fmt: skip
        assert_same(plain, own)
        with pytest.raises(ValueError, match=f"{name}: expected a number"):
            w.gaussian.init(w.rng, **{name: True})


def test_a_seed_may_be_one_of_numpy_s():
    w = world()
    for envs in (TabularVectorEnv(w.mdp, 3), LQRVectorEnv(w.lqr, 3)):
        once = envs.reset(seed=5)
        assert_same(envs.reset(seed=np.int64(5)), once)
        for wrong in (True, -1, 0.5):
            with pytest.raises(ValueError, match="seed: expected a whole number of 0 or more, got"):
                envs.reset(seed=wrong)


def test_complex_arrays_pass():
    """Complex step goes through every layer of the estimators and the exact truth."""
    w = world()
    theta = w.theta + 1e-30j
    assert np.iscomplexobj(w.policy.log_prob(theta, w.obs, w.actions))
    pi = w.policy.probs(theta, w.mdp.features)
    truth = importlib.import_module("minipg.truth")
    for value in (truth.objective(w.mdp, pi), truth.advantages(w.mdp, pi),
                  truth.visits(w.mdp, pi, 0.5)):  # fmt: skip
        assert np.iscomplexobj(value)
