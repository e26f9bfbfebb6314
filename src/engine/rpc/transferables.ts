/**
 * Buffers under `value` that can move to the other side instead of being copied: those of typed arrays that cover
 * the whole buffer. Parts of a larger buffer and shared memory are left to be copied.
 */
export function transferablesOf(value: unknown): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  const visit = (item: unknown): void => {
    if (ArrayBuffer.isView(item)) {
      if (item.buffer instanceof ArrayBuffer && item.byteLength === item.buffer.byteLength)
        buffers.add(item.buffer);
    } else if (Array.isArray(item)) {
      // Arrays of plain numbers (ids, shapes, time steps) hold no buffers.
      if (typeof item[0] === 'object') item.forEach(visit);
    } else if (typeof item === 'object' && item !== null && !(item instanceof Blob)) {
      Object.values(item).forEach(visit);
    }
  };
  visit(value);
  return [...buffers];
}
