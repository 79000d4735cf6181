/** What a file's documents are. Part of a corpus' identity: other values give another token file. */
export interface DocumentRules {
  /** What ends a document of a text file, besides the file's end. */
  readonly documents: 'blank-line' | 'line' | 'file';
  /** The field of a JSON line, or the column of a Parquet file, that holds the text. */
  readonly field: string;
}

/** @internal */
export const usualRules: DocumentRules = { documents: 'blank-line', field: 'text' };

/** A stretch of a document's text: where it ends and the next begins, no tokenizer joins anything. */
export interface Stretch {
  readonly text: string;
  /** Whether the document ends here. */
  readonly last: boolean;
}

/** What a worker reads at a time. The parts of a file, one after the other, are all its documents. */
export interface Part {
  readonly index: number;
  /** Bytes of the unpacked text that its documents begin in; of Parquet files, the first row group and the one behind. */
  readonly from: number;
  readonly to: number;
}

/** Reads the documents of one file, part after part. Parts in ascending order read the file once. */
export interface DocumentReader {
  read(part: Part): AsyncIterable<readonly Stretch[]>;
  /** Whether the part that was read last is the file's last one, or behind it. */
  readonly ended: boolean;
  /** How far the file on disk has been read. */
  readonly consumed: number;
  close(): Promise<void>;
}
