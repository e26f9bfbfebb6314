import { describe, expect, it } from 'vitest';
import { readBlob } from '../../testing';
import { crc32c } from './crc32c';
import { eventFile, type ScalarEvent, type TextEvent } from './event-file';
import fixture from './fixtures/events.json' with { type: 'json' };

describe('Event files', () => {
  it('are the bytes that TensorBoard itself writes', async () => {
    const expected = await readBlob(new URL('./fixtures/events.tfevents', import.meta.url));
    const file = eventFile(fixture.events as unknown as readonly (ScalarEvent | TextEvent)[]);
    expect(Buffer.from(await file.arrayBuffer())).toEqual(Buffer.from(await expected.arrayBuffer()));
  });

  it('have the checksums of RFC 3720', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });
});
