import { crc32 } from '../weights/formats/crc32';

export type StoredFile = readonly [path: string, bytes: Uint8Array];

/** A zip of stored entries, CRCs and all; `change` bends a central record, `changeLocal` a local one. */
export function storedZip(
  files: readonly StoredFile[],
  change: (record: DataView, index: number) => void = () => {},
  changeLocal: (header: DataView, index: number) => void = () => {},
): Blob {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const central: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  files.forEach(([name, bytes], index) => {
    const nameBytes = new TextEncoder().encode(name);
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, nameBytes.length, true);
    changeLocal(local, index);
    const record = new DataView(new ArrayBuffer(46));
    record.setUint32(0, 0x02014b50, true);
    record.setUint32(16, crc32(bytes), true);
    record.setUint32(20, bytes.length, true);
    record.setUint32(24, bytes.length, true);
    record.setUint16(28, nameBytes.length, true);
    record.setUint32(42, offset, true);
    change(record, index);
    parts.push(new Uint8Array(local.buffer), nameBytes, new Uint8Array(bytes));
    central.push(new Uint8Array(record.buffer), nameBytes);
    offset += 30 + nameBytes.length + bytes.length;
  });
  const size = central.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  return new Blob([...parts, ...central, end.buffer]);
}
