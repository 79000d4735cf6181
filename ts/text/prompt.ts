const generationMask = '[gMASK]';

/**
 * Text with a blank to fill, as the original makes it (generate_samples.py): text that has none gets one at
 * its end, the blank for free generation if the tokenizer has it. `MASK]` is enough to be a blank, even of a
 * kind that the tokenizer does not know.
 *
 * @param blanks how the tokenizer's blanks are written
 */
export function withBlank(text: string, blanks: readonly string[]): string {
  if (text.includes('MASK]') || blanks.some((blank) => text.includes(blank))) return text;
  return `${text} ${blanks.includes(generationMask) ? generationMask : '[MASK]'}`;
}

/** Whether a prompt goes on where it ends: then no end of text follows it. */
export function isOpenEnded(prompt: string): boolean {
  return prompt.endsWith(generationMask);
}
