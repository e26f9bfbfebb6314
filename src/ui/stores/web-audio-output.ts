import { durationSeconds, type Playable, type SoundOutput } from './player-store';

/** Plays through the page's audio device. The context is made at the first play: browsers want a gesture first. */
export function createWebAudioOutput(): SoundOutput {
  let context: AudioContext | null = null;
  let node: AudioBufferSourceNode | null = null;
  let sound: Playable | null = null;
  let offsetSeconds = 0;
  let startedAt = 0;

  function stop(): void {
    if (!node) return;
    node.onended = null;
    node.stop();
    node.disconnect();
    node = null;
  }

  return {
    async start(next, fromSeconds, onEnded) {
      stop();
      context ??= new AudioContext({ latencyHint: 'interactive' });
      const source = context.createBufferSource();
      const buffer = context.createBuffer(1, next.audio.length, next.sampleRateHz);
      buffer.getChannelData(0).set(next.audio);
      source.buffer = buffer;
      source.connect(context.destination);
      source.onended = () => {
        node = null;
        onEnded();
      };
      node = source;
      sound = next;
      // From the very end there is nothing left to hear: begin again.
      offsetSeconds = fromSeconds >= durationSeconds(next) - 0.01 ? 0 : fromSeconds;
      startedAt = context.currentTime;
      source.start(0, offsetSeconds);
      if (context.state !== 'running') await context.resume();
    },
    stop,
    positionSeconds() {
      if (!context || !sound) return 0;
      if (!node) return offsetSeconds;
      // What the ear hears now left the graph one output latency ago.
      const elapsed = context.currentTime - startedAt - (context.outputLatency || 0);
      return Math.min(offsetSeconds + Math.max(elapsed, 0), durationSeconds(sound));
    },
  };
}
