import type { TokenizerDefinition } from '../../text/definition.js';
import type { GlmErrorCode } from '../../errors.js';
import type { DocumentRules, Part } from '../../text/documents/document.js';
import type { Source } from '../../text/documents/sources.js';

/** What a worker is started with. */
export interface WorkerSetup {
  readonly tokenizer: TokenizerDefinition;
  readonly rules: DocumentRules;
  /** Put behind each document. */
  readonly endOfText: number;
  readonly bytesPerToken: 2 | 4;
}

/** To a worker: a part to tokenize, or a chunk's memory back once it has been written. */
export type ToWorker =
  | { readonly type: 'part'; readonly source: Source; readonly part: Part }
  | { readonly type: 'written'; readonly memory: ArrayBuffer };

/** Tokens in the order of the text, and the lengths of the documents that ended among them. */
export interface TokenChunk {
  readonly type: 'chunk';
  readonly tokens: Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
  /** With the end-of-text; a document may have begun in an earlier chunk. */
  readonly documents: Float64Array;
}

/** From a worker. */
export type FromWorker =
  | TokenChunk
  | {
      readonly type: 'end';
      /** Nothing follows in the file. */
      readonly last: boolean;
      /** How far the file has been read on disk. */
      readonly consumed: number;
    }
  | { readonly type: 'error'; readonly code: GlmErrorCode | undefined; readonly message: string };
