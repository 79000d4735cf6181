/** A list of token ids that grows. */
export class IdBuffer {
  #ids = new Int32Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(id: number): void {
    if (this.#length === this.#ids.length) this.#grow(1);
    this.#ids[this.#length++] = id;
  }

  append(ids: Int32Array): void {
    if (this.#length + ids.length > this.#ids.length) this.#grow(ids.length);
    // Words have a few tokens: a loop is faster than TypedArray.set.
    for (let i = 0; i < ids.length; i++) this.#ids[this.#length++] = ids[i]!;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Forgets all ids after the first `length`. */
  truncate(length: number): void {
    this.#length = length;
  }

  toArray(): Int32Array {
    return this.#ids.slice(0, this.#length);
  }

  #grow(atLeast: number): void {
    const larger = new Int32Array(Math.max(this.#ids.length * 2, this.#length + atLeast));
    larger.set(this.#ids.subarray(0, this.#length));
    this.#ids = larger;
  }
}
