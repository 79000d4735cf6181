import type { Corpus } from '../data/corpus.js';
import type { Tokenizer } from '../text/tokenizer.js';

/**
 * Pieces of held-out text with a blank, to watch a run by; fewer where the texts are short. A prompt takes half of the model's
 * length at most, so that there is room for a cut text that needs more tokens than it had as a part of a longer one.
 */
export async function heldOutPrompts(
  corpus: Corpus,
  tokenizer: Tokenizer,
  { maxLength, seed }: { maxLength: number; seed: number },
): Promise<string[]> {
  const rows = await corpus.rows(0, 3, { maxLength: Math.min(64, Math.floor(maxLength / 2)), seed });
  const prompts: string[] = [];
  for (const row of rows) {
    const end = row.indexOf(tokenizer.special.eos);
    const text = await tokenizer.decode(row.subarray(0, end < 0 ? row.length : end));
    const prompt = withBlank(text.replaceAll(/\s+/g, ' ').trim());
    if (prompt !== undefined) prompts.push(prompt);
  }
  return prompts;
}

/** Some words in the middle of the first two dozen become a blank; of text without spaces, characters. */
function withBlank(text: string): string | undefined {
  const words = text.split(' ');
  const [parts, space] = words.length >= 8 ? [words.slice(0, 24), ' '] : [[...text].slice(0, 40), ''];
  if (parts.length < 8) return undefined;
  const middle = Math.floor(parts.length / 2);
  return [...parts.slice(0, middle - 1), '[MASK]', ...parts.slice(middle + 1)].join(space);
}
