"""The shapes of the device report with PyTorch on the same card, in bfloat16; to be read beside the report.

usage: python3 torch_device.py

Weights are rotated through a gigabyte, so that nothing comes from the second-level cache. Without PyTorch, or where it
sees no card, it says so and times nothing.
"""
import sys

HIDDEN, QUERY_KEY_VALUE, INNER, VOCABULARY, PROMPT = 4096, 5120, 9216, 157184, 4096
BYTES_OF_ALL_SETS = 1 << 30


def main():
    try:
        import torch
    except ImportError as error:
        print(f"PyTorch is not installed ({error}); nothing was timed")
        return 5
    if not torch.cuda.is_available():
        print(f"PyTorch {torch.__version__} sees no card; nothing was timed")
        return 5

    print(f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.get_device_name(0)}, bfloat16")
    torch.set_grad_enabled(False)
    device = torch.device("cuda")

    def median(launch):
        """Milliseconds of a launch: nine samples of at least 20 ms, as in the report."""
        def sample(count, first):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda.synchronize()
            start.record()
            for index in range(first, first + count):
                launch(index)
            end.record()
            end.synchronize()
            return start.elapsed_time(end)

        sample(2, 0)
        count = 1
        while sample(count, 0) < 20:
            count *= 2
        return sorted(sample(count, 0) / count for _ in range(9))[4]

    def line(name, size, milliseconds, amount, unit):
        print(f"  {name:<34}{size:<22}{milliseconds * 1000:11.1f} us{amount / milliseconds * 1000:10.4g} {unit}")

    source, target = (torch.empty(1 << 28, dtype=torch.float32, device=device) for _ in range(2))
    line("copy inside the device", "", median(lambda _: target.copy_(source)), 2 * 4 * (1 << 28) / 1e9, "GB/s")
    del source, target

    for rows, inputs, outputs in [
        (1, HIDDEN, QUERY_KEY_VALUE),
        (1, INNER, HIDDEN),
        (1, HIDDEN, VOCABULARY),
        (512, HIDDEN, QUERY_KEY_VALUE),
        (PROMPT, HIDDEN, QUERY_KEY_VALUE),
        (PROMPT, INNER, HIDDEN),
    ]:
        sets = max(2, min(64, BYTES_OF_ALL_SETS // (2 * inputs * outputs)))
        weights = [torch.randn(outputs, inputs, device=device, dtype=torch.bfloat16) for _ in range(sets)]
        x = torch.randn(rows, inputs, device=device, dtype=torch.bfloat16)
        milliseconds = median(lambda index: torch.nn.functional.linear(x, weights[index % sets]))
        if rows == 1:
            amount, unit = 2 * inputs * outputs / 1e9, "GB/s"
        else:
            amount, unit = 2 * rows * inputs * outputs / 1e12, "Tflop/s"
        line("linear bf16", f"{rows} x {inputs} -> {outputs}", milliseconds, amount, unit)
        del weights

    for rows in (1, PROMPT):
        sets = max(2, min(64, BYTES_OF_ALL_SETS // (4 * rows * HIDDEN)))
        xs = [torch.randn(rows, HIDDEN, device=device, dtype=torch.bfloat16) for _ in range(sets)]
        weight = torch.ones(HIDDEN, device=device, dtype=torch.bfloat16)
        if hasattr(torch.nn.functional, "rms_norm"):
            milliseconds = median(
                lambda index: torch.nn.functional.rms_norm(xs[index % sets], (HIDDEN,), weight, 1e-6))
            line("rms_norm bf16", f"{rows} x {HIDDEN}", milliseconds, 4 * rows * HIDDEN / 1e9, "GB/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
