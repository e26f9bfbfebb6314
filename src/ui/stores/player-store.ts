import { createStore } from 'zustand/vanilla';

/** Samples to hear. */
export interface Playable {
  readonly id: string;
  /** Mono, −1…1. */
  readonly audio: Float32Array;
  readonly sampleRateHz: number;
}

/** What can sound: the Web Audio output of the page, or a fake in tests. One sound at a time. */
export interface SoundOutput {
  /** Stops what sounds and plays from `fromSeconds`; resolves once it sounds. */
  start(sound: Playable, fromSeconds: number, onEnded: () => void): Promise<void>;
  stop(): void;
  /** Seconds into the sound that plays now. */
  positionSeconds(): number;
}

export interface PlayerState {
  /** The sound whose position is shown, playing or paused. */
  readonly soundId: string | null;
  readonly playing: boolean;
  /** Of `soundId`; moves while it plays. */
  readonly positionSeconds: number;
  readonly failureMessage: string | null;
  toggle(sound: Playable): Promise<void>;
  pause(): void;
  /** Moves the playhead, and goes on playing when this sound was playing. */
  seek(sound: Playable, seconds: number): Promise<void>;
  /** Stops and forgets a sound that is being removed. */
  release(soundIds: readonly string[]): void;
}

export function durationSeconds(sound: Playable): number {
  return sound.audio.length / sound.sampleRateHz;
}

/** @param eachFrame calls back before each repaint until it is told to stop; returns the function that stops it. */
export function createPlayerStore(output: SoundOutput, eachFrame: (tick: () => void) => () => void) {
  let stopFrames = () => {};

  return createStore<PlayerState>()((set, get) => {
    function halt(): void {
      stopFrames();
      output.stop();
    }

    async function play(sound: Playable, fromSeconds: number): Promise<void> {
      halt();
      set({ soundId: sound.id, playing: true, positionSeconds: fromSeconds, failureMessage: null });
      try {
        await output.start(sound, fromSeconds, () => {
          stopFrames();
          set({ playing: false, positionSeconds: 0 });
        });
      } catch (error) {
        set({ playing: false, failureMessage: error instanceof Error ? error.message : String(error) });
        return;
      }
      const { playing, soundId } = get();
      if (playing && soundId === sound.id) {
        stopFrames = eachFrame(() => set({ positionSeconds: output.positionSeconds() }));
      }
    }

    return {
      soundId: null,
      playing: false,
      positionSeconds: 0,
      failureMessage: null,
      toggle: async (sound) => {
        const { soundId, playing, positionSeconds } = get();
        if (soundId === sound.id && playing) get().pause();
        else await play(sound, soundId === sound.id ? positionSeconds : 0);
      },
      pause: () => {
        if (!get().playing) return;
        const positionSeconds = output.positionSeconds();
        halt();
        set({ playing: false, positionSeconds });
      },
      seek: async (sound, seconds) => {
        const target = Math.min(Math.max(seconds, 0), durationSeconds(sound));
        const { soundId, playing } = get();
        if (playing && soundId === sound.id) {
          await play(sound, target);
          return;
        }
        halt();
        set({ soundId: sound.id, playing: false, positionSeconds: target });
      },
      release: (soundIds) => {
        const { soundId } = get();
        if (soundId === null || !soundIds.includes(soundId)) return;
        halt();
        set({ soundId: null, playing: false, positionSeconds: 0 });
      },
    };
  });
}
