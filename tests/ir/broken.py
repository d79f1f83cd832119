"""One broken graph for every rule: how the sample is changed, and the findings that follow."""

from typing import TypeAlias

# Old and new text, then each finding by its beginning; where a code stands alone, it is a consequence.
Broken: TypeAlias = tuple[list[tuple[str, str]], list[str]]

_LOSS = """\
loss error mse loss
  input %y: float[B, S, width]
  %e = mean_error(%y, %y) {fn = mse} : f32[]
  return %e
"""
BROKEN: list[Broken] = [
    ([("return %h\n", "return %z: float[B]\n")], ["I101 a result reads 'z', which nothing above gives"]),
    ([("output wide = %b", "output wide = %z: float[B]")], ["I101 the graph's output reads 'z'"]),
    ([("%held, %scale)", "%up: float[B, S, width], %scale)")], ["I101 arith reads 'up'"]),
    ([("call linear down(%up)", "call linear down(%u: float[B, S, wide])")], ["I101 'down' reads 'u'"]),
    (
        [("%scaled = arith", "%held = arith"), ("up(%scaled)", "up(%held)")],
        ["I102 two values are called 'held'"],
    ),
    (
        [("input %labels?: i64[B, S]", "input %x: float[B, S, width]")],
        ["I102 two values", "I119 feed of error: the graph has no input 'labels'"],
    ),
    (
        [("%held, %scale) {fn = mul}", "%held, %shift, %scale) {fn = mul}")],
        ["I103 arith: T013 arith takes 2 operands"],
    ),
    (
        [("%scale: float[width] =", "%scale: float[heads] =")],
        ["I103 arith: T003 shapes", "I116 'h.0.w' float[width] cannot be"],
    ),
    (
        [("{axis = -1, sizes = [width, 3 * width]}", "{axis = -1, sizes = [width, width]}")],
        ["I103 split: T001"],
    ),
    (
        [("{state = first} : float[B, S, width]", "{state = first} : float[B, S, 9]")],
        ["I104 hold gives float[B, S, width]", "I103 arith"],
    ),
    (
        [
            ("%a, %b = split", "%a = split"),
            ("width], float[B, S, 3 * width]\n", "width]\n"),
            ("output wide = %b\n", ""),
        ],
        ["I104 split gives"],
    ),
    ([("hold(%x)", "hold(%x: float[B, S, 9])")], ["I105 hold reads 'x' as float[B, S, 9]", "I104", "I114"]),
    (
        [("output y = %h", "output y = %h: float[B]")],
        ["I105 the graph's output reads 'h' as float[B]", "I119"],
    ),
    (
        [("up(%scaled)", "up(%scaled, %x)"), ("up(%down)", "up(%down, %x)")],
        ["I106 'up' takes 1 inputs, but gets 2"],
    ),
    (
        [
            ("%down = call", "%down, %extra = call"),
            ("(%up) : float[B, S, width]", "(%up) : float[B, S, width], float[B]"),
        ],
        ["I106 'down' gives 1 results, not 2"],
    ),
    ([("repeat h(%a, %mask)", "repeat h(%a)")], ["I106 'h' takes 2 inputs, but gets 1"]),
    (
        [("repeat h(%a, %mask)", "repeat h(%b, %mask)")],
        ["I107 'h' takes 'x' as float[B, S, width], not", "I109 'h' carries"],
    ),
    ([("up(%scaled)", "up(%shift)")], ["I107 'up' takes 'x' as float[B, S, width], not float32[1, width]"]),
    (
        [("(%up) : float[B, S, width]", "(%up) : float[B, S, width * 2]")],
        ["I108 'down' gives float[B, S, width], but", "I107"],
    ),
    (
        [("repeat h(%a, %mask)", "experts rows h(%a, %mask)")],
        ["I123 experts 'h' take float[B, S, width], int64[B, past + S] for float[B, S, width], not"],
    ),
    ([(" times 4 :", " times 5 :")], ["I110 'h' has 4 layers in its schedule, not 5"]),
    ([(" times 4 :", " times S :")], ["I110 'h' has 4 layers in its schedule, not S"]),
    ([("schedule 0*3 1", "schedule 0*4")], ["I110 the schedule of 'h' does not run each of its 2 variants"]),
    (
        [("schedule 0*3 1", "schedule 0*3 2")],
        ["I110 the schedule of 'h' does not run each of its 2 variants"],
    ),
    (
        [("schedule 0*3 1", "schedule 0*2 1 -1")],
        ["I110 the schedule of 'h' does not run each of its 2 variants"],
    ),
    (
        [("repeat h(", "repeat up(")],
        ["I111 two of one name: parameter or module 'up'", "I116 there is no parameter 'h.0.w'"],
    ),
    ([("call linear down(", "call linear scale(")], ["I111 two of one name: parameter or module 'scale'"]),
    ([("output wide", "output y")], ["I111 two of one name: output 'y'"]),
    ([("dims B, S", "dims B, S, B")], ["I111 two of one name: run-time size 'B'"]),
    ([("let heads = 2", "let width = 8\n  let heads = 2")], ["I111 two of one name: binding 'width'"]),
    ([("call linear down(", 'call linear "down-1"(')], ["I112 the module 'down-1' is not an identifier"]),
    ([("call linear down(", "call linear lambda(")], ["I112 the module 'lambda' is a word of Python"]),
    ([("call linear down(", 'call "a.b" down(')], ["I112 the component 'a.b' is not an identifier"]),
    ([("output wide", "output class")], ["I112 the output 'class' is a word of Python"]),
    ([("let mode", "let if")], ["I112 the binding 'if' is a word of Python"]),
    (
        [("%up_2 = call", '%"up 2" = call'), ("split(%up_2)", 'split(%"up 2")')],
        ["I112 the value 'up 2' is not an identifier"],
    ),
    ([("dims B, S\n", "dims B, S, a-b\n")], ["I112 the run-time size 'a-b' is not an identifier"]),
    ([("loss error", "loss in")], ["I112 the loss 'in' is a word of Python"]),
    (
        [("state first", 'state "1st"'), ("{state = first}", '{state = "1st"}')],
        ["I112 the state '1st' is not an identifier"],
    ),
    (
        [("%shift: f32[1, width]", "%shift: f32[1, S]")],
        ["I113 parameter 'shift' is float32[1, S]: its sizes must be known"],
    ),
    ([("%shift: f32[1, width]", "%shift: f32[0, width]")], ["I113 parameter 'shift' is float32[0, width]"]),
    (
        [("input %labels?: i64[B, S]", "input %labels?: i64[B, S, 1.5]")],
        ["I113 input 'labels' has the size 1.5", "I119"],
    ),
    (
        [("input %labels?: i64[B, S]", "input %labels?: i64[B, S, -1]")],
        ["I113 input 'labels' has the size -1", "I119"],
    ),
    ([("  state first hold(float[B, S, width]) axis 0\n", "")], ["I114 there is no state 'first'"]),
    (
        [("first hold(float[B, S, width])", "first hold(float[B, S, 9])")],
        ["I114 state 'first' holds float[B, S, 9]"],
    ),
    (
        [("first hold(float", "first append(float")],
        ["I114 state 'first' appends float[B, S, width], but hold gives"],
    ),
    ([("{state = kv, axis = 2", "{state = kv, axis = -2")], ["I114 state 'kv' appends"]),
    ([("kv append(float[B, heads, S", "kv append(float[B, 4, S")], ["I114 state 'kv' appends float[B, 4, S"]),
    (
        [
            (
                "hold(float[B, S, width]) axis 0\n",
                "hold(float[B, S, width]) axis 0\n  state spare hold(i64[B]) axis 0\n",
            )
        ],
        ["I114 state 'spare' is used 0 times, not once"],
    ),
    (
        [
            (
                "  %held = hold(%x) {state = first} : float[B, S, width]",
                "  state h recall(float[B, S, width]) axis 0\n"
                "  %held = recall(%x) {state = h} : float[B, S, width]",
            )
        ],
        [
            "I114 state 'first' is used 0 times",
            "I114 state 'h' is recalled 1 times and kept 0 times, not once each",
        ],
    ),
    (
        [("append(%q) {state = kv, axis = 2, past = past}", "append(%q) {state = kv, axis = 2, past = 0}")],
        ["I104 append gives"],
    ),
    ([("up(%scaled)", "up(%mask)")], ["I107", "I115 'up' needs 'x', but 'mask' may be absent"]),
    (
        [
            (
                "      input %keep?: i64[B, past + S]\n      return",
                "      input %keep: i64[B, past + S]\n      return",
            )
        ],
        ["I115 'h' needs 'keep', but 'mask' may be absent"],
    ),
    ([("output wide = %b", "output wide = %mask")], ["I115 the graph's output 'mask' may be absent"]),
    (
        [("attention(%q, %k, %k, _, _, %keep)", "attention(%q, %k, %k, _, %keep, %keep)")],
        ["I115 attention needs 'keep'", "I103"],
    ),
    ([("%held = hold", "%held? = hold")], ["I115 value 'held' is optional, but only an input may be absent"]),
    ([("tie h.0.w = scale", "tie h.0.w = scal")], ["I116 there is no parameter 'scal' to tie"]),
    ([("tie h.0.w = scale", "tie h.3.w = scale")], ["I116 there is no parameter 'h.3.w' to tie"]),
    (
        [("tie h.0.w = scale", "tie up.weight = down.weight")],
        ["I116 'up.weight' float[out, width] cannot be 'down.weight'"],
    ),
    ([("tie h.0.w = scale", "tie scale = scale")], ["I116 the tie of 'scale' leads back to itself"]),
    ([("tie h.0.w = scale", "tie h.0.w = scale\ntie h.0.w = h.1.w")], ["I116 'h.0.w' is tied twice"]),
    (
        [("tie h.0.w = scale", "tie h.0.w = scale\ntie scale = h.1.w\ntie h.1.w = scale")],
        ["I116 the tie of 'scale' leads back to itself", "I116 the tie of 'h.1.w' leads back to itself"],
    ),
    (
        [("let wide = 4 * width", "let wide = 4 * width = 33")],
        ["I117 binding 'wide' is 33, but its writing '4 * width' says 32", "I103"],
    ),
    (
        [("{eps = 1e-06,", "{eps = rate = 0.2,")],
        ["I117 a number of rms_norm is 0.2, but its writing 'rate' says 0.1"],
    ),
    (
        [("{eps = 1e-06,", "{eps = tiny = 1e-06,")],
        ["I117 a number of rms_norm is written 'tiny', which has no value here"],
    ),
    (
        [("normal(0, 0.02)", "normal(0, width = 9)")],
        ["I117 the start of 'weight' is 9, but its writing 'width' says 8"],
    ),
    ([("times 4 :", "times heads = 4 :")], ["I117 the count of 'h' is 4, but its writing 'heads' says 2"]),
    (
        [("[width // 2]", "[width // 2 = 5]")],
        ["I117 binding 'flags' is 5, but its writing 'width // 2' says 4"],
    ),
    (
        [("input %labels?: i64[B, S]", "input %labels?: i64[B, T = T]")],
        [
            "I118 a size of input 'labels' depends on 'T'",
            "I117 a size of input 'labels' is written 'T', which has no value here",
            "I119",
        ],
    ),
    ([("stream S\n", "stream T\n")], ["I118 'T' streams, but is no run-time size of the graph"]),
    ([("let rate = 0.1", "let rate = 0.1\n  let t = t = T")], ["I118 binding 't' depends on 'T'"]),
    (
        [
            (
                "input %y: float[B, S, width]\n  input %x: float[B, S, width]\n  %e",
                "input %y: float[B, S, 9]\n  input %x: float[B, S, 9]\n  %e",
            )
        ],
        [
            "I119 loss 'error' reads 'y' as float[B, S, 9], but it is float[B, S, width]",
            "I119 loss 'error' reads 'x'",
        ],
    ),
    (
        [
            ("mean_error(%y, %x)", "mean_error(%y, %z)"),
            ("input %x: float[B, S, width]\n  %e", "input %z: float[B, S, width]\n  %e"),
        ],
        ["I119 loss 'error' reads 'z', which is no input or output"],
    ),
    ([("return %e", "return %x")], ["I119 loss 'error' gives float[B, S, width], not one scalar"]),
    ([("return %e", "return")], ["I119 loss 'error' gives nothing, not one scalar"]),
    (
        [("  %x = expand(%x_3)", "  %z = expand(%x_3)"), ("  return %x\ntie", "  return %z\ntie")],
        ["I119 feed of error: the graph has no input 'z'"],
    ),
    (
        [("  return %x\ntie", "  return %x_3: float[B]\ntie")],
        ["I105", "I119 feed of error: the graph has no input 'x_3'"],
    ),
    (
        [("%positions = expand", "%position = expand"), ("return %positions", "return %position")],
        ["I120 defaults: the graph has no input 'position'"],
    ),
    (
        [
            ("{shape = [B, S]} : i64[B, S]", "{shape = [B, B]} : i64[B, B]"),
            ("{size = S,", "{size = B,"),
            (": i64[S]", ": i64[B]"),
        ],
        ["I120 defaults: 'positions' is int64[B, B], but the input is int64[B, S]"],
    ),
    (
        [("call linear up(%scaled)", "call shared linear up(%scaled)")],
        ["I121 'up' is shared, but was not called before"],
    ),
    (
        [("= normal(0, 0.02)", "= kaiming(0, 0.02)")],
        ["I122 parameter 'weight': no start 'kaiming' of 2 numbers"],
    ),
    ([("= normal(0, 0.02)", "= normal(0)")], ["I122 parameter 'weight': no start 'normal' of 1 numbers"]),
    (
        [
            (
                "loss error mse loss\n",
                _LOSS + "loss error mse loss\n",
            )
        ],
        ["I111 two of one name: loss 'error'"],
    ),
    ([("  return %x\ntie", "  return %x, %x\ntie")], ["I111 two of one name: result of feed of error 'x'"]),
    (
        [("{fn = mse} : f32[]", "{fn = mse} : f64[]")],
        ["I104 mean_error gives float32[], but float64[] is recorded"],
    ),
    (
        [("repeat h(", "repeat lambda("), ("tie h.0.w = scale\n", "")],
        ["I112 the module 'lambda' is a word of Python"],
    ),
    (
        [
            (
                "      return %x\n  return %h",
                "      %z = cast(%x) {dtype = bool} : bool[B, S, width]\n      return %z\n  return %h",
            )
        ],
        ["I108 'h' gives bool[B, S, width], but float[B, S, width] is recorded"],
    ),
    (
        [
            (
                "  state first hold(float[B, S, width]) axis 0\n",
                "  state first hold(float[B, S, width]) axis 0\n" * 2,
            )
        ],
        ["I111 two of one name: state 'first'"],
    ),
    (
        [("first hold(float[B, S, width])", "first hold(float[B, S, wide = 8])")],
        ["I117 a size of state 'first' is 8, but its writing 'wide' says 32"],
    ),
]
