"""A valid graph with every kind of statement, as text, and ways to break it."""

SAMPLE: str = """\
graph net-1
summary "Every \\"kind\\" of statement."
source "none"
dims B, S
stream S

root model net
  let width = 8
  let heads = 2
  let wide = 4 * width
  let rate = 0.1
  let mode = "a, b = [c]"
  let flags = [true, null, [width // 2], "x"]
  input %x: float[B, S, width]
  input %positions: i64[B, S]
  input %mask?: i64[B, past + S]
  input %labels?: i64[B, S]
  param %scale: float[width] = constant(1.0)
  buffer %shift: f32[1, width] = normal(0.0, width**-0.5)
  state first hold(float[B, S, width]) axis 0
  %held = hold(%x) {state = first} : float[B, S, width]
  %scaled = arith(%held, %scale) {fn = mul} : float[B, S, width]
  %up = call linear up(%scaled) : float[B, S, wide]
    let out = wide
    input %x: float[B, S, width]
    param %weight: float[out, width] = uniform(-rate, rate)
    %y = linear(%x, %weight, _) : float[B, S, out]
    return %y
  %down = call linear down(%up) : float[B, S, width]
    input %x: float[B, S, wide]
    param %weight: float[width, wide] = normal(0, 0.02)
    %y = linear(%x, %weight) : float[B, S, width]
    return %y
  %up_2 = call shared linear up(%down) : float[B, S, wide]
  %a, %b = split(%up_2) {axis = -1, sizes = [width, 3 * width]} : float[B, S, width], float[B, S, 3 * width]
  %h = repeat h(%a, %mask) times 4 : float[B, S, width]
    schedule 0*3 1
    variant block layer
      input %x: float[B, S, width]
      input %keep?: i64[B, past + S]
      param %w: float[width] = constant(1.0)
      state kv append(float[B, heads, S, width // heads]) axis 2
      %n = rms_norm(%x, %w) {eps = 1e-06, offset = 0, cast = before} : float[B, S, width]
      %q = reshape(%n) {shape = [B, heads, S, width // heads]} : float[B, heads, S, width // heads]
      %k = append(%q) {state = kv, axis = 2, past = past} : float[B, heads, past + S, width // heads]
      %o = attention(%q, %k, %k, _, _, %keep) {scale = (width // heads)**-0.5, \
mask = k <= q and keep[b, k] and q - k < window, start = past, operands = [keep], \
names = [[window, 4]], softcap = null, dropout = rate} : \
float[B, heads, S, width // heads]
      %y = reshape(%o) {shape = [B, S, width]} : float[B, S, width]
      return %y
    variant last layer
      input %x: float[B, S, width]
      input %keep?: i64[B, past + S]
      return %x
  return %h

defaults defaults defaults
  %i = iota() {size = S, start = 0, dtype = int64} : i64[S]
  %positions = expand(%i) {shape = [B, S]} : i64[B, S]
  return %positions

output y = %h
output wide = %b
loss error mse loss
  input %y: float[B, S, width]
  input %x: float[B, S, width]
  %e = mean_error(%y, %x) {fn = mse} : f32[]
  return %e
feed feed feed
  input %labels: i64[B, S]
  %x_2 = cast(%labels) {dtype = float} : float[B, S]
  %x_3 = reshape(%x_2) {shape = [B, S, 1]} : float[B, S, 1]
  %x = expand(%x_3) {shape = [B, S, width]} : float[B, S, width]
  return %x
tie h.0.w = scale
"""


def edited(*changes: tuple[str, str]) -> str:
    """The sample with each old text, which stands there once, replaced by a new one."""
    text = SAMPLE
    for old, new in changes:
        assert text.count(old) == 1, f"{text.count(old)} times: {old}"
        text = text.replace(old, new)
    return text
