import type { Decoding } from './options.js';

/** Tokens that may not follow `ids` in a blank. */
export function forbiddenTokens(decoding: Decoding, ids: readonly number[]): number[] {
  const { suppress, minTokens, noRepeatNgram } = decoding;
  const forbidden = [...suppress];
  if (ids.length < minTokens) forbidden.push(...endTokens(decoding));
  if (noRepeatNgram > 0) forbidden.push(...repeats(ids, noRepeatNgram));
  return forbidden;
}

/** Tokens that end a blank: end-of-piece, and end-of-text. */
export function endTokens({ special }: Decoding): number[] {
  return special.eos === undefined ? [special.eop] : [special.eop, special.eos];
}

/** Tokens that would make the last n tokens an n-gram that `ids` have already. */
function repeats(ids: readonly number[], n: number): number[] {
  const tokens: number[] = [];
  const recent = ids.length - (n - 1);
  for (let start = 0; start < recent; start++) {
    let same = true;
    for (let i = 0; same && i < n - 1; i++) same = ids[start + i] === ids[recent + i];
    if (same && start + n - 1 < ids.length) tokens.push(ids[start + n - 1]!);
  }
  return tokens;
}
