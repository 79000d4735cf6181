/** Numbers for test inputs: the same in every run. */
export class TestRandom {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** In [0, 1), with 32 bits: a multiplicative hash of a counter. */
  uniform(): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    let x = this.state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
  }

  /** About normal: the sum of twelve uniform numbers. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.uniform();
    return sum;
  }

  /** A whole number in [0, below). */
  below(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  integers(count: number, limit: number): Int32Array {
    return Int32Array.from({ length: count }, () => this.below(limit));
  }
}
