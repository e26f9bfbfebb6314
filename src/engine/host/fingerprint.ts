import { StorageError } from '../../common/errors';
import { releaseBuffer } from '../../common/release-buffer';

/** WebCrypto hashes whole buffers only: files are hashed by parts of this size, then the hashes. */
const PART_BYTES = 64 * 2 ** 20;

/** SHA-256 in hexadecimal. @throws StorageError on pages without WebCrypto (http, other than localhost) */
export async function sha256(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<string> {
  if (!globalThis.crypto?.subtle) {
    throw new StorageError(
      'Checking files needs WebCrypto, which browsers give to pages served by https or from localhost only. Open the studio there.',
    );
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A hash of paths and contents: the same files have the same one, in whatever order they come. */
export async function fingerprint(files: readonly { path: string; blob: Blob }[]): Promise<string> {
  const lines: string[] = [];
  for (const { path, blob } of files) {
    for (let start = 0; start < blob.size; start += PART_BYTES) {
      const part = await blob.slice(start, start + PART_BYTES).arrayBuffer();
      lines.push(`${path} ${start} ${await sha256(part)}`);
      releaseBuffer(part);
    }
  }
  return sha256(new TextEncoder().encode(lines.sort().join('\n')));
}
