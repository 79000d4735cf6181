import type { WordPieceDefinition } from '../definition.js';
import { learnMerges, type WordTable } from './learn-merges.js';

/** In front of the learned pieces, as BERT has them; the layout 'bert-base-uncased' appends five more. */
const specialPieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const appendedTokens = 5;

/** The special tokens, and room for an alphabet. */
export const leastWordPieceVocabulary = 64;

/**
 * Learns a vocabulary of word pieces laid out like BERT's: special tokens, the alphabet (characters that
 * start a word, and with `##` those that go on), then what joining the most frequent neighbours makes. The
 * alphabet takes half of the vocabulary at most; words with rarer characters are left out.
 */
export function trainWordPiece(
  words: readonly string[],
  counts: Float64Array,
  vocabSize: number,
): WordPieceDefinition {
  const target = vocabSize - appendedTokens;
  const spelled = words.map(spell);
  const alphabet = mostFrequent(spelled, counts, Math.floor((target - specialPieces.length) / 2));
  const pieces = [...specialPieces, ...alphabet];
  const idOf = new Map(pieces.map((piece, id) => [piece, id]));

  learnMerges(wordTable(spelled, counts, idOf), (left, right) => {
    const piece = pieces[left]! + pieces[right]!.slice(2);
    const known = idOf.get(piece);
    if (known !== undefined) return known;
    if (pieces.length >= target) return undefined;
    idOf.set(piece, pieces.length);
    return pieces.push(piece) - 1;
  });
  return { type: 'wordpiece', pieces, lowercase: true };
}

/** A word as characters of the alphabet. */
function spell(word: string): string[] {
  return Array.from(word, (character, i) => (i === 0 ? character : `##${character}`));
}

/** The most frequent characters, the most frequent first; of equally frequent ones the smaller first. */
function mostFrequent(spelled: readonly string[][], counts: Float64Array, atMost: number): string[] {
  const frequency = new Map<string, number>();
  spelled.forEach((characters, word) => {
    for (const character of characters)
      frequency.set(character, (frequency.get(character) ?? 0) + counts[word]!);
  });
  return [...frequency]
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, atMost)
    .map(([character]) => character);
}

function wordTable(
  spelled: readonly string[][],
  counts: Float64Array,
  idOf: ReadonlyMap<string, number>,
): WordTable {
  const known = [...spelled.keys()].filter((word) =>
    spelled[word]!.every((character) => idOf.has(character)),
  );
  const starts = new Int32Array(known.length + 1);
  known.forEach((word, i) => (starts[i + 1] = starts[i]! + spelled[word]!.length));
  return {
    symbols: Int32Array.from(
      known.flatMap((word) => spelled[word]!.map((character) => idOf.get(character)!)),
    ),
    starts,
    counts: Float64Array.from(known, (word) => counts[word]!),
  };
}
