"""One GLM training step in PyTorch, to be timed in turn with ours: bench/training-step.ts starts this and talks to it.

A plain model as a PyTorch user would write it: pre-layer-norm blocks, scaled_dot_product_attention with a boolean mask,
cross-entropy over all rows as the original computes it (`rows: all`) or over the loss rows alone (`rows: loss`), AdamW
with fused=True, gradient clipping. Reads one JSON object (sizes and a padded batch) from the file that is named on the
command line, then a line per request from stdin: `step` answers milliseconds and loss, `memory` the peak in bytes.
"""

import json
import resource
import sys
import time

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
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

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


def main():
    with open(sys.argv[1]) as file:
        request = json.load(file)
    torch.set_num_threads(request["threads"])
    torch.manual_seed(0)
    batch = {name: torch.tensor(value) for name, value in request["batch"].items()}
    length = batch["ids"].shape[1]
    row, column = torch.arange(length)[:, None], torch.arange(length)[None, :]
    context = batch.pop("context_lengths")[:, None, None, None]
    batch["mask"] = (column < context) | (column <= row)

    model = Model(request["sizes"])
    step_model = torch.compile(model) if request["compile"] else model
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=1e-4,
        betas=(0.9, 0.98),
        eps=1e-6,
        fused=True,
    )
    half = request["dtype"] == "bfloat16"
    print(json.dumps({"ready": torch.__version__}), flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command == "step":
            start, used = time.perf_counter(), time.process_time()
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = step_model(batch, request["rows"] == "loss")
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            value = loss.item()
            spent = {
                "milliseconds": 1000 * (time.perf_counter() - start),
                "processor": 1000 * (time.process_time() - used),
            }
            print(json.dumps({**spent, "loss": value}), flush=True)
        elif command == "memory":
            print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
        else:
            return


if __name__ == "__main__":
    main()
