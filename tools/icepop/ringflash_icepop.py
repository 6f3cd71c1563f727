"""Runs your own IcePop loss over RingFlash cases and writes the file that `ringflash icepop check` reads.

One file to copy; needs NumPy, and PyTorch only for losses written in it.

    from ringflash_icepop import main

    def loss(case):                     # case: the arrays of one batch, see Case
        ...
        return {"loss": {"token_mean": value}, "grad": {"token_mean": gradient}, "weight": weight, "keep": keep}

    main(loss)                          # python3 my_loss.py CASES... --out mine.json
                                        # python3 my_loss.py            answers cases on standard input

Every quantity is optional, and only what is there is compared. A loss in PyTorch returns tensors, no "grad" and calls
`main(loss, framework="torch")`: the gradients in `case.logp_theta` are then taken by autograd. The aggregations are
seq_mean_token_mean, seq_mean_token_mean_nonempty, token_mean, seq_mean_token_sum and token_sum.
"""

import argparse
import contextlib
import json
import os
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

TOKEN_ARRAYS = ("logp_theta", "logp_old", "logp_infer", "logp_ref")
PRECISIONS = {"float64": np.float64, "float32": np.float32}


@dataclass
class Case:
    """One batch. Arrays are [rollouts, response]; what stands outside the mask may be NaN or infinite."""

    name: str
    alpha: float
    beta: float
    eps_low: float
    eps_high: float
    kl_coef: float
    mask: Any  # bool
    advantages: Any  # [rollouts]
    logp_theta: Any  # current policy, training engine: the only differentiated one
    logp_old: Any  # policy of the rollout, training engine
    logp_infer: Any  # policy of the rollout, inference engine
    logp_ref: Any  # None without a KL term
    document: dict  # the whole case, expected values included where it has them

    def torch(self):
        """The same case as torch tensors; logp_theta requires a gradient."""
        import torch

        tensors = {
            key: torch.tensor(getattr(self, key))
            for key in ("mask", "advantages") + TOKEN_ARRAYS
            if getattr(self, key) is not None
        }
        tensors["logp_theta"].requires_grad_(True)
        return replace(self, **tensors)


def parse(document, precision="float64"):
    """A case from its JSON object."""
    if document.get("schema") != 1:
        raise ValueError("not a case of schema 1")
    shape, config, inputs = document["shape"], document["config"], document["inputs"]
    number = PRECISIONS[precision]

    def array(key, size):
        # "NaN", "Infinity" and "-Infinity" are strings in the file; float() knows them.
        return np.array(np.array(inputs[key], dtype=object).reshape(size), dtype=np.float64).astype(number)

    tokens = {key: array(key, shape) if inputs.get(key) is not None else None for key in TOKEN_ARRAYS}
    return Case(
        name=document.get("case", ""),
        mask=np.array(inputs["mask"], dtype=bool).reshape(shape),
        advantages=array("advantages", shape[:1]),
        document=document,
        **{key: float(config.get(key, 0)) for key in ("alpha", "beta", "eps_low", "eps_high", "kl_coef")},
        **tokens,
    )


def load(path, precision="float64"):
    """The cases of a file, or of all case_*.json in a folder, in the order of their names."""
    files = [path]
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if name.startswith("case_") and name.endswith(".json"))
        files = [os.path.join(path, name) for name in names]
    cases = []
    for file in files:
        with open(file, encoding="utf-8") as stream:
            case = parse(json.load(stream), precision)
        case.name = case.name or os.path.splitext(os.path.basename(file))[0]
        cases.append(case)
    return cases


def evaluate(loss, case, framework="numpy", precision="float64"):
    """What a loss says of a case, or of a case's JSON object, ready for JSON. What it raises becomes {"error": ...}."""
    try:
        if isinstance(case, dict):
            case = parse(case, precision)
        if framework == "torch":
            case = case.torch()
        result = dict(loss(case))
        if framework == "torch" and "grad" not in result:
            result["grad"] = {word: _autograd(value, case.logp_theta) for word, value in result["loss"].items()}
        return {key: _plain(value) for key, value in result.items()}
    except Exception as exception:  # what a framework raises on a case is a result, and check compares it
        return {"error": f"{type(exception).__name__}: {exception}"}


def run(loss, cases, out, framework="numpy", precision="float64"):
    """Runs a loss over cases and writes the file for `ringflash icepop check --actual`."""
    results = [{"case": case.name, **evaluate(loss, case, framework)} for case in cases]
    temporary = f"{out}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump({"precision": precision, "cases": results}, stream, allow_nan=False)
    os.replace(temporary, out)
    return results


def serve(loss, framework="numpy", precision="float64"):
    """Answers one case per line of standard input with one result per line of standard output."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # a print in the loss must not become an answer
        for line in sys.stdin:
            if line.strip():
                answer = evaluate(loss, json.loads(line), framework, precision)
                answers.write(json.dumps(answer, allow_nan=False) + "\n")
                answers.flush()


def main(loss, framework="numpy"):
    """The command line of a loss: cases and --out to run over files, nothing to answer standard input."""
    parser = argparse.ArgumentParser(description=loss.__doc__)
    parser.add_argument("cases", nargs="*", help="case files, or folders of case_*.json")
    parser.add_argument("--out", help="the file to write")
    parser.add_argument("--precision", choices=sorted(PRECISIONS), default="float64")
    options = parser.parse_args()
    if not options.cases and not options.out:
        serve(loss, framework, options.precision)
        return
    if not options.cases or not options.out:
        parser.error("cases and --out belong together")
    cases = [case for path in options.cases for case in load(path, options.precision)]
    results = run(loss, cases, options.out, framework, options.precision)
    raised = sum("error" in result for result in results)
    print(f"{len(results)} cases, {raised} raised, written to {options.out}")


def _autograd(value, logp_theta):
    import torch

    if not value.requires_grad:  # a loss of which nothing is left, e.g. no tokens
        return torch.zeros_like(logp_theta)
    return torch.autograd.grad(value, logp_theta, retain_graph=True)[0]


def _plain(value):
    """Numbers, arrays and tensors as JSON has them; what is not finite as a string."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return value
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype == bool:
        return array.astype(int).tolist()
    if array.dtype.kind in "iu" or np.isfinite(array).all():
        return array.tolist()
    return _named(array.tolist())


def _named(value):
    if isinstance(value, list):
        return [_named(item) for item in value]
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value
