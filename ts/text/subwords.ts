import type { SubwordDefinition } from './definition.js';
import type { IdBuffer } from './id-buffer.js';

/**
 * Turns text without command tokens into the ids of a vocabulary, and back. Synchronous; not shared between
 * threads.
 */
export interface Subwords {
  readonly type: SubwordDefinition['type'];

  /** Ids are 0 … size − 1. */
  readonly size: number;

  encode(text: string, ids: IdBuffer): void;

  /** The id of a piece; undefined if there is none. */
  idOf(piece: string): number | undefined;

  /** The piece of an id as the vocabulary file has it; undefined where it has none. */
  pieceOf(id: number): string | undefined;

  /** What the piece of an id writes, as far as it says by itself. */
  written(id: number): string;

  /**
   * Text a person would accept. `commandText` gives the text of ids that are command tokens, whether or not
   * they are also in this vocabulary.
   */
  decode(ids: ArrayLike<number>, commandText: (id: number) => string | undefined): string;

  /** Whether the end of a decoded text may change when more tokens follow. */
  mayChange(text: string): boolean;
}
