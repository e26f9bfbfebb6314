/**
 * Gives the canvases of a DOM without pixels (happy-dom) a context on which every call does nothing, so that code
 * which draws can run; what it draws is for the browser's tests.
 */
export function installBlankCanvas(): void {
  const context = new Proxy<Record<PropertyKey, unknown>>(
    {},
    { get: (target, key) => target[key] ?? (() => context) },
  );
  Object.assign(HTMLCanvasElement.prototype, { getContext: () => context });
  globalThis.ImageData ??= class {
    constructor(
      readonly data: Uint8ClampedArray,
      readonly width: number,
      readonly height: number,
    ) {}
  } as typeof ImageData;
}
