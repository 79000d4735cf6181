"""scaled_dot_product_attention and FlexAttention with GLM's mask, to be timed in turn with ours: bench/attention.ts.

`python torch_attention.py THREADS`, then a line per request: `kind dtype examples length context heads backward times`,
kind `sdpa` (a boolean mask; its causal mode where the context is 0) or `flex` (compiled). Answers milliseconds of one pass,
forward or forward and backward.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
WIDTH = 64
compiled_flex = torch.compile(flex_attention)
prepared, failures = {}, set()


def prepare(kind, dtype, examples, length, context, heads):
    shape = (examples, heads, length, WIDTH)
    q, k, v, gradient = (torch.randn(shape).to(getattr(torch, dtype)) for _ in range(4))
    if kind == "flex":
        rule = lambda b, h, query, key: (key <= query) | (key < context)  # noqa: E731
        mask = create_block_mask(rule, None, None, length, length, device="cpu")
        attend = lambda q, k, v: compiled_flex(q, k, v, block_mask=mask)  # noqa: E731
    elif context == 0:
        attend = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)  # noqa: E731
    else:
        places = torch.arange(length)
        mask = (places[None, :] <= places[:, None]) | (places < context)[None, :]
        attend = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # noqa: E731
    return attend, (q, k, v), gradient


def run(attend, inputs, gradient, backward):
    if not backward:
        with torch.no_grad():
            attend(*inputs)
        return
    inputs = [x.requires_grad_() for x in inputs]
    torch.autograd.grad(attend(*inputs), inputs, gradient)


print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    kind, dtype, *numbers = line.split()
    examples, length, context, heads, backward, times = map(int, numbers)
    key = (kind, dtype, examples, length, context, heads)
    try:
        if key not in prepared:
            prepared.clear()
            prepared[key] = prepare(*key)
            run(*prepared[key], backward)
        started = time.perf_counter()
        for _ in range(times):
            run(*prepared[key], backward)
        print(json.dumps((time.perf_counter() - started) * 1000 / times), flush=True)
    except Exception as error:  # FlexAttention's backward may not exist on a CPU
        if kind not in failures:
            print(f"{kind}: {str(error).splitlines()[0]}", file=sys.stderr)
        failures.add(kind)
        print(json.dumps(-1), flush=True)
