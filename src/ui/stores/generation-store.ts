import { createStore } from 'zustand/vanilla';
import type {
  GenerateProgress,
  MelSpectrogram,
  ResolvedGenerateRequest,
  Sound,
  StudioEngine,
} from '../../engine/protocol';
import { type Failure, toFailure } from './failure';
import { seedOfTake } from './seed';

export interface Take {
  readonly id: string;
  /** 1 for the first take of its generation. */
  readonly number: number;
  readonly sound: Sound;
}

export type GenerationStatus = 'running' | 'done' | 'cancelled' | 'failed';

/** One press of Generate: what was asked, and what has come of it. */
export interface Generation {
  readonly id: string;
  readonly request: ResolvedGenerateRequest;
  readonly status: GenerationStatus;
  /** In the order they were finished. */
  readonly takes: readonly Take[];
  /** Of the run in progress; null before its first report and after its end. */
  readonly progress: GenerateProgress | null;
  /** The take being made, as it looked when last decoded. */
  readonly preview: MelSpectrogram | null;
  readonly failure: Failure | null;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}

export interface GenerationState {
  /** Newest first. */
  readonly generations: readonly Generation[];
  readonly runningId: string | null;
  readonly selectedTakeId: string | null;
  /** The generation removed last, until another one is started or removed. */
  readonly removed: { readonly generation: Generation; readonly index: number } | null;
  /** Resolves when the generation has ended, however it did; does nothing while another one runs. */
  start(request: ResolvedGenerateRequest): Promise<void>;
  cancel(): void;
  /** Makes the takes that a failed or cancelled generation still lacks, with the seeds they would have had. */
  retry(generationId: string): Promise<void>;
  remove(generationId: string): void;
  /** Puts `removed` back where it was. */
  undoRemove(): void;
  select(takeId: string | null): void;
}

/** Every take there is, in the order they are shown: newest generation first, newest take first. */
export function takesInOrder(generations: readonly Generation[]): readonly Take[] {
  return generations.flatMap((generation) => generation.takes.toReversed());
}

export function findTake(generations: readonly Generation[], takeId: string | null): Take | undefined {
  if (takeId === null) return undefined;
  return takesInOrder(generations).find((take) => take.id === takeId);
}

export function createGenerationStore(
  engine: StudioEngine,
  onEnded: () => void = () => {},
  onTake: (sound: Sound) => void = () => {},
) {
  let abort: AbortController | null = null;
  let lastId = 0;

  return createStore<GenerationState>()((set, get) => {
    function update(id: string, change: (generation: Generation) => Partial<Generation>): void {
      set(({ generations }) => ({
        generations: generations.map((one) => (one.id === id ? { ...one, ...change(one) } : one)),
      }));
    }

    function addTake(id: string, sound: Sound): void {
      const known = get().generations.some(({ takes }) => takes.some((take) => take.id === sound.id));
      update(id, ({ takes, preview }) => {
        if (takes.some((take) => take.sound.id === sound.id)) return { preview };
        const take: Take = { id: sound.id, number: takes.length + 1, sound };
        return { takes: [...takes, take], preview: null };
      });
      const { generations, selectedTakeId } = get();
      const isFirstOfItsGeneration = generations.find((one) => one.id === id)?.takes.length === 1;
      if (isFirstOfItsGeneration || selectedTakeId === null) set({ selectedTakeId: sound.id });
      if (!known) onTake(sound);
    }

    /** Runs the takes the generation still lacks. */
    async function run(id: string): Promise<void> {
      const generation = get().generations.find((one) => one.id === id);
      if (!generation || get().runningId !== null) return;
      const finished = generation.takes.length;
      const { request } = generation;
      const controller = new AbortController();
      abort = controller;
      set({ runningId: id });
      update(id, () => ({ status: 'running', failure: null, progress: null, preview: null }));
      try {
        const sounds = await engine.generate(
          {
            ...request,
            seed: seedOfTake(request.seed, finished),
            count: request.count - finished,
          },
          {
            signal: controller.signal,
            onProgress: (progress) => {
              if (controller.signal.aborted) return;
              update(id, ({ preview }) => ({
                progress: { ...progress, takeIndex: progress.takeIndex + finished, takeCount: request.count },
                preview: progress.preview ?? preview,
              }));
              if (progress.sound) addTake(id, progress.sound);
            },
          },
        );
        for (const sound of sounds) addTake(id, sound);
        update(id, () => ({ status: 'done' }));
      } catch (error) {
        const failure = toFailure(error);
        const cancelled = controller.signal.aborted || failure.code === 'cancelled';
        update(id, () => (cancelled ? { status: 'cancelled' } : { status: 'failed', failure }));
      } finally {
        abort = null;
        update(id, () => ({ progress: null, preview: null, finishedAt: Date.now() }));
        set({ runningId: null });
        onEnded();
      }
    }

    return {
      generations: [],
      runningId: null,
      selectedTakeId: null,
      removed: null,
      start: async (request) => {
        if (get().runningId !== null) return;
        lastId += 1;
        const generation: Generation = {
          id: `generation-${lastId}`,
          request,
          status: 'running',
          takes: [],
          progress: null,
          preview: null,
          failure: null,
          createdAt: Date.now(),
          finishedAt: null,
        };
        set(({ generations }) => ({ generations: [generation, ...generations], removed: null }));
        await run(generation.id);
      },
      cancel: () => abort?.abort(),
      retry: run,
      remove: (generationId) =>
        set(({ generations, selectedTakeId, runningId }) => {
          const index = generations.findIndex((one) => one.id === generationId);
          const generation = generations[index];
          if (!generation || generationId === runningId) return {};
          const rest = generations.toSpliced(index, 1);
          return {
            generations: rest,
            removed: { generation, index },
            selectedTakeId: findTake(rest, selectedTakeId) ? selectedTakeId : null,
          };
        }),
      undoRemove: () =>
        set(({ generations, removed }) =>
          removed
            ? { generations: generations.toSpliced(removed.index, 0, removed.generation), removed: null }
            : {},
        ),
      select: (selectedTakeId) => set({ selectedTakeId }),
    };
  });
}
