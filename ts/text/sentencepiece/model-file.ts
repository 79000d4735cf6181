import { GlmError } from '../../errors.js';
import { ProtobufReader } from './protobuf.js';

/** What a piece is for (`SentencePiece.Type` in sentencepiece_model.proto). */
export const pieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

/** The parts of a `ModelProto` (sentencepiece_model.proto) that encoding and decoding depend on. */
export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  /** What an unknown piece is written as. */
  readonly unknownSurface: string;
  /** The rules of the normaliser, as the trainer compiled them; empty: none. */
  readonly charsMap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
}

interface TrainerSettings {
  modelType: number;
  spaceBehind: boolean;
  unknownSurface: string;
}

interface NormalizerSettings {
  charsMap: Uint8Array;
  addDummyPrefix: boolean;
  removeExtraWhitespaces: boolean;
  escapeWhitespaces: boolean;
}

const modelTypeUnigram = 1;
const modelTypeBpe = 2;

/**
 * Reads a SentencePiece model file of type BPE.
 * @throws GlmError GLM_TOKENIZER if it is no such file, or has what no GLM vocabulary has
 */
export function readSentencePieceModel(file: Uint8Array): SentencePieceModel {
  const pieces: Piece[] = [];
  // The defaults of the proto.
  const trainer = { modelType: modelTypeUnigram, spaceBehind: false, unknownSurface: ' \u2047 ' };
  const normalizer = {
    charsMap: new Uint8Array(0) as Uint8Array,
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
  };
  for (const model = new ProtobufReader(file); model.next();) {
    if (model.field === 1) pieces.push(readPiece(model.message));
    else if (model.field === 2) readTrainer(model.message, trainer);
    else if (model.field === 3) readNormalizer(model.message, normalizer);
  }
  requireThat(pieces.length > 0, 'pieces', 'none');
  requireThat(trainer.modelType === modelTypeBpe, 'a model of type BPE', 'another type');
  requireThat(!trainer.spaceBehind, 'white space in front of words', 'white space behind them');
  requireThat(normalizer.escapeWhitespaces, 'white space that is made visible', 'white space as it is');
  const isKnown = ({ type }: Piece): boolean => type >= pieceType.normal && type <= pieceType.userDefined;
  requireThat(pieces.every(isKnown), 'pieces that are in use', 'unused or byte pieces');
  requireThat(
    pieces.every((piece) => piece.text !== ''),
    'pieces with a text',
    'an empty one',
  );
  return { pieces, unknownSurface: trainer.unknownSurface, ...normalizer };
}

function readPiece(message: ProtobufReader): Piece {
  let text = '';
  let score = 0;
  let type: number = pieceType.normal;
  while (message.next()) {
    if (message.field === 1) text = message.text;
    else if (message.field === 2) score = message.float ?? score;
    else if (message.field === 3) type = message.integer ?? type;
  }
  return { text, score, type };
}

function readTrainer(message: ProtobufReader, settings: TrainerSettings): void {
  while (message.next()) {
    if (message.field === 3) settings.modelType = message.integer ?? 0;
    else if (message.field === 24) settings.spaceBehind = message.integer === 1;
    else if (message.field === 44) settings.unknownSurface = message.text;
  }
}

function readNormalizer(message: ProtobufReader, settings: NormalizerSettings): void {
  while (message.next()) {
    if (message.field === 2) settings.charsMap = message.bytes;
    else if (message.field === 3) settings.addDummyPrefix = message.integer === 1;
    else if (message.field === 4) settings.removeExtraWhitespaces = message.integer === 1;
    else if (message.field === 5) settings.escapeWhitespaces = message.integer === 1;
  }
}

function requireThat(holds: boolean, expected: string, found: string): void {
  if (holds) return;
  throw new GlmError(
    'GLM_TOKENIZER',
    `SentencePiece model: expected ${expected}, as the GLM vocabularies have, found ${found}`,
  );
}
