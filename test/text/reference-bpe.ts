/** Byte pair encoding as slow and plain as it can be written, to compare with. */

export interface ReferenceMerge {
  left: string;
  right: string;
}

/**
 * Joins the most frequent pair of neighbours again and again; of equally frequent ones that of the lower ids. `ids` are given in order of appearance
 * to the alphabet, then to the joined pieces.
 */
export function referenceMerges(
  words: Map<string, string[]>,
  counts: Map<string, number>,
  alphabet: readonly string[],
  join: (left: string, right: string) => string,
  size: number,
): { pieces: string[]; merges: ReferenceMerge[] } {
  const pieces = [...alphabet];
  const merges: ReferenceMerge[] = [];
  while (pieces.length < size) {
    const pairs = new Map<string, { left: string; right: string; count: number }>();
    for (const [word, symbols] of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const [left, right] = [symbols[i]!, symbols[i + 1]!];
        const pair = pairs.get(`${left} ${right}`) ?? { left, right, count: 0 };
        pair.count += counts.get(word)!;
        pairs.set(`${left} ${right}`, pair);
      }
    }
    const [best] = [...pairs.values()].sort(
      (a, b) =>
        b.count - a.count ||
        pieces.indexOf(a.left) - pieces.indexOf(b.left) ||
        pieces.indexOf(a.right) - pieces.indexOf(b.right),
    );
    if (best === undefined) break;
    merges.push({ left: best.left, right: best.right });
    const joined = join(best.left, best.right);
    if (!pieces.includes(joined)) pieces.push(joined);
    for (const [word, symbols] of words) words.set(word, replacePair(symbols, best, joined));
  }
  return { pieces, merges };
}

export function replacePair(symbols: readonly string[], pair: ReferenceMerge, joined: string): string[] {
  const replaced: string[] = [];
  for (let i = 0; i < symbols.length; i++) {
    const matches = symbols[i] === pair.left && symbols[i + 1] === pair.right;
    replaced.push(matches ? joined : symbols[i]!);
    if (matches) i++;
  }
  return replaced;
}
