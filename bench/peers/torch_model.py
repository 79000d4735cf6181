"""A plain model as a PyTorch user would write it: pre-layer-norm blocks, scaled_dot_product_attention with a boolean mask.

Its loss is over all rows as the original computes it, or over the loss rows alone. It takes the weights of ours from a file.
"""

import json
import struct

import torch
import torch.nn.functional as F
from torch import nn


class Layer(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.dense = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask):
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, -1).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).chunk(3, dim=-1)
        )
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.dropout)
        x = x + F.dropout(self.dense(attended.transpose(1, 2).reshape(batch, length, width)), self.dropout)
        wide = F.gelu(self.wide(self.norm2(x)), approximate="tanh")
        return x + F.dropout(self.narrow(wide), self.dropout)


class Model(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        width = sizes["hidden_size"]
        self.words = nn.Embedding(sizes["vocab_size"], width)
        self.positions = nn.Embedding(sizes["max_sequence_length"] + 1, width)
        self.blocks = nn.Embedding(sizes["max_sequence_length"] + 1, width)
        self.dropout = sizes["dropout"]
        self.layers = nn.ModuleList(
            Layer(width, sizes["num_attention_heads"], self.dropout) for _ in range(sizes["num_layers"])
        )
        self.norm = nn.LayerNorm(width)

    def hidden(self, batch):
        x = self.words(batch["ids"]) + self.positions(batch["positions"]) + self.blocks(batch["block_positions"])
        x = F.dropout(x, self.dropout)
        for layer in self.layers:
            x = layer(x, batch["mask"])
        return self.norm(x)

    def forward(self, batch, only_loss_rows: bool):
        x = self.hidden(batch)
        wanted = batch["loss_mask"].bool()
        if only_loss_rows:
            return F.cross_entropy(F.linear(x[wanted], self.words.weight).float(), batch["targets"][wanted])
        losses = F.cross_entropy(
            F.linear(x, self.words.weight).float().flatten(0, 1), batch["targets"].flatten(), reduction="none"
        )
        return (losses * wanted.flatten()).sum() / wanted.sum()


def read_safetensors(file):
    with open(file, "rb") as source:
        (length,) = struct.unpack("<Q", source.read(8))
        header = json.loads(source.read(length))
        content = bytearray(source.read())
    header.pop("__metadata__", None)
    return {
        name: torch.frombuffer(
            content, dtype=torch.float32, count=(entry["data_offsets"][1] - entry["data_offsets"][0]) // 4,
            offset=entry["data_offsets"][0],
        ).view(entry["shape"])
        for name, entry in header.items()
    }


def name_here(name):
    """The name of one of our weights in the plain model."""
    for ours, here in {
        "word_embeddings": "words",
        "transformer.position_embeddings": "positions",
        "transformer.block_position_embeddings": "blocks",
        "transformer.final_layernorm": "norm",
        "transformer.layers": "layers",
        "post_attention_layernorm": "norm2",
        "input_layernorm": "norm1",
        "attention.query_key_value": "qkv",
        "attention.dense": "dense",
        "mlp.dense_h_to_4h": "wide",
        "mlp.dense_4h_to_h": "narrow",
    }.items():
        name = name.replace(ours, here)
    return name


def load_weights(model, file):
    model.load_state_dict({name_here(name): value for name, value in read_safetensors(file).items()})
