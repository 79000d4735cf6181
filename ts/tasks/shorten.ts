/** A part of a text, in tokens. */
export interface Piece {
  ids: number[];
  /** Whether it may lose its end. */
  cut: boolean;
}

/** Takes tokens off the ends of what may be cut, off the longer of two texts first; false where there are not enough. */
export function shorten(first: readonly Piece[], second: readonly Piece[], tokens: number): boolean {
  const [inFirst, inSecond] = [first, second].map((pieces) => pieces.filter(({ cut }) => cut));
  const size = (pieces: readonly Piece[]) => pieces.reduce((sum, { ids }) => sum + ids.length, 0);
  for (let left = tokens; left > 0; left--) {
    const pieces = size(inFirst!) > size(inSecond!) ? inFirst! : inSecond!;
    const last = pieces.findLast(({ ids }) => ids.length > 0);
    if (last === undefined) return false;
    last.ids.pop();
  }
  return true;
}
