/** diffusers' UNet2DConditionModel in jax-js, as far as the default model and Tango use it. */
import { type Array as JaxArray, nn, numpy as np } from '@jax-js/jax';
import { conv, groupNorm, linear, resnet, Scope, transformer, upsample, type Weights } from './jax-layers';

export interface UNetConfig {
  readonly block_out_channels: readonly number[];
  readonly down_block_types: readonly string[];
  readonly up_block_types: readonly string[];
  readonly layers_per_block: number;
  readonly attention_head_dim: number | readonly number[];
  readonly norm_num_groups: number;
  readonly norm_eps: number;
}

/** Added to the logits of padding tokens, as diffusers does. */
const MASKED_LOGIT = -10_000;

export interface UNetInputs {
  readonly sample: JaxArray; // [B, C, H, W]
  /** Sinusoids of the timestep. */
  readonly sinusoids: JaxArray; // [1, block_out_channels[0]]
  readonly text: JaxArray; // [B, S, E]
  readonly mask: JaxArray; // [B, S]
}

/** One pass; a pure function of weights and inputs, to be given to `jit`. @returns [B, C, H, W] */
export function unet(config: UNetConfig, weights: Weights, inputs: UNetInputs): JaxArray {
  const { norm_num_groups: groups, norm_eps: eps, layers_per_block: layers } = config;
  const root = new Scope(weights);
  const levels = config.block_out_channels.length;
  const headsOf = (level: number): number =>
    typeof config.attention_head_dim === 'number'
      ? config.attention_head_dim
      : config.attention_head_dim[level]!;
  const [batch, tokens] = inputs.mask.shape as [number, number];
  const bias = np.subtract(1, inputs.mask).mul(MASKED_LOGIT).reshape([batch, 1, 1, tokens]);
  const prompt = { states: inputs.text, bias };

  const timeHidden = nn.silu(linear(root.child('time_embedding.linear_1'), inputs.sinusoids));
  const temb = nn.silu(linear(root.child('time_embedding.linear_2'), timeHidden));
  /** A resnet, and a transformer where the level attends. */
  const layer = (block: Scope, index: number, x: JaxArray, attends: boolean, level: number): JaxArray => {
    const hidden = resnet(block.child(`resnets.${index}`), x, temb, { groups, eps });
    return attends
      ? transformer(block.child(`attentions.${index}`), hidden, prompt, { heads: headsOf(level), groups })
      : hidden;
  };

  let hidden = conv(root.child('conv_in'), inputs.sample);
  const skips: JaxArray[] = [hidden.ref];
  config.down_block_types.forEach((type, level) => {
    const block = root.child(`down_blocks.${level}`);
    for (let i = 0; i < layers; i++) {
      hidden = layer(block, i, hidden, type === 'CrossAttnDownBlock2D', level);
      skips.push(hidden.ref);
    }
    if (level < levels - 1) {
      hidden = conv(block.child('downsamplers.0.conv'), hidden, { stride: 2 });
      skips.push(hidden.ref);
    }
  });

  const mid = root.child('mid_block');
  hidden = layer(mid, 0, hidden, true, levels - 1);
  hidden = layer(mid, 1, hidden, false, levels - 1);

  config.up_block_types.forEach((type, index) => {
    const block = root.child(`up_blocks.${index}`);
    for (let i = 0; i <= layers; i++) {
      hidden = np.concatenate([hidden, skips.pop()!], 1);
      hidden = layer(block, i, hidden, type === 'CrossAttnUpBlock2D', levels - 1 - index);
    }
    if (index < levels - 1) hidden = conv(block.child('upsamplers.0.conv'), upsample(hidden));
  });

  temb.dispose();
  prompt.states.dispose();
  prompt.bias.dispose();
  return conv(root.child('conv_out'), nn.silu(groupNorm(root.child('conv_norm_out'), hidden, groups, eps)));
}
