const sentenceEnd = /[.?!;:。？！；…\n]/;

/**
 * For each id 1 if its piece ends a sentence, as the original's `contains_sentence_end` decides
 * (blocklm_utils.py): the token has one of `. ? ! ; : 。 ？ ！ ； … \n` somewhere. Looks at what the piece
 * writes: in a byte-level vocabulary a line break is spelled `Ċ`, which the original, looking at the
 * spelling, does not recognise.
 */
export function sentenceEndFlags(size: number, written: (id: number) => string): Uint8Array {
  return Uint8Array.from({ length: size }, (_, id) => (sentenceEnd.test(written(id)) ? 1 : 0));
}
