/** The UNet in jax-js: the same safetensors in float32, the whole pass one `jit`. */
import { defaultDevice, init, type Array as JaxArray, jit, numpy as np, tree } from '@jax-js/jax';
import { openSafetensors, type RawTensor } from '../../src/weights';
import { fetchFile, fetchInputs, fetchJson, type Numbers } from './exported';
import type { Weights } from './jax-layers';
import { type UNetConfig, type UNetInputs, unet } from './jax-unet';
import { servePeer } from './serve-peer';

function floats({ bytes, dtype, name }: RawTensor): Float32Array<ArrayBuffer> {
  if (dtype !== 'F16') throw new Error(`Expected float16 in "${name}", got ${dtype}.`);
  const bits = new Uint16Array(bytes.slice().buffer);
  return Float32Array.from(bits, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
}

/** PyTorch's linear weights become [in, out], which is how JAX programs keep them; convolutions stay OIHW. */
async function loadWeights(folder: string): Promise<Weights> {
  const file = await openSafetensors(await fetchFile(folder, 'unet.safetensors'), 'unet.safetensors');
  const weights: Weights = {};
  for (const name of file.names()) {
    const raw = await file.read(name);
    const values = floats(raw);
    const [rows = 0, columns = 0] = raw.shape;
    if (raw.shape.length === 2) {
      const turned = new Float32Array(values.length);
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < columns; c++) turned[c * rows + r] = values[r * columns + c]!;
      weights[name] = np.array(turned, { shape: [columns, rows] });
    } else {
      weights[name] = np.array(values, { shape: [...raw.shape] });
    }
  }
  return weights;
}

function sinusoidsOf(timestep: number, width: number): Float32Array<ArrayBuffer> {
  const half = width / 2;
  const out = new Float32Array(width);
  for (let i = 0; i < half; i++) {
    const angle = timestep * Math.exp((-Math.log(10_000) * i) / half);
    out[i] = Math.cos(angle);
    out[half + i] = Math.sin(angle);
  }
  return out;
}

servePeer(async ({ backend, folder }) => {
  const available = await init(backend);
  if (!available.includes(backend))
    throw new Error(`jax-js has no "${backend}" here: ${available.join(', ')}.`);
  defaultDevice(backend);
  const config = await fetchJson<UNetConfig>(folder, 'config.json');
  const weights = await loadWeights(folder);
  const { sample, timestep, text, mask } = await fetchInputs(folder);
  const array = ({ data, shape }: Numbers): JaxArray => np.array(data, { shape: [...shape] });
  const width = config.block_out_channels[0]!;
  const run = jit((parameters: Weights, inputs: UNetInputs) => unet(config, parameters, inputs));
  return {
    device: { device: defaultDevice() },
    async pass() {
      const noise = run(tree.ref(weights), {
        sample: array(sample),
        sinusoids: np.array(sinusoidsOf(timestep.data[0]!, width), { shape: [1, width] }),
        text: array(text),
        mask: array(mask),
      });
      return (await noise.data()) as Float32Array;
    },
  };
});
