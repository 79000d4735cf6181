import { GlmError } from '../../errors.js';
import { type ProtobufField, readProtobuf } from './protobuf.js';

/** What a piece is for (`SentencePiece.Type` in sentencepiece_model.proto). */
export const pieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface SentencePieceModel {
  readonly pieces: readonly { readonly text: string; readonly score: number; readonly type: number }[];
  /** What an unknown piece is written as. */
  readonly unknownSurface: string;
  /** The rules of the normaliser, as `spm_train` compiled them; empty: none. */
  readonly charsMap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
}

const modelTypeBpe = 2;

/**
 * Reads a SentencePiece model file (`ModelProto` of sentencepiece_model.proto) of type BPE.
 * @throws GlmError GLM_TOKENIZER if it is no such file, or of a kind that no GLM has
 */
export function readSentencePieceModel(file: Uint8Array): SentencePieceModel {
  const model = readProtobuf(file);
  const pieces = model
    .filter((field) => field.number === 1)
    .map((field) => {
      const piece = readProtobuf(bytesOf(field));
      return {
        text: textOf(piece, 1, ''),
        score: floatOf(piece, 2, 0),
        type: intOf(piece, 3, pieceType.normal),
      };
    });
  const trainer = messageOf(model, 2);
  const normalizer = messageOf(model, 3);
  requireFeature(pieces.length > 0, 'pieces', 'none');
  requireFeature(intOf(trainer, 3, 1) === modelTypeBpe, 'a model of type BPE', 'another type');
  requireFeature(intOf(trainer, 24, 0) === 0, 'white space in front of words', 'white space behind them');
  requireFeature(intOf(normalizer, 5, 1) === 1, 'escaped white space', 'white space as it is');
  for (const { type } of pieces) {
    requireFeature(
      type !== pieceType.unused && type !== pieceType.byte,
      'pieces in use',
      'unused or byte pieces',
    );
  }
  return {
    pieces,
    unknownSurface: textOf(trainer, 44, ' \u2047 '),
    charsMap: lastOf(normalizer, 2)?.bytes ?? new Uint8Array(0),
    addDummyPrefix: intOf(normalizer, 3, 1) === 1,
    removeExtraWhitespaces: intOf(normalizer, 4, 1) === 1,
  };
}

function requireFeature(holds: boolean, expected: string, found: string): void {
  if (holds) return;
  throw new GlmError(
    'GLM_TOKENIZER',
    `SentencePiece model: expected ${expected}, as the GLM vocabularies have, found ${found}`,
  );
}

/** Of a field that is given more than once the last counts. */
function lastOf(message: readonly ProtobufField[], number: number): ProtobufField | undefined {
  return message.findLast((field) => field.number === number);
}

function bytesOf({ number, bytes }: ProtobufField): Uint8Array {
  if (bytes !== undefined) return bytes;
  throw new GlmError(
    'GLM_TOKENIZER',
    `SentencePiece model: expected bytes in field ${number}, found a number; the file is damaged`,
  );
}

function messageOf(message: readonly ProtobufField[], number: number): ProtobufField[] {
  const field = lastOf(message, number);
  return field === undefined ? [] : readProtobuf(bytesOf(field));
}

function textOf(message: readonly ProtobufField[], number: number, otherwise: string): string {
  const field = lastOf(message, number);
  return field === undefined ? otherwise : Buffer.from(bytesOf(field)).toString('utf8');
}

function intOf(message: readonly ProtobufField[], number: number, otherwise: number): number {
  return lastOf(message, number)?.integer ?? otherwise;
}

function floatOf(message: readonly ProtobufField[], number: number, otherwise: number): number {
  return lastOf(message, number)?.float ?? otherwise;
}
