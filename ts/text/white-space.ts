/**
 * What Python's str.strip() and str.split() take for white space, which decides in the original. JavaScript's `\s` is not the same: it has
 * U+FEFF and lacks U+001C to U+001F and U+0085.
 */
const isWhiteSpace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const notWhiteSpace = /[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export function isBlank(text: string): boolean {
  return !notWhiteSpace.test(text);
}

/** The end of text[start, end) without the white space before it. */
export function trimmedEnd(text: string, start: number, end: number): number {
  while (end > start && isWhiteSpace.test(text[end - 1]!)) end--;
  return end;
}
