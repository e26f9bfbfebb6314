/**
 * Gives the memory of bytes back at once; nobody may look at them afterwards. The garbage collector sees array buffers
 * late: at 64 to 130 MB each, a file that is read part by part would have a gigabyte lying about. Where there is no
 * `transfer` (Node 20, browsers before 2024) it is left to the collector.
 */
export function releaseBuffer(bytes: ArrayBuffer | Uint8Array): void {
  const buffer: ArrayBufferLike & { transfer?: (length: number) => ArrayBuffer } =
    bytes instanceof Uint8Array ? bytes.buffer : bytes;
  if (buffer instanceof ArrayBuffer) buffer.transfer?.(0);
}
