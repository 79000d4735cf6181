import { ByteLevelBpe } from './byte-level-bpe.js';
import type { SubwordDefinition } from './definition.js';
import { SentencePiece } from './sentencepiece/sentence-piece.js';
import type { Subwords } from './subwords.js';
import { WordPiece } from './word-piece.js';

export function createSubwords(definition: SubwordDefinition): Subwords {
  switch (definition.type) {
    case 'bpe':
      return new ByteLevelBpe(definition);
    case 'wordpiece':
      return new WordPiece(definition);
    case 'sentencepiece':
      return new SentencePiece(definition);
  }
}
