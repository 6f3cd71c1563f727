#!/usr/bin/env python3
"""Tests of capture_golden.py that need PyTorch only, not Transformers:

    /usr/bin/python3 tools/capture_golden_test.py CHECKPOINT RINGFLASH

CHECKPOINT is a small folder written by `ringflash synth`, RINGFLASH the tool's binary. A stand-in with the published
module names, written here in plain PyTorch, is loaded from the folder, captured, and `ringflash verify` has to find the
case right: every weight by its hash, every tap within its budget. A stand-in with a mistake has to be found wrong.
"""
import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unittest

import torch
from torch import nn

import capture_golden

CHECKPOINT, RINGFLASH = sys.argv[1:3] if len(sys.argv) > 2 else (None, None)


def load(folder):
    """All tensors of a plain checkpoint as float32."""
    tensors = {}
    for name, file in capture_golden.checkpoint_files(folder).items():
        path = os.path.join(folder, file)
        with open(path, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            entry = json.loads(stream.read(length))[name]
            begin, end = entry["data_offsets"]
            stream.seek(8 + length + begin)
            data = bytearray(stream.read(end - begin))
        dtype = {"BF16": torch.bfloat16, "F32": torch.float32}[entry["dtype"]]
        tensors[name] = torch.frombuffer(data, dtype=dtype).float().reshape(entry["shape"])
    return tensors


class Norm(nn.Module):
    def __init__(self, weight, epsilon):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(weight), epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


class Gate(nn.Module):
    def __init__(self, config, weight, bias):
        super().__init__()
        self.config, self.weight = config, nn.Parameter(weight)
        self.register_buffer("expert_bias", bias)

    def forward(self, x):
        c = self.config
        logits = x.reshape(-1, x.shape[-1]) @ self.weight.T
        scores = torch.sigmoid(logits)
        biased = scores + self.expert_bias
        groups = biased.reshape(len(biased), c["n_group"], -1)
        kept = groups.topk(2, dim=-1)[0].sum(-1).topk(c["topk_group"], dim=-1)[1]
        mask = torch.zeros(len(biased), c["n_group"], dtype=torch.bool).scatter_(1, kept, True)
        biased = groups.masked_fill(~mask.unsqueeze(-1), -math.inf).reshape(biased.shape)
        indices = biased.topk(c["num_experts_per_tok"], dim=-1)[1]
        weights = scores.gather(1, indices)
        return indices, weights / (weights.sum(-1, keepdim=True) + 1e-20) * c["routed_scaling_factor"], logits


class Mlp(nn.Module):
    def __init__(self, weights, name):
        super().__init__()
        self.parts = [nn.Parameter(weights[f"{name}.{part}_proj.weight"]) for part in ("gate", "up", "down")]

    def forward(self, x):
        gate, up, down = self.parts
        return (nn.functional.silu(x @ gate.T) * (x @ up.T)) @ down.T


class Sparse(nn.Module):
    def __init__(self, config, weights, name):
        super().__init__()
        self.gate = Gate(config, weights[f"{name}.gate.weight"], weights[f"{name}.gate.expert_bias"])
        self.experts = nn.ModuleList(Mlp(weights, f"{name}.experts.{e}") for e in range(config["num_experts"]))
        self.shared_experts = Mlp(weights, f"{name}.shared_experts")

    def forward(self, x):
        indices, weights, _ = self.gate(x)
        flat = x.reshape(-1, x.shape[-1])
        rows = [sum(w * self.experts[e](row) for e, w in zip(chosen.tolist(), chosen_weights))
                for row, chosen, chosen_weights in zip(flat, indices, weights)]
        return torch.stack(rows).reshape(x.shape) + self.shared_experts(x)


class Layer(nn.Module):
    def __init__(self, config, weights, index):
        super().__init__()
        name, self.config = f"model.layers.{index}", config
        self.weights = {key: weights[f"{name}.attention.{key}.weight"] for key in ("query_key_value", "dense")}
        epsilon = config["rms_norm_eps"]
        self.query_norm = Norm(weights[f"{name}.attention.query_layernorm.weight"], epsilon)
        self.key_norm = Norm(weights[f"{name}.attention.key_layernorm.weight"], epsilon)
        self.input_layernorm = Norm(weights[f"{name}.input_layernorm.weight"], epsilon)
        self.post_attention_layernorm = Norm(weights[f"{name}.post_attention_layernorm.weight"], epsilon)
        dense = index < config["first_k_dense_replace"]
        self.mlp = Mlp(weights, f"{name}.mlp") if dense else Sparse(config, weights, f"{name}.mlp")

    def attention(self, x):
        c = self.config
        heads, kv, width = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        tokens = x.shape[1]
        joined = (x @ self.weights["query_key_value"].T).reshape(1, tokens, heads + 2 * kv, width).transpose(1, 2)
        query, key, value = joined.split([heads, kv, kv], dim=1)
        query, key = self.rotate(self.query_norm(query)), self.rotate(self.key_norm(key))
        key, value = (part.repeat_interleave(heads // kv, dim=1) for part in (key, value))
        scores = query @ key.transpose(2, 3) / math.sqrt(width)
        scores = scores.masked_fill(torch.ones(tokens, tokens).triu(1).bool(), -math.inf)
        context = (scores.softmax(-1) @ value).transpose(1, 2).reshape(1, tokens, heads * width)
        return context @ self.weights["dense"].T

    def rotate(self, x):
        c = self.config
        rotary = int(c["head_dim"] * c["partial_rotary_factor"])
        frequencies = 1.0 / c["rope_theta"] ** (torch.arange(0, rotary, 2).float() / rotary)
        angles = torch.arange(x.shape[2]).float().unsqueeze(1) * frequencies
        cos, sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
        turned, rest = x[..., :rotary], x[..., rotary:]
        half = torch.cat((-turned[..., rotary // 2:], turned[..., :rotary // 2]), -1)
        return torch.cat((turned * cos + half * sin, rest), -1)

    def forward(self, x):
        x = x + self.attention(self.input_layernorm(x))
        return (x + self.mlp(self.post_attention_layernorm(x)),)  # a tuple, as published


class StandIn(nn.Module):
    """The published module names over plain PyTorch; no MTP layer."""

    def __init__(self, config, weights):
        super().__init__()
        self.model = nn.Module()
        self.model.word_embeddings = nn.Embedding.from_pretrained(weights["model.word_embeddings.weight"])
        self.model.layers = nn.ModuleList(Layer(config, weights, i) for i in range(config["num_hidden_layers"]))
        self.model.norm = Norm(weights["model.norm.weight"], config["rms_norm_eps"])
        self.lm_head = nn.Linear(1, 1, bias=False)
        self.lm_head.weight = nn.Parameter(weights["lm_head.weight"])

    def forward(self, input_ids, use_cache):
        assert not use_cache
        x = self.model.word_embeddings(input_ids)
        for layer in self.model.layers:
            (x,) = layer(x)
        return self.lm_head(self.model.norm(x))


class Pure(unittest.TestCase):
    def test_margins_are_the_nearer_of_two_gaps(self):
        scores = torch.tensor([[0.9, 0.8, 0.5, 0.1, 0.7, 0.6, 0.2, 0.3]])
        chosen = torch.tensor([[0, 1]])  # groups of four, one kept: 1.7 against 1.3; inside, 0.8 against 0.5
        found = capture_golden.margins(scores, torch.zeros(8), chosen, 2, 1)
        self.assertAlmostEqual(found.item(), 0.3, places=6)
        scores[0, 5] = 0.95  # now 1.7 against 1.65
        found = capture_golden.margins(scores, torch.zeros(8), chosen, 2, 1)
        self.assertAlmostEqual(found.item(), 0.05, places=6)

    def test_used_names_leave_out_idle_experts_and_foreign_layers(self):
        names = ["lm_head.weight", "model.layers.1.mlp.experts.3.up_proj.weight", "model.layers.2.enorm.weight",
                 "model.layers.1.mlp.experts.13.up_proj.weight", "model.layers.1.mlp.gate.weight"]
        self.assertEqual(
            capture_golden.used_names(names, {1: {13}}, 2),
            ["lm_head.weight", "model.layers.1.mlp.experts.13.up_proj.weight", "model.layers.1.mlp.gate.weight"])

    def test_files_have_the_bytes_that_were_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            tensors = {
                "b": torch.tensor([1.5, -2.0], dtype=torch.bfloat16), "a": torch.tensor([[3.0]]),
                "c": torch.tensor([7], dtype=torch.int64),
            }
            capture_golden.write_safetensors(path, tensors, {"case": "x"})
            with open(path, "rb") as file:
                content = file.read()
            header = capture_golden.read_header(path)
            self.assertEqual([name for name, _ in sorted(header.items(), key=lambda item: item[1])], ["c", "a", "b"])
            self.assertEqual(content[slice(*header["b"])], b"\xc0\x3f\x00\xc0")
            self.assertEqual(header["b"][1], len(content))
            (found,) = capture_golden.fingerprints(folder, ["a"])
            self.assertEqual(found["sha256"], hashlib.sha256(struct.pack("<f", 3.0)).hexdigest())

    def test_big_logits_are_kept_in_short(self):
        logits = torch.randn(1, 3, 2_000_000)

        class Kept(dict):
            def keep(self, name, tensor):
                self[name] = tensor

        kept = Kept()
        capture_golden.keep_logits(kept, "lm_head.output", logits)
        self.assertEqual(sorted(kept), ["lm_head.argmax", "lm_head.logits_first4096", "lm_head.logsumexp",
                                        "lm_head.top64.ids", "lm_head.top64.values"])
        self.assertTrue(torch.equal(kept["lm_head.argmax"], logits.argmax(-1)))


@unittest.skipUnless(CHECKPOINT, "no checkpoint given")
class WholeWay(unittest.TestCase):
    IDS = [119, 150, 408, 5, 140, 171, 215, 481, 402, 58]

    def setUp(self):
        with open(os.path.join(CHECKPOINT, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.model = StandIn(self.config, load(CHECKPOINT)).eval()

    def capture(self, folder, layers=None):
        case = os.path.join(folder, "case")
        capture_golden.capture(
            self.model, CHECKPOINT, self.config, self.IDS, layers, "float32", case,
            {"captured_by": "tools/capture_golden_test.py", "model_code": "stand-in"})
        result = subprocess.run(
            [RINGFLASH, "verify", case, "--model", CHECKPOINT], capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr

    def test_verify_finds_the_case_right(self):
        for layers in (None, {1, 3}):
            with tempfile.TemporaryDirectory() as folder:
                code, text = self.capture(folder, layers)
                self.assertEqual(code, 0, text)
                self.assertIn("PASSED", text)

    def test_verify_finds_a_mistake(self):
        self.model.model.layers[2].mlp.gate.config = {**self.config, "routed_scaling_factor": 1.0}
        with tempfile.TemporaryDirectory() as folder:
            code, text = self.capture(folder)
            self.assertEqual(code, 1, text)
            self.assertIn("GroupLimitedTopK is over budget at layer 2", text)

    def test_bad_requests_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            self.capture(folder)
            with self.assertRaisesRegex(capture_golden.Fault, "not empty"):
                self.capture(folder)
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(capture_golden.Fault, "no layer 9"):
                self.capture(folder, {9})
            self.IDS = [99999]
            with self.assertRaisesRegex(capture_golden.Fault, "vocabulary"):
                self.capture(folder)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
