import { InvalidInputError, JobCancelledError, ModelNotFoundError, type StudioError } from '../common/errors';
import { lineageOf } from '../engine/lineage';
import { TRAIN_DEFAULTS } from '../engine/protocol-limits';
import type {
  TrainApi,
  TrainMetrics,
  TrainProgress,
  TrainRequest,
  TrainRun,
  TrainSample,
  TrainSettings,
  TrainValidation,
} from '../engine/protocol-training';

/** Training as the page sees it, with curves that are made up: they fall as a run's would. */
export interface FakeTraining extends TrainApi {
  readonly startRequests: readonly TrainRequest[];
  /** A run that a closed tab left behind, for example. */
  put(run: TrainRun): void;
  /** The run under way, or the next one, fails with this after its next step. */
  fail(error: StudioError): void;
}

const RATE_HZ = 16_000;

export function createFakeTraining(pause: () => Promise<void>): FakeTraining {
  const runs = new Map<string, TrainRun>();
  const metrics = new Map<string, TrainMetrics[]>();
  const validations = new Map<string, TrainValidation[]>();
  const samples = new Map<string, TrainSample[]>();
  const startRequests: TrainRequest[] = [];
  let active: string | null = null;
  let pauseAsked = false;
  let failure: StudioError | null = null;

  const find = (id: string): TrainRun => {
    const run = runs.get(id);
    if (run) return run;
    throw new ModelNotFoundError(`There is no run or adapter "${id}" in this browser.`);
  };

  async function train(
    id: string,
    onProgress: ((progress: TrainProgress) => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TrainRun> {
    active = id;
    pauseAsked = false;
    const { stepCount, settings, pairCount, heldOutCount } = find(id);
    const every = settings ?? TRAIN_DEFAULTS;
    const report = (step: number, progress: Partial<TrainProgress>): void =>
      onProgress?.({
        runId: id,
        stage: 'train',
        index: step,
        count: stepCount,
        remainingSeconds: step === 0 ? null : (stepCount - step) * 1.5,
        ...progress,
      });
    const look = (step: number): void => {
      if (step % every.validateEverySteps === 0 || step === stepCount) {
        const validation = fakeValidation(step, stepCount);
        validations.set(id, [...(validations.get(id) ?? []), validation]);
        report(step, { stage: 'validate', validation });
      }
      if (step % every.sampleEverySteps !== 0 && step !== stepCount) return;
      for (const [i, prompt] of every.samplePrompts.entries()) {
        const sample = { step, prompt, seed: every.sampleSeed + i, ...fakeClip(220 + step * 3 + i * 90) };
        samples.set(id, [...(samples.get(id) ?? []), sample]);
        report(step, { stage: 'sample', sample });
      }
    };
    try {
      if (find(id).step === 0) look(0);
      for (let step = find(id).step + 1; step <= stepCount && !pauseAsked; step += 1) {
        await pause();
        if (signal?.aborted) throw new JobCancelledError('Training was cancelled.');
        if (failure) {
          const error = failure;
          failure = null;
          runs.set(id, { ...find(id), failure: error.message });
          throw error;
        }
        const made = fakeMetrics(step, stepCount, every, pairCount - heldOutCount);
        metrics.set(id, [...(metrics.get(id) ?? []), made]);
        runs.set(id, { ...find(id), step });
        report(step, { metrics: made });
        look(step);
      }
      const { step } = find(id);
      runs.set(id, { ...find(id), state: step >= stepCount ? 'done' : 'stopped', failure: null });
      return find(id);
    } finally {
      active = null;
    }
  }

  return {
    startRequests,
    put: (run) => void runs.set(run.id, run),
    fail: (error) => {
      failure = error;
    },
    start: async (request, { onProgress, signal } = {}) => {
      startRequests.push(request);
      if (active) throw new InvalidInputError('A run is being trained already.');
      const source = request.dataOf === undefined ? null : find(request.dataOf);
      const pairCount = source?.pairCount ?? request.pairs?.length ?? 0;
      const settings: TrainSettings = { ...TRAIN_DEFAULTS, ...settingsOf(request) };
      const heldOutCount = pairCount >= 5 ? Math.round(pairCount * settings.heldOutShare) : 0;
      const stepsPerEpoch = Math.ceil((pairCount - heldOutCount) / settings.pairsPerStep);
      const id = `run-${startRequests.length}`;
      for (let index = 0; index < pairCount; index += 1) {
        onProgress?.({ runId: id, stage: 'prepare', index, count: pairCount, remainingSeconds: null });
      }
      runs.set(id, {
        id,
        name: request.name ?? `${pairCount} pairs`,
        notes: '',
        modelId: 'default',
        state: 'stopped',
        elsewhere: false,
        step: 0,
        stepCount: stepsPerEpoch * (settings.sftEpochs + settings.dpoEpochs),
        stepsPerEpoch,
        pairCount,
        heldOutCount,
        durationSeconds: request.durationSeconds ?? 5.12,
        parameterCount: 98_304,
        settings,
        dataset: request.dataset ?? source?.dataset ?? null,
        createdAt: new Date(Date.UTC(2026, 0, 1 + startRequests.length)).toISOString(),
        failure: null,
      });
      return train(id, onProgress, signal);
    },
    resume: async (id, { onProgress, signal } = {}) => train(id, onProgress, signal),
    pause: async () => {
      pauseAsked = true;
    },
    checkpoint: async () => {},
    runs: async () =>
      [...runs.values()]
        .map((run): TrainRun => (run.id === active ? { ...run, state: 'running' } : run))
        .sort((a, b) => b.createdAt.localeCompare(a.createdAt)),
    metrics: async (id) => metrics.get(id) ?? [],
    history: async (id) => ({ metrics: metrics.get(id) ?? [], validations: validations.get(id) ?? [] }),
    lineage: async (id) => lineageOf(find(id)),
    exportMetrics: async (id, format) => {
      find(id);
      return { path: `metrics.${format}`, blob: new Blob([format]) };
    },
    samples: async (id) => samples.get(id) ?? [],
    examine: async (id, levels) =>
      Array.from({ length: find(id).pairCount }, (_, pair) => ({
        id: String(pair + 1),
        prompt: pair % 2 === 0 ? 'a dog barks' : 'rain on a tin roof',
        heldOut: pair % 10 === 0,
        errors: levels.map((level, i) => ({
          pair,
          timestep: Math.round(level * 999),
          mseWinner: 0.4,
          mseLoser: 0.45,
          refMseWinner: 0.42,
          refMseLoser: 0.44,
          margin: 0.2 * (pair - 2) + 0.05 * i,
        })),
      })),
    listen: async () => ({ winner: fakeClip(440), loser: fakeClip(180) }),
    rename: async (id, { name, notes }) => {
      const run = { ...find(id), ...(name ? { name } : {}), ...(notes === undefined ? {} : { notes }) };
      runs.set(id, run);
      return run;
    },
    remove: async (id) => {
      find(id);
      runs.delete(id);
    },
    estimate: async (settings, durationSeconds) => {
      const activations = Math.round(2.2e8 * durationSeconds * (settings.recompute ? 0.15 : 1));
      const parts = [
        { label: 'Model, frozen', bytes: 55_000_000 },
        { label: 'Adapter, its gradients and moments', bytes: 1_600_000 },
        { label: 'Activations', bytes: activations },
      ];
      const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
      return { parts, totalBytes, limitBytes: 2 ** 32, parameterCount: 98_304, advice: [] };
    },
    exportAdapter: async (id) => {
      find(id);
      return ['adapter_model.safetensors', 'adapter_config.json', 'pytorch_lora_weights.safetensors'].map(
        (path) => ({ path, blob: new Blob([path]) }),
      );
    },
    exportMerged: async (id, layout) => {
      find(id);
      return { path: `${layout}.safetensors`, blob: new Blob([layout]) };
    },
    importAdapter: async () => {
      throw new InvalidInputError('The fake engine imports no adapter.');
    },
  };
}

function settingsOf(request: TrainRequest): Partial<TrainSettings> {
  const fields = Object.keys(TRAIN_DEFAULTS) as (keyof TrainSettings)[];
  return Object.fromEntries(
    fields.filter((field) => request[field] !== undefined).map((field) => [field, request[field]]),
  );
}

function fakeMetrics(step: number, count: number, settings: TrainSettings, pairs: number): TrainMetrics {
  const perEpoch = Math.ceil(pairs / settings.pairsPerStep);
  const epoch = Math.floor((step - 1) / perEpoch);
  const preference = epoch >= settings.sftEpochs;
  const at = step / count;
  const wave = 0.06 * Math.sin(step * 1.7);
  const margin = preference ? 1.6 * at ** 1.5 + wave : null;
  return {
    step,
    epoch,
    phase: preference ? 'dpo' : 'sft',
    loss: preference ? Math.log1p(Math.exp(-(margin ?? 0))) : 0.5 - 0.2 * at + wave / 4,
    learningRate: settings.learningRate * (1 - at),
    gradNorm: 0.4 + wave,
    mseWinner: 0.42 - 0.05 * at + wave / 5,
    mseLoser: preference ? 0.44 + 0.04 * at + wave / 5 : null,
    refMseWinner: preference ? 0.42 + wave / 5 : null,
    refMseLoser: preference ? 0.44 + wave / 5 : null,
    implicitAccuracy: preference ? Math.min(1, 0.5 + 0.45 * at + wave) : null,
    margin,
    pairs: Array.from({ length: Math.min(settings.pairsPerStep, pairs) }, (_, i) => ({
      pair: (step * settings.pairsPerStep + i) % pairs,
      timestep: (step * 97 + i * 211) % 1000,
      mseWinner: 0.4,
      mseLoser: 0.45,
      refMseWinner: 0.42,
      refMseLoser: 0.44,
      margin: margin === null ? null : margin + 0.3 * (i - 2),
    })),
    seconds: 1.5 + wave,
  };
}

function fakeValidation(step: number, count: number): TrainValidation {
  const margin = 0.9 * (step / count) ** 1.4;
  return {
    step,
    loss: Math.log1p(Math.exp(-margin)),
    implicitAccuracy: 0.5 + 0.3 * (step / count),
    margin,
    mseWinner: 0.42,
    mseLoser: 0.45,
  };
}

function fakeClip(hertz: number): { audio: Float32Array; sampleRateHz: number } {
  const audio = Float32Array.from(
    { length: RATE_HZ / 2 },
    (_, t) => 0.3 * Math.sin((2 * Math.PI * hertz * t) / RATE_HZ),
  );
  return { audio, sampleRateHz: RATE_HZ };
}
