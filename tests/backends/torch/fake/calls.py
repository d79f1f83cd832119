"""Calls of every function that torch on shapes knows, as text: `x` is to be a tensor of each kind.

Floats: `x`, `y` [2, 4, 6], `v` [6], `w` [5, 6], `p` [6, 6] > 0, `one` [], `g` [2, 4, 8, 8], `k` [4, 4, 3, 3],
`q`, `r` [2, 4, 5, 6]. Others: `i` [2, 4, 6], `j` [3] indices from 0 to 1, truths `c` [2, 4, 6], `m` [5, 5].
"""

ONE = (
    "abs", "ceil", "cos", "elu", "erf", "exp", "expm1", "floor", "gelu", "hardswish", "leaky_relu", "log",
    "log1p", "mish", "neg", "reciprocal", "relu", "round", "rsqrt", "selu", "sigmoid", "sign", "silu", "sin",
    "softplus", "sqrt", "square", "tanh",
)  # fmt: skip
OF_F = {"elu", "gelu", "hardswish", "leaky_relu", "mish", "relu", "selu", "silu", "softplus"}
TWO = ("add", "div", "maximum", "minimum", "mul", "pow", "sub")

CALLS: dict[str, list[str]] = {
    **{name: [f"F.{name}(x)" if name in OF_F else f"torch.{name}(x)"] for name in ONE},
    **{name: [f"torch.{name}(x, y)", f"torch.{name}(x, v)", f"torch.{name}(x, x[:1])"] for name in TWO},
    **{
        name: [f"torch.{name}(x, 1)", f"torch.{name}(x, y)", f"torch.{name}(i, 1.5)"]
        for name in ("lt", "le", "gt", "ge", "eq", "ne")
    },
    **{
        name: [f"i.{name}()", f"x.{name}()"]
        for name in ("float", "long", "int", "bool", "double", "half", "bfloat16")
    },
    **{name: [f"x.clone().{name}(2)"] for name in ("add_", "sub_", "mul_", "div_")},
    "floor_divide": ["i // 2", "i // i[:1].clamp(min=1)"],
    "remainder": ["i % 2", "i % i[:1].clamp(min=1)"],
    "bitwise_and": ["c & c[:1]", "c & (x > 0)"],
    "bitwise_or": ["c | c[:1]", "c | (x > 0)"],
    "bitwise_not": ["~c", "~i"],
    "logical_not": ["torch.logical_not(x)", "torch.logical_not(c)"],
    "clamp": ["x.clamp(min=0)", "x.clamp(0, 1)", "i.clamp(max=1)"],
    "addcmul": ["torch.addcmul(x, y, y)", "torch.addcmul(x, v, y)"],
    "where": ["torch.where(c, x, y)", "torch.where(c, x, 0.0)", "torch.where(c[:1], 1.0, x)"],
    "masked_fill": ["x.masked_fill(c, 0.0)", "x.masked_fill(c[:1], 1)"],
    # views and copies
    "view": ["x.contiguous().view(2, 24)", "x.contiguous().view(-1)"],
    "reshape": ["x.reshape(8, 6)", "x.reshape(2, 24)", "x.reshape(-1)", "x.reshape(2, 2, 2, 6)"],
    "flatten": ["x.flatten()", "x.flatten(1)", "x.flatten(0, 1)", "one.flatten()"],
    "unflatten": ["x.unflatten(-1, (2, 3))", "x.unflatten(1, (-1, 2))"],
    "permute": ["x.permute(2, 0, 1)", "torch.permute(x, (1, -1, 0))"],
    "transpose": ["x.transpose(1, 2)", "x.transpose(0, -1)"],
    "swapaxes": ["x.swapaxes(1, 2)"],
    "movedim": ["x.movedim(0, 2)", "x.movedim(-1, 0)"],
    "unsqueeze": ["x.unsqueeze(0)", "x.unsqueeze(-1)", "x.unsqueeze(1)"],
    "squeeze": ["x[:1].squeeze()", "x[:1].squeeze(0)", "x.squeeze(1)"],
    "expand": ["x[:1].expand(3, -1, -1)", "x.expand(2, 2, 4, 6)", "x.expand(1, -1, -1, -1)"],
    "narrow": ["x.narrow(1, 1, 2)", "x.narrow(-1, 0, 5)"],
    "select": ["x.select(0, 1)", "x.select(-1, 2)"],
    "split": ["x.split(4, -1)", "x.split([1, 3, 2], 2)"],
    "chunk": ["x.chunk(2, -1)", "x.chunk(3, 1)"],
    "unbind": ["x.unbind(1)", "torch.unbind(x)"],
    "unfold": ["x.unfold(2, 3, 2)", "x.unfold(1, 2, 1)"],
    "diagonal": ["x.diagonal(dim1=1, dim2=2)", "x.diagonal(1, 0, 2)", "x.diagonal(-1, 1, 2)"],
    "detach": ["x.detach()"],
    "clone": ["x.clone()"],
    "contiguous": ["x.contiguous()", "x.transpose(0, 1).contiguous()"],
    "to": ["x.to(torch.bfloat16)", "i.to(x.dtype)", "x.to(dtype=torch.float32)", "i.to(x)"],
    # from nothing
    **{
        name: [f"torch.{name}(2, 3)", f"torch.{name}((4,), dtype=torch.int64)"]
        for name in ("zeros", "ones", "empty")
    },
    "rand": ["torch.rand(2, 3)"],
    "randn": ["torch.randn((2, 3), dtype=torch.bfloat16)"],
    "full": ["torch.full((2, 3), 1.0)", "torch.full((2,), 1)", "torch.full((2,), True)"],
    "new_zeros": ["x.new_zeros(2, 3)", "i.new_zeros((3,))"],
    "new_empty": ["x.new_empty(2, 3)"],
    "new_ones": ["x.new_ones(2, 3, dtype=torch.int64)"],
    **{
        name: [f"torch.{name}(x)", f"torch.{name}(x, dtype=torch.int64)"]
        for name in ("zeros_like", "empty_like", "ones_like")
    },
    "arange": ["torch.arange(5)", "torch.arange(1, 8, 2)", "torch.arange(0.5, 3.0)"],
    "scalar_tensor": ["torch.scalar_tensor(1.0)"],
    "tensor": ["torch.tensor(1.0)", "torch.tensor(1)", "torch.tensor(1.0, dtype=torch.float64)"],
    "eye": ["torch.eye(3)", "torch.eye(3, 4)"],
    # picking and putting
    "getitem": [
        "x[0]",
        "x[:, 1:3]",
        "x[..., None]",
        "x[..., ::2]",
        "x[:, j]",
        "x[j, :, j]",
        "x[j][:, j]",
        "x[:, j, j]",
    ],
    "setitem": ["put(x, (slice(None), slice(0, 2)), y[:, :2])", "put(x, j, y[j])"],
    "gather": ["x.gather(1, i)", "x.gather(-1, i[..., :2])"],
    "scatter": ["x.scatter(1, i, y)"],
    "scatter_add": ["x.scatter_add(1, i, y)"],
    "exp2": ["x.exp2()"],
    "randint": ["torch.randint(9, (3, 4))"],
    "sum_to_size": ["x.sum_to_size(*x.shape)", "x.sum_to_size(x.shape[1], 1)"],
    "broadcast_tensors": ["torch.broadcast_tensors(x, v)"],
    "index_put_": ["torch.zeros(3, 6, dtype=x.dtype).index_put_((j,), x[0, :3].detach(), accumulate=True)"],
    "index_add_": ["torch.zeros(3, 6, dtype=x.dtype).index_add_(0, j, x[0, :3])"],
    "index_select": ["x.index_select(1, j)"],
    "embedding": ["F.embedding(i, w)", "F.embedding(j, x[0])"],
    # putting together
    "cat": ["torch.cat((x, y), 1)", "torch.cat([x, x, y], -1)"],
    "concat": ["torch.concat((x, y))"],
    "stack": ["torch.stack((x, y), 1)", "torch.stack((x, x), -1)"],
    "roll": ["x.roll(1, 1)", "torch.roll(x, (1, 2), (0, 1))"],
    "flip": ["x.flip(1)"],
    "tril": ["x.tril()"],
    "triu": ["x.triu(1)"],
    "pad": ["F.pad(x, (1, 2))", "F.pad(x, (0, 0, 1, 0))", "F.pad(x, (0, -1))"],
    "repeat": ["x.repeat(2, 1, 1)", "v.repeat(2, 3)"],
    "repeat_interleave": ["x.repeat_interleave(2, 1)"],
    # folding
    **{
        name: [
            f"x.{name}()",
            f"x.{name}(-1)",
            f"x.{name}((0, 2), keepdim=True)",
            f"x.{name}(1, keepdim=True)",
        ]
        for name in ("sum", "mean", "amax", "amin")
    },
    "prod": ["x.prod(1)"],
    "norm": ["x.norm(dim=-1)", "x.norm(dim=-1, keepdim=True)"],
    **{name: [f"x.{name}(-1)", f"x.{name}(1, correction=0, keepdim=True)"] for name in ("var", "std")},
    **{name: [f"x.{name}()", f"x.{name}(1)", f"x.{name}(-1, keepdim=True)"] for name in ("max", "min")},
    **{name: [f"x.{name}(1)", f"x.{name}(-1, keepdim=True)"] for name in ("argmax", "argmin")},
    **{name: [f"c.{name}(1)", f"c.{name}()", f"c.{name}(-1, keepdim=True)"] for name in ("any", "all")},
    "topk": ["x.topk(2)", "torch.topk(x, 2, 1)"],
    "argsort": ["torch.argsort(x.detach(), dim=-1)", "torch.argsort(i, dim=1, descending=True, stable=True)"],
    **{name: [f"x.{name}(1)"] for name in ("cumsum", "cumprod")},
    **{name: [f"x.{name}(1)"] for name in ("cummax", "cummin")},
    "logsumexp": ["x.logsumexp(-1)", "x.logsumexp(1, keepdim=True)"],
    **{
        name: [f"F.{name}(x, dim=-1)", f"F.{name}(x, dim=1)", f"F.{name}(x, dim=-1, dtype=torch.float32)"]
        for name in ("softmax", "log_softmax")
    },
    # norms, losses, grids
    "layer_norm": ["F.layer_norm(x, (6,))", "F.layer_norm(x, (6,), v, v)", "F.layer_norm(x, (6,), v)"],
    "rms_norm": ["F.rms_norm(x, (6,))", "F.rms_norm(x, (6,), v)"],
    "group_norm": ["F.group_norm(g, 2)", "F.group_norm(g, 2, v[:4], v[:4])"],
    "batch_norm": [
        "F.batch_norm(g, rest[:4], rest[:4], v[:4], v[:4])",
        "F.batch_norm(g, rest[:4], rest[:4], v[:4], v[:4], True)",
        "F.batch_norm(g, rest[:4].float(), rest[:4].float(), v[:4].float(), v[:4].float(), True)",
        "F.batch_norm(g, rest[:4].float(), rest[:4].float(), training=True)",
    ],
    "cross_entropy": ["F.cross_entropy(x.flatten(0, 1), i[..., 0].flatten())"],
    **{name: [f"F.{name}(x, y)"] for name in ("mse_loss", "l1_loss")},
    **{
        f"max_pool{n}d": [f"F.max_pool{n}d({x}, 2)", f"F.max_pool{n}d({x}, 3, 1, 1)"]
        for n, x in ((1, "x"), (2, "g"), (3, "g[:, None]"))
    },
    **{
        f"avg_pool{n}d": [f"F.avg_pool{n}d({x}, 2)", f"F.avg_pool{n}d({x}, 3, 1, 1)"]
        for n, x in ((1, "x"), (2, "g"), (3, "g[:, None]"))
    },
    "interpolate": ["F.interpolate(g, scale_factor=2.0, mode='nearest')"],
    # products
    "linear": ["F.linear(x, w)", "F.linear(x, p, v)", "F.linear(x[0], p, v)", "F.linear(v, w)"],
    "matmul": [
        "x @ p",
        "x @ x.transpose(1, 2)",
        "x @ v",
        "x[0] @ p",
        "p @ x[0].T",
        "q @ r.transpose(-1, -2)",
    ],
    "bmm": ["torch.bmm(x, x.transpose(1, 2))"],
    "einsum": [
        "torch.einsum('bse,ed->bsd', x, p)",
        "torch.einsum('bse,bte->bst', x, y)",
        "torch.einsum('bse,e->bs', x, v)",
        "torch.einsum('bhse,bhte->bths', q, r)",
    ],
    "conv1d": ["F.conv1d(x, k[0, :, :2].flatten(1)[None, :4, :3])"],
    "conv2d": [
        "F.conv2d(g, k)",
        "F.conv2d(g, k, v[:4], stride=2, padding=1)",
        "F.conv2d(g, k[:, :1], groups=4)",
    ],
    "conv3d": ["F.conv3d(g[:, :, None], k[:, :, None])"],
    "conv_transpose1d": ["F.conv_transpose1d(x, k[..., 0], stride=2)"],
    "conv_transpose2d": ["F.conv_transpose2d(g, k, stride=2, padding=1, output_padding=1)"],
    "conv_transpose3d": ["F.conv_transpose3d(g[:, :, None], k[:, :, None])"],
    "scaled_dot_product_attention": [
        "F.scaled_dot_product_attention(q, r, r)",
        "F.scaled_dot_product_attention(q, r, r, is_causal=True)",
        "F.scaled_dot_product_attention(q, r, r, m)",
        "F.scaled_dot_product_attention(q, r, r[..., :3])",
        "F.scaled_dot_product_attention(q.transpose(1, 2), r.transpose(1, 2), r.transpose(1, 2))",
        "F.scaled_dot_product_attention(q, r, r, dropout_p=0.5)",
        "F.scaled_dot_product_attention(q, r[:, :2], r[:, :2], enable_gqa=True)",
        "F.scaled_dot_product_attention(q[:, :, :0], r, r, m[:0])",
        "F.scaled_dot_product_attention(q, r[:, :, :0], r[:, :, :0])",
    ],
    # training
    "dropout": ["F.dropout(x, 0.5)", "F.dropout(x, 0.5, False)"],
}
# Told apart elsewhere: what is true is data (test_limits); steps that run again (test_truth, test_training).
ELSEWHERE = {"nonzero", "checkpoint"}
