/**
 * What a step of training takes of a GPU at any size, counted on a device that does nothing: the real model, the
 * real gradients and the real programs.
 */
import * as tf from '@tensorflow/tfjs-core';
import { computeNow } from '../../src/gpu/compute-now';
import { type Counts, recordPrograms } from '../../src/gpu/planning/recorder';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { diffusionDpoLoss, rewardMargins } from '../../src/training/diffusion-dpo-loss';
import { LoraAdapter } from '../../src/training/lora/lora-adapter';
import type { LoraConfig } from '../../src/training/lora/lora-config';
import { AdamW } from '../../src/training/optimizer/adamw';
import { GradientSum, globalNorm } from '../../src/training/optimizer/gradients';
import { recomputedGradients } from '../../src/training/recompute';
import { LoraPart, withPart } from '../../src/training/trained-part';
import { WholeUNet } from '../../src/training/whole-unet';
import '../../src/training/register-gradients';
import { tapeGradients } from '../../src/training/tape-gradients';
import { withPlannedBackend } from '../counts/planned-backend';

export interface StepRequest {
  /** The model's config.json. */
  readonly config: object;
  /** Frames and bins of the latents. */
  readonly latentSize: readonly [number, number];
  readonly tokens: number;
  readonly pairsPerPass: number;
  /** Null: the whole UNet, without the frozen one. */
  readonly lora: LoraConfig | null;
  /** Of the whole UNet: the frozen one stays and is the reference, in place of its errors. */
  readonly keepsBase?: boolean;
  readonly recompute: boolean;
  /** Of a step, whose gradients are added up; default: one. */
  readonly passes?: number;
  /** Default: two. */
  readonly steps?: number;
}

export interface StepCounts {
  /** Of the frozen UNet as it was loaded, float16 matrices. */
  readonly baseBytes: number;
  /** What of them stays while it is trained. */
  readonly weightBytes: number;
  readonly adapterParameters: number;
  /** The most that buffers took at once in all steps, weights and buffers kept for reuse included. */
  readonly peakBytes: number;
  /** The same of the first step alone. */
  readonly firstPeakBytes: number;
  /** Behind the second step and each later one: bytes in use, those kept for reuse too, and tensors. */
  /** What the second step asks of the GPU. */
  readonly step: Counts;
  readonly taken: readonly { readonly used: number; readonly allocated: number; readonly tensors: number }[];
}

/** Steps of diffusion-DPO: the reference's pass beside a LoRA, gradients, AdamW. */
export async function countStep(request: StepRequest): Promise<StepCounts> {
  const { config, latentSize, tokens, pairsPerPass, lora, keepsBase, recompute } = request;
  const { passes = 1, steps = 2 } = request;
  return withPlannedBackend(({ backend, pool, unfilled, fill }) => {
    const parsed = parseUNet2DConditionConfig(config);
    const root = new ParameterRoot();
    const unet = new UNet2DConditionModel(parsed, root.scope);
    fill(root, 'float16');
    const baseBytes = pool.numBytesUsed;
    const part = lora
      ? new LoraPart(LoraAdapter.create(unet.adaptableLayers(), lora, 0))
      : keepsBase
        ? WholeUNet.copyOf(unet)
        : WholeUNet.takenFrom(unet);
    const weightBytes = lora || keepsBase ? baseBytes : 0;
    const known =
      lora || keepsBase
        ? null
        : {
            mean: unfilled<tf.Rank.R1>([pairsPerPass]),
            rest: unfilled<tf.Rank.R1>([pairsPerPass]),
          };
    const optimizer = new AdamW();
    const samples = 2 * pairsPerPass;
    const image = [samples, ...latentSize, parsed.inChannels];
    const batch = {
      noisy: unfilled<tf.Rank.R4>(image),
      target: unfilled<tf.Rank.R4>(image),
      states: unfilled<tf.Rank.R3>([samples, tokens, parsed.crossAttentionDim[0]![0]!]),
      mask: unfilled<tf.Rank.R2>([samples, tokens]),
      timesteps: Array.from({ length: samples }, () => 500),
    };
    const predict = (): tf.Tensor4D =>
      tf.tidy(() =>
        unet.forward(batch.noisy, batch.timesteps, unet.prepareEncoderStates(batch.states, batch.mask)),
      );
    const pass = (sum: GradientSum): void => {
      const reference = known ? null : predict();
      const half = (prediction: tf.Tensor, i: number) => {
        const of = (tensor: tf.Tensor): tf.Tensor => tf.split(tensor, 2)[i]!;
        return {
          prediction: of(prediction),
          reference: reference ? of(reference) : known!,
          target: of(batch.target),
        };
      };
      const loss = (prediction: tf.Tensor4D): tf.Scalar =>
        diffusionDpoLoss(rewardMargins(half(prediction, 0), half(prediction, 1), 2000));
      const { value, grads } = withPart(part, unet, () =>
        recompute
          ? recomputedGradients(unet, batch, part.weights, loss)
          : tapeGradients(
              () => loss(predict()),
              part.weights.map(({ tensor }) => tensor),
            ),
      );
      tf.dispose([value, reference ?? []]);
      sum.add(grads, 1 / passes);
    };
    const step = (): void => {
      const sum = new GradientSum();
      for (let done = 0; done < passes; done += 1) pass(sum);
      globalNorm(sum.gradients).dispose();
      sum.scale(0.5);
      optimizer.step(part.weights, sum.take(), 1e-4);
      for (const { tensor } of part.weights) computeNow(tensor);
    };
    step();
    const firstPeakBytes = pool.peakBytes;
    const recorder = recordPrograms(backend);
    step();
    const counted = recorder.stop();
    const now = () => ({
      used: pool.numBytesUsed,
      allocated: pool.numBytesAllocated,
      tensors: tf.memory().numTensors,
    });
    const taken = [now()];
    for (let done = 2; done < steps; done += 1) {
      step();
      taken.push(now());
    }
    return {
      taken,
      step: counted,
      baseBytes,
      weightBytes,
      adapterParameters: part.parameterCount,
      peakBytes: pool.peakBytes,
      firstPeakBytes,
    };
  });
}
