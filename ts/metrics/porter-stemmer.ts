/**
 * The stemmer of ROUGE-1.5.5: Porter's (1980) with the two changes its author made later (-bli, -logi), for words of more
 * than three letters.
 */

// A stem as consonant and vowel groups: [C] (VC)^m [V]. A y behind a consonant is a vowel.
const consonants = '[^aeiou][^aeiouy]*';
const vowels = '[aeiouy][aeiou]*';
const group = vowels + consonants;
const oneGroup = new RegExp(`^(${consonants})?${group}`);
const exactlyOneGroup = new RegExp(`^(${consonants})?${group}(${vowels})?$`);
const twoGroups = new RegExp(`^(${consonants})?${group}${group}`);
const hasVowel = new RegExp(`^(${consonants})?[aeiouy]`);
/** Ends consonant, vowel, consonant, the last not w, x or y: e is dropped behind it. */
const shortEnd = new RegExp(`^${consonants}[aeiouy][^aeiouwxy]$`);

type Suffixes = readonly (readonly [suffix: string, replacement: string])[];

/** Longer suffixes before shorter ones that they end in. */
const secondStep: Suffixes = [
  ['ational', 'ate'], ['tional', 'tion'], ['enci', 'ence'], ['anci', 'ance'], ['izer', 'ize'], ['bli', 'ble'],
  ['alli', 'al'], ['entli', 'ent'], ['eli', 'e'], ['ousli', 'ous'], ['ization', 'ize'], ['ation', 'ate'],
  ['ator', 'ate'], ['alism', 'al'], ['iveness', 'ive'], ['fulness', 'ful'], ['ousness', 'ous'], ['aliti', 'al'],
  ['iviti', 'ive'], ['biliti', 'ble'], ['logi', 'log'],
]; // prettier-ignore
const thirdStep: Suffixes = [
  ['icate', 'ic'], ['ative', ''], ['alize', 'al'], ['iciti', 'ic'], ['ical', 'ic'], ['ful', ''], ['ness', ''],
]; // prettier-ignore
const fourthStep = /^(.+?)(al|ance|ence|er|ic|able|ible|ant|ement|ment|ent|ou|ism|ate|iti|ous|ive|ize)$/;

/** The stem of a word in small letters. */
export function stem(word: string): string {
  if (word.length <= 3) return word;
  // A y in front is a consonant.
  const marked = word.startsWith('y') ? `Y${word.slice(1)}` : word;
  let stemmed = withoutPlural(marked);
  stemmed = withoutPastOrGerund(stemmed);
  if (stemmed.endsWith('y') && hasVowel.test(stemmed.slice(0, -1))) stemmed = `${stemmed.slice(0, -1)}i`;
  stemmed = replaceSuffix(stemmed, secondStep);
  stemmed = replaceSuffix(stemmed, thirdStep);
  for (const suffix of [fourthStep, /^(.+[st])ion$/]) {
    const [, rest] = suffix.exec(stemmed) ?? [];
    if (rest !== undefined && twoGroups.test(rest)) stemmed = rest;
  }
  return withoutFinalLetter(stemmed).replace('Y', 'y');
}

function withoutPlural(word: string): string {
  if (/(ss|i)es$/.test(word)) return word.slice(0, -2);
  return /[^s]s$/.test(word) ? word.slice(0, -1) : word;
}

function withoutPastOrGerund(word: string): string {
  if (word.endsWith('eed')) return oneGroup.test(word.slice(0, -3)) ? word.slice(0, -1) : word;
  const [, rest] = /^(.+?)(?:ed|ing)$/.exec(word) ?? [];
  if (rest === undefined || !hasVowel.test(rest)) return word;
  if (/(at|bl|iz)$/.test(rest)) return `${rest}e`;
  if (/([^aeiouylsz])\1$/.test(rest)) return rest.slice(0, -1);
  return shortEnd.test(rest) ? `${rest}e` : rest;
}

function replaceSuffix(word: string, suffixes: Suffixes): string {
  const found = suffixes.find(([suffix]) => word.endsWith(suffix));
  if (found === undefined) return word;
  const rest = word.slice(0, -found[0].length);
  return oneGroup.test(rest) ? rest + found[1] : word;
}

/** An e that is not needed, and one of two l. */
function withoutFinalLetter(word: string): string {
  let short = word;
  if (word.endsWith('e')) {
    const rest = word.slice(0, -1);
    if (twoGroups.test(rest) || (exactlyOneGroup.test(rest) && !shortEnd.test(rest))) short = rest;
  }
  return short.endsWith('ll') && twoGroups.test(short) ? short.slice(0, -1) : short;
}
