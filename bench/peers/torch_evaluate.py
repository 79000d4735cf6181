"""Scores examples in PyTorch, to be timed in turn with ours: bench/evaluate.ts starts this and talks to it.

The plain model of torch_model.py with the weights of our model, in inference mode. Examples are padded to the longest of
their batch; the vocabulary is computed for all rows as the original does (`rows: all`) or for the rows that are scored
(`rows: loss`). Reads one JSON object (sizes, weights file, examples) from the file that is named on the command line, then
from stdin a line `begin end` per request: the examples to score as one batch. Answers milliseconds, the sum of the losses,
their number, and for how many examples every token is the likeliest.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

from torch_model import Model, load_weights


def padded(examples):
    length = max(len(example["ids"]) for example in examples)
    batch = {
        name: torch.tensor([example[name] + [0] * (length - len(example[name])) for example in examples])
        for name in ("ids", "positions", "block_positions", "targets", "loss_mask")
    }
    row, column = torch.arange(length)[:, None], torch.arange(length)[None, :]
    context = torch.tensor([example["context_length"] for example in examples])[:, None, None, None]
    batch["mask"] = (column < context) | (column <= row)
    return batch


def score(model, examples, all_rows):
    batch = padded(examples)
    wanted = batch["loss_mask"].bool()
    hidden = model.hidden(batch)
    if all_rows:
        logits = F.linear(hidden, model.words.weight).float()[wanted]
    else:
        logits = F.linear(hidden[wanted], model.words.weight).float()
    targets = batch["targets"][wanted]
    losses = F.cross_entropy(logits, targets, reduction="none")
    wrong = torch.zeros_like(wanted)
    wrong[wanted] = logits.argmax(-1) != targets
    return {
        "loss": losses.double().sum().item(),
        "tokens": len(targets),
        "right": len(examples) - wrong.any(-1).sum().item(),
    }


def main():
    with open(sys.argv[1]) as file:
        request = json.load(file)
    torch.set_num_threads(request["threads"])
    model = Model(request["sizes"]).eval()
    load_weights(model, request["weights"])
    half = request["dtype"] == "bfloat16"
    print(json.dumps({"ready": torch.__version__}), flush=True)
    for line in sys.stdin:
        begin, end = map(int, line.split())
        start = time.perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            found = score(model, request["examples"][begin:end], request["rows"] == "all")
        print(json.dumps({"milliseconds": 1000 * (time.perf_counter() - start), **found}), flush=True)


if __name__ == "__main__":
    main()
