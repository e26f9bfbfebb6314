/** A peer in its worker: opened once, then asked for passes. */
export interface PeerSetup {
  readonly backend: 'webgpu' | 'wasm';
  readonly threads: number;
  /** The exported UNet's folder on this server. */
  readonly folder: string;
}

export interface Peer {
  /** What it runs on, for the report. */
  readonly device: object;
  /** One pass, the prompt's keys and values included, its output read back in PyTorch's order. */
  pass(): Promise<Float32Array>;
}

export type PeerRequest = { readonly type: 'open'; readonly setup: PeerSetup } | { readonly type: 'pass' };
export type PeerAnswer =
  | { readonly type: 'opened'; readonly device: object }
  | { readonly type: 'passed'; readonly ms: number; readonly values: Float32Array }
  | { readonly type: 'failed'; readonly message: string };

/** Answers the page's requests with the peer that `open` makes. */
export function servePeer(open: (setup: PeerSetup) => Promise<Peer>): void {
  let peer: Peer | null = null;
  const answer = async (request: PeerRequest): Promise<PeerAnswer> => {
    if (request.type === 'open') {
      peer = await open(request.setup);
      return { type: 'opened', device: peer.device };
    }
    if (!peer) throw new Error('Asked for a pass before the peer was opened.');
    const started = performance.now();
    const values = await peer.pass();
    return { type: 'passed', ms: performance.now() - started, values };
  };
  self.onmessage = ({ data }: MessageEvent<PeerRequest>) => {
    answer(data)
      .catch((error: unknown): PeerAnswer => {
        const message = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
        return { type: 'failed', message };
      })
      .then((message) => self.postMessage(message));
  };
}
