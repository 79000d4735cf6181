const usualLength = 1 << 16;
const cut = /(?<=\P{White_Space}) (?=\P{White_Space})/gu;

/**
 * Cuts long text before single spaces, where every tokenizer here starts a new word anyway, so that no more
 * than a stretch of it is in work at a time. The stretches joined are the text.
 */
export function* stretches(text: string): Iterable<string> {
  let start = 0;
  while (text.length - start > usualLength) {
    cut.lastIndex = start + usualLength;
    const found = cut.exec(text);
    if (found === null) break;
    yield text.slice(start, found.index);
    start = found.index;
  }
  yield start === 0 ? text : text.slice(start);
}
