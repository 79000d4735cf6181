import { Matrix, at } from './matrix.js';
import { elementDraw, philox } from './philox.js';

export interface NormalOptions {
  mean: number;
  deviation: number;
  seed: number;
  site: number;
}

/** Box and Muller's transform of the words that each element draws; words 0 and 1 are a pair, and words 2 and 3. */
export function randomNormal(elements: number, { mean, deviation, seed, site }: NormalOptions): Matrix {
  return Matrix.build(1, elements, (_, i) => {
    const { counter, word } = elementDraw(i);
    const words = philox(seed, counter, site);
    const radiusWord = at(words, word & 2);
    const angleWord = at(words, (word & 2) + 1);
    const radius = Math.sqrt(-2 * Math.log((Math.floor(radiusWord / 2) + 0.5) / 2 ** 31));
    const angle = (2 * Math.PI * angleWord) / 2 ** 32;
    return mean + deviation * radius * (word & 1 ? Math.sin(angle) : Math.cos(angle));
  });
}
