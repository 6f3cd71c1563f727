"""Forward hooks that record inputs and outputs of PyTorch modules under the modules' own names.

A tensor is called MODULE.output, or MODULE.output.0, .1, ... when the module returns several; an input
MODULE.inputs.0 or MODULE.inputs.KEYWORD. Nothing is converted: a bfloat16 stays one.
"""

import re

import torch

# What `ringflash compare` has a place for in the Bailing models, whatever the framework calls its parts.
DEFAULT_PATTERN = (
    r"(.*\.)?(word_embeddings|embed_tokens|norm|lm_head|logits_processor"
    r"|layers\.\d+"
    r"|layers\.\d+\.(input_layernorm|post_attention_layernorm|attention|self_attn|mlp)"
    r"|layers\.\d+\.attention\.(query_key_value|query_layernorm|key_layernorm|dense)"
    r"|layers\.\d+\.mlp\.(gate|shared_experts|experts)"
    r"|layers\.\d+\.(enorm|hnorm|eh_proj|final_layernorm))"
)

# Their inputs are wanted too: with them a fault is told from drift.
INPUT_PATTERN = r"(.*\.)?layers\.\d+(\.(attention|self_attn|mlp|attention\.dense))?"


def tensors_of(value, name):
    """Every tensor within a value, with its name."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from tensors_of(item, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from tensors_of(item, f"{name}.{index}")
    elif hasattr(value, "to_tuple") and hasattr(value, "keys"):  # the output classes of Transformers
        for key in value.keys():
            yield from tensors_of(value[key], f"{name}.{key}")


class ModuleHooks:
    """Records one forward pass into a sink with add(name, tensor) and `in`; a context manager.

    A module that is called more than once is recorded the first time; `repeated` lists those that came again, so
    that nobody takes a second pass, or a prefill in pieces, for the first.
    """

    def __init__(self, model, sink, pattern=DEFAULT_PATTERN, input_pattern=INPUT_PATTERN):
        self.sink = sink
        self.repeated = []
        self.called = set()
        self.handles = []
        for name, module in model.named_modules():
            if re.fullmatch(input_pattern, name):
                self.handles.append(self._before(module, name))
            if re.fullmatch(pattern, name):
                self.handles.append(module.register_forward_hook(self._after(name)))
        if not self.handles:
            raise ValueError("no module of this model has a name that the patterns know")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()

    def _before(self, module, name):
        def hook(_module, arguments, keywords=None):
            if f"{name}.inputs" not in self.called:
                self.called.add(f"{name}.inputs")
                for index, value in enumerate(arguments):
                    self._record(value, f"{name}.inputs.{index}")
                for key, value in (keywords or {}).items():
                    if key == "hidden_states":
                        self._record(value, f"{name}.inputs.{key}")

        try:
            return module.register_forward_pre_hook(hook, with_kwargs=True)
        except TypeError:  # torch before 2.0 does not hand on keywords
            return module.register_forward_pre_hook(hook)

    def _after(self, name):
        def hook(_module, _arguments, output):
            if name in self.called:
                self.repeated.append(name)
                return
            self.called.add(name)
            self._record(output, f"{name}.output")

        return hook

    def _record(self, value, name):
        for key, tensor in tensors_of(value, name):
            if key not in self.sink:
                self.sink.add(key, tensor)
