import { GlmError } from '../errors.js';
import type { SubwordDefinition } from './definition.js';
import { commandText, type CommandToken, type SpecialRole } from './special-tokens.js';
import type { Subwords } from './subwords.js';

/** Where a vocabulary keeps its special tokens. */
interface Layout {
  readonly type: SubwordDefinition['type'];
  /** Roles that pieces of the vocabulary itself have. */
  readonly pieces: Partial<Record<SpecialRole, string>>;
  /** Texts that differ from the usual ones. */
  readonly texts?: Partial<Record<SpecialRole, string>>;
  /**
   * Roles of the ids that follow the vocabulary, in order. Several roles may share one; an empty entry is an
   * id that is not used.
   */
  readonly appended: readonly (readonly SpecialRole[])[];
}

const bert = {
  type: 'wordpiece',
  pieces: { pad: '[PAD]', eos: '[PAD]', cls: '[CLS]', mask: '[MASK]', sep: '[SEP]', unk: '[UNK]' },
  texts: { pad: '[PAD]', eos: '[PAD]' },
} as const;

const chinese = [['pad', 'eos'], ['sep'], ['cls'], ['mask'], ['unk'], [], ['sop']] as const;

/**
 * The vocabularies of the published models, by the names that the original gives them (its
 * data_utils/tokenization.py).
 */
const layouts = {
  /** glm-base and glm-large with task masks. */
  'bert-base-uncased': { ...bert, appended: [['sop'], ['eop'], ['gmask'], ['smask'], ['dblock']] },
  /** glm-large, glm-410m, glm-515m: one kind of blank only. */
  'bert-large-uncased': { ...bert, appended: [['sop'], ['eop']] },
  /** glm-2b, glm-10b. */
  gpt2: {
    type: 'bpe',
    pieces: { pad: '<|endoftext|>', eos: '<|endoftext|>' },
    appended: [['sop'], ['eop'], ['cls'], ['mask'], ['sep'], ['unk'], ['gmask'], ['smask'], ['dblock']],
  },
  /** glm-roberta-large: one kind of blank only. */
  roberta: {
    type: 'bpe',
    pieces: { pad: '</s>', eos: '</s>', cls: '<s>', mask: '<mask>', sep: '</s>', unk: '<unk>' },
    appended: [['sop'], ['eop']],
  },
  /** glm-large-chinese, and glm-10b-chinese as published on the Hub. */
  chinese: { type: 'sentencepiece', pieces: {}, appended: [...chinese, ['eop'], ['smask'], ['gmask']] },
  /** glm-10b-chinese as in the original's checkpoint, where [gMASK] and <|endofpiece|> are one token. */
  'chinese-10b': { type: 'sentencepiece', pieces: {}, appended: [...chinese, ['eop', 'gmask'], ['smask']] },
} as const satisfies Record<string, Layout>;

export type LayoutName = keyof typeof layouts;

export const layoutNames = Object.keys(layouts) as LayoutName[];

/** A token that a tokenizer's files add to its vocabulary. */
export interface AddedToken {
  readonly id: number;
  readonly leftStrip: boolean;
}

/** The layout of a vocabulary about which nothing else is known. */
export function usualLayout(subwords: Subwords): LayoutName {
  if (subwords.type === 'wordpiece') return 'bert-large-uncased';
  if (subwords.type === 'sentencepiece') return 'chinese';
  return subwords.idOf('<s>') !== undefined && subwords.idOf('<mask>') !== undefined ? 'roberta' : 'gpt2';
}

/**
 * The command tokens of a vocabulary: those that its files add, the special tokens of the layout that are
 * pieces of the vocabulary, and, unless the files say where Part B's tokens are, those that the layout
 * appends.
 */
export function commandTokens(
  subwords: Subwords,
  name: LayoutName,
  added: ReadonlyMap<string, AddedToken> = new Map(),
): CommandToken[] {
  const layout: Layout = layouts[name];
  if (layout.type !== subwords.type) {
    const fitting = layoutNames.filter((other) => layouts[other].type === subwords.type).join(', ');
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected a layout for a ${subwords.type} vocabulary (${fitting}), found '${name}'`,
    );
  }

  const append = !added.has(commandText.sop) && !added.has(commandText.eop);
  const commands: CommandToken[] = [];
  for (const role of Object.keys(commandText) as SpecialRole[]) {
    const text = layout.texts?.[role] ?? commandText[role];
    const piece = layout.pieces[role];
    const appendedAt = layout.appended.findIndex((roles) => roles.includes(role));
    let id = added.get(text)?.id ?? (piece === undefined ? undefined : subwords.idOf(piece));
    if (id === undefined && append && appendedAt >= 0) id = subwords.size + appendedAt;
    if (id === undefined) continue;
    // In the original a blank takes the white space before it, except with word pieces, which do not see it.
    const leftStrip = isBlank(role) && layout.type !== 'wordpiece';
    // RoBERTa's own spelling of the mask is understood too; [MASK], which comes after it, is what is written.
    if (role === 'mask' && piece !== undefined && piece !== text)
      commands.push({ text: piece, id, leftStrip });
    commands.push({ text, id, role, leftStrip });
  }
  const known = new Set(commands.map((command) => command.text));
  const others = [...added].filter(([text]) => !known.has(text)).map(([text, token]) => ({ text, ...token }));
  return [...others, ...commands];
}

function isBlank(role: SpecialRole): boolean {
  return role === 'mask' || role === 'gmask' || role === 'smask';
}
