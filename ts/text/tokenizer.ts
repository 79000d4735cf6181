import { GlmError } from '../errors.js';
import { Codec } from './codec.js';
import type { SubwordDefinition, TokenizerDefinition } from './definition.js';
import { EncodePool } from './encode-pool.js';
import { readTokenizerFolder, writeTokenizerFolder } from './folder.js';
import { type AddedToken, commandTokens, type LayoutName, layoutNames, usualLayout } from './layouts.js';
import { isOpenEnded, withBlank } from './prompt.js';
import { sentenceEndFlags } from './sentence-ends.js';
import { blankName, type SpecialTokens, specialTokens } from './special-tokens.js';
import { createSubwords } from './create-subwords.js';
import type { Subwords } from './subwords.js';
import type { TextStream } from './text-stream.js';
import { trainSubwords, type TrainTokenizerOptions } from './train/train.js';

/** Text of up to so many characters takes a millisecond or two, and is encoded on the thread that asks. */
const shortText = 1 << 15;
/** A batch of short texts up to this size is done before other threads have started. */
const smallBatch = 1 << 18;

export interface LoadTokenizerOptions {
  /**
   * Where the special tokens are, by the name of a published vocabulary. Left out, the folder's files say it
   * (added_tokens.json), and where they do not, the kind of vocabulary does.
   */
  readonly layout?: LayoutName;
}

/** Text to token ids and back, with the special tokens of a GLM. */
export class Tokenizer {
  readonly special: SpecialTokens;
  /** One more than the largest id. A model's vocabulary may be padded beyond it. */
  readonly vocabSize: number;
  /** [vocabSize], 1 where the token ends a sentence. */
  readonly sentenceEnds: Uint8Array;
  readonly #definition: TokenizerDefinition;
  readonly #subwords: Subwords;
  readonly #codec: Codec;
  readonly #pool: EncodePool;
  /** How the tokenizer's blanks are written. */
  readonly #blanks: readonly string[];

  private constructor(
    definition: SubwordDefinition,
    layout: LayoutName | undefined,
    added: ReadonlyMap<string, AddedToken>,
    source: string,
  ) {
    this.#subwords = createSubwords(definition);
    const commands = commandTokens(this.#subwords, layout ?? usualLayout(this.#subwords), added);
    this.special = specialTokens(commands, source);
    this.#definition = { subwords: definition, commands };
    this.#codec = new Codec(this.#subwords, commands);
    this.#pool = new EncodePool(this.#definition);
    this.#blanks = commands.filter(({ id }) => blankName(id, this.special)).map(({ text }) => text);
    this.vocabSize = this.#codec.size;
    this.sentenceEnds = sentenceEndFlags(this.vocabSize, (id) => this.#codec.written(id));
  }

  /**
   * Loads a tokenizer from a folder: one that this package wrote, a GLM of the Hub, or any byte-level BPE,
   * BERT or SentencePiece BPE vocabulary in the Hub's files.
   * @throws GlmError GLM_IO, GLM_TOKENIZER, GLM_INVALID_ARGUMENT
   */
  static async load(dir: string, { layout }: LoadTokenizerOptions = {}): Promise<Tokenizer> {
    if (typeof dir !== 'string') throw invalid('Tokenizer.load', 'the path of a folder', dir);
    if (layout !== undefined && !layoutNames.includes(layout)) {
      throw invalid('Tokenizer.load', `layout to be one of ${layoutNames.join(', ')}`, layout);
    }
    const { subwords, added } = await readTokenizerFolder(dir);
    return new Tokenizer(subwords, layout, layout === undefined ? added : new Map(), dir);
  }

  /**
   * Trains a tokenizer on text files: .txt, .jsonl and .parquet, each also as .gz, folders and globs; a file with another
   * name is plain text. Runs on threads of its own; the same files give the same tokenizer.
   * @throws GlmError GLM_INVALID_ARGUMENT, GLM_IO, GLM_DATA (with file and line)
   */
  static async train(paths: string | readonly string[], options: TrainTokenizerOptions): Promise<Tokenizer> {
    const subwords = await trainSubwords(paths, options);
    const layout = subwords.type === 'bpe' ? 'gpt2' : 'bert-base-uncased';
    return new Tokenizer(subwords, layout, new Map(), 'Tokenizer.train');
  }

  /** Everything the tokenizer is made of, from which a worker thread makes a codec of its own. @internal */
  get definition(): TokenizerDefinition {
    return this.#definition;
  }

  /** Writes the tokenizer's files; each is written whole or not at all. @throws GlmError GLM_IO */
  async save(dir: string): Promise<void> {
    await writeTokenizerFolder(dir, this.#definition, this.#subwords.size);
  }

  /** The ids of a text. Nothing is added; command tokens in the text, such as [MASK], become their ids. */
  async encode(text: string): Promise<Int32Array> {
    if (typeof text !== 'string') throw invalid('encode', 'a string', text);
    const [ids] = await (text.length > shortText ? this.#pool.encode([text]) : this.#encodeHere([text]));
    return ids!;
  }

  /**
   * The model's input for a text with blanks: [CLS], the text, and the end of text unless it ends in [gMASK].
   * A text without any blank gets [gMASK] at its end, or [MASK] where there is no [gMASK].
   */
  async encodePrompt(text: string): Promise<Int32Array> {
    if (typeof text !== 'string') throw invalid('encodePrompt', 'a string', text);
    const { cls, eos } = this.special;
    const prompt = withBlank(text, this.#blanks);
    const ids = await this.encode(prompt);
    const input = new Int32Array(ids.length + (isOpenEnded(prompt) ? 1 : 2)).fill(eos);
    input[0] = cls;
    input.set(ids, 1);
    return input;
  }

  /**
   * The ids of each of many texts, as {@link encode} gives them. Large batches are encoded on all cores,
   * beside the event loop.
   */
  async encodeBatch(texts: readonly string[]): Promise<Int32Array[]> {
    if (!Array.isArray(texts)) throw invalid('encodeBatch', 'an array of strings', texts);
    let length = 0;
    let longest = 0;
    for (const [i, text] of (texts as readonly unknown[]).entries()) {
      if (typeof text !== 'string') throw invalid('encodeBatch', `a string at index ${i}`, text);
      length += text.length;
      longest = Math.max(longest, text.length);
    }
    if (length > smallBatch || longest > shortText) return this.#pool.encode(texts);
    return this.#encodeHere(texts);
  }

  /** Encodes on this thread, and lets the event loop have its turn in between. */
  async #encodeHere(texts: readonly string[]): Promise<Int32Array[]> {
    const all: Int32Array[] = [];
    let length = 0;
    for (const text of texts) {
      if (length + text.length > shortText) {
        await new Promise(setImmediate);
        length = 0;
      }
      all.push(this.#codec.encode(text));
      length += text.length;
    }
    return all;
  }

  /** The text of ids, command tokens included. */
  decode(ids: ArrayLike<number>): Promise<string> {
    return new Promise((resolve) => {
      if (typeof ids?.length !== 'number') throw invalid('decode', 'an array of token ids', ids);
      for (let i = 0; i < ids.length; i++) this.#checkId('decode', ids[i]!);
      resolve(this.#codec.decode(ids));
    });
  }

  /** Decodes ids one by one, as they come. */
  decodeStream(): TextStream {
    return this.#codec.stream();
  }

  /**
   * The piece of an id as the vocabulary spells it (`Ġthe`, `##ing`, `▁the`), or the text of a command token.
   */
  token(id: number): string {
    this.#checkId('token', id);
    return this.#codec.token(id);
  }

  #checkId(where: string, id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabSize) return;
    throw invalid(where, `a token id from 0 to ${this.vocabSize - 1}`, id);
  }
}

function invalid(where: string, expected: string, found: unknown): GlmError {
  const shown = JSON.stringify(found)?.slice(0, 60) ?? typeof found;
  return new GlmError('GLM_INVALID_ARGUMENT', `${where}: expected ${expected}, found ${shown}`);
}
