/** Small changes to texts that patterns make. */

/** Without punctuation at the end (ASCII, as Python's `string.punctuation`). */
export function withoutFinalPunctuation(text: string): string {
  return text.replace(/[!-/:-@[-`{-~]+$/, '');
}

export function withLowerCaseFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
