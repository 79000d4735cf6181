import { GlmError } from '../errors.js';
import type { SpecialTokens } from '../text/special-tokens.js';

/** The special tokens that generation looks at. */
export type BlankTokens = Pick<SpecialTokens, 'mask' | 'sop' | 'eop'> & Partial<SpecialTokens>;

/** How blanks are filled. */
export interface FillOptions {
  /** Tokens of one blank, end-of-piece not counted. Default 256, or as many as the model has positions for. */
  maxTokens?: number | undefined;
  /** Before these many tokens a blank does not end. Default 0. */
  minTokens?: number | undefined;
  /** 0, the default, takes the likeliest token; above, tokens are sampled. */
  temperature?: number | undefined;
  /** Samples among this many of the likeliest tokens. */
  topK?: number | undefined;
  /** Samples among the likeliest tokens that together have this probability (Holtzman et al. 2020). */
  topP?: number | undefined;
  /** Hypotheses of beam search. Default 1: none. */
  beams?: number | undefined;
  /** The score of a hypothesis is its log-probability / (its tokens ** lengthPenalty). Default 1. */
  lengthPenalty?: number | undefined;
  /** No n-gram of this length comes twice in a blank. Default 0: none is forbidden. */
  noRepeatNgram?: number | undefined;
  /** Of sampling. A text's draws depend on the seed alone, not on what is computed with it; by default they are new. */
  seed?: number | undefined;
  /** Texts that end a blank. The blank's text stops before them; its ids hold every token that was generated. */
  stop?: string | readonly string[] | undefined;
  /** Tokens that are never chosen. */
  suppress?: ArrayLike<number> | undefined;
  signal?: AbortSignal | undefined;
  /** `throw`, the default, rejects with the signal's reason; `return` gives what there is. */
  onAbort?: 'throw' | 'return' | undefined;
  /** Needed with token ids when the model has no tokenizer. */
  special?: BlankTokens | undefined;
  /** false: never computed together with other texts, which may change the last bits. Default true. */
  batching?: boolean | undefined;
}

/** Options that are complete and make sense together. */
export interface Decoding {
  maxTokens: number | undefined;
  minTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  beams: number;
  lengthPenalty: number;
  noRepeatNgram: number;
  seed: number | undefined;
  stop: readonly string[];
  suppress: readonly number[];
  signal: AbortSignal | undefined;
  onAbort: 'throw' | 'return';
  special: BlankTokens;
  batching: boolean;
}

export const fillOptionNames = [
  'maxTokens',
  'minTokens',
  'temperature',
  'topK',
  'topP',
  'beams',
  'lengthPenalty',
  'noRepeatNgram',
  'seed',
  'stop',
  'suppress',
  'signal',
  'onAbort',
  'special',
  'batching',
] as const satisfies readonly (keyof FillOptions)[];

/** The largest number of hypotheses; two times as many candidates are kept of each row. */
const mostBeams = 64;

export function invalid(message: string): GlmError {
  return new GlmError('GLM_INVALID_ARGUMENT', message);
}

/** Throws `GLM_INVALID_ARGUMENT` unless `options` is an object with no other keys. */
export function checkKeys(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`expected the options of ${where} to be an object, found ${String(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key))
      throw invalid(`expected the options ${known.join(', ')} for ${where}, found "${key}"`);
  }
}

/** What the checks need to know of the model. */
export interface DecodingLimits {
  vocabulary: number;
  tokenizer: { special: SpecialTokens; vocabSize: number } | undefined;
}

/** Checks options and fills in what they leave out. Throws `GLM_INVALID_ARGUMENT`. */
export function resolveDecoding(where: string, options: FillOptions, limits: DecodingLimits): Decoding {
  checkKeys(where, options, fillOptionNames);
  const count = (
    name: 'maxTokens' | 'minTokens' | 'topK' | 'beams' | 'noRepeatNgram' | 'seed',
    least: number,
    most: number,
  ) => {
    const value = options[name];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < least || value > most)) {
      throw invalid(`expected ${name} to be an integer from ${least} to ${most}, found ${String(value)}`);
    }
    return value;
  };
  const number = (
    name: 'temperature' | 'topP' | 'lengthPenalty',
    fits: (value: number) => boolean,
    range: string,
  ) => {
    const value = options[name];
    if (value !== undefined && (typeof value !== 'number' || !fits(value))) {
      throw invalid(`expected ${name} to be ${range}, found ${String(value)}`);
    }
    return value;
  };
  const decoding: Decoding = {
    maxTokens: count('maxTokens', 1, 2 ** 30),
    minTokens: count('minTokens', 0, 2 ** 30) ?? 0,
    temperature: number('temperature', (t) => t >= 0 && t <= 1e6, 'a number from 0 to 1e6') ?? 0,
    topK: count('topK', 1, 2 ** 30) ?? 0,
    topP: number('topP', (p) => p > 0 && p <= 1, 'a number above 0 and at most 1') ?? 1,
    beams: count('beams', 1, mostBeams) ?? 1,
    lengthPenalty: number('lengthPenalty', (p) => Math.abs(p) <= 100, 'a number from -100 to 100') ?? 1,
    noRepeatNgram: count('noRepeatNgram', 0, 2 ** 30) ?? 0,
    seed: count('seed', 0, Number.MAX_SAFE_INTEGER),
    stop: resolveStop(options.stop, limits),
    suppress: resolveSuppress(options.suppress, limits.vocabulary),
    signal: resolveSignal(options.signal),
    onAbort: options.onAbort ?? 'throw',
    special: resolveSpecial(where, options.special, limits),
    batching: options.batching ?? true,
  };
  if (!['throw', 'return'].includes(decoding.onAbort)) {
    throw invalid(`expected onAbort to be 'throw' or 'return', found ${String(decoding.onAbort)}`);
  }
  if (typeof decoding.batching !== 'boolean') {
    throw invalid(`expected batching to be true or false, found ${String(decoding.batching)}`);
  }
  refuseContradictions(decoding, options);
  return decoding;
}

function refuseContradictions(decoding: Decoding, options: FillOptions): void {
  const { maxTokens, minTokens, temperature, beams } = decoding;
  if (maxTokens !== undefined && minTokens > maxTokens) {
    throw invalid(`expected minTokens to be at most maxTokens, found ${minTokens} and ${maxTokens}`);
  }
  if (beams > 1 && temperature > 0) {
    throw invalid(
      `expected beam search or sampling, found ${beams} beams with temperature ${temperature}; leave one out`,
    );
  }
  for (const name of ['topK', 'topP'] as const) {
    if (options[name] !== undefined && temperature === 0) {
      throw invalid(
        `expected a temperature above 0 with ${name}, found 0, which takes the likeliest token; set temperature`,
      );
    }
  }
}

function resolveStop(stop: FillOptions['stop'], { tokenizer }: DecodingLimits): readonly string[] {
  if (stop === undefined) return [];
  const texts: readonly unknown[] =
    typeof stop === 'string' ? [stop] : Array.isArray(stop) ? stop : [undefined];
  for (const text of texts) {
    if (typeof text !== 'string' || text.length === 0) {
      throw invalid(
        `expected stop to be a text, or texts, that are not empty, found ${JSON.stringify(stop)}`,
      );
    }
  }
  if (tokenizer === undefined && texts.length > 0) {
    throw invalid('expected a model with a tokenizer for stop texts, found one without; leave stop out');
  }
  return texts as readonly string[];
}

function resolveSuppress(suppress: FillOptions['suppress'], vocabulary: number): readonly number[] {
  if (suppress === undefined) return [];
  const ids: unknown[] =
    Array.isArray(suppress) || ArrayBuffer.isView(suppress) ? Array.from(suppress) : [NaN];
  for (const id of ids) {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= vocabulary) {
      throw invalid(`expected suppress to be token ids from 0 to ${vocabulary - 1}, found ${String(id)}`);
    }
  }
  return ids as number[];
}

export function resolveSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw invalid(`expected signal to be an AbortSignal, found ${typeof signal}`);
}

export function resolveSpecial(
  where: string,
  special: unknown,
  { tokenizer, vocabulary }: DecodingLimits,
): BlankTokens {
  if (special === undefined) {
    if (tokenizer !== undefined) return tokenizer.special;
    throw invalid(
      `expected the special tokens { mask, sop, eop, … } in the options of ${where}, found none; a model without a tokenizer needs them`,
    );
  }
  if (typeof special !== 'object' || special === null) {
    throw invalid(`expected special to be an object { mask, sop, eop, … }, found ${typeof special}`);
  }
  const ids = special as Record<string, unknown>;
  for (const name of ['mask', 'sop', 'eop']) {
    if (ids[name] === undefined)
      throw invalid(`expected special to have mask, sop and eop, found no ${name}`);
  }
  for (const [name, id] of Object.entries(ids)) {
    if (id !== undefined && (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= vocabulary)) {
      throw invalid(
        `expected special.${name} to be a token id from 0 to ${vocabulary - 1}, found ${JSON.stringify(id)}`,
      );
    }
  }
  return special as BlankTokens;
}
