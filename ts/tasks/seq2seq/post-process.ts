/** What the original does with texts before it scores them (`tasks/seq2seq/evaluate.py`). */

/** A sentence of at most this many words is left out. */
const tooShort = 4;
/** A sentence is left out of whose words a larger share was there before. */
const mostRepeated = 0.7;

/** The sentences that count. */
export function withoutRepeats(sentences: readonly string[]): string[] {
  const seen = new Set<string>();
  const kept: string[] = [];
  for (const sentence of sentences) {
    const words = sentence.split(/\s+/).filter(Boolean);
    if (words.length <= tooShort) continue;
    const own = new Set(words.map((word) => word.toLowerCase()));
    const repeated = [...own].filter((word) => seen.has(word)).length;
    if (repeated / own.size <= mostRepeated) kept.push(sentence);
    for (const word of own) seen.add(word);
  }
  return kept;
}

const isPunctuation = (character: string) => /^[!-/:-@[-`{-~]$/.test(character);
const isLetter = (word: string | undefined) => word !== undefined && /^\p{L}$/u.test(word);
const isNumber = (word: string | undefined) => word !== undefined && /^\p{Nd}+$/u.test(word);
const isGroupedNumber = (word: string | undefined) => word !== undefined && /^[\p{Nd},]+$/u.test(word);

/**
 * Joins what a word-piece vocabulary takes apart into the words that the Penn Treebank has: `n't`, `'s`, `3,000`, `U.N.`,
 * `well-known`, `...`, and opening and closing quotation marks.
 */
export function joinWords(text: string): string {
  const words = text.split(/\s+/).filter(Boolean);
  const out: string[] = [];
  let inQuotes = false;
  let inSingleQuotes = false;
  let joinsNext = false;
  let i = 0;
  /** Puts a word behind the last one. */
  const append = (word: string) => (out[out.length - 1] += word);
  while (i < words.length) {
    const word = words[i]!;
    const [last, next, second] = [out.at(-1), words[i + 1], words[i + 2]];
    const joined = joinsNext;
    joinsNext = false;
    if (word === '"') {
      out.push(inQuotes ? "''" : '``');
      inQuotes = !inQuotes;
      i += 1;
    } else if (word === "'" && last?.endsWith('n') === true && next === 't') {
      out[out.length - 1] = last.slice(0, -1);
      out.push("n't");
      i += 2;
    } else if (word === "'" && (next === 's' || next === 'd' || next === 'll')) {
      out.push(`'${next}`);
      i += 2;
    } else if (word === "'") {
      out.push(inSingleQuotes ? "'" : '`');
      inSingleQuotes = !inSingleQuotes;
      i += 1;
    } else if (word === '.' && next === '.' && second === '.') {
      out.push('...');
      i += 3;
    } else if (word === ',' && isGroupedNumber(last) && isGroupedNumber(next)) {
      append(`,${next}`);
      i += 2;
    } else if (word === '.' && isNumber(last) && isNumber(next)) {
      append(`.${next}`);
      i += 2;
    } else if (word === '.' && isLetter(last) && isLetter(next) && second === '.') {
      let end = i + 3;
      while (isLetter(words[end]) && words[end + 1] === '.') end += 2;
      append(words.slice(i, end).join(''));
      i = end;
    } else if (word === '-' && next === '-') {
      out.push('--');
      i += 2;
    } else if (
      word === '-' &&
      last !== undefined &&
      next !== undefined &&
      !isPunctuation(last) &&
      !isPunctuation(next[0]!)
    ) {
      // prettier-ignore
      append('-');
      joinsNext = true;
      i += 1;
    } else if (joined && !isPunctuation(word[0]!)) {
      append(word);
      i += 1;
    } else {
      out.push(word);
      i += 1;
    }
  }
  return out.join(' ');
}
