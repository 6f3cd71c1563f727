"""Decode and prefill against llama.cpp: the same slice of Ring-flash-2.0, bfloat16, in alternation.

    python3 compare.py WORK RINGFLASH [THREADS] [ROUNDS]

WORK is a folder for what is fetched and made (about 10 GB); RINGFLASH the built ringflash.dll. llama.cpp's source comes
with the npm package node-llama-cpp (a git bundle) and is built here, with -march=native. The slice is the one that
`ringflash bench` measures: one dense layer, two sparse ones of 64 experts, a vocabulary of 14720; `ringflash synth`
writes it and gguf.py turns it into a GGUF. llama.cpp computes what the prompt's last layer passes on for the last token
only, and so do we; it rounds activations to bfloat16, we do not.

Exit codes: 0 measured, 1 below a bar, 2 wrong usage, 5 something cannot be had (the line says what).
"""
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT, GENERATED = 128, 32
BARS = {"prefill": 1.4, "decode": 1.0}
CONFIG = {
    "architectures": ["BailingMoeV2ForCausalLM"], "model_type": "bailing_moe", "hidden_act": "silu",
    "hidden_size": 4096, "num_hidden_layers": 3, "first_k_dense_replace": 1, "num_attention_heads": 32,
    "num_key_value_heads": 4, "head_dim": 128, "partial_rotary_factor": 0.5, "rope_theta": 600000,
    "max_position_embeddings": 32768, "intermediate_size": 9216, "moe_intermediate_size": 1024, "num_experts": 64,
    "n_group": 8, "topk_group": 4, "num_experts_per_tok": 8, "num_shared_experts": 1, "routed_scaling_factor": 2.5,
    "rms_norm_eps": 1e-6, "vocab_size": 14720, "num_nextn_predict_layers": 0, "use_qk_norm": True,
    "torch_dtype": "bfloat16",
}


def unavailable(what):
    print(f"compare.py: not available: {what}", file=sys.stderr)
    sys.exit(5)


def run(what, command, folder=None):
    try:
        return subprocess.run(command, cwd=folder, check=True, text=True, stdout=subprocess.PIPE).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        unavailable(f"{what}: {error}")


def llama_bench(work):
    """Builds llama.cpp unless that was done."""
    source = os.path.join(work, "llama.cpp")
    program = os.path.join(source, "build", "bin", "llama-bench")
    if os.path.exists(program):
        return program
    for tool in ("npm", "tar", "git", "cmake", "c++"):
        if shutil.which(tool) is None:
            unavailable(f"{tool}, which building llama.cpp needs")
    run("node-llama-cpp from the npm registry", ["npm", "pack", "node-llama-cpp@latest"], work)
    package = sorted(glob.glob(os.path.join(work, "node-llama-cpp-*.tgz")))[-1]
    run("the package", ["tar", "xzf", package], work)
    run("llama.cpp's source", ["git", "clone", "-q", "package/llama/gitRelease.bundle", "llama.cpp"], work)
    with open(os.path.join(source, "src", "llama-arch.cpp"), encoding="utf-8") as file:
        if "bailingmoe2" not in file.read():
            unavailable("the architecture bailingmoe2 in this llama.cpp")
    flags = ["-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_CURL=OFF",
             "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF"]
    run("llama.cpp's configuration", ["cmake", "-B", "build", *flags], source)
    run("llama.cpp's build", ["cmake", "--build", "build", "-j2", "-t", "llama-bench"], source)
    return program


def model(work, ringflash):
    """Makes the GGUF unless that was done."""
    target, folder = os.path.join(work, "slice.gguf"), os.path.join(work, "slice")
    if not os.path.exists(target):
        with open(os.path.join(work, "slice.json"), "w", encoding="utf-8") as file:
            json.dump(CONFIG, file)
        run("the checkpoint", ["dotnet", ringflash, "synth", "--config", file.name, "--dtype", "bf16", "--out", folder])
        run("the GGUF", [sys.executable, os.path.join(HERE, "gguf.py"), folder, target])
        shutil.rmtree(folder)
    return target


def theirs(program, target, threads):
    """Tokens per second of llama.cpp; no mapping, its better setting."""
    speeds = {}
    for word, sizes in (("prefill", ["-p", PROMPT, "-n", 0]), ("decode", ["-p", 0, "-n", GENERATED, "-d", PROMPT])):
        command = [program, "-m", target, "-t", threads, "-r", 3, "-lm", "none", "-o", "json", *sizes]
        speeds[word] = json.loads(run("llama-bench", [str(part) for part in command]))[0]["avg_ts"]
    return speeds


def ours(ringflash, work, threads):
    """Tokens per second of ringflash bench."""
    report = os.path.join(work, "bench.json")
    run("ringflash bench", ["dotnet", ringflash, "bench", "ring-flash-2.0", "--filter", "model, ", "--threads",
                            str(threads), "--json", report])
    with open(report, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    if any("refusal" in case and case["refusal"] for case in cases) or len(cases) != 2:
        unavailable("our times: ringflash bench refused a case")
    seconds = {
        case["operator"].removeprefix("model, "): statistics.median(sample["seconds"] for sample in case["samples"])
        for case in cases
    }
    return {"prefill": PROMPT / seconds["prefill"], "decode": 1 / seconds["decode"]}


def main():
    if not 3 <= len(sys.argv) <= 5:
        print("usage: compare.py WORK RINGFLASH [THREADS] [ROUNDS]", file=sys.stderr)
        sys.exit(2)
    work, ringflash = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    threads, rounds = [max(1, int(word)) for word in [*sys.argv[3:], *["2", "3"][len(sys.argv) - 3:]]]
    os.makedirs(work, exist_ok=True)
    program, target = llama_bench(work), model(work, ringflash)
    measured = []
    for turn in range(rounds):
        first = [ours(ringflash, work, threads)] if turn % 2 == 0 else []
        other = theirs(program, target, threads)
        measured.append((first[0] if first else ours(ringflash, work, threads), other))
    below = False
    for word, bar in BARS.items():
        ratio = statistics.median(mine[word] / other[word] for mine, other in measured)
        below |= ratio < bar
        print(f"{word}, {threads} threads: ours {statistics.median(mine[word] for mine, _ in measured):.1f}, llama.cpp "
              f"{statistics.median(other[word] for _, other in measured):.1f} tokens/s, ratio {ratio:.2f} "
              f"(bar {bar}{', BELOW' if ratio < bar else ''})")
    sys.exit(1 if below else 0)


main()
