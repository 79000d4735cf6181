import { byteCharacters, byteOrder } from '../byte-level-bpe.js';
import type { ByteLevelBpeDefinition } from '../definition.js';
import { commandText } from '../special-tokens.js';
import { learnMerges, type WordTable } from './learn-merges.js';

/** The 256 bytes and the 10 special tokens of the layout 'gpt2'. */
export const leastBpeVocabulary = 256 + 10;

/**
 * What follows the learned pieces: the end of text is a piece itself, as in GPT-2's vocabulary, the others
 * are appended to it.
 */
const appendedTokens = 9;

/**
 * Learns a byte-level BPE vocabulary laid out like GPT-2's: bytes, merges, end of text; then the layout's
 * appended tokens up to vocabSize.
 */
export function trainBpe(
  words: readonly string[],
  counts: Float64Array,
  vocabSize: number,
): ByteLevelBpeDefinition {
  const pieces = byteOrder.map((byte) => byteCharacters[byte]!);
  const idOf = new Map(pieces.map((piece, id) => [piece, id]));
  const target = vocabSize - appendedTokens - 1;

  const merges = learnMerges(bytesOfWords(words, counts), (left, right) => {
    const piece = pieces[left]! + pieces[right]!;
    const known = idOf.get(piece);
    if (known !== undefined) return known;
    if (pieces.length >= target) return undefined;
    idOf.set(piece, pieces.length);
    return pieces.push(piece) - 1;
  });

  return {
    type: 'bpe',
    merges: merges.map(([left, right]) => [pieces[left]!, pieces[right]!] as const),
    pieces: [...pieces, commandText.eos],
  };
}

function bytesOfWords(words: readonly string[], counts: Float64Array): WordTable {
  const idOfByte = Int32Array.from({ length: 256 });
  byteOrder.forEach((byte, id) => (idOfByte[byte] = id));
  const starts = new Int32Array(words.length + 1);
  words.forEach((word, i) => (starts[i + 1] = starts[i]! + Buffer.byteLength(word)));
  const bytes = Buffer.alloc(starts[words.length]!);
  words.forEach((word, i) => bytes.write(word, starts[i]!));
  return { symbols: Int32Array.from(bytes, (byte) => idOfByte[byte]!), starts, counts };
}
