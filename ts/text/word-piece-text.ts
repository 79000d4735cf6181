/** A piece of a word-piece vocabulary, or a command token. */
export interface WordPieceToken {
  readonly text: string;
  readonly isCommand: boolean;
}

const closesUp = /^[,.!?;:)\]}%…’”。，、！？；：）》」』]$/u;
const opens = /^[([{$#@“‘（《「『]$/u;
const joinsBoth = /^[-/_]$/;
const contracted = /^(?:s|t|re|ve|m|ll|d)$/;
const endsInWord = /[\p{L}\p{N}]$/u;
const startsWithWord = /^[\p{L}\p{N}]/u;
const endsInDigit = /\p{N}$/u;
const startsWithDigit = /^\p{N}/u;
const threeDigits = /^\p{N}{3}$/u;
/** What a word-piece tokenizer makes a word of its own: nothing continues it. */
const punctuation = /^[\p{P}$+<=>^`|~]$/u;
const endsInIdeograph =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}。，、！？；：（）《》「」『』]$/u;
const startsWithIdeograph = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}（）《》「」『』]/u;

/**
 * Writes word pieces as text. Word pieces do not say where spaces were: words get one between them, and
 * punctuation is set as it is in English and Chinese (`co-founded`, `don't`, `(3.14, "x")`).
 */
export function joinWordPieces(tokens: readonly WordPieceToken[]): string {
  const words = gluedWords(tokens);
  let text = '';
  let insideQuotes = false;
  words.forEach((word, i) => {
    const before = words[i - 1];
    if (before !== undefined && isSpaced(words, i, insideQuotes)) text += ' ';
    text += word.text;
    if (word.text === '"') insideQuotes = !insideQuotes;
  });
  // Korean was taken apart to letters when accents were stripped.
  return text.normalize('NFC');
}

/** Puts pieces that continue a word onto it. */
function gluedWords(tokens: readonly WordPieceToken[]): WordPieceToken[] {
  const words: WordPieceToken[] = [];
  for (const token of tokens) {
    const continues = !token.isCommand && token.text.startsWith('##') && token.text.length > 2;
    const last = words.at(-1);
    if (!continues) words.push(token);
    else if (last === undefined || last.isCommand || punctuation.test(last.text))
      words.push({ text: token.text.slice(2), isCommand: false });
    else words[words.length - 1] = { text: last.text + token.text.slice(2), isCommand: false };
  }
  return words;
}

/** Whether there is a space between word i − 1 and word i. */
function isSpaced(words: readonly WordPieceToken[], i: number, insideQuotes: boolean): boolean {
  const before = words[i - 1]!;
  const word = words[i]!;
  const left = before.isCommand ? '' : before.text;
  const right = word.isCommand ? '' : word.text;
  const farLeft = textOf(words[i - 2]);
  const farRight = textOf(words[i + 1]);

  if (closesUp.test(right) || opens.test(left)) return false;
  if (right === '"') return !insideQuotes;
  if (left === '"') return !insideQuotes;
  if (endsInIdeograph.test(left) && startsWithIdeograph.test(right)) return false;
  if (right === "'") return !(endsInWord.test(left) && contracted.test(farRight));
  if (left === "'") return !(endsInWord.test(farLeft) && contracted.test(right));
  if (joinsBoth.test(right)) return !endsInWord.test(left) || !startsWithWord.test(farRight);
  if (joinsBoth.test(left)) return !endsInWord.test(farLeft) || !startsWithWord.test(right);
  if (left === '.') return !(endsInDigit.test(farLeft) && startsWithDigit.test(right));
  if (left === ',') return !(endsInDigit.test(farLeft) && threeDigits.test(right));
  return true;
}

function textOf(word: WordPieceToken | undefined): string {
  return word === undefined || word.isCommand ? '' : word.text;
}
