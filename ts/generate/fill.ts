import type { Tokenizer } from '../text/tokenizer.js';
import { type Hypothesis, score } from './hypothesis.js';
import type { Decoding } from './options.js';
import type { Blank, Prompt } from './prompt.js';
import { StopTexts } from './stop-texts.js';

/** A blank and what it was filled with. */
export interface FilledBlank extends Blank {
  /** Empty for a model without a tokenizer. */
  text: string;
  /** The tokens that were generated, without start- and end-of-piece. */
  ids: Int32Array;
  /** Natural, of the raw distribution, that of end-of-piece included when it was generated. */
  logprob: number;
  /** Ended by end-of-piece, end-of-text or a stop text; false when it was cut at maxTokens or aborted. */
  finished: boolean;
}

/** One result of beam search. */
export interface ScoredHypothesis {
  ids: Int32Array;
  logprob: number;
  /** logprob / (number of tokens, end-of-piece included when generated) ** lengthPenalty */
  score: number;
  finished: boolean;
}

export interface FillResult {
  /** The text with its blanks filled. Empty for a model without a tokenizer. */
  text: string;
  /** The input's ids with each mask replaced by what it was filled with. */
  ids: Int32Array;
  /** In order of position. */
  blanks: FilledBlank[];
  /** Of the last blank, best first; with beam search only. */
  hypotheses?: ScoredHypothesis[];
}

const nothing: Hypothesis = { ids: [], logprob: 0, finished: false };

/** Puts together what was found. Blanks that were not reached are empty. */
export async function makeResult(
  prompt: Prompt,
  decoding: Decoding,
  filled: readonly Hypothesis[][],
  tokenizer: Tokenizer | undefined,
): Promise<FillResult> {
  const best = prompt.blanks.map((_, i) => filled[i]?.[0] ?? nothing);
  const shown =
    tokenizer === undefined
      ? undefined
      : await Promise.all(best.map((h) => shownText(h, decoding, tokenizer)));
  const blanks = prompt.blanks.map((blank, i) => {
    const { ids, logprob, finished } = best[i]!;
    return { ...blank, text: shown?.[i]!.text ?? '', ids: Int32Array.from(ids), logprob, finished };
  });
  const result: FillResult = {
    text:
      shown === undefined
        ? ''
        : await filledText(
            prompt,
            decoding,
            shown.map((s) => s.ids),
            tokenizer!,
          ),
    ids: replaceBlanks(
      prompt,
      best.map((h) => h.ids),
    ),
    blanks,
  };
  if (decoding.beams > 1) {
    const last = filled.length === prompt.blanks.length ? filled.at(-1)! : [];
    result.hypotheses = last.map((h) => ({
      ...h,
      ids: Int32Array.from(h.ids),
      score: score(h, decoding.lengthPenalty),
    }));
  }
  return result;
}

/** The text of a blank, up to a stop text, and the tokens that lie in it as a whole. */
async function shownText({ ids }: Hypothesis, { stop }: Decoding, tokenizer: Tokenizer) {
  const whole = await tokenizer.decode(ids);
  const text = stop.length > 0 ? new StopTexts(tokenizer, stop).before(whole) : whole;
  let kept = ids.length;
  while (kept > 0 && text !== whole && !text.startsWith(await tokenizer.decode(ids.slice(0, kept)))) kept--;
  return { text, ids: ids.slice(0, kept) };
}

/** The whole text, without the [CLS] and the end-of-text that were put around it, and without trained prompts. */
async function filledText(
  prompt: Prompt,
  { special }: Decoding,
  fills: readonly number[][],
  tokenizer: Tokenizer,
) {
  const { ids, blanks } = prompt;
  const first = ids[0] === special.cls && ids.length > 0 ? 1 : 0;
  const end = ids.length - (ids.at(-1) === special.eos && blanks.at(-1)!.index !== ids.length - 1 ? 1 : 0);
  const filled = replaceBlanks({ ids: ids.subarray(first, end), blanks: shift(blanks, -first) }, fills);
  return tokenizer.decode(filled.filter((id) => id < tokenizer.vocabSize));
}

function shift(blanks: readonly Blank[], by: number): Blank[] {
  return blanks.map((blank) => ({ ...blank, index: blank.index + by }));
}

function replaceBlanks({ ids, blanks }: Prompt, fills: readonly (readonly number[])[]): Int32Array {
  const out: number[] = [];
  let from = 0;
  blanks.forEach(({ index }, i) => {
    out.push(...ids.subarray(from, index), ...fills[i]!);
    from = index + 1;
  });
  out.push(...ids.subarray(from));
  return Int32Array.from(out);
}
