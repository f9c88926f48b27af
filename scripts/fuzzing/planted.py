"""Faults of our own guards, each a text that is there and the one in its place."""

from typing import NamedTuple


class Planted(NamedTuple):
    """What is wrong, in which file, the right text and the wrong one."""

    what: str
    path: str
    right: str
    wrong: str


GUARD, ENVIRONMENTS = "minipg/experience/guard.py", "minipg/experience/environments.py"
DECLARED, TRAIN = "minipg/experience/declared.py", "minipg/commands/train.py"
WRITER, RESUME = "minipg/commands/writer.py", "minipg/commands/resume.py"
CLI, FAULTS = "minipg/commands/cli.py", "minipg/problems/faults.py"
PLANTED = [
    Planted("what an environment raises is not told", FAULTS,
            "    except BaseException as error:\n        own, text",
            "    except ArithmeticError as error:\n        own, text"),
    Planted("an exit is no exception", FAULTS,
            "    except BaseException as error:\n        own, text",
            "    except Exception as error:\n        own, text"),
    Planted("NumPy's errors stay as an environment set them", FAULTS, "with np.errstate():",
            "if True:"),
    Planted("standard streams stay as an environment left them", FAULTS,
            "        sys.stdout, sys.stderr = streams\n", "        pass\n"),
    Planted("a close that raises stops the command", FAULTS,
            "        called(what, close, **more)\n", "        close(**more)\n"),
    Planted("observations are anything", DECLARED, "    if isinstance(space, Box):\n",
            "    return True\n    if isinstance(space, Box):\n"),
    Planted("observations of whole numbers lose a fraction", DECLARED,
            "    if array.dtype == dtype or", "    if True or array.dtype == dtype or"),
    Planted("dictionaries are anything", DECLARED, "isinstance(obs, dict) and", "True or"),
    Planted("rewards are anything", GUARD, "        if not isinstance(reward, NUMBERS) and (",
            "        if False and ("),
    Planted("flags are anything", GUARD, "if np.shape(flag) or flag not in (0, 1):", "if False:"),
    Planted("a step gives as much as it likes", GUARD,
            "    if not isinstance(got, tuple) or", "    if False and"),
    Planted("info is handed on", GUARD, "bool(terminated), bool(truncated), {}",
            "bool(terminated), bool(truncated), got[4]"),
    Planted("Gymnasium's own check refuses what nobody uses", ENVIRONMENTS,
            '"disable_env_checker": True', '"disable_env_checker": False'),
    Planted("copies that step themselves observe anything", GUARD,
            "return obs if self.guarded else checked(self.space, obs)", "return obs"),
    Planted("copies that step themselves end in any way", GUARD,
            "array.shape != (self.num_envs,) or array.dtype.kind not in kinds", "False"),
    Planted("numbers need not be finite", GUARD, "if not float(np.vdot(flat, flat)) <= SQUARE:",
            "if False:"),
    Planted("what is raised in making one comes out", ENVIRONMENTS,
            "    except BaseException as error:  # of", "    except ImportError as error:  # of"),
    Planted("actions are of the policy's dtype", ENVIRONMENTS,
            "    shaped = shaped.astype(space.dtype)\n", ""),
    Planted("actions begin at 0", ENVIRONMENTS, "return actions + space.start", "return actions"),
    Planted("actions are not clipped", ENVIRONMENTS,
            "shaped = np.clip(shaped, space.low, space.high)", "pass"),
    Planted("whole actions are sent as fractions", ENVIRONMENTS,
            "return np.where(low, space.low, np.where(high, space.high, inside))", "return shaped"),
    Planted("spaces without a policy are not refused", "minipg/policies/registry.py",
            "raise ValueError(f\"action space", "raise KeyError(f\"action space"),
    Planted("a temporary file stays", "minipg/files.py",
            "        temporary.unlink(missing_ok=True)", "        pass"),
    Planted("state.npz says more bytes than its table has", WRITER, '"csv_bytes": size}',
            '"csv_bytes": size + 1}'),
    Planted("rows are repeated on going on", WRITER, "range(before + 1,", "range(max(before, 1),"),
    Planted("an edited state goes on", "minipg/algorithms/state.py",
            'if str(arrays.pop("digest", "")) != _digest(arrays):',
            'if not arrays.pop("digest", ""):'),
    Planted("an edited table goes on", RESUME, 'runs.read_table(folder, saved["csv_bytes"])',
            "pass"),
    Planted("an edited option goes on", "minipg/commands/runs.py",
            "if name not in config or not isinstance(config[name], KINDS[name]):",
            "if False:"),
    Planted("Ctrl-C is an error like others", TRAIN,
            "        raise KeyboardInterrupt(go_on if begun",
            "        raise ValueError(go_on if begun"),
    Planted("an error in an iteration comes out", TRAIN,
            "    except (Exception, SystemExit) as error:", "    except OSError as error:"),
    Planted("a mistake is a traceback", CLI, "except (ValueError, OSError, MemoryError) as error:",
            "except ArithmeticError as error:"),
    Planted("options are any number", CLI, "    if math.isfinite(number):\n        return number\n",
            "    return number\n"),
    Planted("a run with a bad file stops the others", "minipg/commands/curves.py",
            "        except ValueError as error:", "        except ArithmeticError as error:"),
    Planted("parameters.npz may hold anything", "minipg/policies/policy_file.py",
            '        check_shape("value_head", file["value_head"], ())\n', ""),
]  # fmt: skip
