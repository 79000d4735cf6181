import { GlmError } from '../errors.js';

/**
 * Ids of the tokens with a meaning of their own. Which exist depends on the tokenizer: the BERT vocabularies
 * of the published models have one mask only, the GPT-2 ones have three (`layouts.ts`).
 */
export interface SpecialTokens {
  /** Fills up rows; never looked at. In most layouts the same token as `eos`. */
  readonly pad: number;
  /** End of text: ends a document, and generation. */
  readonly eos: number;
  /** Starts every example. */
  readonly cls: number;
  readonly sep: number;
  readonly unk: number;
  /** A short blank: a word, a phrase. */
  readonly mask: number;
  /** Start of piece: the first input token of a span in Part B. */
  readonly sop: number;
  /** End of piece: the last target token of a span. */
  readonly eop: number;
  /** A blank that reaches to the end of the text: free generation. */
  readonly gmask?: number;
  /** A blank of whole sentences. */
  readonly smask?: number;
  /** Hides single tokens inside a block when training with block_mask_prob or context_mask_ratio. */
  readonly dblock?: number;
}

/** A role of {@link SpecialTokens}. */
export type SpecialRole = keyof SpecialTokens;

/**
 * A special token as it may stand in a text. Several may share one id; when decoding, the last of them is
 * written.
 */
export interface CommandToken {
  readonly text: string;
  readonly id: number;
  /** What a GLM uses it for. */
  readonly role?: SpecialRole;
  /** The token takes the white space in front of it: `a [MASK]` and `a[MASK]` are the same. */
  readonly leftStrip: boolean;
}

/** The text of each role in vocabularies made for GLM, in the order in which the original declares them. */
export const commandText = {
  pad: '<|endoftext|>',
  eos: '<|endoftext|>',
  sop: '<|startofpiece|>',
  eop: '<|endofpiece|>',
  cls: '[CLS]',
  mask: '[MASK]',
  sep: '[SEP]',
  unk: '[UNK]',
  gmask: '[gMASK]',
  smask: '[sMASK]',
  dblock: '[dBLOCK]',
} as const satisfies Record<SpecialRole, string>;

const requiredRoles = ['pad', 'eos', 'cls', 'sep', 'unk', 'mask', 'sop', 'eop'] as const;

/** The roles whose token is a blank to be filled. */
export const blankRoles = ['mask', 'gmask', 'smask'] as const satisfies readonly SpecialRole[];

/**
 * The id of each role.
 * @param source what to name in the message, such as the folder the tokens come from
 * @throws GlmError GLM_TOKENIZER when a role that a GLM needs has none
 */
export function specialTokens(commands: readonly CommandToken[], source: string): SpecialTokens {
  const ids: Partial<Record<SpecialRole, number>> = {};
  for (const { role, id } of commands) if (role !== undefined) ids[role] = id;
  const missing = requiredRoles.filter((role) => ids[role] === undefined);
  if (missing.length > 0) {
    const named = missing.map((role) => `${role} (${commandText[role]})`).join(', ');
    throw new GlmError(
      'GLM_TOKENIZER',
      `${source}: expected special tokens for every role of a GLM, found none for ${named}; ` +
        `list them with their ids in added_tokens.json, or name the layout of a published model with { layout }`,
    );
  }
  return ids as SpecialTokens;
}

/** The blank a token stands for, or undefined for any other token. */
export function blankName(id: number, special: SpecialTokens): 'mask' | 'gmask' | 'smask' | undefined {
  return blankRoles.find((role) => special[role] === id);
}
