import { purposes } from '../../data/corpus/draws.js';
import { Permutation } from '../../data/corpus/permutation.js';
import type { Draw } from '../task.js';

/** A text with blanks for some of its words, and what was there. */
export interface MaskedText {
  masked: string;
  /** The words of each blank. */
  targets: string[];
}

/**
 * Takes a share of a text's words, chosen at random; neighbours share a blank (Shen et al. 2020, as the original's
 * `mask_text`; a text too short for the share loses one word all the same).
 * @param place of the text in its file: each has draws of its own
 */
export function maskWords(text: string, share: number, { seed, epoch }: Draw, place: number): MaskedText {
  const words = text.split(/\s+/).filter(Boolean);
  const order = new Permutation(words.length, seed, epoch * 2 ** 32 + place, purposes.window);
  const count = Math.max(1, Math.floor(words.length * share));
  const taken = new Set(Array.from({ length: count }, (_, i) => order.at(i)));
  const masked: string[] = [];
  const targets: string[] = [];
  for (const [i, word] of words.entries()) {
    if (!taken.has(i)) {
      masked.push(word);
    } else if (taken.has(i - 1)) {
      targets[targets.length - 1] += ` ${word}`;
    } else {
      masked.push('[MASK]');
      targets.push(word);
    }
  }
  return { masked: masked.join(' '), targets };
}
