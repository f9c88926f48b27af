"""Faults of mutate.py that change no value anybody can see, each with its reason."""

_ESTIMATORS, _EXPERIENCE = "minipg/estimators", "minipg/experience"
_MDP_ENV, _VERDICT = "minipg/problems/mdp_env.py", "minipg/truth/verdict.py"

EQUIVALENT: dict[str, str] = {
    f"{_MDP_ENV}: self._state = np.full(num_envs, -1)  # until the first reset [41] 1 -> 2":
        "any number below 0 says that there was no reset",
    f"{_MDP_ENV}: self._ended = np.zeros(num_envs, bool) [25] zeros -> ones":
        "reset sets it before a step may read it",
    f'{_ESTIMATORS}/importance.py: check_range("weight", float(weight.min(initial=0)), 0) [51] '
    "0 -> 1": "neither start of the minimum is below 0, where it is refused",
    f"{_ESTIMATORS}/baselines.py: weight, psi = batch.weight * batch.valid, np.where(batch.valid, "
    "psi, 0) [73] 0 -> 1": "the weight is 0 there; the number needs to be finite, no more",
    f"{_ESTIMATORS}/recursion.py: block = np.array(x, np.result_type(x, 1.0)) [42] 1.0 -> 2.0":
        "of the number only its kind counts",
    f"{_ESTIMATORS}/returns.py: begins = np.concatenate([np.ones_like(ends[:1]), ends[:-1]]) [32] "
    "ones_like -> zeros_like": "before the first row nothing is carried that it could cut",
    f"{_EXPERIENCE}/enumeration.py: noise = iter(np.split(grid, np.cumsum([n] + [d, n] * "
    "(lqr.horizon - 1)), axis=1)) [70] - -> +": "two empty splits more, which nothing takes",
    f"{_EXPERIENCE}/enumeration.py: states.append(mean + next(noise) @ root[\"W\"].T if t < "
    "lqr.horizon - 1 else mean) [27] + -> -": "the nodes of the quadrature are symmetric",
    f"{_EXPERIENCE}/environments.py: i = int((~np.isfinite(array)).reshape(len(array), -1)"
    ".any(1).argmax()) [63] 1 -> 2": "NumPy takes any number below 0 for what is left",
    f"{_EXPERIENCE}/environments.py: shaped = actions.reshape(-1, *(space.shape or ())) [30] "
    "1 -> 2": "NumPy takes any number below 0 for what is left",
    f"{_VERDICT}: return bisect_left(range(2**60), -0.9 * bias, 2, key=lambda n: -_radii(seen, n, "
    "alpha, beta)[1]) [50] 2 -> 3": "the pilot has a hundred and the answer is at least that",
    f"{_EXPERIENCE}/enumeration.py: actions.append(mu + np.exp(log_std) * next(noise)) [26] + -> -":
        "the nodes of the quadrature are symmetric",
    f'{_EXPERIENCE}/enumeration.py: grid = np.stack(np.meshgrid(*[z] * size, indexing="ij"), -1)'
    ".reshape(-1, size) [74] 1 -> 2": "NumPy takes any number below 0 for what is left",
    "minipg/policies/policy.py: grad[net:] = d_log_std.reshape(-1, self.num_log_std).T [44] 1 -> 2":
        "NumPy takes any number below 0 for what is left",
    f"{_ESTIMATORS}/returns.py: chosen = psi[valid] / 1.0 [24] / -> *": "by 1",
    "minipg/algorithms/settings.py: low: float = -LARGEST, [17] - -> +":
        "read of numbers alone, each of which gives its own",
    "minipg/problems/ends.py: n = steps.shape[0] [20] 0 -> 1": "steps is square",
    "minipg/algorithms/state.py: if len(state) != len(names) or any(set(x) - y for x, y in "
    "zip(state, names, strict=True)): [87] True -> False": "their lengths are compared before",
    "minipg/steps/kfac.py: found = [(h @ h.T / n, x) for h, x in zip(tape.inputs, reversed(g), "
    "strict=True)] [83] True -> False": "one tape made both",
    'minipg/problems/tables.py: kinds = np.dtype(list(zip(Entries._fields, ("i8", "i8", "f8", '
    '"f8", "?"), strict=True))) [85] True -> False': "five names, five kinds, both written there",
    "minipg/truth/exact.py: return np.append(alive, over if over.real > 0 else 0)  # not below it "
    "by rounding [46] > -> >=": "0 is 0 either way",
    "minipg/problems/lqr_env.py: self._state = self._state @ lqr.F.T + actions @ lqr.G.T + noise "
    "[64] + -> -": "the noise has the law of its negative",
    "minipg/experience/enumeration.py: states, actions, rewards, log_probs = [lqr.mean + "
    'next(noise) @ root["C"].T], [], [], [] [52] + -> -': "the nodes of the quadrature are "
    "symmetric",
    f"{_EXPERIENCE}/environments.py: low, high = shaped <= space.low, shaped >= space.high [27] "
    "<= -> <": "at the bound what is inside is the bound",
    f"{_ESTIMATORS}/fits.py: return max(1e-10, max(features.shape) * float(np.finfo("
    "features.dtype).eps)) [15] 1e-10 -> 2e-10": "no number stands between rounding and data",
    "minipg/policies/build.py: mean, std = finite_array(\"mean\", mean, (size,)), "
    'finite_array("std", std, (size,)) [4] mean -> sum': "it is checked, and divided by an array "
    "that converts it",
}  # fmt: skip
