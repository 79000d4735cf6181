/** Tokens that were generated for a blank. `finished`: it was ended, not cut. */
export interface Hypothesis {
  ids: number[];
  logprob: number;
  finished: boolean;
}

/** logprob / length ** penalty; the length counts end-of-piece when it was generated. */
export function score({ ids, logprob, finished }: Hypothesis, lengthPenalty: number): number {
  return logprob / Math.max(ids.length + (finished ? 1 : 0), 1) ** lengthPenalty;
}
