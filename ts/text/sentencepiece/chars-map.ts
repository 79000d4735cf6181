import { GlmError } from '../../errors.js';

/**
 * The compiled rules of a SentencePiece normaliser (`precompiled_charsmap`): the size of a trie, the trie,
 * and the replacements, each ended by a zero byte. The trie is a double array as darts-clone lays it out
 * (https://github.com/s-yata/darts-clone): it leads from the UTF-8 bytes of a sequence of characters to the
 * place of its replacement.
 */
export class CharsMap {
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;

  constructor(charsMap: Uint8Array) {
    const view = new DataView(charsMap.buffer, charsMap.byteOffset, charsMap.byteLength);
    const trieSize = charsMap.length < 4 ? 0 : view.getUint32(0, true);
    if (charsMap.length > 0 && (trieSize % 4 !== 0 || trieSize === 0 || trieSize > charsMap.length - 4)) {
      throw new GlmError(
        'GLM_TOKENIZER',
        `SentencePiece model: expected a trie within the ${charsMap.length} bytes of the normaliser, ` +
          `found a size of ${trieSize}; the file is damaged`,
      );
    }
    this.#units = Uint32Array.from({ length: trieSize / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#replacements = charsMap.subarray(4 + trieSize);
  }

  /**
   * The rule for the longest sequence that bytes[start …) begins with: its length in bytes and the
   * replacement.
   */
  longestRule(bytes: Uint8Array, start: number): { length: number; replacement: Uint8Array } | undefined {
    const units = this.#units;
    if (units.length === 0) return undefined;
    let length = 0;
    let replacementAt = -1;
    let node = offsetOf(units[0]!);
    for (let i = start; i < bytes.length; i++) {
      node ^= bytes[i]!;
      const unit = units[node];
      if (unit === undefined || labelOf(unit) !== bytes[i]) break;
      node ^= offsetOf(unit);
      if (!hasLeaf(unit)) continue;
      const leaf = units[node];
      if (leaf === undefined) break;
      length = i + 1 - start;
      replacementAt = leaf & 0x7fffffff;
    }
    if (length === 0) return undefined;
    const end = this.#replacements.indexOf(0, replacementAt);
    return { length, replacement: this.#replacements.subarray(replacementAt, end < 0 ? undefined : end) };
  }
}

// A unit of the double array: bit 31 marks a leaf, bit 8 that a leaf follows, bits 0 to 7 the label, bits 10
// to 30 the offset, in units of 1, or of 256 if bit 9 is set.

function hasLeaf(unit: number): boolean {
  return (unit & 0x100) !== 0;
}

function labelOf(unit: number): number {
  return (unit & 0x800000ff) >>> 0;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
