import { elementCount } from '../../common/assert';
import { float16Table } from '../../common/float16';
import type { Parameter } from '../../nn';
import { copyFromLayout } from '../../nn/layout';
import type { LoraAdapter } from './lora-adapter';
import { type AdapterTensor, LINEAGE_KEY, safetensorsBlob } from './safetensors-blob';

/**
 * The whole UNet as it is now, with the adapter's share added to its weights, as one safetensors file: for tools that
 * know no adapters. Weights that stay are written as they are kept (float16 stays float16); those that the adapter changes are
 * float32, so that nothing of a small change is rounded away.
 *
 * @param prefix before each name: none in diffusers' layout, `unet.` in Tango's own
 * @param lineage JSON for the file's metadata
 */
export async function mergedUNet(
  parameters: readonly Parameter[],
  adapter: LoraAdapter | null,
  prefix: string,
  lineage: string,
): Promise<Blob> {
  const tensors = new Map<string, AdapterTensor>();
  for (const parameter of parameters) {
    tensors.set(`${prefix}${parameter.name}`, await mergedTensor(parameter, adapter));
  }
  return safetensorsBlob(tensors, { [LINEAGE_KEY]: lineage });
}

async function mergedTensor(parameter: Parameter, adapter: LoraAdapter | null): Promise<AdapterTensor> {
  const { name, torchShape: shape, layout, elementCount: count } = parameter;
  const delta = adapter?.delta(name.replace(/\.weight$/, ''));
  const values = await valuesOf(parameter);
  if (!delta) {
    const data = values instanceof Float32Array ? new Float32Array(count) : new Uint16Array(count);
    copyFromLayout(layout, shape, values, data);
    return { shape, data };
  }
  const share = await delta.data();
  delta.dispose();
  const base = values instanceof Float32Array ? values : halvesToFloats(values);
  const merged = base.map((value, i) => value + (share[i] ?? 0));
  const data = new Float32Array(count);
  copyFromLayout(layout, shape, merged, data);
  return { shape, data };
}

/** In our order: floats, or the bits of halves where they are kept as such. */
async function valuesOf({ tensor, dtype, shape }: Parameter): Promise<Float32Array | Uint16Array> {
  const values = await tensor.data();
  if (dtype === 'float32') return values as Float32Array;
  const words = values as Int32Array;
  return new Uint16Array(words.buffer, words.byteOffset, elementCount(shape));
}

function halvesToFloats(halves: Uint16Array): Float32Array {
  const table = float16Table();
  return Float32Array.from(halves, (bits) => table[bits] ?? Number.NaN);
}
