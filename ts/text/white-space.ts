/**
 * What Python's str.strip() takes for white space, which decides in the original. JavaScript's trim()
 * differs: it takes U+FEFF and leaves U+001C to U+001F and U+0085.
 */
function isWhiteSpace(code: number): boolean {
  return (
    code === 0x20 ||
    (code >= 0x09 && code <= 0x0d) ||
    (code >= 0x1c && code <= 0x1f) ||
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  );
}

export function isBlank(text: string): boolean {
  return trimmedEnd(text, 0, text.length) === 0;
}

/** The end of text[start, end) without the white space before it. */
export function trimmedEnd(text: string, start: number, end: number): number {
  while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--;
  return end;
}
