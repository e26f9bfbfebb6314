/**
 * The layers of diffusers' UNet2DConditionModel in jax-js: NCHW, as its convolutions take it. As everywhere in
 * jax-js, a function consumes its arrays; `x.ref` keeps one for another use. Every weight is used once a pass.
 */
import { type Array as JaxArray, lax, nn, numpy as np } from '@jax-js/jax';

export type Weights = Record<string, JaxArray>;

/** The weights below one path. */
export class Scope {
  constructor(
    private readonly weights: Weights,
    private readonly path = '',
  ) {}

  child(name: string): Scope {
    return new Scope(this.weights, `${this.path}${name}.`);
  }

  has(name: string): boolean {
    return `${this.path}${name}` in this.weights;
  }

  take(name: string): JaxArray {
    const weight = this.weights[`${this.path}${name}`];
    if (!weight) throw new Error(`There is no weight "${this.path}${name}".`);
    return weight;
  }
}

/** [..., in] -> [..., out]; the weight is [in, out]. */
export function linear(scope: Scope, x: JaxArray): JaxArray {
  const { shape } = x;
  const product = np.matmul(x.reshape([-1, shape.at(-1)!]), scope.take('weight'));
  const y = scope.has('bias') ? product.add(scope.take('bias')) : product;
  return y.reshape([...shape.slice(0, -1), y.shape[1]!]);
}

/** [B, Cin, H, W] -> [B, Cout, H', W'] */
export function conv(scope: Scope, x: JaxArray, { stride = 1, padding = 1 } = {}): JaxArray {
  const pad: [number, number] = [padding, padding];
  const y = lax.convGeneralDilated(x, scope.take('weight'), [stride, stride], [pad, pad]);
  return y.add(scope.take('bias').reshape([1, -1, 1, 1]));
}

function normalise(x: JaxArray, eps: number): JaxArray {
  const centered = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(np.square(centered.ref), -1, { keepdims: true });
  return centered.div(np.sqrt(variance.add(eps)));
}

/** [B, C, H, W] -> [B, C, H, W] */
export function groupNorm(scope: Scope, x: JaxArray, groups: number, eps: number): JaxArray {
  const { shape } = x;
  const normal = normalise(x.reshape([shape[0]!, groups, -1]), eps).reshape(shape);
  return normal
    .mul(scope.take('weight').reshape([1, -1, 1, 1]))
    .add(scope.take('bias').reshape([1, -1, 1, 1]));
}

/** [B, L, D] -> [B, L, D] */
function layerNorm(scope: Scope, x: JaxArray): JaxArray {
  return normalise(x, 1e-5).mul(scope.take('weight')).add(scope.take('bias'));
}

/**
 * [B, L, D] and [B, S, E] -> [B, L, D]
 *
 * @param bias [B, 1, 1, S], or null
 */
function attention(
  scope: Scope,
  x: JaxArray,
  context: JaxArray,
  heads: number,
  bias: JaxArray | null,
): JaxArray {
  const [batch, length, width] = x.shape as [number, number, number];
  const split = (states: JaxArray): JaxArray => states.reshape([batch, -1, heads, width / heads]);
  const q = split(linear(scope.child('to_q'), x)); // [B, L, N, D / N]
  const k = split(linear(scope.child('to_k'), context.ref));
  const v = split(linear(scope.child('to_v'), context));
  const attended = nn.dotProductAttention(q, k, v, bias ? { bias } : {});
  return linear(scope.child('to_out.0'), attended.reshape([batch, length, width]));
}

/** The prompt, borrowed: whoever made it disposes it. */
export interface Prompt {
  readonly states: JaxArray; // [B, S, E]
  readonly bias: JaxArray; // [B, 1, 1, S]
}

function transformerBlock(scope: Scope, x: JaxArray, prompt: Prompt, heads: number): JaxArray {
  const first = layerNorm(scope.child('norm1'), x.ref);
  let hidden = x.add(attention(scope.child('attn1'), first.ref, first, heads, null));
  const second = layerNorm(scope.child('norm2'), hidden.ref);
  hidden = hidden.add(attention(scope.child('attn2'), second, prompt.states.ref, heads, prompt.bias.ref));
  const third = layerNorm(scope.child('norm3'), hidden.ref);
  const [value, gate] = np.split(linear(scope.child('ff.net.0.proj'), third), 2, -1) as [JaxArray, JaxArray];
  const gated = value.mul(nn.gelu(gate, { approximate: false }));
  return hidden.add(linear(scope.child('ff.net.2'), gated));
}

/** [B, C, H, W] -> [B, C, H, W]; one transformer block, linear projections. */
export function transformer(
  scope: Scope,
  x: JaxArray,
  prompt: Prompt,
  { heads, groups }: { heads: number; groups: number },
): JaxArray {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const normed = groupNorm(scope.child('norm'), x.ref, groups, 1e-6);
  const tokens = np.transpose(normed.reshape([batch, channels, height * width]), [0, 2, 1]);
  const projected = linear(scope.child('proj_in'), tokens); // [B, H * W, C]
  const attended = transformerBlock(scope.child('transformer_blocks.0'), projected, prompt, heads);
  const out = np.transpose(linear(scope.child('proj_out'), attended), [0, 2, 1]);
  return out.reshape([batch, channels, height, width]).add(x);
}

/** [B, Cin, H, W] -> [B, Cout, H, W]; `temb` is activated, [1, T], and borrowed. */
export function resnet(
  scope: Scope,
  x: JaxArray,
  temb: JaxArray,
  { groups, eps }: { groups: number; eps: number },
): JaxArray {
  let hidden = nn.silu(groupNorm(scope.child('norm1'), x.ref, groups, eps));
  hidden = conv(scope.child('conv1'), hidden);
  const time = linear(scope.child('time_emb_proj'), temb.ref);
  hidden = hidden.add(time.reshape([1, -1, 1, 1]));
  hidden = nn.silu(groupNorm(scope.child('norm2'), hidden, groups, eps));
  hidden = conv(scope.child('conv2'), hidden);
  const shortcut = scope.has('conv_shortcut.weight')
    ? conv(scope.child('conv_shortcut'), x, { padding: 0 })
    : x;
  return shortcut.add(hidden);
}

/**
 * [B, C, H, W] -> [B, C, 2H, 2W], each pixel four times: rows, then columns. Both in one broadcast gives wrong numbers
 * on WebGPU where W is 1 and a convolution follows (jax-js 0.1.25; wasm's are right).
 */
export function upsample(x: JaxArray): JaxArray {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const rows = np
    .broadcastTo(x.reshape([batch, channels, height, 1, width]), [batch, channels, height, 2, width])
    .reshape([batch, channels, 2 * height, width, 1]);
  const pixels = np.broadcastTo(rows, [batch, channels, 2 * height, width, 2]);
  return pixels.reshape([batch, channels, 2 * height, 2 * width]);
}
