/** Anything that holds memory of the backend: tensors, prepared text states, scheduler runs. */
interface Disposable {
  dispose(): void;
}

/**
 * Owns what an asynchronous piece of work makes (where `tf.tidy` cannot reach), so that whatever way it ends, result,
 * error or cancellation, nothing stays on the backend.
 */
export class TensorScope {
  readonly #owned = new Set<Disposable>();

  own<T extends Disposable>(value: T): T {
    this.#owned.add(value);
    return value;
  }

  /** Disposes one thing before its time. */
  release(value: Disposable): void {
    if (this.#owned.delete(value)) value.dispose();
  }

  dispose(): void {
    for (const value of this.#owned) value.dispose();
    this.#owned.clear();
  }
}
