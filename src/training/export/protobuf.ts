/** The few fields of protocol buffers that event files need. https://protobuf.dev/programming-guides/encoding */

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** One field of a message, encoded; a message is its fields one behind the other. */
export type Field = Uint8Array;

/** @param value a whole number of 0…2^53−1 */
export function varintField(number: number, value: number): Field {
  return concatBytes([tag(number, WIRE.varint), varint(value)]);
}

export function doubleField(number: number, value: number): Field {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concatBytes([tag(number, WIRE.fixed64), bytes]);
}

export function floatField(number: number, value: number): Field {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concatBytes([tag(number, WIRE.fixed32), bytes]);
}

export function textField(number: number, value: string): Field {
  return messageField(number, [new TextEncoder().encode(value)]);
}

export function messageField(number: number, fields: readonly Field[]): Field {
  const body = concatBytes(fields);
  return concatBytes([tag(number, WIRE.bytes), varint(body.length), body]);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

function tag(number: number, wire: number): Uint8Array {
  return varint(number * 8 + wire);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  // Division, since shifts see 32 bits only.
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
