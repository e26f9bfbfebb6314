import { StateDictError } from '../../common/errors';
import { type RawTensor, renameStateDict, type StateDict, type TensorEntry } from '../../weights';

/**
 * Names of AudioLDM's (latent diffusion's) autoencoder → those of `AutoencoderKL`. AudioLDM numbers the decoder's
 * levels finest first, diffusers coarsest first; its attention has 1×1 convolutions where ours has linear layers.
 * `N` is a level, `D` a level of the decoder, `B` a block.
 */
export const AUDIOLDM_VAE_TABLE: readonly (readonly [from: string, to: string])[] = [
  ['quant_conv', 'quant_conv'],
  ['post_quant_conv', 'post_quant_conv'],
  ...['encoder', 'decoder'].flatMap((half): [string, string][] => [
    [`${half}.conv_in`, `${half}.conv_in`],
    [`${half}.mid.block_1`, `${half}.mid_block.resnets.0`],
    [`${half}.mid.block_2`, `${half}.mid_block.resnets.1`],
    [`${half}.mid.attn_1.norm`, `${half}.mid_block.attentions.0.group_norm`],
    [`${half}.mid.attn_1.q`, `${half}.mid_block.attentions.0.to_q`],
    [`${half}.mid.attn_1.k`, `${half}.mid_block.attentions.0.to_k`],
    [`${half}.mid.attn_1.v`, `${half}.mid_block.attentions.0.to_v`],
    [`${half}.mid.attn_1.proj_out`, `${half}.mid_block.attentions.0.to_out.0`],
    [`${half}.norm_out`, `${half}.conv_norm_out`],
    [`${half}.conv_out`, `${half}.conv_out`],
  ]),
  ['encoder.down.N.block.B', 'encoder.down_blocks.N.resnets.B'],
  ['encoder.down.N.downsample.conv', 'encoder.down_blocks.N.downsamplers.0.conv'],
  ['decoder.up.D.block.B', 'decoder.up_blocks.D.resnets.B'],
  ['decoder.up.D.upsample.conv', 'decoder.up_blocks.D.upsamplers.0.conv'],
];

/** What stands behind a block's name: its own layers, of which one is called otherwise. */
const REST = /^(?:\.(norm1|norm2|conv1|conv2|nin_shortcut))?\.(weight|bias)$/;
const ATTENTION = /\.mid\.attn_1\.(q|k|v|proj_out)\.weight$/;

/**
 * @param levels of the autoencoder (`ch_mult`'s length)
 * @returns AutoencoderKL's name, or null for a name that is none of AudioLDM's autoencoder
 */
export function audioldmVaeName(name: string, levels: number): string | null {
  for (const [from, to] of AUDIOLDM_VAE_TABLE) {
    const pattern = from.replaceAll('.', '\\.').replace(/[NDB]/g, '(\\d+)');
    const match = new RegExp(`^${pattern}(?=\\.)`).exec(name);
    const rest = match && REST.exec(name.slice(match[0].length));
    if (!match || !rest) continue;
    const numbers = match.slice(1).map(Number);
    const renamed = to.replace(/[NDB](?=\.|$)/g, (letter) => {
      const number = numbers.shift() ?? 0;
      return String(letter === 'D' ? levels - 1 - number : number);
    });
    const layer = rest[1] === 'nin_shortcut' ? 'conv_shortcut' : rest[1];
    return `${renamed}${layer === undefined ? '' : `.${layer}`}.${rest[2]}`;
  }
  return null;
}

/**
 * AudioLDM's autoencoder under the names and shapes of `AutoencoderKL`. Names that are not in the table stay as they
 * are, so that whoever loads them names them.
 *
 * @throws StateDictError for an attention weight that is no 1×1 convolution
 */
export function audioldmVaeStateDict(stateDict: StateDict, levels: number): StateDict {
  const flattened: StateDict = {
    names: () => stateDict.names(),
    entry: (name) => {
      const entry = stateDict.entry(name);
      return entry && { ...entry, shape: flatShape(name, entry) };
    },
    read: async (name) => {
      const raw = await stateDict.read(name);
      return { ...raw, shape: flatShape(name, raw) };
    },
  };
  return renameStateDict(flattened, (name) => audioldmVaeName(name, levels) ?? name);
}

function flatShape(name: string, { shape }: TensorEntry | RawTensor): readonly number[] {
  if (!ATTENTION.test(name) || shape.length === 2) return shape;
  if (shape.slice(2).some((size) => size !== 1)) {
    throw new StateDictError(
      `"${name}" should be a 1×1 convolution, got [${shape.join(', ')}]. It is of another autoencoder; use AudioLDM's or Tango's.`,
    );
  }
  return shape.slice(0, 2);
}
