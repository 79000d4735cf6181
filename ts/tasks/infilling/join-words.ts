const joined: readonly (readonly [apart: string, together: string])[] = [
  ['` `', '``'],
  ["' '", "''"],
  ["n ' t", "n't"],
  ["' s", "'s"],
  ["' m", "'m"],
  ["' re", "'re"],
  ['. . .', '...'],
  [' . .', ' ..'],
  ['- -', '--'],
  ['u . s .', 'u.s.'],
  ['u . k .', 'u.k.'],
  ['e . g .', 'e.g.'],
];

/** Joins what word pieces take apart, as the tokenized data sets have it (`blanklm_fix_tokenization` of the original). */
export function joinWordPieces(text: string): string {
  return joined.reduce((text, [apart, together]) => text.replaceAll(apart, together), text);
}
