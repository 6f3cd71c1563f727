"""Makes the files of this folder with PyTorch 1.13 and NumPy 1.24; see README.md. Run it in this folder."""

import collections
import json
import os
import pickle
import zipfile

import numpy as np
import torch


def expected(tensor):
    """The values as a reader must see them: float32 bits of floats, integers of the others."""
    tensor = tensor.detach()
    if tensor.dtype.is_floating_point:
        bits = tensor.to(torch.float32).contiguous().numpy().view(np.uint32)
        return {"shape": list(tensor.shape), "dtype": str(tensor.dtype), "bits": bits.reshape(-1).tolist()}
    return {
        "shape": list(tensor.shape),
        "dtype": str(tensor.dtype),
        "integers": tensor.contiguous().to(torch.int64).reshape(-1).tolist(),
    }


def expected_array(array):
    return expected(torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
                                     .reshape(array.shape)))


def torch_files(index):
    generator = torch.Generator().manual_seed(7)
    base = torch.randn(4, 6, generator=generator)
    views = collections.OrderedDict(
        base=base,
        transposed=base.t(),
        offset=base[1:3, 2:5],
        last=base[:, -1],
        expanded=base[:1].expand(5, 6),
        permuted=torch.randn(2, 3, 4, generator=generator).permute(2, 0, 1),
        scalar=torch.tensor(2.5),
        empty=torch.empty(0, 5),
        bfloat16=torch.tensor([1.0, -2.5, 3.1415927, float("nan"), float("inf")]).to(torch.bfloat16),
        float16=torch.tensor([1.0, 65504.0, 6e-8]).to(torch.float16),
        float64=torch.tensor([1.0, 0.1, 1e300], dtype=torch.float64),
        int64=torch.tensor([[1, -2], [2**53 + 1, -(2**62)]]),
        int32=torch.tensor([2**31 - 1, -(2**31)], dtype=torch.int32),
        int16=torch.tensor([-5, 5], dtype=torch.int16),
        int8=torch.tensor([-128, 127], dtype=torch.int8),
        uint8=torch.tensor([0, 255], dtype=torch.uint8),
        boolean=torch.tensor([True, False, True]),
    )
    torch.save(views, "views.pt")
    index["views.pt"] = {name: expected(tensor) for name, tensor in views.items()}

    alone = torch.randn(3, 2, generator=generator).to(torch.bfloat16)
    torch.save(alone, "alone.pt")
    index["alone.pt"] = {"alone": expected(alone)}

    nested = {"list": [base, (base, 3)], 7: torch.nn.Parameter(base), "text": "x", "size": base.shape,
              "type": torch.bfloat16, "none": None, "real": 1.5, "large": 2**70, "device": torch.device("cpu")}
    torch.save(nested, "nested.pt")
    index["nested.pt"] = {name: expected(base) for name in ("list.0", "list.1.0", "7")}

    torch.manual_seed(3)
    linear = torch.nn.Linear(2, 2)
    torch.save(linear.state_dict(), "state_dict.pt")  # an OrderedDict with _metadata: opcode BUILD
    index["state_dict.pt"] = {name: expected(tensor) for name, tensor in linear.state_dict().items()}

    torch.save(base, "legacy.pt", _use_new_zipfile_serialization=False)


def sglang_files(index):
    """As sgl-project/sglang@00d35548 dumper.py names and fills them (_dump_single, _format_tags, _compute_static_meta)."""
    os.makedirs("sglang/dump_20260101_000000_001002", exist_ok=True)
    generator = torch.Generator().manual_seed(8)
    expectations = {}
    number = 0
    for rank in (0, 1):
        for name, layer, value in (
            ("non_intrusive__model.layers.1.mlp.output", 1, torch.randn(5, 4, generator=generator).to(torch.bfloat16)),
            ("topk_ids", 1, torch.randint(0, 8, (5, 2), generator=generator)),
            ("rids", None, ["a", "b"]),
        ):
            number += 1
            tags = {"step": 0, "rank": rank, "dump_index": number, "name": name, "recompute_status": "disabled"}
            if layer is not None:
                tags["layer_id"] = layer
            file_name = "___".join(f"{key}={item}" for key, item in tags.items()) + ".pt"
            meta = dict(**tags, world_rank=rank, world_size=2,
                        sglang_parallel_info={"tp_rank": rank, "tp_size": 2, "enable_dp_attention": False},
                        tokenizer_path="/models/ring", dims="t h[tp]")
            torch.save({"value": value, "meta": meta}, f"sglang/dump_20260101_000000_001002/{file_name}")
            if isinstance(value, torch.Tensor):
                expectations[f"{name}@{rank}"] = expected(value)
    index["sglang"] = expectations


def numpy_files(index):
    generator = np.random.default_rng(9)
    floats = generator.standard_normal((3, 4)).astype(np.float32)
    arrays = {
        "plain": floats,
        "fortran": np.asfortranarray(floats),
        "big": floats.astype(">f4"),
        "big_fortran": np.asfortranarray(generator.standard_normal((2, 3, 4))).astype(">f8"),
        "half": floats.astype(np.float16),
        "integers": generator.integers(-9, 9, (2, 3)),
        "bytes": np.array([0, 255], np.uint8),
        "truth": np.array([True, False]),
        "scalar": np.array(1.25),
        "empty": np.zeros((0, 3), np.float32),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
        index[f"{name}.npy"] = {name: expected_array(array)}
    np.savez("stored.npz", **arrays)
    np.savez_compressed("deflated.npz", **arrays)
    index["stored.npz"] = index["deflated.npz"] = {name: expected_array(array) for name, array in arrays.items()}
    with open("version2.npy", "wb") as file:
        np.lib.format.write_array(file, floats, version=(2, 0))
    index["version2.npy"] = {"version2": expected_array(floats)}
    np.save("object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save("structured.npy", np.zeros(2, dtype=[("a", "<f4")]))
    np.save("complex.npy", np.zeros(2, np.complex64))
    np.save("text.npy", np.array(["abc"]))


class Command:
    """What a hostile file asks for; never loaded here."""

    def __reduce__(self):
        return os.system, ("touch /tmp/ringflash-was-here",)


def hostile_files():
    torch.save({"value": torch.zeros(1), "meta": {"x": Command()}}, "command.pt")

    # A view of [2, 3] from element 1 on, of a storage of 4 elements: the strides are changed in a good file.
    torch.save(torch.zeros(4)[1:].as_strided((1, 3), (3, 1)), "narrow.pt")
    with zipfile.ZipFile("narrow.pt") as good, zipfile.ZipFile("past.pt", "w") as bad:
        for entry in good.infolist():
            content = good.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert content.count(b"K\x01K\x03\x86") == 1
                content = content.replace(b"K\x01K\x03\x86", b"K\x02K\x03\x86")
            bad.writestr(entry.filename, content)
    os.remove("narrow.pt")

    with zipfile.ZipFile("traversal.npz", "w") as archive:
        np.save("plain_again.npy", np.ones(2, np.float32))
        archive.write("plain_again.npy", "../x.npy")
        os.remove("plain_again.npy")


def version3(index):
    """float8 tensors are written by _rebuild_tensor_v3, which this PyTorch lacks: the pickle is made by hand."""
    codes = bytes([0x00, 0x38, 0xC0, 0x7E, 0x7F])

    class Global:
        def __init__(self, text):
            self.text = text

    class Reduced:
        pass

    class Pickler(pickle._Pickler):
        dispatch = pickle._Pickler.dispatch.copy()

        def save_global_text(self, obj):
            self.write(b"c" + obj.text.encode() + b"\n")

        def save_reduced(self, obj):
            self.save(Global("torch._utils\n_rebuild_tensor_v3"))
            self.write(pickle.MARK)
            self.save(("storage", Global("torch.storage\nUntypedStorage"), "0", "cuda:0", len(codes)))
            self.write(pickle.BINPERSID)
            for item in (0, (len(codes),), (1,), False):
                self.save(item)
            self.save(Global("collections\nOrderedDict"))
            self.write(pickle.EMPTY_TUPLE + pickle.REDUCE)
            self.save(Global("torch\nfloat8_e4m3fn"))
            self.write(pickle.TUPLE + pickle.REDUCE)

        dispatch[Global] = save_global_text
        dispatch[Reduced] = save_reduced

    with zipfile.ZipFile("float8.pt", "w") as archive:
        with archive.open("float8/data.pkl", "w") as file:
            Pickler(file, 2).dump(Reduced())
        archive.writestr("float8/byteorder", "little")
        archive.writestr("float8/data/0", codes)
    index["float8.pt"] = {"float8": {"shape": [5], "dtype": "torch.float8_e4m3fn",
                                     "bits": np.array([0, 1, -2, 448, np.nan], np.float32).view(np.uint32).tolist()}}


def save_safetensors(tensors, path):
    """The safetensors format with PyTorch and the standard library only."""
    names = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64", torch.bool: "BOOL"}
    header, data = {}, b""
    for name, tensor in tensors.items():
        tensor = tensor.contiguous()
        raw = tensor.view(torch.int16) if tensor.dtype is torch.bfloat16 else tensor
        raw = raw.numpy().tobytes()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


class Expert(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.up = torch.nn.Linear(4, 4, bias=False)

    def forward(self, hidden_states):
        return self.up(hidden_states)


class Block(torch.nn.Module):
    """A layer whose gate is a leaf with two outputs and whose experts share one leaf that is called twice."""

    def __init__(self):
        super().__init__()
        self.gate = Gate()
        self.expert = Expert()

    def forward(self, hidden_states, scale):
        index, weight = self.gate(hidden_states)
        return self.expert(hidden_states) * scale + self.expert(hidden_states * 2) * weight, (index, weight)


class Gate(torch.nn.Module):
    def forward(self, hidden_states):
        index = hidden_states.argmax(-1)
        return index, hidden_states.sum(-1, keepdim=True).to(torch.bfloat16)


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(8, 4)
        self.block = Block()
        self.head = torch.nn.Linear(4, 400, bias=False)

    def forward(self, input_ids):
        hidden, _ = self.block(self.embed(input_ids), scale=torch.tensor(True))
        return {"logits": self.head(hidden)}


def debugger(folder, use_repr):
    """Follows huggingface/transformers@079c5888 model_debugging_utils.py by description: names, files, pruning."""
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(11)
    torch.set_printoptions(sci_mode=True, linewidth=120)
    model = Tiny().eval()
    seen, stack = {}, []

    def tensor_node(tensor, path, name):
        if use_repr:
            text = repr(tensor).splitlines()
        else:
            save_safetensors({"data": tensor.detach()}, f"{folder}/{path}.safetensors")
            text = f"./{path}.safetensors"
        seen[name] = tensor.detach().clone()
        node = {"shape": repr(tensor.shape), "dtype": repr(tensor.dtype), "value": text}
        if tensor.dtype in (torch.float16, torch.float32, torch.bfloat16):
            node.update({key: repr(getattr(tensor, key)()) for key in ("mean", "std", "min", "max")})
        return node

    def describe(value, path, name):
        if isinstance(value, (list, tuple)):
            return [describe(item, f"{path}_{i}", f"{name}.{i}") for i, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: describe(item, f"{path}_{key}", f"{name}.{key}") for key, item in value.items()}
        return tensor_node(value, path, name) if isinstance(value, torch.Tensor) else repr(value)

    def wrap(module, path, root):
        forward = module.forward

        def wrapped(*args, **kwargs):
            inputs = {key: value for key, value in (("args", args), ("kwargs", kwargs)) if root or value}
            node = {"module_path": path, "inputs": describe(inputs, f"{path}_inputs", f"{path}.inputs"),
                    "outputs": None, "children": []}
            stack.append(node)
            with torch.no_grad():
                out = forward(*args, **kwargs)
            if root or not list(module.children()):
                node["outputs"] = describe(out, f"{path}_outputs", f"{path}.outputs")
            stack.pop()
            if not node["children"]:
                node.pop("children")
            if stack:
                stack[-1]["children"].append(node)
            elif node.get("children"):
                node.pop("outputs")
                wrapped.tree = node
            return out

        module.forward = wrapped

    for name, module in model.named_modules():
        if name:
            wrap(module, f"Tiny.{name}", False)
    wrap(model, "Tiny", True)
    model(torch.tensor([[1, 5, 2]]))

    def strip(value):
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key != "value"}
        return [strip(item) for item in value] if isinstance(value, list) else value

    with open(f"{folder}/Tiny_debug_tree_FULL_TENSORS.json", "w") as file:
        json.dump(model.forward.tree, file, indent=2)
    with open(f"{folder}/Tiny_debug_tree_SUMMARY.json", "w") as file:
        json.dump(strip(model.forward.tree), file, indent=2)
    torch.set_printoptions(profile="default")
    if use_repr:
        # What printing leaves of the values: five digits of a float32, nothing of large tensors.
        def printed(tensor):
            if tensor.dtype is torch.float32:
                return torch.tensor([float(f"{v:.4e}") for v in tensor.reshape(-1).tolist()]).reshape(tensor.shape)
            return tensor
        seen = {name: printed(tensor) for name, tensor in seen.items() if tensor.numel() <= 1000}
    return {name: expected(tensor) for name, tensor in seen.items()}


def msprobe(folder):
    """Laid out after Ascend/msprobe@acac0355 docs/en/user_guide/dump/pytorch_data_dump_instruct.md."""
    result = {}
    generator = torch.Generator().manual_seed(12)
    for rank in (0, 1):
        place = f"{folder}/step0/rank{rank}"
        os.makedirs(f"{place}/dump_tensor_data", exist_ok=True)

        def tensor(name):
            value = torch.randn(2, 3, generator=generator).to(torch.bfloat16)
            torch.save(value, f"{place}/dump_tensor_data/{name}.pt")
            result[f"{name}@{rank}"] = expected(value)
            return {"type": "torch.Tensor", "dtype": "torch.bfloat16", "shape": [2, 3], "Max": float("nan"),
                    "Min": float("-inf"), "Mean": 0.5, "Norm": None, "requires_grad": False,
                    "data_name": f"{name}.pt"}

        call = "Module.model.layers.0.mlp.BailingMoeV2MLP.forward.0"
        array = np.arange(6, dtype=np.float32).reshape(2, 3)
        np.save(f"{place}/dump_tensor_data/Primitive.norm.forward.0.output.0.npy", array)
        result[f"Primitive.norm.forward.0.output.0@{rank}"] = expected_array(array)
        data = {
            call: {"input_args": [tensor(f"{call}.input.0"), None], "input_kwargs": {},
                   "output": [[tensor(f"{call}.output.0.0")], {"type": "int", "value": 3}],
                   "parameters": {"weight": tensor(f"{call}.parameters.weight")}},
            "Primitive.norm.forward.0": {"output": [{"type": "mindspore.Tensor", "dtype": "Float32", "shape": [2, 3],
                                                     "data_name": "Primitive.norm.forward.0.output.0.npy"}]},
        }
        with open(f"{place}/dump.json", "w") as file:
            json.dump({"task": "tensor", "level": "mix", "framework": "pytorch",
                       "dump_data_dir": f"/data/{place}/dump_tensor_data", "data": data}, file, indent=1)
        for name in ("stack.json", "construct.json"):
            with open(f"{place}/{name}", "w") as file:
                json.dump({}, file)
        torch.save(torch.ones(1), f"{place}/dump_tensor_data/Module.late.Norm.forward.0.output.0.pt")
        result[f"Module.late.Norm.forward.0.output.0@{rank}"] = expected(torch.ones(1))
    return result


if __name__ == "__main__":
    index = {}
    torch_files(index)
    sglang_files(index)
    numpy_files(index)
    version3(index)
    hostile_files()
    index["debugger-files"] = debugger("debugger-files", use_repr=False)
    index["debugger-text"] = debugger("debugger-text", use_repr=True)
    index["msprobe"] = msprobe("msprobe")
    with open("expected.json", "w") as file:
        json.dump(index, file, indent=1, sort_keys=True)
        file.write("\n")
