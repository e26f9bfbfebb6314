import { TorchGenerator } from '../common/random';
import { EngineHost } from '../engine/host/engine-host';
import { type KeyValueStore, MemoryStore } from '../engine/host/key-value-store';
import { ModelStore } from '../engine/host/model-store';
import { TrainingStore } from '../engine/host/training-store';
import type { TrainingClip } from '../engine/protocol-training';
import type { TinyTango } from './tiny-tango';

export interface TinyEngine {
  readonly host: EngineHost;
  readonly modelId: string;
}

/** An engine with the tiny model in use; engines that share stores are one browser's tabs. */
export async function openTinyEngine(
  tiny: Pick<TinyTango, 'files'>,
  training: KeyValueStore = new MemoryStore(),
  models: KeyValueStore = new MemoryStore(),
): Promise<TinyEngine> {
  const options = { backend: 'wasm', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null } as const;
  const host = await EngineHost.open(options, () => {}, new ModelStore(models), new TrainingStore(training));
  const { id } = await host.models.importFiles(tiny.files);
  await host.models.use(id);
  return { host, modelId: id };
}

/** Of the tiny model. */
export const TINY_RATE_HZ = 1600;

/** A second of sound: rising tones are liked, noise is not. */
export function tinyClip(seed: number, liked: boolean, sampleRateHz = TINY_RATE_HZ): TrainingClip {
  const noise = new TorchGenerator(seed).randn(sampleRateHz);
  const audio = noise.map((value, t) =>
    liked ? Math.sin((t * (60 + seed)) / sampleRateHz + (t / sampleRateHz) ** 2) * 0.5 : value * 0.2,
  );
  return { audio, sampleRateHz };
}
