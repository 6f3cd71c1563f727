"""Runs tools/Dump/dump_transformers.py's dump() on a small module shaped like the published model: TOOLS OUT."""

import sys

import torch

sys.path.insert(0, sys.argv[1])
from dump_transformers import dump  # noqa: E402


class Gate(torch.nn.Module):
    def forward(self, hidden_states):
        return hidden_states.argmax(-1), hidden_states.sum(-1).float()


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = Gate()

    def forward(self, hidden_states):
        return hidden_states, self.gate(hidden_states)


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = Mlp()

    def forward(self, hidden_states):
        self.mlp(hidden_states)
        return (hidden_states.add_(1),)  # in place: what a hook keeps must be what was there


class Body(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.word_embeddings = torch.nn.Embedding(4, 4)
        self.layers = torch.nn.ModuleList([Layer(), Layer()])

    def forward(self, input_ids):
        hidden_states = self.word_embeddings(input_ids)
        (hidden_states,) = self.layers[0](hidden_states)
        return self.layers[1](hidden_states=hidden_states)[0]


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Body()
        self.lm_head = torch.nn.Linear(4, 4, bias=False)

    def forward(self, input_ids, use_cache):
        return self.lm_head(self.model(input_ids))


model = Model()
with torch.no_grad():
    model.model.word_embeddings.weight.copy_(torch.arange(16.0).reshape(4, 4))
model = model.to(torch.bfloat16).eval()
repeated = dump(model, {"input_ids": torch.tensor([[1, 2, 3]]), "use_cache": False}, sys.argv[2], {"dtype": "bfloat16"})
assert repeated == [], repeated
