import { InvalidInputError } from '../../common/errors';
import { MERGED_UNET } from '../../diffusion/checkpoints/tango-released';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { UNet2DConditionModel } from '../../models/unet-2d-condition';
import { type AdapterContents, readAdapterFiles, resolveAdapter } from '../../training/lora/adapter-formats';
import { LoraAdapter } from '../../training/lora/lora-adapter';
import { mergedUNet } from '../../training/lora/merged-unet';
import { writeAdapterFiles } from '../../training/lora/peft-format';
import { LoraPart, type TrainedPart } from '../../training/trained-part';
import type { TrainingRecipe } from '../../training/training-recipe';
import { WholeUNet } from '../../training/whole-unet';
import { lineageOf, parseLineage } from '../lineage';
import type { AdapterUse, ModelFile } from '../protocol';
import { type AdapterLineage, type TrainRun, WITHOUT_STEPS } from '../protocol-training';
import { lineageRecord } from './lineage';
import { recipeOf } from './train-request';
import type { TrainerEngine } from './trainer-engine';
import type { TrainingStore } from './training-store';

/** What runs have trained, as of their last checkpoints, and adapters from files: into a model, into files, from files. */
export class TrainedParts {
  readonly #engine: Pick<TrainerEngine, 'turn' | 'modelId'>;
  readonly #store: TrainingStore;

  constructor(engine: Pick<TrainerEngine, 'turn' | 'modelId'>, store: TrainingStore) {
    this.#engine = engine;
    this.#store = store;
  }

  /**
   * Hangs the adapters, as of their last checkpoints, into the loaded model, each at its strength.
   * @returns the function that takes them out and frees them
   * @throws ModelNotFoundError, InvalidInputError when one is of another model: none hangs there then
   */
  async attach(
    adapters: readonly AdapterUse[],
    modelId: string,
    pipeline: TangoPipeline,
  ): Promise<() => void> {
    const undo: (() => void)[] = [];
    const detach = (): void => {
      for (const step of undo.splice(0).reverse()) step();
    };
    try {
      for (const { id, strength } of adapters) {
        const run = await this.#store.run(id);
        if (run.modelId !== modelId) {
          throw new InvalidInputError(
            `The adapter "${run.name}" is of the model "${run.modelId}", but "${modelId}" was asked for. Use them together, or leave the adapter out.`,
          );
        }
        if (strength === 0) continue;
        const part = await this.#build(run, pipeline);
        undo.push(() => part.dispose());
        undo.push(part.stack(pipeline.denoiser.unet, strength));
      }
      return detach;
    } catch (error) {
      detach();
      throw error;
    }
  }

  async lineage(runId: string): Promise<AdapterLineage> {
    return lineageOf(await this.#store.run(runId));
  }

  async exportAdapter(runId: string): Promise<readonly ModelFile[]> {
    const run = await this.#store.run(runId);
    const contents = await this.#withPart(run, async (part) => {
      if (part instanceof LoraPart) {
        return { config: part.adapter.config, tensors: await part.adapter.tensors() };
      }
      throw new InvalidInputError(
        `"${run.name}" trained the whole UNet: it has no adapter. Export the merged UNet.`,
      );
    });
    return writeAdapterFiles(contents, run.modelId, await this.#record(run));
  }

  async exportMerged(runId: string, layout: 'diffusers' | 'tango'): Promise<ModelFile> {
    if (layout !== 'diffusers' && layout !== 'tango') {
      throw new InvalidInputError(`The layout is "diffusers" or "tango", but ${String(layout)} came.`);
    }
    const run = await this.#store.run(runId);
    const record = await this.#record(run);
    const blob = await this.#withPart(run, async (part, pipeline) => {
      if (layout === 'tango' && pipeline.conditioning !== 'states') {
        throw new InvalidInputError(
          `The layout "tango" is that of the Tango family's files, and "${run.modelId}" is of another. Export it with the layout "diffusers".`,
        );
      }
      const detach = part.attach(pipeline.denoiser.unet);
      try {
        const prefix = layout === 'tango' ? 'unet.' : '';
        const adapter = part instanceof LoraPart ? part.adapter : null;
        return await mergedUNet(pipeline.unetParameters, adapter, prefix, record);
      } finally {
        detach();
      }
    });
    return {
      path: layout === 'tango' ? MERGED_UNET : 'unet/diffusion_pytorch_model.safetensors',
      blob,
    };
  }

  async importAdapter(files: readonly ModelFile[], modelId = this.#engine.modelId()): Promise<TrainRun> {
    const parsed = await readAdapterFiles(files);
    const origin = parseLineage(parsed.origin);
    const { contents, parameterCount } = await this.#engine.turn(modelId, undefined, async (pipeline) => {
      const paths = [...pipeline.denoiser.unet.adaptableLayers().keys()];
      const contents = resolveAdapter(parsed, paths);
      const adapter = fromContents(contents, pipeline);
      const { parameterCount } = adapter;
      adapter.dispose();
      return { contents, parameterCount };
    });
    const run: TrainRun = {
      ...WITHOUT_STEPS,
      id: crypto.randomUUID(),
      name: parsed.name,
      modelId,
      state: 'imported',
      parameterCount,
      ...(origin && { origin }),
      createdAt: new Date().toISOString(),
      failure: null,
    };
    await this.#store.create(run, { adapter: contents });
    return run;
  }

  /** What exported files say: the lineage, and the pairs one by one. */
  async #record(run: TrainRun): Promise<string> {
    const data = run.settings === null ? null : await this.#store.data(run.id);
    return lineageRecord(run, data);
  }

  #withPart<T>(run: TrainRun, body: (part: TrainedPart, pipeline: TangoPipeline) => Promise<T>): Promise<T> {
    return this.#engine.turn(run.modelId, undefined, async (pipeline) => {
      const part = await this.#build(run, pipeline);
      try {
        return await body(part, pipeline);
      } finally {
        part.dispose();
      }
    });
  }

  async #build(run: TrainRun, pipeline: TangoPipeline): Promise<TrainedPart> {
    const imported = await this.#store.adapter(run.id);
    if (imported) return new LoraPart(fromContents(imported, pipeline));
    if (!run.settings) throw new InvalidInputError(`"${run.name}" has no adapter.`);
    const { values } = (await this.#store.checkpoint(run.id)).state;
    const part = newPart(recipeOf(run.settings), pipeline.denoiser.unet);
    for (const weight of part.weights) {
      const kept = values.get(`average.${weight.name}`) ?? values.get(`weight.${weight.name}`);
      if (kept) weight.write(Float32Array.from(kept));
    }
    return part;
  }
}

/** What the recipe trains, as it is before the first step. */
export function newPart(
  { trains, lora, seed }: TrainingRecipe,
  unet: UNet2DConditionModel,
  wholeOf: (unet: UNet2DConditionModel) => WholeUNet = WholeUNet.copyOf,
): TrainedPart {
  return trains === 'unet'
    ? wholeOf(unet)
    : new LoraPart(LoraAdapter.create(unet.adaptableLayers(), lora, seed));
}

function fromContents({ config, tensors }: AdapterContents, pipeline: TangoPipeline): LoraAdapter {
  return LoraAdapter.fromTensors(pipeline.denoiser.unet.adaptableLayers(), config, tensors);
}
