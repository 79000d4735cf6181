/** What a language model's losses on a text add up to. */
export interface LossSum {
  /** Sum of the tokens' losses, in natural logarithms. */
  loss: number;
  /** Tokens that were scored. */
  tokens: number;
}

/** The perplexity of a token: exp of the mean loss. */
export function perplexity({ loss, tokens }: LossSum): number {
  return tokens === 0 ? NaN : Math.exp(loss / tokens);
}

/**
 * The perplexity of a word of the text as it was given, before it was detokenized: what models with different tokenizers are
 * compared by. The loss of all tokens is shared out among the words, each without the first of a text, which is not predicted.
 */
export function adjustedPerplexity(sum: LossSum, tokensOfText: number, wordsOfText: number): number {
  return sum.tokens === 0 ? NaN : Math.exp(((sum.loss / sum.tokens) * tokensOfText) / wordsOfText);
}
