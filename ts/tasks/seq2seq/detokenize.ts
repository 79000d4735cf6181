/** Texts of the tokenized data sets as people write them (`tasks/seq2seq/dataset.py` of the original). */

const quotes: Readonly<Record<string, string>> = { '“': '"', '”': '"', '’': "'", '‘': "'", '–': '-' };

/** Quotation marks and dashes as a keyboard has them. */
export function withPlainPunctuation(text: string): string {
  return text.replace(/[“”’‘–]/g, (mark) => quotes[mark]!);
}

const brackets: Readonly<Record<string, string>> = {
  LRB: '(',
  RRB: ')',
  LSB: '[',
  RSB: ']',
  LCB: '{',
  RCB: '}',
};

/** CNN/DailyMail, tokenized: brackets, quotation marks and contractions. */
export function detokenizeCnnDm(text: string): string {
  return withPlainPunctuation(text)
    .replace(/-(LRB|RRB|LSB|RSB|LCB|RCB)-/g, (_, name: string) => brackets[name]!)
    .replace(/''|``/g, '"')
    .replaceAll('`', "'")
    .replace(/ (n't|'s|'d|'ll)/g, '$1');
}

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };

/** Gigaword: brackets, entities, and unknown words as the tokenizer writes them. */
export function detokenizeGigaword(text: string, unknown = '[UNK]'): string {
  return withPlainPunctuation(text)
    .replace(/UNK|<unk>/g, unknown)
    .replace(/-(lrb|rrb|lsb|rsb|lcb|rcb)-/g, (_, name: string) => brackets[name.toUpperCase()]!)
    .replace(/&(amp|lt|gt);/g, (entity) => entities[entity]!);
}
