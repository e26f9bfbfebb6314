/**
 * Runs in the thread of confined-reader.ts, with nothing but the readers: opens what is sent, reads every tensor, and
 * says what became of it. Bundled by that file, so no test imports it.
 */
import { parentPort } from 'node:worker_threads';
import { StudioError } from '../common/errors';
import { openSafetensors } from '../weights/formats/safetensors';
import { openTorchCheckpoint } from '../weights/formats/torch-checkpoint';
import type { ReadOutcome, ReadRequest } from './confined-reader';

/** The largest piece that was taken from the file at once. */
let largestPiece = 0;
const { arrayBuffer } = Blob.prototype;
Blob.prototype.arrayBuffer = function (this: Blob) {
  largestPiece = Math.max(largestPiece, this.size);
  return arrayBuffer.call(this);
};

async function outcomeOf({ format, bytes }: ReadRequest): Promise<ReadOutcome> {
  largestPiece = 0;
  let largestTensor = 0;
  let tensors = 0;
  const open = format === 'safetensors' ? openSafetensors : openTorchCheckpoint;
  try {
    const stateDict = await open(new Blob([bytes]), 'hostile.file');
    for (const name of stateDict.names()) {
      largestTensor = Math.max(largestTensor, (await stateDict.read(name)).bytes.byteLength);
      tensors += 1;
    }
    return { kind: 'read', message: '', tensors, largestPiece, largestTensor };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const kind = error instanceof StudioError ? 'refused' : 'crashed';
    return { kind, message, tensors, largestPiece, largestTensor };
  }
}

parentPort?.on('message', (request: ReadRequest) => {
  void outcomeOf(request).then((outcome) => parentPort?.postMessage(outcome));
});
