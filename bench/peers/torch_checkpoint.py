"""Checkpoints as PyTorch itself writes them, for bench/peers/torch-checkpoint.ts to read.

`python torch_checkpoint.py FOLDER`: a small GLM with random weights in float32, float16 and bfloat16, by torch.save's
zip and legacy formats, as a state dict of the Hub and as the original's `{'module': …}` with an optimizer's state beside
it; views, transposed and shared storages among them. Beside each its values as raw float32 in `expected.bin`.
"""

import json
import sys
from collections import OrderedDict
from pathlib import Path

import torch

CONFIG = dict(num_layers=2, hidden_size=16, num_attention_heads=4, vocab_size=24, max_sequence_length=8)


def state_dict(dtype: torch.dtype) -> OrderedDict:
    h, layers, words, places = 16, 2, 24, 9
    shapes = OrderedDict({"word_embeddings.weight": (words, h)})
    for table in ("position", "block_position"):
        shapes[f"transformer.{table}_embeddings.weight"] = (places, h)
    for i in range(layers):
        prefix = f"transformer.layers.{i}."
        for name, rows, columns in (
            ("attention.query_key_value", 3 * h, h),
            ("attention.dense", h, h),
            ("mlp.dense_h_to_4h", 4 * h, h),
            ("mlp.dense_4h_to_h", h, 4 * h),
        ):
            shapes[f"{prefix}{name}.weight"] = (rows, columns)
            shapes[f"{prefix}{name}.bias"] = (rows,)
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{prefix}{name}.weight"] = shapes[f"{prefix}{name}.bias"] = (h,)
    for kind in ("weight", "bias"):
        shapes[f"transformer.final_layernorm.{kind}"] = (h,)
    tensors = OrderedDict((name, torch.randn(shape, dtype=dtype)) for name, shape in shapes.items())
    # What users' files hold too: parameters, slices of a larger storage, transposed views, two names for one storage.
    tensors["word_embeddings.weight"] = torch.nn.Parameter(tensors["word_embeddings.weight"])
    tensors["transformer.position_embeddings.weight"] = torch.randn(places + 5, h, dtype=dtype)[2 : places + 2]
    tensors["transformer.layers.0.attention.dense.weight"] = torch.randn(h, h, dtype=dtype).t()
    tensors["transformer.layers.1.attention.dense.weight"] = tensors["transformer.layers.0.attention.dense.weight"]
    return tensors


def main(folder: Path) -> None:
    torch.manual_seed(1)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for legacy in (False, True):
            for original in (False, True):
                kind = f"{str(dtype)[6:]}-{'legacy' if legacy else 'zip'}-{'original' if original else 'hub'}"
                place = folder / kind
                place.mkdir(parents=True, exist_ok=True)
                tensors = state_dict(dtype)
                content = tensors
                if original:
                    weight = torch.nn.Parameter(torch.randn(3, 3))
                    optimizer = torch.optim.AdamW([weight])
                    weight.sum().backward()
                    optimizer.step()
                    content = {"module": tensors, "optimizer": optimizer.state_dict(), "iteration": 7, "lr": 1e-4}
                name = "mp_rank_00_model_states.pt" if original else "pytorch_model.bin"
                torch.save(content, place / name, _use_new_zipfile_serialization=not legacy)
                (place / "config.json").write_text(json.dumps({"model_type": "glm", **CONFIG}))
                flat = torch.cat([tensor.detach().float().reshape(-1) for tensor in tensors.values()])
                (place / "expected.bin").write_bytes(flat.numpy().tobytes())
                (place / "names.json").write_text(json.dumps(list(tensors)))
    print(torch.__version__)


main(Path(sys.argv[1]))
