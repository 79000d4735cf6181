import type { CommandToken } from './special-tokens.js';

/** Byte-level byte pair encoding, as GPT-2 and RoBERTa use it. */
export interface ByteLevelBpeDefinition {
  readonly type: 'bpe';
  /**
   * The piece of each id in GPT-2's printable spelling of bytes (`Ġthe`); an empty string where an id has
   * none.
   */
  readonly pieces: readonly string[];
  /** Pairs of pieces, the one to be joined first at the front. */
  readonly merges: readonly (readonly [string, string])[];
}

/** Word pieces, as BERT uses them. */
export interface WordPieceDefinition {
  readonly type: 'wordpiece';
  /** The piece of each id; a piece that continues a word starts with `##`. */
  readonly pieces: readonly string[];
  /** Lower-case the text and strip accents first. */
  readonly lowercase: boolean;
}

/** A SentencePiece model of type BPE: the bytes of its file. */
export interface SentencePieceDefinition {
  readonly type: 'sentencepiece';
  readonly file: Uint8Array;
}

export type SubwordDefinition = ByteLevelBpeDefinition | WordPieceDefinition | SentencePieceDefinition;

/**
 * Everything a tokenizer is made of, as plain data: it can be posted to a worker thread and written to a
 * folder.
 */
export interface TokenizerDefinition {
  readonly subwords: SubwordDefinition;
  readonly commands: readonly CommandToken[];
}
