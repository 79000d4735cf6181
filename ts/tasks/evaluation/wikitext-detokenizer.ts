/** Brackets and quotation marks, whose inside has white space around it. */
const pairs = ['()', '[]', '{}', '""', "''"].map(([open, close]) => {
  const end = close!.replace(/[\])]/, '\\$&');
  return new RegExp(`${open!.replace(/[[({]/, '\\$&')}\\s*([^${end}]*?)\\s*${end}`, 'g');
});

/** In this order, each everywhere in the text. */
const replacements: readonly (readonly [string, string])[] = [
  [' @-@ ', '-'], [' @,@ ', ','], [' @.@ ', '.'],
  [' : ', ': '], [' ; ', '; '], [' . ', '. '], [' ! ', '! '], [' ? ', '? '], [' , ', ', '],
]; // prettier-ignore
const lastReplacements: readonly (readonly [string, string])[] = [
  ['= = = =', '===='], ['= = =', '==='], ['= =', '=='], [' ° ', '°'],
  [' \n', '\n'], ['\n ', '\n'], [' N ', ' 1 '], [" 's", "'s"],
]; // prettier-ignore

/** WikiText as it was before it was split into tokens (`wikitext_detokenizer` of the original's `tasks/language_model`). */
export function detokenizeWikitext(text: string): string {
  const replaceAll = (text: string, all: typeof replacements) =>
    all.reduce((text, [from, to]) => text.replaceAll(from, to), text);
  const punctuated = replaceAll(text.replaceAll("s '", "s'"), replacements);
  const joined = pairs.reduce(
    (text, pair) => text.replace(pair, (whole, inside: string) => whole[0]! + inside + whole.at(-1)!),
    punctuated,
  );
  return replaceAll(joined, lastReplacements);
}
