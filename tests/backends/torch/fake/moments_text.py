"""The moments of transformers with two layers or more, and an MLP at least 2.6 times as wide as the model.

Text is not many times longer than the model is wide, where what kernels do with masks would count.
Reference: the classes of transformers 5.23 (`BertModel`, `GPT2LMHeadModel`, `LlamaForCausalLM`,
`CLIPTextModel`) on fake tensors, without padding or a cache.
"""

from tests.backends.torch.fake.moments import Peak, Sizes, Tensors


def of_scores(n: Sizes) -> dict[str, Tensors]:
    """Our eager attention: the product of queries and keys, its softmax, and weights that meet values.

    Queries and keys that lie by position are copied for the product, unless there is one row of them.
    """
    copied = 2 * n.x if n.b > 1 else 0
    moments: dict[str, Tensors] = {
        "product": {"scores": n.scores, "scaled queries": n.x, "queries and keys, by head": copied},
        "weighted": {
            "scores": n.scores, "weights": n.scores, "context": n.x, "context, by position": n.x,
        },
    }  # fmt: skip
    if n.item == 4:
        return moments
    in_fp32 = {"scores in fp32": 4 * n.pairs, "weights in fp32": 4 * n.pairs}
    return moments | {"softmax": {"scores": n.scores} | in_fp32}


def joined(before: Tensors, moments: dict[str, Tensors]) -> dict[str, Tensors]:
    return {name: {**before, **alive} for name, alive in moments.items()}


def bert(n: Sizes, eager: bool) -> Peak:
    qkv = {"queries, keys, values": 3 * n.x}
    mlp = {"MLP's norm": n.x, "up": n.wide, "gelu": n.wide}
    held = {"embeddings": n.x, "input": n.x}
    kept = {"weights": n.scores * eager}
    statistics = 2 * n.b * n.s * n.item
    out = {"MLP's norm": n.x, "gelu": n.wide, "down": n.x, "sum": n.x, "next": n.x, "statistics": statistics}
    theirs = {"mlp": {**held, **mlp, **kept}, "output": {**held, **out, **kept}}
    if eager:
        theirs["scores"] = {**held, **qkv, "scores": n.scores, "scaled scores": n.scores}
    held = {"token types": 8 * n.b * n.s, "input": n.x}
    ours = {"mlp": {**held, **mlp}} | (joined({**held, **qkv}, of_scores(n)) if eager else {})
    return Peak(theirs, ours)


def gpt2(n: Sizes, eager: bool) -> Peak:
    qkv = {"attention's norm": n.x, "queries, keys, values": 3 * n.x}
    mlp = {"after attention": n.x, "MLP's norm": n.x, "up": n.wide, "gelu": n.wide}
    last = {"last norm": n.x, "logits": n.logits}
    mask = n.b * n.s**2 * (n.item if eager else 1)
    held = {
        "places": 8 * n.s, "embeddings": n.x, "place embeddings": n.s * n.h * n.item, "mask": mask,
        "input": n.x,
    }  # fmt: skip
    kept = {"weights": n.scores * eager, "attended": n.x, "gelu, written out": 2 * n.wide}
    theirs = {"mlp": {**held, **mlp, **kept}, "logits": last}
    if eager:
        theirs["scores"] = {**held, **qkv, "scores": n.scores, "scaled scores": n.scores}
    to_end = {"places": 8 * n.s, "mask": n.s**2 * eager}
    held = {**to_end, "input": n.x}
    ours = {"mlp": {**held, **mlp}, "logits": {**to_end, **last}}
    return Peak(theirs, ours | (joined({**held, **qkv}, of_scores(n)) if eager else {}))


def llama(n: Sizes, eager: bool) -> Peak:
    head = n.h // n.heads
    mlp = {"after attention": n.x, "MLP's norm": n.x, "gate": n.wide, "up": n.wide, "product": n.wide}
    last = {"last norm": n.x, "logits": n.logits}
    mask = n.b * n.s**2 * (n.item if eager else 1)
    rope = {"places": 8 * n.s, "rope": 2 * n.s * head * n.item}
    held = {**rope, "mask": mask, "embeddings": n.x, "input": n.x}
    theirs = {"mlp": {**held, **mlp, "weights": n.scores * eager}, "logits": last}
    if eager:
        theirs["scores"] = {**held, **_grouped(n), **_their_scores(n)}
    rope = {"places": 8 * n.s, "rope": 2 * n.b * n.s * head // 2 * 4, "frequencies": head // 2 * 4}
    to_end = {**rope, "mask": n.s**2 * eager}
    held = {**to_end, "input": n.x}
    ours = {"mlp": {**held, **mlp}, "logits": {**to_end, **last}}
    if eager:
        qkv = {"attention's norm": n.x, "queries": n.x, "keys": n.x, "values": n.x}
        ours |= joined({**held, **qkv}, of_scores(n))
    return Peak(theirs, ours)


def _grouped(n: Sizes) -> Tensors:
    """What attention reads. The reference repeats keys of a group in memory, unless there is one group."""
    own = n.x * n.kv // n.heads
    read = {"attention's norm": n.x, "queries": n.x, "keys": own, "values": own}
    repeated = {"keys, repeated": n.x, "values, repeated": n.x}
    return {**read, **repeated} if 1 < n.kv < n.heads else read


def _their_scores(n: Sizes) -> Tensors:
    if n.item == 4:
        return {"scores": n.scores, "scaled scores": n.scores}
    return {"scores": n.scores, "scores in fp32": 4 * n.pairs, "weights in fp32": 4 * n.pairs}


def clip(n: Sizes, eager: bool) -> Peak:
    """The activation x * sigmoid(1.702 x) is three tensors in both. Scores are small beside the MLP."""
    alive = {
        "input": n.x, "after attention": n.x, "MLP's norm": n.x, "up": n.wide, "gate": n.wide,
        "product": n.wide,
    }  # fmt: skip
    kept = {"embeddings": n.x, "weights": n.scores * eager, "mask": n.b * n.s**2 * n.item * eager}
    return Peak({"mlp": {**alive, **kept}}, {"mlp": {**alive, "mask": n.s**2 * eager}})
