/**
 * How other tools name the tensors of a LoRA. A name is a prefix, the layer's own name, and what the tensor is:
 *
 *     PEFT       base_model.model.<layer>.lora_A.weight
 *     diffusers  unet.<layer>.lora_A.weight, unet.<layer>.lora.down.weight, both also without "unet."
 *     diffusers  unet.<attention>.processor.to_q_lora.down.weight, before 0.17
 *     kohya      lora_unet_<layer with _ for .>.lora_down.weight, .alpha
 */

/** lora_A [rank, in], lora_B [out, rank], or the layer's alpha [] beside them. */
export type LoraTensorKind = 'lora_A' | 'lora_B' | 'alpha';

export interface LoraTensorName {
  readonly kind: LoraTensorKind;
  /** The layer's name in the file, its prefix taken off. */
  readonly layer: string;
  /** kohya's: dots of the layer's path are underscores, so that only the model can tell which layer it is. */
  readonly underscored: boolean;
}

const KOHYA_PREFIX = 'lora_unet_';
/** Taken off one after the other: a PEFT model inside a diffusers pipeline has both. */
const PREFIXES = ['unet.', 'base_model.model.'] as const;

export const LORA_SUFFIX_TABLE: readonly (readonly [pattern: RegExp, kind: LoraTensorKind])[] = [
  // PEFT puts the adapter's name ("default") between when a model's own state dict was saved.
  [/\.lora_A(\.[^.]+)?\.weight$/, 'lora_A'],
  [/\.lora_B(\.[^.]+)?\.weight$/, 'lora_B'],
  [/\.lora\.down\.weight$/, 'lora_A'],
  [/\.lora\.up\.weight$/, 'lora_B'],
  [/\.lora_down\.weight$/, 'lora_A'],
  [/\.lora_up\.weight$/, 'lora_B'],
  [/\.alpha$/, 'alpha'],
];

/** diffusers before 0.17 hung the weights into each attention's processor. */
const PROCESSOR = /^(.*)\.processor\.(to_q|to_k|to_v|to_out)_lora\.(down|up)\.weight$/;

/** @returns null for a name that is of no tensor of a LoRA */
export function parseLoraTensorName(name: string): LoraTensorName | null {
  const underscored = name.startsWith(KOHYA_PREFIX);
  let rest = underscored ? name.slice(KOHYA_PREFIX.length) : name;
  for (const prefix of PREFIXES) if (rest.startsWith(prefix)) rest = rest.slice(prefix.length);
  const processor = PROCESSOR.exec(rest);
  if (processor) {
    const [, attention, projection, half] = processor;
    const layer = `${attention}.${projection === 'to_out' ? 'to_out.0' : projection}`;
    return { kind: half === 'down' ? 'lora_A' : 'lora_B', layer, underscored };
  }
  for (const [pattern, kind] of LORA_SUFFIX_TABLE) {
    if (pattern.test(rest)) return { kind, layer: rest.replace(pattern, ''), underscored };
  }
  return null;
}
