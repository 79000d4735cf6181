/**
 * The pretraining objective of GLM: parts of a text are blanked out and predicted one after the other (paper, sections
 * 2.1 and 2.2). Sampling and layout are native kernels (cpp/base/spans, cpp/cpu/spans.cpp).
 */

import { GlmError } from '../errors.js';
import { native, type NativeSpanBatch, type NativeSpanBuilder } from '../native.js';
import type { SpecialTokens } from '../text/special-tokens.js';
import { type Batch, objectiveCode } from './batch.js';

/** What blank infilling needs of a tokenizer. */
export interface SpanVocabulary {
  readonly special: SpecialTokens;
  readonly sentenceEnds: Uint8Array;
  readonly vocabSize: number;
}

/** Ids of the tokens that a layout uses. */
export type LayoutTokens = Pick<SpecialTokens, 'sop'> &
  Partial<Pick<SpecialTokens, 'cls' | 'eop' | 'mask' | 'smask' | 'gmask'>>;

/** The original's names are those of its command line (arguments.py) or of ConstructBlockStrategy (blocklm_utils.py). */
export interface BlankInfillingOptions {
  tokenizer?: SpanVocabulary | undefined;
  /** Instead of a tokenizer. Needed: cls, eos, sop, eop, and the masks of the objectives in `mix`. */
  special?: Partial<SpecialTokens> | undefined;
  /** With `special`: 1 for each id whose piece ends a sentence. For the sentence objective and short sequences. */
  sentenceEnds?: Uint8Array | undefined;

  /** Tokens of the longest text, with its [CLS]. Examples are longer: Part B comes on top. */
  maxLength: number;
  /** Shares of the objectives; what they add up to doesn't matter. Original: --bert-prob, --gap-sentence-prob, the rest. Only blanks. */
  mix?:
    { blank?: number | undefined; sentence?: number | undefined; document?: number | undefined } | undefined;

  /** Blank: share of the text that is masked. Original: bert_ratio. 0.15 */
  maskRatio?: number | undefined;
  /** Blank: mean of the Poisson distribution of span lengths. Original: --avg-block-length. 3 */
  averageSpanLength?: number | undefined;
  /** Blank: the longest span. Original: max_block_length - 1. 39 */
  maxSpanLength?: number | undefined;
  /** Blank: probability that an example has just one span. Original: --single-span-prob. 0 */
  singleSpanProbability?: number | undefined;
  /** Blank: probability that an input token of a span is hidden by [dBLOCK]. Original: --block-mask-prob. 0 */
  spanMaskProbability?: number | undefined;
  /** Blank: share of the text's tokens that are hidden by [dBLOCK], near blanks. Original: --context-mask-ratio. 0 */
  contextMaskRatio?: number | undefined;
  /** Blank: how far from a blank these tokens may be. Original: context_mask_range. 3 */
  contextMaskRange?: number | undefined;
  /** Sentence: share of the text that is masked. Original: --gap-sentence-ratio. 0.15 */
  sentenceRatio?: number | undefined;
  /** Document: smallest share of the text that is generated. Original: --gpt-min-ratio. 0.5 */
  minDocumentRatio?: number | undefined;
  /**
   * Document: probability of generating the end of the text; otherwise one long span at a random place. A window with
   * several documents always has its end generated. Original: --gpt-infill-prob. 0.5
   */
  suffixProbability?: number | undefined;

  /** Probability that a row is cut into several short sequences. Original: --short-seq-prob. 0 */
  shortSequenceProbability?: number | undefined;
  /** Shuffle the spans of Part B. Original: off with --no-shuffle-block. true */
  shuffle?: boolean | undefined;
  /** Number the tokens of a span; otherwise all of Part B has block position 1. Original: off with --no-block-position. true */
  blockPositions?: boolean | undefined;
  /** Move the positions of an example by a random offset, the last one staying below maxLength. Original: --random-position. false */
  randomPosition?: boolean | undefined;
  /** [sMASK] for sentences and [gMASK] for documents; otherwise [MASK]. Original: --task-mask. Where the tokens exist. */
  taskMasks?: boolean | undefined;
  /**
   * Tell the spans apart by tokens instead of positions: [MASK1] … and sop1 … for the second, third, … span of Part B,
   * whose positions are all maxLength. An example has at most one span more than there are. Original: --sentinel-token.
   */
  sentinels?: { mask: ArrayLike<number>; sop: ArrayLike<number> } | undefined;
  /** Mask tokens in place and predict them there, without Part B: BERT's objective. Original: --masked-lm. false */
  maskedLanguageModel?: boolean | undefined;

  /** Threads that make a batch. The same batch comes out for any number. 1 */
  threads?: number | undefined;
}

const optionNames = new Set<string>([
  'tokenizer',
  'special',
  'sentenceEnds',
  'maxLength',
  'mix',
  'maskRatio',
  'averageSpanLength',
  'maxSpanLength',
  'singleSpanProbability',
  'spanMaskProbability',
  'contextMaskRatio',
  'contextMaskRange',
  'sentenceRatio',
  'minDocumentRatio',
  'suffixProbability',
  'shortSequenceProbability',
  'shuffle',
  'blockPositions',
  'randomPosition',
  'taskMasks',
  'sentinels',
  'maskedLanguageModel',
  'threads',
] satisfies (keyof BlankInfillingOptions)[]);

/** Which draws a batch takes: row r is sample `index + r` of the run with this seed. */
export interface SampleOptions {
  seed: number;
  index: number;
}

/** Spans [start, end) of a text, Part B in the given order. */
export interface SpanLayoutOptions {
  spans: readonly (readonly [start: number, end: number])[];
  /** order[i] is the index of the span that Part B has i-th. Left out: the order of the text. */
  order?: ArrayLike<number> | undefined;
  /** Which mask stands for a span. 'mask' */
  mask?: 'mask' | 'smask' | 'gmask' | undefined;
  special: LayoutTokens;
}

/** Everything from `suffix` on is generated. [gMASK], or [MASK] where there is none, stands for it. */
export interface SuffixLayoutOptions {
  suffix: number;
  special: LayoutTokens;
}

/**
 * Turns rows of tokens into examples with blanks. Holds no state: the same rows, seed and index give the same batch.
 *
 * Differences from the original's ConstructBlockStrategy:
 * - Objective, single span and short sequences are drawn for each row, not once for a batch.
 * - A sample whose spans do not fit is drawn again instead of dropped. Where 16 draws in a row do not fit (a window of
 *   many short documents), every document gets the mask ratio of its own length.
 * - A text too short for the mask ratio (fewer than 7 tokens at 0.15) has one span instead of none.
 * - The [CLS] of a further document is never masked or predicted; sentences begin behind it.
 * - A text that has no finished sentence lends its unfinished ones; the original masks nothing.
 * - [dBLOCK] in the context hides neither the [CLS] nor tokens that are only near the end of the text, and no more
 *   tokens than there are candidates; the original raises an error then.
 * - Every part of a split row draws its own length of a document's end.
 */
export class BlankInfilling {
  /** Tokens of the longest text, with its [CLS]. */
  readonly maxLength: number;
  private readonly builder: NativeSpanBuilder;

  /** @throws GlmError GLM_INVALID_ARGUMENT for options that are unknown, out of range or contradict each other */
  constructor(options: BlankInfillingOptions) {
    this.builder = new native.NativeSpanBuilder(nativeOptions(options));
    this.maxLength = options.maxLength;
  }

  /**
   * The examples of these rows, made beside the JavaScript thread. A row is a text of at most `maxLength` tokens with
   * its [CLS], which is put in front of a row that begins with another token. Rows may hold several documents, each
   * ended by end-of-text and, if need be, begun by a [CLS].
   *
   * A row of nothing that could be masked (a single token) becomes an example without a loss.
   * @throws GlmError GLM_INVALID_ARGUMENT for rows that are empty, too long or hold ids outside the vocabulary
   */
  async batch(rows: readonly Int32Array[], options: SampleOptions): Promise<Batch> {
    return this.builder.build(rows, options?.seed, options?.index);
  }

  /**
   * One example with nothing random about it. `tokens` is the whole text: no [CLS] is added.
   * @throws GlmError GLM_INVALID_ARGUMENT
   */
  static layout(tokens: ArrayLike<number>, options: SpanLayoutOptions | SuffixLayoutOptions): Batch {
    const text = toIds(tokens, 'tokens');
    const batch: Batch = 'suffix' in options ? layOutSuffix(text, options) : layOutSpans(text, options);
    delete batch.samples; // it is none
    return batch;
  }
}

function layOutSpans(
  tokens: Int32Array,
  { spans, order, mask = 'mask', special }: SpanLayoutOptions,
): NativeSpanBatch {
  const objective = { mask: 'blank', smask: 'sentence', gmask: 'document' }[mask] as 'blank' | undefined;
  if (objective === undefined)
    throw invalid(`expected mask to be 'mask', 'smask' or 'gmask', found ${String(mask)}`);
  if (!arePairs(spans)) throw invalid('expected spans to be an array of [start, end]');
  return native.layOutSpans({
    tokens,
    begins: toIds(
      spans.map(([start]) => start),
      'the starts of spans',
    ),
    ends: toIds(
      spans.map(([, end]) => end),
      'the ends of spans',
    ),
    order: toIds(order ?? spans.map((_, i) => i), 'order'),
    objective: objectiveCode(objective),
    suffix: false,
    cls: -1,
    sop: needed(special, 'sop'),
    eop: needed(special, 'eop'),
    mask: needed(special, mask),
  });
}

function arePairs(spans: unknown): boolean {
  return Array.isArray(spans) && spans.every((span) => Array.isArray(span) && span.length === 2);
}

function layOutSuffix(tokens: Int32Array, { suffix, special }: SuffixLayoutOptions): NativeSpanBatch {
  return native.layOutSpans({
    tokens,
    begins: toIds([suffix], 'suffix'),
    ends: Int32Array.of(tokens.length),
    order: Int32Array.of(0),
    objective: objectiveCode('document'),
    suffix: true,
    cls: special?.cls ?? -1,
    sop: needed(special, 'sop'),
    eop: -1,
    mask: needed(special, special?.gmask === undefined ? 'mask' : 'gmask'),
  });
}

function nativeOptions(
  options: BlankInfillingOptions,
): ConstructorParameters<typeof native.NativeSpanBuilder>[0] {
  if (typeof options !== 'object' || options === null)
    throw invalid('expected the options of BlankInfilling, for example { tokenizer, maxLength: 512 }');
  const unknown = Object.keys(options).find((name) => !optionNames.has(name));
  if (unknown !== undefined)
    throw invalid(
      `expected options that BlankInfilling has (${[...optionNames].join(', ')}), found ${unknown}`,
    );
  const { special, sentenceEnds, vocabulary } = vocabularyOf(options);
  const mix = mixOf(options);
  return {
    cls: needed(special, 'cls'),
    eos: needed(special, 'eos'),
    sop: needed(special, 'sop'),
    eop: needed(special, 'eop'),
    dblock: special.dblock ?? -1,
    ...masksOf(special, options.taskMasks),
    sentinelMasks: toIds(options.sentinels?.mask ?? [], 'sentinels.mask'),
    sentinelSops: toIds(options.sentinels?.sop ?? [], 'sentinels.sop'),
    sentenceEnds,
    vocabulary,
    maxLength: options.maxLength,
    ...mix,
    maskRatio: options.maskRatio ?? 0.15,
    sentenceRatio: options.sentenceRatio ?? 0.15,
    minDocumentRatio: options.minDocumentRatio ?? 0.5,
    averageSpanLength: options.averageSpanLength ?? 3,
    maxSpanLength: options.maxSpanLength ?? 39,
    suffixProbability: options.suffixProbability ?? 0.5,
    singleSpanProbability: options.singleSpanProbability ?? 0,
    shortSequenceProbability: options.shortSequenceProbability ?? 0,
    spanMaskProbability: options.spanMaskProbability ?? 0,
    contextMaskRatio: options.contextMaskRatio ?? 0,
    contextMaskRange: options.contextMaskRange ?? 3,
    shuffle: options.shuffle ?? true,
    blockPositions: options.blockPositions ?? true,
    randomPosition: options.randomPosition ?? false,
    maskedLanguageModel: options.maskedLanguageModel ?? false,
    threads: options.threads ?? 1,
  };
}

function vocabularyOf({ tokenizer, special, sentenceEnds }: BlankInfillingOptions) {
  if (tokenizer !== undefined) {
    if (special !== undefined || sentenceEnds !== undefined)
      throw invalid(
        'expected a tokenizer, or special and sentenceEnds, found both; leave special and sentenceEnds out',
      );
    return {
      special: tokenizer.special,
      sentenceEnds: tokenizer.sentenceEnds,
      vocabulary: tokenizer.vocabSize,
    };
  }
  if (special === undefined)
    throw invalid('expected a tokenizer, or the ids of its special tokens (special), found neither');
  // Without a table, ids are only known not to be negative.
  const vocabulary = sentenceEnds?.length ?? 2 ** 31 - 1;
  return { special, sentenceEnds: sentenceEnds ?? new Uint8Array(0), vocabulary };
}

function mixOf({ mix = { blank: 1 } }: BlankInfillingOptions) {
  const { blank = 0, sentence = 0, document = 0, ...others } = mix;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined)
    throw invalid(`expected mix to name the objectives blank, sentence and document, found ${unknown}`);
  return { blank, sentence, document };
}

function masksOf(special: Partial<SpecialTokens>, taskMasks: boolean | undefined) {
  const mask = special.mask ?? -1;
  if (taskMasks === false) return { mask, sentenceMask: mask, documentMask: mask };
  const missing = taskMasks === true ? -1 : mask;
  return { mask, sentenceMask: special.smask ?? missing, documentMask: special.gmask ?? missing };
}

function needed(special: Partial<SpecialTokens> | undefined, role: keyof SpecialTokens): number {
  const id = special?.[role];
  if (id === undefined) throw invalid(`expected special to have the id of ${role}, found none`);
  return id;
}

/** Integers below 2^31, 0 or more. */
function toIds(values: ArrayLike<number>, name: string): Int32Array {
  if (values instanceof Int32Array) return values;
  return Int32Array.from(values, (value) => {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31)
      throw invalid(`expected ${name} to be integers from 0 to 2^31 - 1, found ${String(value)}`);
    return value;
  });
}

function invalid(message: string): GlmError {
  return new GlmError('GLM_INVALID_ARGUMENT', message);
}
