"""One GLM training step in PyTorch, to be timed in turn with ours: bench/training-step.ts starts this and talks to it.

The plain model of torch_model.py with the weights of ours: cross-entropy over all rows (`rows: all`) or over the loss rows
alone (`rows: loss`), AdamW with fused=True, gradient clipping. Reads one JSON object (sizes, weights file and a padded batch)
from the file that is named on the command line, then a line per request from stdin: `step` answers milliseconds and loss,
`memory` the peak in bytes.
"""

import json
import resource
import sys
import time

import torch
from torch import nn

from torch_model import Model, load_weights


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
    load_weights(model, request["weights"])
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
